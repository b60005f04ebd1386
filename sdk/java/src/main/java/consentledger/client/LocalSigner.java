package consentledger.client;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.EdECPrivateKey;
import java.security.interfaces.EdECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.NamedParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;

/** A signer whose private key is in this process. */
public final class LocalSigner implements Signer {
    private final String kid;
    private final String alg;
    private final Map<String, Object> jwk;
    private final PrivateKey key;

    /** Of an Ed25519, P-256 or RSA key pair. Throws IllegalArgumentException for another one, {@link Refuted} for one that is unfit. */
    public LocalSigner(String kid, KeyPair pair) {
        this.kid = kid;
        this.key = pair.getPrivate();
        if (pair.getPublic() instanceof EdECPublicKey known) {
            byte[] encoded = known.getEncoded();
            alg = "EdDSA";
            jwk = Map.of(
                    "crv", "Ed25519", "kty", "OKP",
                    "x", Bytes.b64u(Arrays.copyOfRange(encoded, encoded.length - 32, encoded.length)));
        } else if (pair.getPublic() instanceof ECPublicKey known) {
            alg = "ES256";
            jwk = Map.of(
                    "crv", "P-256", "kty", "EC",
                    "x", coordinate(known.getW().getAffineX()), "y", coordinate(known.getW().getAffineY()));
        } else if (pair.getPublic() instanceof RSAPublicKey known) {
            alg = "PS256";
            jwk = Map.of("e", "AQAB", "kty", "RSA", "n", Bytes.b64u(unsigned(known.getModulus(), known.getModulus().bitLength() / 8)));
        } else {
            throw new IllegalArgumentException("a key of " + pair.getPublic().getAlgorithm() + " signs no statements");
        }
        // The ledger's own rules for keys, and one signature that proves this key fits them.
        PublicKeys.fromJwk(jwk).verify(Bytes.utf8("fits"), sign(Bytes.utf8("fits")));
    }

    /** A new key: EdDSA or ES256. */
    public static LocalSigner generate(String kid, String alg) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(alg.equals("ES256") ? "EC" : "Ed25519");
            if (alg.equals("ES256")) generator.initialize(new ECGenParameterSpec("secp256r1"));
            return new LocalSigner(kid, generator.generateKeyPair());
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    /**
     * Of an Ed25519 key in PEM (PKCS #8). Throws IllegalArgumentException for another one. The JDK makes no public key of a
     * private one, but its generator makes the pair of the seed that it is given; the constructor sees whether it is that pair.
     */
    public static LocalSigner ofPem(String kid, String pem) {
        try {
            byte[] encoded = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
            PrivateKey known = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(encoded));
            byte[] seed = ((EdECPrivateKey) known).getBytes().orElseThrow();
            KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
            generator.initialize(NamedParameterSpec.ED25519, new SecureRandom() {
                @Override
                public void nextBytes(byte[] drawn) {
                    System.arraycopy(seed, 0, drawn, 0, drawn.length);
                }
            });
            KeyPair pair = generator.generateKeyPair();
            if (!Arrays.equals(((EdECPrivateKey) pair.getPrivate()).getBytes().orElseThrow(), seed)) {
                throw new IllegalStateException("this JDK makes another key of the seed");
            }
            return new LocalSigner(kid, pair);
        } catch (GeneralSecurityException | ClassCastException error) {
            throw new IllegalArgumentException("the key " + kid + " is no Ed25519 key in PEM (PKCS #8)", error);
        }
    }

    @Override
    public String kid() {
        return kid;
    }

    @Override
    public String alg() {
        return alg;
    }

    @Override
    public Map<String, Object> jwk() {
        return jwk;
    }

    @Override
    public byte[] sign(byte[] message) {
        try {
            Signature signature = Signature.getInstance(switch (alg) {
                case "EdDSA" -> "Ed25519";
                case "ES256" -> "SHA256withECDSAinP1363Format";
                default -> "RSASSA-PSS";
            });
            if (alg.equals("PS256")) signature.setParameter(PublicKeys.PSS);
            signature.initSign(key);
            signature.update(message);
            return signature.sign();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException("the key " + kid + " cannot sign", error);
        }
    }

    private static String coordinate(BigInteger number) {
        return Bytes.b64u(unsigned(number, 32));
    }

    private static byte[] unsigned(BigInteger number, int size) {
        byte[] bytes = number.toByteArray();
        byte[] sized = new byte[size];
        int from = Math.max(0, bytes.length - size);
        System.arraycopy(bytes, from, sized, size - (bytes.length - from), bytes.length - from);
        return sized;
    }
}
