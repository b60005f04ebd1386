package consentledger.client;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Whom a reader trusts (docs/spec/policies.md): the reader's own input, learnt out of band, and never taken from evidence. */
public final class Trust {
    private static final long AHEAD_MS = 300_000;

    record Group(int threshold, List<String> members) {}

    /** Sizes that a key may sign, and the size from which on somebody else may have signed with it. */
    record Interval(long first, long last, long compromised) {}

    /** A checkpoint whose signatures verify. {@code witnessed}: the policy asks for a quorum of witnesses, and it is met. */
    public record Head(
            Notes.Checkpoint checkpoint, String note, List<Notes.Signed> cosignatures, List<String> witnesses, boolean quorumMet,
            boolean witnessed) {}

    private final List<Notes.Key> logs;
    private final Map<String, Notes.Key> witnesses;
    private final Map<String, Group> groups;
    private final String quorum;
    private final List<String> uncounted;
    private final Map<String, Interval> intervals;

    Trust(PolicyReader read, Map<String, Interval> intervals) {
        this.logs = List.copyOf(read.logs);
        this.witnesses = read.witnesses;
        this.groups = read.groups;
        this.quorum = read.quorum;
        this.uncounted = List.copyOf(read.uncounted.values());
        this.intervals = intervals;
    }

    private Trust(Trust before, List<KeySuccession> found) {
        List<Notes.Key> all = new ArrayList<>(before.logs);
        Map<String, Interval> bounds = new HashMap<>(before.intervals);
        for (KeySuccession one : found) {
            all.add(one.key());
            bounds.put(one.key().vkey(), new Interval(one.first(), Long.MAX_VALUE, Long.MAX_VALUE));
        }
        this.logs = List.copyOf(all);
        this.witnesses = before.witnesses;
        this.groups = before.groups;
        this.quorum = before.quorum;
        this.uncounted = before.uncounted;
        this.intervals = bounds;
    }

    /** The same trust, with the keys that the log's documents have led to, each from its size on. */
    public Trust with(List<KeySuccession> found) {
        return new Trust(this, found);
    }

    /** The keys of the log of this origin that can be verified with here. */
    List<Notes.Key> logKeys(String origin) {
        return logs.stream().filter(key -> key.name().equals(origin)).toList();
    }

    /** A policy or a trust file that is in force at {@code now}. Throws {@link CannotCheck}: without it nothing can be said. */
    public static Trust read(byte[] file, Instant now) {
        return PolicyReader.read(file, now);
    }

    /** The names of logs and witnesses whose keys are understood and cannot be counted (ML-DSA-44). */
    public List<String> uncounted() {
        return uncounted;
    }

    /** The origin of the policy's first log. Throws {@link CannotCheck} if none of its keys can be verified with here. */
    public String origin() {
        if (logs.isEmpty()) throw new CannotCheck("the policy names no log key that can be verified with here");
        return logs.get(0).name();
    }

    /** Verify a signed checkpoint. Too few cosignatures do not refute it: see {@link Head}. Throws {@link Refuted}. */
    public Head open(String note) {
        List<Notes.Key> keys = new ArrayList<>(logs);
        keys.addAll(witnesses.values());
        Notes.Opened opened = Notes.open(note, keys);
        List<Notes.Signed> log = opened.signed().stream().filter(one -> logs.contains(one.key())).toList();
        if (log.isEmpty()) throw new Refuted(Code.BAD_SIGNATURE, "no signature by a key of the log");
        Notes.Checkpoint checkpoint = Notes.readCheckpoint(opened.text());
        if (log.stream().anyMatch(one -> !one.key().name().equals(checkpoint.origin()))) {
            throw new Refuted(Code.BAD_SIGNATURE, "the checkpoint is of another log");
        }
        if (log.stream().noneMatch(one -> covers(one, checkpoint.size()))) {
            throw new Refuted(Code.POLICY_REJECTED, "the log key is not valid for a checkpoint of size " + checkpoint.size());
        }
        List<Notes.Signed> cosigned = opened.signed().stream().filter(one -> one.key().kind() == Notes.COSIGNATURE).toList();
        List<String> names = new ArrayList<>();
        witnesses.forEach((name, key) -> {
            if (cosigned.stream().anyMatch(one -> one.key().equals(key) && covers(one, checkpoint.size()))) names.add(name);
        });
        boolean met = isSatisfied(names);
        boolean stolen = log.stream().filter(one -> covers(one, checkpoint.size())).allMatch(one -> {
            Interval interval = intervals.get(one.key().vkey());
            return interval != null && checkpoint.size() >= interval.compromised();
        });
        if (stolen && !(met && !quorum.equals("none"))) {
            throw new Refuted(Code.KEY_COMPROMISED, "somebody else may have signed this checkpoint, and no quorum vouches for it");
        }
        return new Head(checkpoint, note, cosigned, List.copyOf(names), met, met && !quorum.equals("none"));
    }

    /**
     * The checkpoint of a log that this policy does not name, for which something else vouches: its form, and that no line of a known
     * witness is wrong, are all that can be asked. Throws {@link Refuted}.
     */
    Notes.Checkpoint openUnnamed(String note) {
        return Notes.readCheckpoint(Notes.openUnsigned(note, witnesses.values()).text());
    }

    /** The latest time (ms) that an entry of this tree may have, by the word of a quorum; {@link Long#MAX_VALUE}: nothing is said. */
    long latest(Head head) {
        if (quorum.equals("none")) return Long.MAX_VALUE;
        List<String> signers = new ArrayList<>();
        for (Notes.Signed one : head.cosignatures().stream().sorted(Comparator.comparingLong(Notes.Signed::time)).toList()) {
            if (one.time() == 0) continue;
            witnesses.forEach((name, key) -> {
                if (key.equals(one.key())) signers.add(name);
            });
            if (isSatisfied(signers)) return one.time() > Long.MAX_VALUE - AHEAD_MS ? Long.MAX_VALUE : one.time() + AHEAD_MS;
        }
        return Long.MAX_VALUE;
    }

    boolean asksForWitnesses() {
        return !quorum.equals("none");
    }

    /** Whether a key vouches for some sizes only, or somebody else may have it. */
    boolean isBounded(Notes.Key key) {
        Interval interval = intervals.get(key.vkey());
        return interval != null
                && (interval.first() > 0 || interval.last() < Long.MAX_VALUE || interval.compromised() < Long.MAX_VALUE);
    }

    private boolean isSatisfied(Collection<String> names) {
        Set<String> met = new HashSet<>(names);
        met.retainAll(witnesses.keySet());
        groups.forEach((name, group) -> {
            if (group.members().stream().filter(met::contains).count() >= group.threshold()) met.add(name);
        });
        return quorum.equals("none") || met.contains(quorum);
    }

    private boolean covers(Notes.Signed signed, long size) {
        Interval interval = Objects.requireNonNullElse(intervals.get(signed.key().vkey()), new Interval(0, Long.MAX_VALUE, Long.MAX_VALUE));
        return interval.first() <= size && size <= interval.last();
    }
}
