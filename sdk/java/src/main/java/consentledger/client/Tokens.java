package consentledger.client;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

/**
 * Access tokens for reads: client credentials by private_key_jwt (RFC 7523), bound to a key of this process by DPoP (RFC 9449). Of one
 * node: each is the issuer of its own, and a proof is for one address.
 */
final class Tokens {
    private static final long EARLY_NS = 20_000_000_000L; // a token is renewed this long before it ends
    private static final SecureRandom RANDOM = new SecureRandom();

    private final Transport transport;
    private final String participant;
    private final Signer key;
    private final String issuer;
    private final Signer proofKey = LocalSigner.generate("dpop", "ES256");
    private String token;
    private long until;
    private volatile String nonce;

    Tokens(Transport transport, String participant, Signer key, String issuer) {
        this.transport = transport;
        this.participant = participant;
        this.key = key;
        this.issuer = issuer;
    }

    /** Token and proof for one request; the proof leaves out the query (RFC 9449 §4.2). */
    Map<String, String> headers(String method, String path, Duration within) throws LedgerException {
        String current = current(within);
        return Map.of("Authorization", "DPoP " + current, "DPoP", proof(method, issuer + path.split("\\?", 2)[0], current));
    }

    /** What the next proofs bring, where the ledger wants nonces (RFC 9449 §8). */
    void learn(String told) {
        nonce = told;
    }

    /** Token and proof for requests by {@code method} to {@code path}, of whichever of these nodes is asked. */
    static Transport.Headers of(Map<String, Tokens> nodes, String method, String path) {
        return new Transport.Headers() {
            @Override
            public Map<String, String> make(String address, Duration within) throws LedgerException {
                return nodes.get(address).headers(method, path, within);
            }

            @Override
            public void learn(String address, String told) {
                nodes.get(address).learn(told);
            }
        };
    }

    private synchronized String current(Duration within) throws LedgerException {
        if (token != null && until - System.nanoTime() > 0) return token;
        long asked = System.nanoTime();
        Map<String, Object> answer =
                transport.once(issuer + "/token", "application/x-www-form-urlencoded", this::question, this::learn, within).json();
        boolean bound = "dpop".equalsIgnoreCase(String.valueOf(answer.get("token_type")));
        if (!bound || !(answer.get("access_token") instanceof String text) || !(answer.get("expires_in") instanceof Long life)) {
            throw new LedgerException.WrongAnswer("the token service gave no token that is bound to a key");
        }
        token = text;
        until = asked + life * 1_000_000_000L - EARLY_NS;
        return token;
    }

    /** One request for a token: assertion and proof are for one use. */
    private Transport.Form question() {
        long now = System.currentTimeMillis() / 1_000;
        Map<String, Object> claims = Map.of(
                "aud", issuer, "exp", now + 50, "iat", now, "iss", participant, "jti", freshJti(), "sub", participant);
        String form = "grant_type=client_credentials&client_id=" + coded(participant)
                + "&client_assertion_type=" + coded("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                + "&client_assertion=" + jwt(key, Map.of("kid", key.kid(), "typ", "JWT"), claims);
        return new Transport.Form(form, Map.of("DPoP", proof("POST", issuer + "/token", null)));
    }

    private String proof(String method, String url, String bound) {
        Map<String, Object> claims = new TreeMap<>(Map.of(
                "htm", method, "htu", url, "iat", System.currentTimeMillis() / 1_000, "jti", freshJti()));
        String told = nonce;
        if (told != null) claims.put("nonce", told);
        if (bound != null) claims.put("ath", Bytes.b64u(Bytes.sha256(Bytes.utf8(bound))));
        return jwt(proofKey, Map.of("jwk", proofKey.jwk(), "typ", "dpop+jwt"), claims);
    }

    private static String jwt(Signer signer, Map<String, Object> header, Map<String, Object> claims) {
        Map<String, Object> whole = new TreeMap<>(header);
        whole.put("alg", signer.alg());
        String signed = Bytes.b64u(Json.canonical(whole)) + "." + Bytes.b64u(Json.canonical(claims));
        return signed + "." + Bytes.b64u(signer.sign(Bytes.utf8(signed)));
    }

    /** 16 random bytes: a {@code jti}. */
    static String freshJti() {
        byte[] bytes = new byte[16];
        RANDOM.nextBytes(bytes);
        return Bytes.b64u(bytes);
    }

    private static String coded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
