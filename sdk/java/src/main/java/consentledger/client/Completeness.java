package consentledger.client;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * All {@code count} leaves of a chain (base64url), oldest first, up to the entry {@code head} (docs/spec/receipts.md,
 * «Complete»).
 */
public record Completeness(String chain, long count, VerifiedReceipt head, List<Leaf> leaves) {
    /**
     * Check a completeness file. {@code shown}: receipts whose leaves count where the file encloses none; each must hold by itself,
     * be of the same log, and contradict nothing. Throws {@link Refuted}, {@link CannotCheck}.
     */
    public static Completeness verify(byte[] file, Trust trust, List<byte[]> shown) {
        Members members = new Members(Json.read(file, 4_000_000));
        members.version("the completeness file");
        members.exactly(List.of("v", "chain", "count", "index_head", "map_proof", "leaves"), List.of("last"));
        byte[] key = members.bytes("chain", 32);
        long count = members.integer("count");
        if (members.has("last") != count > 0) throw Members.bad("a chain with leaves has a last one", "last");
        VerifiedReceipt head = Receipts.verify(Bytes.utf8(members.text("index_head", 4_000_000)), trust);
        if (!head.leaf().kind().equals("index-head")) throw bad("the receipt is not that of an index-head");
        Members index = new Members(head.leaf().members());
        if (index.integer("map_size") != head.index()) throw bad("the index-head does not cover all leaves before it");
        byte[] root = index.bytes("map_root", 32);
        byte[] proof = members.bytes("map_proof", 0, 65_536);
        String wanted = "";
        if (count == 0) {
            CompletenessMap.verifyAbsent(root, key, proof);
        } else {
            byte[] last = members.bytes("last", 32);
            byte[] value = Bytes.concat(ByteBuffer.allocate(8).putLong(count).array(), last);
            CompletenessMap.verifyPresent(root, key, value, proof);
            wanted = Bytes.b64u(last);
        }
        List<VerifiedReceipt> receipts = shown.stream().map(one -> Receipts.verify(one, trust)).toList();
        Map<String, byte[]> known = new HashMap<>();
        for (String text : members.texts("leaves", 0, 1_000)) remember(known, text);
        for (VerifiedReceipt one : receipts) remember(known, leafOf(one));
        List<Leaf> leaves = new ArrayList<>();
        String chain = Bytes.b64u(key);
        for (long seq = count - 1; seq >= 0; seq--) {
            byte[] bytes = known.get(wanted);
            if (bytes == null) throw bad("leaves of the chain are not shown: give their receipts too");
            Leaf leaf = Leaf.read(bytes);
            if (!Long.valueOf(seq).equals(leaf.members().get("seq")) || !chain.equals(leaf.members().get("chain"))) {
                throw new Refuted(Code.BAD_CHAIN, "the chain has a gap or a repetition");
            }
            if (leaf.time() > trust.latest(head.head())) {
                throw new Refuted(Code.TIME_INVALID, "a leaf is younger than the witnesses' signatures");
            }
            leaves.add(0, leaf);
            wanted = (String) leaf.members().get("prev_in_chain");
        }
        for (VerifiedReceipt one : receipts) holdAgainst(one, head, chain, leaves);
        return new Completeness(chain, count, head, List.copyOf(leaves));
    }

    private static void remember(Map<String, byte[]> known, String leaf) {
        byte[] bytes = Bytes.utf8(leaf);
        known.put(Bytes.b64u(Merkle.leafHash(bytes)), bytes);
    }

    private static String leafOf(VerifiedReceipt receipt) {
        return new Members(Json.read(Bytes.utf8(receipt.file()), Receipts.LIMIT)).text("leaf", 1_024);
    }

    private static void holdAgainst(VerifiedReceipt one, VerifiedReceipt head, String chain, List<Leaf> leaves) {
        Notes.Checkpoint mine = head.head().checkpoint();
        Notes.Checkpoint theirs = one.head().checkpoint();
        if (!mine.origin().equals(theirs.origin())) throw new Refuted(Code.BAD_PROOF, "a receipt of another log");
        if (mine.size() == theirs.size() && !mine.root().equals(theirs.root())) {
            throw new Refuted(Code.EQUIVOCATION, "two roots for one size");
        }
        if (!chain.equals(one.leaf().members().get("chain")) || one.index() >= head.index()) return;
        long seq = (Long) one.leaf().members().get("seq");
        if (seq >= leaves.size()) throw bad("the index-head leaves out an entry of the chain");
        if (leaves.get((int) seq).index() != one.index()) {
            throw new Refuted(Code.BAD_CHAIN, "two different entries stand at one place of a chain");
        }
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.INCOMPLETE, message);
    }
}
