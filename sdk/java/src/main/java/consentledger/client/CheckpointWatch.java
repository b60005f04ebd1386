package consentledger.client;

import java.util.List;

/** Holds every checkpoint that is seen against the newest one. Safe to use from many threads. */
public final class CheckpointWatch {
    /** Fetches a consistency proof between two sizes, the smaller first. */
    @FunctionalInterface
    public interface FetchConsistency {
        List<byte[]> fetch(long old, long size) throws LedgerException;
    }

    private Trust trust;
    private final CheckpointMemory memory;
    private final FetchConsistency proofs;
    private Trust.Head newest;

    public CheckpointWatch(Trust trust, CheckpointMemory memory, FetchConsistency proofs) {
        this.trust = trust;
        this.memory = memory;
        this.proofs = proofs;
    }

    /** The largest checkpoint that was found consistent with all before it, or null. Throws {@link Refuted} if it is none. */
    public synchronized Trust.Head known() {
        if (newest == null) {
            String note = memory.read();
            if (note != null) newest = trust.open(note);
        }
        return newest;
    }

    /** Trust these keys from now on: what is remembered may be signed by a later key of the log. */
    public synchronized void believe(Trust believed) {
        trust = believed;
    }

    /** Take in a verified checkpoint. Throws Equivocation when it does not fit what is known, and what fetching a proof throws. */
    public synchronized void observe(Trust.Head seen) throws LedgerException {
        Trust.Head known = known();
        if (known != null) compare(known, seen);
        if (known == null || seen.checkpoint().size() > known.checkpoint().size()) {
            memory.write(seen.note());
            newest = seen;
        }
    }

    /** As {@link #observe}, of what the log calls its newest after {@code before} was known (or null). Throws RolledBack too. */
    public synchronized void observeNewest(Trust.Head seen, Trust.Head before) throws LedgerException {
        if (before != null && seen.checkpoint().size() < before.checkpoint().size()) {
            throw new LedgerException.RolledBack(
                    "the log shows " + seen.checkpoint().size() + " entries, and had " + before.checkpoint().size() + " before",
                    before.note(), seen.note());
        }
        observe(seen);
    }

    private void compare(Trust.Head known, Trust.Head seen) throws LedgerException {
        boolean grown = known.checkpoint().size() <= seen.checkpoint().size();
        Notes.Checkpoint small = (grown ? known : seen).checkpoint();
        Notes.Checkpoint large = (grown ? seen : known).checkpoint();
        if (small.size() == large.size()) {
            if (!small.root().equals(large.root())) {
                throw new LedgerException.Equivocation("two roots for one size", known.note(), seen.note());
            }
            return;
        }
        if (small.size() == 0) return;
        List<byte[]> proof = proofs.fetch(small.size(), large.size());
        try {
            Merkle.verifyConsistency(small.size(), large.size(), proof, small.rootBytes(), large.rootBytes());
        } catch (Refuted refusal) {
            throw new LedgerException.Equivocation(
                    "sizes " + small.size() + " and " + large.size() + ": " + refusal.getMessage(), known.note(), seen.note());
        }
    }
}
