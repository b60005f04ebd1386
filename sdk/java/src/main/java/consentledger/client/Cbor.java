package consentledger.client;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The little CBOR of COSE receipts (RFC 8949), in one spelling of each item (docs/spec/cose.md). Whole numbers are BigInteger, byte
 * strings byte[], null is {@link #NULL}; the keys of a map are numbers or texts.
 */
final class Cbor {
    /** A tag number and the item that it is about. */
    record Tagged(BigInteger tag, Object item) {}

    static final Object NULL = new Object();
    private static final int DEEPEST = 8;

    private final byte[] data;
    private int at = 0;

    private record Head(int major, BigInteger argument) {}

    private Cbor(byte[] data) {
        this.data = data;
    }

    /** The one item that the bytes are. Throws {@link Refuted} with BAD_ENCODING. */
    static Object read(byte[] data) {
        Cbor reader = new Cbor(data);
        Object item = reader.item(0);
        if (reader.at != data.length) throw bad("bytes behind the CBOR item");
        return item;
    }

    /** A byte string as CBOR writes it. */
    static byte[] byteString(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int size = bytes.length;
        if (size < 24) {
            out.write(0x40 | size);
        } else {
            int width = size < 0x100 ? 1 : size < 0x1_0000 ? 2 : 4;
            out.write(0x58 | Integer.numberOfTrailingZeros(width));
            for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) out.write(size >>> shift);
        }
        out.writeBytes(bytes);
        return out.toByteArray();
    }

    private Object item(int depth) {
        if (depth > DEEPEST) throw bad("nested too deeply");
        Head head = head();
        BigInteger argument = head.argument;
        return switch (head.major) {
            case 0 -> argument;
            case 1 -> argument.not(); // -1 - n
            case 2 -> take(argument);
            case 3 -> Bytes.textOf(take(argument));
            case 4 -> array(argument, depth);
            case 5 -> map(argument, depth);
            case 6 -> new Tagged(argument, item(depth + 1));
            default -> switch (argument.bitLength() < 32 ? argument.intValue() : -1) {
                case 20 -> Boolean.FALSE;
                case 21 -> Boolean.TRUE;
                case 22 -> NULL;
                default -> throw bad("a float or an unknown simple value");
            };
        };
    }

    /** Major type and argument, which stands in its shortest form. */
    private Head head() {
        int first = take(BigInteger.ONE)[0] & 0xff;
        int major = first >> 5;
        int small = first & 31;
        if (small < 24) return new Head(major, BigInteger.valueOf(small));
        if (small > 27) throw bad("an indefinite or reserved length");
        int width = 1 << (small - 24);
        BigInteger argument = new BigInteger(1, take(BigInteger.valueOf(width)));
        BigInteger least = width == 1 ? BigInteger.valueOf(24) : BigInteger.ONE.shiftLeft(4 * width);
        if (argument.compareTo(least) < 0) throw bad("a number is not in its shortest form");
        return new Head(major, argument);
    }

    private byte[] take(BigInteger count) {
        if (count.compareTo(BigInteger.valueOf(data.length - at)) > 0) throw bad("the input ends too early");
        int from = at;
        at += count.intValue();
        return Arrays.copyOfRange(data, from, at);
    }

    private List<Object> array(BigInteger count, int depth) {
        List<Object> items = new ArrayList<>(); // each takes a byte at least: the input's end stops a false count
        for (BigInteger n = count; n.signum() > 0; n = n.subtract(BigInteger.ONE)) items.add(item(depth + 1));
        return items;
    }

    private Map<Object, Object> map(BigInteger count, int depth) {
        Map<Object, Object> members = new LinkedHashMap<>();
        for (BigInteger n = count; n.signum() > 0; n = n.subtract(BigInteger.ONE)) {
            Object key = item(depth + 1);
            if (!(key instanceof BigInteger || key instanceof String) || members.containsKey(key)) {
                throw bad("a map key is repeated, or neither number nor text");
            }
            members.put(key, item(depth + 1));
        }
        return members;
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_ENCODING, message);
    }
}
