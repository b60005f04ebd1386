package consentledger.client;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Bytes and their one accepted spelling (docs/spec/encoding.md). All methods throw {@link Refuted} for another one. */
public final class Bytes {
    private static final Pattern DECIMAL = Pattern.compile("0|[1-9][0-9]{0,18}");

    private Bytes() {}

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String textOf(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException error) {
            throw new Refuted(Code.BAD_ENCODING, "not UTF-8");
        }
    }

    static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        for (byte[] part : parts) whole.writeBytes(part);
        return whole.toByteArray();
    }

    /** Base64 with padding. */
    public static String b64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    /** Base64url without padding. */
    public static String b64u(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** The bytes of base64 with padding. */
    public static byte[] unb64(String text) {
        return same(text, decode(Base64.getDecoder(), text), Bytes::b64);
    }

    /** The bytes of base64url without padding. */
    public static byte[] unb64u(String text) {
        return same(text, decode(Base64.getUrlDecoder(), text), Bytes::b64u);
    }

    static byte[] unb64(String text, int size) {
        return sized(unb64(text), size);
    }

    static byte[] unb64u(String text, int size) {
        return sized(unb64u(text), size);
    }

    private static byte[] decode(Base64.Decoder decoder, String text) {
        try {
            return decoder.decode(text);
        } catch (IllegalArgumentException error) {
            throw new Refuted(Code.BAD_ENCODING, "not base64");
        }
    }

    private static byte[] same(String text, byte[] bytes, java.util.function.Function<byte[], String> spell) {
        if (!spell.apply(bytes).equals(text)) throw new Refuted(Code.BAD_ENCODING, "not the canonical base64 spelling");
        return bytes;
    }

    private static byte[] sized(byte[] bytes, int size) {
        if (bytes.length != size) throw new Refuted(Code.BAD_ENCODING, size + " bytes expected, found " + bytes.length);
        return bytes;
    }

    /** A decimal number below 2^63. */
    static long decimal(String text) {
        if (DECIMAL.matcher(text).matches()) {
            BigInteger number = new BigInteger(text);
            if (number.bitLength() <= 63) return number.longValueExact();
        }
        throw new Refuted(Code.BAD_ENCODING, "not a canonical decimal within its bounds");
    }

    static byte[] sha256(byte[]... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (byte[] part : parts) digest.update(part);
            return digest.digest();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error); // every JDK has it
        }
    }

    /** A hash under a domain tag of docs/spec/encoding.md. */
    static byte[] tagged(String tag, byte[] data) {
        return sha256(utf8("consent-ledger/v1/" + tag + "\0"), data);
    }

    static byte[] hmac(byte[] key, byte[] message) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(message);
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }
}
