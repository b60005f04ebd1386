package consentledger.client;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads tlog-policies and trust files, as docs/spec/policies.md has them. */
final class PolicyReader {
    private static final int MOST = 256;
    private static final int DEEPEST = 32;

    private static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message);
        }
    }

    final List<Notes.Key> logs = new ArrayList<>();
    final Map<String, Notes.Key> witnesses = new LinkedHashMap<>();
    final Map<String, Trust.Group> groups = new LinkedHashMap<>();
    final Map<String, String> uncounted = new LinkedHashMap<>();
    String quorum;
    private final Set<String> members = new HashSet<>();
    private final Map<String, Integer> depths = new HashMap<>();
    private final Set<String> keys = new HashSet<>();
    private final Set<String> logNames = new HashSet<>();
    private final Set<String> witnessNames = new HashSet<>();
    private int logCount;

    private PolicyReader() {}

    static Trust read(byte[] file, Instant now) {
        int at = 0;
        while (at < file.length && " \t\r\n".indexOf(file[at]) >= 0) at++;
        if (at == file.length || file[at] != '{') return new Trust(policy(file), Map.of());
        try {
            Members trust = new Members(Json.read(file, 1_000_000));
            trust.exactly(List.of("v", "version", "expires", "policy", "keys", "rp_ids", "origins"));
            trust.integer("v", 1, 1);
            PolicyReader policy = policy(Bytes.utf8(trust.text("policy", 262_144)));
            trust.texts("rp_ids", 0, 1_000);
            trust.texts("origins", 0, 1_000);
            trust.integer("version", 1);
            long expires = trust.integer("expires", 1);
            if (now.toEpochMilli() >= expires) throw new CannotCheck("the trust file expired at " + expires + " ms");
            return new Trust(policy, intervals(trust, policy));
        } catch (Refuted refusal) {
            throw new CannotCheck("the trust file cannot be used: " + refusal.getMessage());
        }
    }

    private static Map<String, Trust.Interval> intervals(Members trust, PolicyReader policy) {
        Set<String> known = new HashSet<>();
        policy.logs.forEach(key -> known.add(key.vkey()));
        policy.witnesses.values().forEach(key -> known.add(key.vkey()));
        Map<String, Trust.Interval> found = new HashMap<>();
        for (Members item : trust.objects("keys", 0, Integer.MAX_VALUE)) {
            item.exactly(List.of("vkey", "valid_from_size", "valid_to_size"), List.of("compromised_from_size"));
            String vkey = item.text("vkey", 1_000);
            long first = item.integer("valid_from_size");
            boolean open = item.values().get("valid_to_size") == null;
            long last = open ? Long.MAX_VALUE : item.integer("valid_to_size", first);
            boolean stolen = item.values().containsKey("compromised_from_size");
            long compromised = stolen ? item.integer("compromised_from_size") : Long.MAX_VALUE;
            if (!known.contains(vkey) || found.put(vkey, new Trust.Interval(first, last, compromised)) != null) {
                throw Members.bad("a key is listed twice, or is not in the policy", "keys");
            }
        }
        return found;
    }

    private static PolicyReader policy(byte[] file) {
        int ends = 0;
        for (byte one : file) {
            if (one == '\n') ends++;
            if (one >= 0 && one < 0x20 && one != '\t' && one != '\n' || one == 0x7f) {
                throw new CannotCheck("the policy holds a control character");
            }
        }
        if (file.length > 262_144 || ends > 4_096) throw new CannotCheck("the policy is too long");
        if (file.length > 0 && file[file.length - 1] != '\n') {
            throw new CannotCheck("the last line of the policy does not end in a newline");
        }
        PolicyReader reader = new PolicyReader();
        // Names are compared as bytes: one character for each.
        String[] lines = new String(file, StandardCharsets.ISO_8859_1).split("\n", -1);
        for (int number = 0; number < lines.length; number++) {
            List<String> words = new ArrayList<>(List.of(lines[number].split("[ \t]+")));
            words.removeIf(String::isEmpty);
            if (words.isEmpty() || words.get(0).startsWith("#")) continue;
            try {
                reader.add(words);
            } catch (Malformed | Refuted refusal) {
                throw new CannotCheck("policy line " + (number + 1) + ": " + refusal.getMessage());
            }
        }
        if (reader.quorum == null) {
            throw new CannotCheck("the policy has no quorum line: write «quorum none» to ask for no witness");
        }
        return reader;
    }

    private void add(List<String> words) throws Malformed {
        String first = words.get(0);
        int count = words.size();
        if (first.equals("log") && (count == 2 || count == 3)) {
            log(words.get(1));
        } else if (first.equals("witness") && (count == 3 || count == 4)) {
            checkFree(words.get(1));
            witness(words.get(1), words.get(2));
        } else if (first.equals("group") && count > 3) {
            checkFree(words.get(1));
            group(words.get(1), words.get(2), words.subList(3, count));
        } else if (first.equals("quorum") && count == 2) {
            if (quorum != null) throw new Malformed("a second quorum line");
            if (!words.get(1).equals("none") && !isDefined(words.get(1))) throw new Malformed("the quorum is not defined above");
            quorum = words.get(1);
        } else {
            throw new Malformed("not a line of a policy: " + first);
        }
    }

    private void log(String vkey) throws Malformed {
        Notes.Key key = key(vkey, Notes.ED25519);
        if (witnessNames.contains(key.name())) throw new Malformed(key.name() + " is a witness: nobody witnesses itself");
        logNames.add(key.name());
        if (key.verifier() == null) uncounted.put(" " + vkey, key.name());
        else logs.add(key);
        if (++logCount > MOST) throw new Malformed("more than 256 logs");
    }

    private void witness(String name, String vkey) throws Malformed {
        Notes.Key key = key(vkey, Notes.COSIGNATURE);
        if (logNames.contains(key.name())) throw new Malformed(key.name() + " is a log: nobody witnesses itself");
        if (!witnessNames.add(key.name())) throw new Malformed("a second key of the witness " + key.name());
        if (key.verifier() == null) uncounted.put(name, name);
        else witnesses.put(name, key);
        if (witnessNames.size() > MOST) throw new Malformed("more than 256 witnesses");
    }

    private void group(String name, String word, List<String> named) throws Malformed {
        long threshold = word.equals("all") ? named.size() : word.equals("any") ? 1 : Bytes.decimal(word);
        if (threshold < 1 || threshold > named.size()) throw new Malformed("a threshold of " + word + " of " + named.size());
        int depth = 0;
        for (String member : named) {
            if (!isDefined(member)) throw new Malformed("the member " + member + " is not defined above");
            if (!members.add(member)) throw new Malformed(member + " is a member already");
            depth = Math.max(depth, depths.getOrDefault(member, 0));
        }
        if (depth + 1 > DEEPEST) throw new Malformed("groups are nested more than 32 deep");
        groups.put(name, new Trust.Group((int) threshold, List.copyOf(named)));
        depths.put(name, depth + 1);
        if (groups.size() > MOST) throw new Malformed("more than 256 groups");
    }

    private Notes.Key key(String word, int kind) throws Malformed {
        Notes.Key key = Notes.readVkey(Bytes.textOf(Notes.latin1(word)), List.of(kind, Notes.ML_DSA_44));
        if (!keys.add(key.raw())) throw new Malformed("the same public key again: a key has one role");
        return key;
    }

    private boolean isDefined(String name) {
        return witnesses.containsKey(name) || groups.containsKey(name) || uncounted.containsKey(name);
    }

    private void checkFree(String name) throws Malformed {
        if (name.equals("none") || isDefined(name)) throw new Malformed("the name " + name + " is taken");
    }
}
