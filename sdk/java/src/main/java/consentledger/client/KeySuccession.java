package consentledger.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A key of the log that another, which was trusted, has led to by the log's own documents (docs/spec/log.md, «The log's keys»). It
 * signs checkpoints of {@code first} entries and more.
 */
public record KeySuccession(Notes.Key key, Notes.Key by, long first) {
    /** A document about a key of the log: the index of its entry, and the entry itself. */
    public record Document(long index, byte[] leaf) {}

    /** Takes an index and the size of a tree; gives the hashes of the inclusion proof. */
    @FunctionalInterface
    public interface FetchInclusion {
        List<byte[]> fetch(long index, long size) throws LedgerException;
    }

    private static final Map<String, List<String>> MEMBERS = Map.of(
            "log.key_added", List.of("key", "previous"),
            "log.key_retired", List.of("key", "signature"),
            "log.key_compromised", List.of("from_size", "key", "reason"));

    private record Added(String key, String previous) {}

    private record Retired(String key, byte[] signature) {}

    /** What the documents say, by their index; keys in hexadecimal. */
    private static final class Words {
        private final Map<Long, byte[]> leaves = new TreeMap<>();
        private final SortedMap<Long, Added> added = new TreeMap<>();
        private final SortedMap<Long, Retired> retired = new TreeMap<>();
        /** Key → the least size from which on somebody else may have signed. */
        private final Map<String, Long> compromised = new TreeMap<>();

        void read(Document handed) {
            Leaf leaf = Leaf.read(handed.leaf);
            Members document = new Members(leaf.members()).has("document") ? new Members(leaf.members()).object("document") : null;
            Object type = document == null ? null : document.values().get("type");
            if (!(type instanceof String kind) || !MEMBERS.containsKey(kind) || !Long.valueOf(2).equals(document.values().get("v"))) {
                throw new Refuted(Code.BAD_ENCODING, "entry " + handed.index + " is no document about a key of the log");
            }
            if (leaf.index() != handed.index) {
                throw new Refuted(Code.BAD_PROOF, "entry " + handed.index + " is not the one that it is said to be");
            }
            List<String> members = new ArrayList<>(MEMBERS.get(kind));
            members.addAll(List.of("type", "v"));
            document.exactly(members);
            String key = key(document, "key");
            leaves.put(handed.index, handed.leaf);
            switch (kind) {
                case "log.key_added" -> added.put(handed.index, new Added(key, key(document, "previous")));
                case "log.key_retired" -> retired.put(handed.index, new Retired(key, document.bytes("signature", 64)));
                default -> {
                    document.text("reason", 64, Acts.CODE);
                    compromised.merge(key, document.integer("from_size"), Math::min);
                }
            }
        }

        private static String key(Members document, String name) {
            byte[] raw = document.bytes(name, 32);
            PublicKeys.ed25519(raw);
            return HexFormat.of().formatHex(raw);
        }
    }

    /**
     * The keys that the trusted ones of one log lead to, nearest first. Whoever hands the documents over is trusted in nothing. Throws
     * {@link Refuted} when a document, proof or signature does not hold, and with KEY_COMPROMISED when they lead to none because
     * somebody else may have one of them: then the present key has to come another way than from the log.
     */
    public static List<KeySuccession> of(List<Notes.Key> trusted, List<Document> documents, FetchInclusion proofs)
            throws LedgerException {
        Words words = new Words();
        documents.forEach(words::read);
        List<Notes.Key> known = new ArrayList<>(trusted.stream().filter(key -> key.kind() == Notes.ED25519).toList());
        List<KeySuccession> found = new ArrayList<>();
        for (int at = 0; at < known.size(); at++) { // grows: from a key so found the way goes on
            Notes.Key by = known.get(at);
            long stolenFrom = words.compromised.getOrDefault(by.raw(), Long.MAX_VALUE);
            for (Map.Entry<Long, Retired> end : words.retired.entrySet()) {
                if (!end.getValue().key.equals(by.raw()) || stolenFrom <= end.getKey()) continue;
                for (Map.Entry<Long, Added> added : words.added.headMap(end.getKey()).entrySet()) {
                    String raw = added.getValue().key;
                    boolean ofThis = added.getValue().previous.equals(by.raw());
                    if (!ofThis || known.stream().anyMatch(one -> one.raw().equals(raw))) continue;
                    long index = added.getKey();
                    byte[] leaf = Merkle.leafHash(words.leaves.get(index));
                    byte[] root = Merkle.inclusionRoot(index, end.getKey(), leaf, proofs.fetch(index, end.getKey()));
                    String text = by.name() + "\n" + end.getKey() + "\n" + Bytes.b64(root) + "\n";
                    by.verifier().verify(Bytes.utf8(text), end.getValue().signature);
                    Notes.Key next = noteKey(by.name(), HexFormat.of().parseHex(raw));
                    known.add(next);
                    if (!words.compromised.containsKey(raw)) found.add(new KeySuccession(next, by, index + 1));
                }
            }
        }
        if (found.isEmpty() && known.stream().anyMatch(key -> words.compromised.containsKey(key.raw()))) {
            throw new Refuted(
                    Code.KEY_COMPROMISED,
                    "somebody else may have a key of this log, which therefore leads to no later one: get the present key another way");
        }
        return List.copyOf(found);
    }

    /** The key of a log of this name. Throws {@link Refuted}. */
    static Notes.Key noteKey(String name, byte[] raw) {
        byte[] data = Bytes.concat(new byte[] {Notes.ED25519}, raw);
        byte[] id = Arrays.copyOf(Bytes.sha256(Bytes.utf8(name + "\n"), data), 4);
        return Notes.readVkey(name + "+" + HexFormat.of().formatHex(id) + "+" + Bytes.b64(data), List.of(Notes.ED25519));
    }
}
