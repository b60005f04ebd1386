package consentledger.client;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.Set;

/** The form that Ed25519 keys and signatures must have before any library is asked (docs/spec/statements.md, RFC 8032). */
final class Curve25519 {
    private static final BigInteger ONE = BigInteger.ONE;
    private static final BigInteger TWO = BigInteger.TWO;
    private static final BigInteger P = TWO.pow(255).subtract(BigInteger.valueOf(19));
    private static final BigInteger L = TWO.pow(252).add(new BigInteger("27742317777372353535851937790883648493"));
    private static final BigInteger D =
            BigInteger.valueOf(-121665).multiply(BigInteger.valueOf(121666).modInverse(P)).mod(P);
    private static final BigInteger ORDER_8 =
            new BigInteger("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16);
    private static final Set<BigInteger> SMALL_ORDER =
            Set.of(BigInteger.ZERO, ONE, P.subtract(ONE), P, P.add(ONE), ORDER_8, P.subtract(ORDER_8));

    /** Extended coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
    private record Point(BigInteger x, BigInteger y, BigInteger z, BigInteger t) {
        /** The complete addition law of RFC 8032 §5.1.4. */
        Point add(Point other) {
            BigInteger a = y.subtract(x).multiply(other.y.subtract(other.x)).mod(P);
            BigInteger b = y.add(x).multiply(other.y.add(other.x)).mod(P);
            BigInteger c = TWO.multiply(t).multiply(other.t).multiply(D).mod(P);
            BigInteger d = TWO.multiply(z).multiply(other.z).mod(P);
            BigInteger e = b.subtract(a);
            BigInteger f = d.subtract(c);
            BigInteger g = d.add(c);
            BigInteger h = b.add(a);
            return new Point(e.multiply(f).mod(P), g.multiply(h).mod(P), f.multiply(g).mod(P), e.multiply(h).mod(P));
        }
    }

    private Curve25519() {}

    /** A key fit to be registered: of prime order. */
    static void checkKey(byte[] key) {
        checkEncoding(key, "the public key");
        Point point = decode(key);
        Point result = new Point(BigInteger.ZERO, ONE, ONE, BigInteger.ZERO);
        for (int bit = 0; bit < L.bitLength(); bit++) {
            if (L.testBit(bit)) result = result.add(point);
            point = point.add(point);
        }
        if (result.x.signum() != 0 || !result.y.equals(result.z)) throw bad("the public key is not of prime order");
    }

    static void checkSignature(byte[] signature) {
        if (signature.length != 64) throw bad("an Ed25519 signature has 64 bytes");
        checkEncoding(Arrays.copyOf(signature, 32), "R of the signature");
        if (little(Arrays.copyOfRange(signature, 32, 64)).compareTo(L) >= 0) throw bad("S of the signature is not reduced");
    }

    private static void checkEncoding(byte[] encoded, String what) {
        if (encoded.length != 32) throw bad(what + " must have 32 bytes");
        BigInteger y = little(encoded).clearBit(255);
        if (SMALL_ORDER.contains(y)) throw bad(what + " is a point of small order");
        if (y.compareTo(P) >= 0) throw bad(what + " is not reduced");
    }

    private static Point decode(byte[] encoded) {
        BigInteger number = little(encoded);
        BigInteger y = number.clearBit(255);
        BigInteger square = y.multiply(y).subtract(ONE).multiply(D.multiply(y).multiply(y).add(ONE).modInverse(P)).mod(P);
        BigInteger x = square.modPow(P.add(BigInteger.valueOf(3)).shiftRight(3), P);
        if (!x.multiply(x).mod(P).equals(square)) {
            x = x.multiply(TWO.modPow(P.subtract(ONE).shiftRight(2), P)).mod(P);
        }
        if (!x.multiply(x).mod(P).equals(square)) throw bad("the public key is not a point of the curve");
        if (x.testBit(0) != number.testBit(255)) x = x.negate().mod(P);
        return new Point(x, y, ONE, x.multiply(y).mod(P));
    }

    private static BigInteger little(byte[] bytes) {
        byte[] turned = new byte[bytes.length];
        for (int at = 0; at < bytes.length; at++) turned[at] = bytes[bytes.length - 1 - at];
        return new BigInteger(1, turned);
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_SIGNATURE, message);
    }
}
