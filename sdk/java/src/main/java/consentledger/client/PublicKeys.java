package consentledger.client;

import java.math.BigInteger;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.security.spec.RSAPublicKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * Public keys and signatures. The gate of docs/spec/statements.md comes before the JDK's own checks, because libraries disagree.
 * Whatever is not as it should be is {@link Refuted}.
 */
public final class PublicKeys {
    /** A registered public key and the one algorithm that it is for: EdDSA, ES256, PS256 or SM2. */
    public interface Verifier {
        String alg();

        /** Throws {@link Refuted} with BAD_SIGNATURE unless the raw signature of JWS verifies, {@link CannotCheck} for SM2. */
        void verify(byte[] message, byte[] signature);
    }

    static final PSSParameterSpec PSS = new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1);
    private static final byte[] ED25519_SPKI = HexFormat.of().parseHex("302a300506032b6570032100");
    private static final byte[] COSE_EDDSA = HexFormat.of().parseHex("a4010103272006215820");
    private static final byte[] COSE_ES256 = HexFormat.of().parseHex("a5010203262001215820");
    private static final byte[] COSE_Y = HexFormat.of().parseHex("225820");

    /** An SM2 key: the JDK cannot verify with one, and a signature that nobody looked at is neither valid nor refuted. */
    private static final Verifier SM2 = new Verifier() {
        @Override
        public String alg() {
            return "SM2";
        }

        @Override
        public void verify(byte[] message, byte[] signature) {
            throw new CannotCheck("an SM2 signature cannot be verified here: consent-verify and the TypeScript SDK can");
        }
    };

    private PublicKeys() {}

    /** The key of a JWK with exactly the public members of its type. */
    public static Verifier fromJwk(Map<String, Object> jwk) {
        Members members = new Members(jwk);
        if ("OKP".equals(jwk.get("kty")) && "Ed25519".equals(jwk.get("crv"))) {
            members.exactly(List.of("crv", "kty", "x"));
            return ed25519(members.bytes("x", 32));
        }
        if ("EC".equals(jwk.get("kty")) && "P-256".equals(jwk.get("crv"))) {
            members.exactly(List.of("crv", "kty", "x", "y"));
            return p256(members.bytes("x", 32), members.bytes("y", 32));
        }
        if ("EC".equals(jwk.get("kty")) && "SM2".equals(jwk.get("crv"))) {
            members.exactly(List.of("crv", "kty", "x", "y"));
            members.bytes("x", 32);
            members.bytes("y", 32);
            return SM2;
        }
        if ("RSA".equals(jwk.get("kty"))) {
            members.exactly(List.of("e", "kty", "n"));
            return rsa(members.bytes("n", 1, 384), members.bytes("e", 1, 4));
        }
        throw new Refuted(Code.BAD_ENCODING, "a key of an unknown type", "kty");
    }

    /** A COSE key in its one spelling, of a key that can be used. */
    public static Verifier fromCose(byte[] bytes) {
        if (bytes.length == 42 && starts(bytes, 0, COSE_EDDSA)) return ed25519(slice(bytes, 10, 42));
        if (bytes.length == 77 && starts(bytes, 0, COSE_ES256) && starts(bytes, 42, COSE_Y)) {
            return p256(slice(bytes, 10, 42), slice(bytes, 45, 77));
        }
        throw new Refuted(Code.BAD_ENCODING, "not a COSE key for ES256 or EdDSA", "public_key");
    }

    static Verifier ed25519(byte[] raw) {
        Curve25519.checkKey(raw);
        PublicKey key = key("Ed25519", raw);
        return new Verifier() {
            @Override
            public String alg() {
                return "EdDSA";
            }

            @Override
            public void verify(byte[] message, byte[] signature) {
                Curve25519.checkSignature(signature);
                settle("Ed25519", null, key, message, signature);
            }
        };
    }

    private static PublicKey key(String algorithm, byte[] raw) {
        try {
            return KeyFactory.getInstance(algorithm).generatePublic(new X509EncodedKeySpec(Bytes.concat(ED25519_SPKI, raw)));
        } catch (GeneralSecurityException error) {
            throw bad("the public key cannot be used");
        }
    }

    private static Verifier p256(byte[] x, byte[] y) {
        PublicKey key;
        try {
            AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
            parameters.init(new ECGenParameterSpec("secp256r1"));
            ECParameterSpec curve = parameters.getParameterSpec(ECParameterSpec.class);
            BigInteger p = ((java.security.spec.ECFieldFp) curve.getCurve().getField()).getP();
            BigInteger a = new BigInteger(1, x);
            BigInteger b = new BigInteger(1, y);
            BigInteger right = a.pow(3).add(curve.getCurve().getA().multiply(a)).add(curve.getCurve().getB());
            if (a.compareTo(p) >= 0 || b.compareTo(p) >= 0 || b.pow(2).subtract(right).mod(p).signum() != 0) {
                throw bad("not a point of P-256");
            }
            key = KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(new ECPoint(a, b), curve));
        } catch (GeneralSecurityException error) {
            throw bad("the public key cannot be used");
        }
        return new Verifier() {
            @Override
            public String alg() {
                return "ES256";
            }

            @Override
            public void verify(byte[] message, byte[] signature) {
                if (signature.length != 64) throw bad("an ES256 signature has 64 bytes");
                settle("SHA256withECDSAinP1363Format", null, key, message, signature);
            }
        };
    }

    private static Verifier rsa(byte[] n, byte[] e) {
        if (n[0] == 0 || e[0] == 0) throw new Refuted(Code.BAD_ENCODING, "a number of the key has a leading zero byte", "jwk");
        BigInteger modulus = new BigInteger(1, n);
        if (!new BigInteger(1, e).equals(BigInteger.valueOf(65_537))) throw bad("a registered RSA key has the exponent 65537");
        if (modulus.bitLength() < 2_048 || modulus.bitLength() > 3_072 || modulus.bitLength() % 8 != 0 || !modulus.testBit(0)) {
            throw bad("the modulus is not an odd number of 2048 to 3072 bits in whole bytes");
        }
        PublicKey key;
        try {
            key = KeyFactory.getInstance("RSA").generatePublic(new RSAPublicKeySpec(modulus, BigInteger.valueOf(65_537)));
        } catch (GeneralSecurityException error) {
            throw bad("the public key cannot be used");
        }
        return new Verifier() {
            @Override
            public String alg() {
                return "PS256";
            }

            @Override
            public void verify(byte[] message, byte[] signature) {
                if (signature.length != n.length) throw bad("an RSA signature is as long as the modulus");
                settle("RSASSA-PSS", PSS, key, message, signature);
            }
        };
    }

    private static void settle(String algorithm, PSSParameterSpec parameters, PublicKey key, byte[] message, byte[] signature) {
        boolean good;
        try {
            Signature verifier = Signature.getInstance(algorithm);
            if (parameters != null) verifier.setParameter(parameters);
            verifier.initVerify(key);
            verifier.update(message);
            good = verifier.verify(signature);
        } catch (GeneralSecurityException error) {
            throw bad("the signature does not verify: " + error.getMessage());
        }
        if (!good) throw bad("the signature does not verify");
    }

    private static boolean starts(byte[] bytes, int at, byte[] wanted) {
        return java.util.Arrays.equals(bytes, at, at + wanted.length, wanted, 0, wanted.length);
    }

    private static byte[] slice(byte[] bytes, int from, int to) {
        return java.util.Arrays.copyOfRange(bytes, from, to);
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_SIGNATURE, message);
    }
}
