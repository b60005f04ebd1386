package consentledger.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** An entry of the log (docs/spec/leaves.md). {@code time} in milliseconds; hashes in base64url among the {@code members}. */
public record Leaf(long index, String kind, long time, Map<String, Object> members) {
    private static final List<String> COMMON = List.of("index", "kind", "prev", "time", "v");
    private static final List<String> CHAINED = with(COMMON, "chain", "prev_in_chain", "seq");
    private static final Map<String, List<String>> KINDS = Map.of(
            "consent", with(CHAINED, "commitment"),
            "subject", with(CHAINED, "commitment"),
            "participant", with(CHAINED, "commitment"),
            "operator", with(CHAINED, "document"),
            "index-head", with(COMMON, "map_root", "map_size"));

    private static List<String> with(List<String> some, String... more) {
        List<String> all = new ArrayList<>(some);
        all.addAll(List.of(more));
        return List.copyOf(all);
    }

    /** Read a leaf in its one spelling. Throws {@link Refuted}, and {@link CannotCheck} for another version. */
    public static Leaf read(byte[] bytes) {
        Map<String, Object> values = Json.readCanonical(bytes, 1_024);
        Members members = new Members(values);
        members.version("the leaf");
        String kind = members.text("kind", 16);
        if (!KINDS.containsKey(kind)) throw Members.bad("a leaf of an unknown kind", "kind");
        members.exactly(KINDS.get(kind));
        for (String name : List.of("prev", "chain", "prev_in_chain", "commitment", "map_root")) {
            if (members.has(name)) members.bytes(name, 32);
        }
        for (String name : List.of("seq", "map_size")) if (members.has(name)) members.integer(name);
        if (members.has("document")) members.object("document");
        return new Leaf(members.integer("index"), kind, members.integer("time"), values);
    }

    /** Whether the leaf commits to evidence. */
    public boolean committed() {
        return members.containsKey("commitment");
    }

    /** The chain of a consent id, or of {@code subject:holder:reference}. */
    public static String chainOf(String name) {
        return Bytes.b64u(Bytes.tagged("chain", Bytes.utf8(name)));
    }
}
