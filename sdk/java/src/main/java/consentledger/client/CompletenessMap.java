package consentledger.client;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Proofs in the completeness map, whose keys have 32 bytes (docs/spec/log.md). They throw {@link Refuted} with INCOMPLETE. */
public final class CompletenessMap {
    private record Step(int bit, byte[] sibling) {}

    private final byte[] proof;
    private int at;

    private CompletenessMap(byte[] proof) {
        if (proof.length > 65_536) throw bad("the map proof is too long");
        this.proof = proof;
    }

    /** The map with {@code root} holds {@code value} under {@code key}. */
    public static void verifyPresent(byte[] root, byte[] key, byte[] value, byte[] proof) {
        checkRoot(root, key, leaf(key, value), new CompletenessMap(proof).steps());
    }

    /** The map with {@code root} holds nothing under {@code key}. */
    public static void verifyAbsent(byte[] root, byte[] key, byte[] proof) {
        if (proof.length == 0 && Arrays.equals(root, Bytes.sha256())) return;
        CompletenessMap walk = new CompletenessMap(proof);
        byte[] other = walk.take(walk.number());
        byte[] value = walk.take(walk.number());
        if (other.length != 32 || Arrays.equals(other, key)) throw bad("the proof of absence ends at the key, or at none");
        List<Step> steps = walk.steps();
        for (Step step : steps) {
            if (bit(key, step.bit) != bit(other, step.bit)) throw bad("the proof of absence leaves the way of the key");
        }
        checkRoot(root, other, leaf(other, value), steps);
    }

    private static void checkRoot(byte[] root, byte[] key, byte[] leaf, List<Step> steps) {
        byte[] node = leaf;
        for (Step step : steps) {
            boolean right = bit(key, step.bit);
            node = Bytes.sha256(new byte[] {1}, uv(step.bit), right ? step.sibling : node, right ? node : step.sibling);
        }
        if (!Arrays.equals(node, root)) throw bad("the map proof does not lead to the root");
    }

    private static byte[] leaf(byte[] key, byte[] value) {
        return Bytes.sha256(new byte[] {0}, uv(key.length), key, uv(value.length), value);
    }

    private static boolean bit(byte[] key, int bit) {
        return (key[bit / 8] >> (7 - bit % 8) & 1) == 1;
    }

    private static byte[] uv(int number) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int rest = number;
        for (; rest > 127; rest >>= 7) out.write(rest & 127 | 128);
        out.write(rest);
        return out.toByteArray();
    }

    private List<Step> steps() {
        List<Step> steps = new ArrayList<>();
        int limit = 256;
        while (at < proof.length) {
            int bit = number();
            if (bit >= limit) throw bad("the bits of the map proof do not fall from within the key");
            limit = bit;
            steps.add(new Step(bit, take(32)));
        }
        return steps;
    }

    private int number() {
        int number = 0;
        for (int position = 0; position < 4; position++) {
            int one = take(1)[0] & 0xff;
            number |= (one & 127) << 7 * position;
            if (one < 128) {
                if (one == 0 && position > 0) throw bad("a number of the map proof is not minimal");
                return number;
            }
        }
        throw bad("a number of the map proof is too long");
    }

    private byte[] take(int count) {
        if (count > proof.length - at) throw bad("the map proof ends too early");
        at += count;
        return Arrays.copyOfRange(proof, at - count, at);
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.INCOMPLETE, message);
    }
}
