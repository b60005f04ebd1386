package consentledger.client;

import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Statements: what participants sign, in exactly one form (docs/spec/statements.md). All methods throw {@link Refuted}. */
public final class Statements {
    static final int LIMIT = 16_384;
    static final long SKEW_SECONDS = 300;
    private static final String TYPE = "consent-statement+jwt";
    private static final Pattern FORM = Pattern.compile("([A-Za-z0-9_-]+)\\.([A-Za-z0-9_-]+)\\.([A-Za-z0-9_-]+)");
    private static final Pattern KID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    /** A JWS whose form is right; neither signature nor payload have been looked at. */
    record Envelope(String alg, String kid, byte[] signed, byte[] payload, byte[] signature) {}

    private Statements() {}

    static Envelope envelope(String jws) {
        Matcher found = FORM.matcher(jws);
        if (jws.length() > LIMIT || !found.matches()) throw new Refuted(Code.BAD_ENCODING, "not a compact JWS", "statement");
        Map<String, Object> header = Json.readCanonical(Bytes.unb64u(found.group(1)), LIMIT);
        boolean known = header.get("alg") instanceof String alg && List.of("EdDSA", "ES256", "PS256", "SM2").contains(alg);
        if (header.size() != 3 || !known || !TYPE.equals(header.get("typ"))) {
            throw new Refuted(Code.BAD_SIGNATURE, "the header is not that of a statement");
        }
        if (!(header.get("kid") instanceof String kid) || !KID.matcher(kid).matches()) {
            throw new Refuted(Code.BAD_SIGNATURE, "the key id has a form that is not allowed");
        }
        byte[] signed = Bytes.utf8(found.group(1) + "." + found.group(2));
        byte[] payload = Bytes.unb64u(found.group(2));
        return new Envelope((String) header.get("alg"), kid, signed, payload, Bytes.unb64u(found.group(3)));
    }

    static void verify(Envelope envelope, PublicKeys.Verifier key) {
        if (!envelope.alg.equals(key.alg())) {
            throw new Refuted(Code.BAD_SIGNATURE, "the statement names another algorithm than its key is for");
        }
        key.verify(envelope.signed, envelope.signature);
    }

    /** The payload of a statement that one knows the key of: form, header, signature, payload, in this order. */
    public static Map<String, Object> verify(String jws, String kid, PublicKeys.Verifier key, String origin) {
        Envelope envelope = envelope(jws);
        if (!envelope.kid.equals(kid)) {
            throw new Refuted(Code.BAD_SIGNATURE, "the statement names the key " + envelope.kid, "kid");
        }
        verify(envelope, key);
        return payload(envelope.payload, origin);
    }

    /** Read the payload of a statement for the log {@code origin}, with the members of its act. */
    static Map<String, Object> payload(byte[] bytes, String origin) {
        Map<String, Object> values = Json.readCanonical(bytes, LIMIT);
        Members payload = new Members(values);
        payload.version("the statement");
        payload.bytes("jti", 16);
        payload.text("iss", 63, Acts.PARTICIPANT);
        Acts.check(payload.text("act", 64), payload);
        if (!origin.equals(values.get("aud"))) {
            throw new Refuted(Code.BAD_SIGNATURE, "the statement was made for another log", "aud");
        }
        payload.integer("iat");
        return values;
    }

    /** The compact JWS of a statement, whose payload must have the form that the ledger takes. */
    public static String sign(Signer signer, Map<String, ?> payload) {
        byte[] bytes = Json.canonical(payload);
        payload(bytes, String.valueOf(payload.get("aud")));
        byte[] header = Json.canonical(Map.of("alg", signer.alg(), "kid", signer.kid(), "typ", TYPE));
        String signed = Bytes.b64u(header) + "." + Bytes.b64u(bytes);
        return signed + "." + Bytes.b64u(signer.sign(Bytes.utf8(signed)));
    }

    /** What an authorisation names the terms by. */
    public static String termsHash(Map<String, ?> terms) {
        return Bytes.b64u(Bytes.tagged("terms", Json.canonical(terms)));
    }
}
