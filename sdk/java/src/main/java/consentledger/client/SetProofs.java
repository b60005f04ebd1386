package consentledger.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A receipt of a shard, and the proof that the head log has committed to its entry (docs/spec/sets.md, 3). */
public final class SetProofs {
    static final int LIMIT = 65_536;
    private static final int MOST_HEADS = 6;
    private static final int LONGEST_PATH = 63;

    /** The first {@code size} entries of the log {@code origin} have this root, in base64url. */
    public record ShardHead(String origin, long size, String root) {}

    /** What entry {@code index} of the head log vouches for. {@code head}: the head log's checkpoint that it is proved in. */
    public record Vouched(long index, List<ShardHead> heads, Trust.Head head) {
        /** The head of that shard which covers its entry {@code index}. Throws {@link Refuted}. */
        ShardHead of(String origin, long index) {
            for (ShardHead one : heads) if (one.origin.equals(origin) && one.size > index) return one;
            String said = "the head log commits here to no head of " + origin + " that holds entry " + index;
            throw new Refuted(Code.BAD_PROOF, said, "leaf");
        }
    }

    /** What a receipt and a set proof show together; {@code vouched} is null if the set proof was refused before that. */
    public record Checked(Receipts.Checked receipt, Vouched vouched, List<Refuted> defects, List<String> unchecked) {}

    /** A leaf of a set of logs, and the document of version 2 in it. */
    record SetDocument(long index, Members document) {}

    private record Parsed(byte[] leaf, List<byte[]> path, Notes.Proof proof) {}

    private SetProofs() {}

    /**
     * Check a receipt of a shard with a set proof beside it, under a policy that names the head log, and collect every defect. If the
     * policy does not name the shard, its own signature is not checked, and {@code unchecked} says so. The quorum is asked of the head
     * log alone: see {@code vouched.head}. {@code keys}: see {@link Receipts#check}. Throws {@link Refuted} if the receipt is none,
     * {@link CannotCheck} for a version that is not known.
     */
    public static Checked check(byte[] receipt, byte[] setProof, Trust trust, Map<String, PublicKeys.Verifier> keys) {
        Vouched[] vouched = new Vouched[1];
        Receipts.Checked checked = Receipts.check(receipt, trust, keys, (origin, index, leaf) -> {
            Parsed proof = parse(setProof);
            vouched[0] = open(proof.leaf, proof.proof, trust);
            ShardHead head = vouched[0].of(origin, index);
            Merkle.verifyInclusion(index, head.size, Merkle.leafHash(leaf), proof.path, Bytes.unb64u(head.root, 32));
        });
        return new Checked(checked, vouched[0], checked.defects(), checked.unchecked());
    }

    /** What a leaf of the head log vouches for, of which {@code proof} shows its place. Throws {@link Refuted}, {@link CannotCheck}. */
    static Vouched open(byte[] leaf, Notes.Proof proof, Trust trust) {
        Trust.Head head = trust.open(proof.note());
        SetDocument read = document(leaf, "operator:heads");
        List<ShardHead> heads = heads(read.document);
        if (read.index != proof.index()) {
            throw new Refuted(Code.BAD_PROOF, "leaf and proof name different indexes", "index");
        }
        Notes.Checkpoint checkpoint = head.checkpoint();
        Merkle.verifyInclusion(
                proof.index(), checkpoint.size(), Merkle.leafHash(leaf), proof.hashes(), checkpoint.rootBytes());
        return new Vouched(read.index, heads, head);
    }

    /** A leaf of the head log, with its document. Throws {@link Refuted}, {@link CannotCheck} for another version. */
    static SetDocument document(byte[] bytes, String chain) {
        Leaf leaf = Leaf.read(bytes);
        if (!leaf.kind().equals("operator") || !Leaf.chainOf(chain).equals(leaf.members().get("chain"))) {
            throw Members.bad("the leaf is none of a set of logs", "leaf");
        }
        Members document = new Members(leaf.members()).object("document");
        long version = document.integer("v", 1);
        if (version > 2) {
            throw new CannotCheck("the operator document is of version " + version + ", and version 2 is known here");
        }
        if (version != 2) throw Members.bad("the leaf is none of a set of logs", "v");
        return new SetDocument(leaf.index(), document);
    }

    /** An origin that a key can be named after. Throws {@link Refuted}. */
    static String origin(Members value) {
        String origin = value.text("origin", 255);
        if (!Notes.isName(origin)) throw Members.bad("not the origin of a log", "origin");
        return origin;
    }

    private static List<ShardHead> heads(Members document) {
        if (!"heads.committed".equals(document.values().get("type"))) {
            throw Members.bad("the leaf of a set proof commits to no heads", "leaf");
        }
        document.exactly(List.of("heads", "type", "v"));
        List<ShardHead> heads = new ArrayList<>();
        for (Members one : document.objects("heads", 1, MOST_HEADS)) {
            one.exactly(List.of("origin", "root", "size"));
            String root = Bytes.b64u(one.bytes("root", 32));
            heads.add(new ShardHead(origin(one), one.integer("size", 1), root));
        }
        Members.sorted(heads.stream().map(ShardHead::origin).toList(), "heads");
        return List.copyOf(heads);
    }

    /** The file. */
    static String spell(String leaf, List<byte[]> path, String proof) {
        List<String> hashes = path.stream().map(hash -> '"' + Bytes.b64u(hash) + '"').toList();
        String before = Json.relaxed(Map.of("leaf", leaf));
        String after = Json.relaxed(Map.of("proof", proof));
        String inner = ",\"path\":[" + String.join(",", hashes) + "],";
        return before.substring(0, before.length() - 1) + inner + after.substring(1, after.length() - 1) + ",\"v\":1}";
    }

    private static Parsed parse(byte[] file) {
        Members members = new Members(Json.read(file, LIMIT));
        members.version("the set proof");
        members.exactly(List.of("v", "leaf", "path", "proof"));
        Notes.Proof proof = Notes.readProof(members.text("proof", LIMIT));
        if (proof.extra() != null) throw Members.bad("the proof of a set proof has no extra data", "proof");
        List<byte[]> path =
                members.texts("path", 0, LONGEST_PATH).stream().map(text -> Bytes.unb64u(text, 32)).toList();
        return new Parsed(Bytes.utf8(members.text("leaf", 1_024)), path, proof);
    }
}
