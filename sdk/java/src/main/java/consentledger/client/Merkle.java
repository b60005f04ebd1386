package consentledger.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Merkle trees of RFC 6962, and the checks of their proofs (RFC 9162 §2.1). Sizes come from a verified checkpoint only. The checks
 * throw {@link Refuted} with BAD_PROOF.
 */
public final class Merkle {
    private Merkle() {}

    public static byte[] leafHash(byte[] entry) {
        return Bytes.sha256(new byte[] {0}, entry);
    }

    public static byte[] nodeHash(byte[] left, byte[] right) {
        return Bytes.sha256(new byte[] {1}, left, right);
    }

    /** The root of the tree over these leaf hashes. */
    public static byte[] rootOf(List<byte[]> hashes) {
        if (hashes.isEmpty()) return Bytes.sha256();
        List<byte[]> row = hashes;
        while (row.size() > 1) {
            List<byte[]> above = new ArrayList<>();
            for (int at = 0; at + 1 < row.size(); at += 2) above.add(nodeHash(row.get(at), row.get(at + 1)));
            if (row.size() % 2 == 1) above.add(row.get(row.size() - 1));
            row = above;
        }
        return row.get(0);
    }

    /** The root to which the proof leads from leaf {@code index} of a tree of {@code size}: worth what vouches for it. */
    public static byte[] inclusionRoot(long index, long size, byte[] leaf, List<byte[]> path) {
        if (index < 0 || index >= size) throw bad("the index is not within the tree");
        checkHashes(path);
        checkHashes(List.of(leaf));
        long at = index;
        long last = size - 1;
        byte[] found = leaf;
        for (byte[] sibling : path) {
            if (last == 0) throw bad("the inclusion proof is too long");
            if ((at & 1) == 1 || at == last) {
                found = nodeHash(sibling, found);
                while ((at & 1) == 0 && at != 0) {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                found = nodeHash(found, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        if (last != 0) throw bad("the inclusion proof is too short");
        return found;
    }

    /** The leaf hash is number {@code index} of the tree of {@code size} leaves with this root. */
    public static void verifyInclusion(long index, long size, byte[] leaf, List<byte[]> path, byte[] root) {
        if (!Arrays.equals(inclusionRoot(index, size, leaf, path), root)) {
            throw bad("the inclusion proof does not lead to the root");
        }
    }

    /** The tree of {@code size} leaves begins with the tree of {@code old} &gt; 0 leaves. */
    public static void verifyConsistency(long old, long size, List<byte[]> path, byte[] oldRoot, byte[] root) {
        if (old <= 0 || old > size) throw bad("the sizes are not in order");
        checkHashes(path);
        checkHashes(List.of(oldRoot, root));
        if (old == size) {
            if (!path.isEmpty()) throw bad("the proof between equal sizes must be empty");
            if (!Arrays.equals(oldRoot, root)) throw bad("two roots for one size");
            return;
        }
        List<byte[]> hashes = new ArrayList<>(path);
        if (Long.bitCount(old) == 1) hashes.add(0, oldRoot); // the old root itself begins the proof, and is left out of it
        if (hashes.isEmpty()) throw bad("the consistency proof is too short");
        long at = old - 1;
        long last = size - 1;
        while ((at & 1) == 1) {
            at >>= 1;
            last >>= 1;
        }
        byte[] first = hashes.get(0);
        byte[] second = first;
        for (byte[] hash : hashes.subList(1, hashes.size())) {
            if (last == 0) throw bad("the consistency proof is too long");
            if ((at & 1) == 1 || at == last) {
                first = nodeHash(hash, first);
                second = nodeHash(hash, second);
                while ((at & 1) == 0 && at != 0) {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                second = nodeHash(second, hash);
            }
            at >>= 1;
            last >>= 1;
        }
        if (last != 0) throw bad("the consistency proof is too short");
        if (!Arrays.equals(first, oldRoot)) throw bad("the consistency proof does not lead to the old root");
        if (!Arrays.equals(second, root)) throw bad("the consistency proof does not lead to the new root");
    }

    private static void checkHashes(List<byte[]> hashes) {
        for (byte[] hash : hashes) if (hash.length != 32) throw bad("a hash does not have 32 bytes");
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_PROOF, message);
    }
}
