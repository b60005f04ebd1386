package consentledger.client;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Signed notes, checkpoints and proofs: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof. All methods throw
 * {@link Refuted}.
 */
public final class Notes {
    static final int ED25519 = 1;
    static final int COSIGNATURE = 4;
    static final int ML_DSA_44 = 6;
    private static final Pattern VKEY = Pattern.compile("([^+]+)\\+([0-9a-f]{8})\\+([^\\n]+)");
    private static final Pattern SPACE =
            Pattern.compile("[\\x00- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000+]");
    private static final Pattern CONTROL = Pattern.compile("[\\x00-\\x09\\x0b-\\x1f]");
    private static final String HEADER = "c2sp.org/tlog-proof@v1";

    /** A verifier key. {@code verifier} is null for a type that is understood and cannot be verified with here. */
    public record Key(String vkey, String name, String id, int kind, String raw, PublicKeys.Verifier verifier) {}

    /** A signature that verified. {@code time} in milliseconds, 0 where the signer states none. */
    public record Signed(Key key, long time) {}

    /** A note that was opened: its text, and the signatures of known keys. */
    public record Opened(String text, List<Signed> signed) {}

    /** A tree head; worth something only inside a signed note. {@code root} in base64. */
    public record Checkpoint(String origin, long size, String root) {
        /** The 32 bytes of the root. */
        public byte[] rootBytes() {
            return Bytes.unb64(root, 32);
        }
    }

    /** A parsed proof: nothing is verified yet. {@code path} in base64; {@code extra} is null where there is none. */
    public record Proof(long index, List<String> path, String extra, String note) {
        List<byte[]> hashes() {
            return path.stream().map(one -> Bytes.unb64(one, 32)).toList();
        }
    }

    private record Line(String name, String id, byte[] blob) {}

    private Notes() {}

    /** Read {@code name+hex id+base64(type, key)} of an Ed25519 key, for notes or cosignatures. */
    public static Key readVkey(String text) {
        return readVkey(text, List.of(ED25519, COSIGNATURE));
    }

    static Key readVkey(String text, Collection<Integer> kinds) {
        Matcher found = VKEY.matcher(text);
        if (text.length() > 2_300 || !found.matches() || !isName(found.group(1))) throw bad("not a verifier key");
        byte[] data = Bytes.unb64(found.group(3));
        int kind = data.length == 0 ? -1 : data[0] & 0xff;
        if (!kinds.contains(kind)) throw bad("a verifier key of a type that cannot be used here: " + kind);
        byte[] raw = Arrays.copyOfRange(data, 1, data.length);
        if (kind == ML_DSA_44 && raw.length != 1_312) throw bad("an ML-DSA-44 key has 1312 bytes");
        PublicKeys.Verifier verifier = kind == ML_DSA_44 ? null : PublicKeys.ed25519(raw);
        String id = hex(Arrays.copyOf(Bytes.sha256(Bytes.utf8(found.group(1) + "\n"), data), 4));
        if (!id.equals(found.group(2))) throw bad("the id of the verifier key is not that of its key");
        return new Key(text, found.group(1), id, kind, hex(raw), verifier);
    }

    /** Whether keys can have this name. */
    static boolean isName(String name) {
        return !name.isEmpty() && Bytes.utf8(name).length <= 255 && !SPACE.matcher(name).find();
    }

    /** The text of a note and the signatures of {@code keys} on it. A wrong line of a known key refutes the whole note. */
    public static Opened open(String note, Collection<Key> keys) {
        Opened opened = openUnsigned(note, keys);
        if (opened.signed.isEmpty()) throw new Refuted(Code.BAD_SIGNATURE, "no signature by a known key");
        return opened;
    }

    /** The same, where none of the keys need have signed. */
    static Opened openUnsigned(String note, Collection<Key> keys) {
        if (Bytes.utf8(note).length > 1_000_000) throw bad("the note is too long");
        if (CONTROL.matcher(note).find()) throw bad("the note holds a control character");
        int border = note.lastIndexOf("\n\n");
        if (border < 0 || note.length() < border + 3 || !note.endsWith("\n")) throw bad("the note has no signature lines, or no end");
        String text = note.substring(0, border + 1);
        String[] lines = note.substring(border + 2, note.length() - 1).split("\n", -1);
        if (lines.length > 100) throw bad("more than 100 signature lines");
        List<Line> parsed = new ArrayList<>();
        for (String line : lines) parsed.add(readLine(line));
        Map<Key, Signed> signed = new LinkedHashMap<>();
        for (Line line : parsed) {
            for (Key key : keys) {
                if (key.verifier() == null || !key.name().equals(line.name) || !key.id().equals(line.id)) continue;
                signed.putIfAbsent(key, verifyLine(text, line.blob, key));
            }
        }
        return new Opened(text, List.copyOf(signed.values()));
    }

    private static Line readLine(String line) {
        String[] parts = line.split(" ", -1);
        if (parts.length != 3 || !parts[0].equals("\u2014") || !isName(parts[1])) throw bad("not a signature line");
        byte[] blob = Bytes.unb64(parts[2]);
        if (blob.length < 5) throw bad("a signature line is too short");
        return new Line(parts[1], hex(Arrays.copyOf(blob, 4)), Arrays.copyOfRange(blob, 4, blob.length));
    }

    private static Signed verifyLine(String text, byte[] blob, Key key) {
        if (key.kind() == ED25519) {
            key.verifier().verify(Bytes.utf8(text), blob);
            return new Signed(key, 0);
        }
        byte[] stamp = Arrays.copyOf(blob, Math.min(8, blob.length));
        BigInteger seconds = new BigInteger(1, stamp);
        if (seconds.bitLength() > 63) throw new Refuted(Code.BAD_SIGNATURE, "the time of the signature is out of range");
        byte[] message = Bytes.utf8("cosignature/v1\ntime " + seconds + "\n" + text);
        key.verifier().verify(message, Arrays.copyOfRange(blob, stamp.length, blob.length));
        BigInteger time = seconds.multiply(BigInteger.valueOf(1_000));
        return new Signed(key, time.bitLength() > 63 ? Long.MAX_VALUE : time.longValueExact());
    }

    /** Origin, size and root of a checkpoint's text. */
    public static Checkpoint readCheckpoint(String text) {
        String[] lines = text.split("\n", -1);
        if (lines.length < 4 || !lines[lines.length - 1].isEmpty()) throw bad("not the lines of a checkpoint");
        for (int at = 0; at < lines.length - 1; at++) if (lines[at].isEmpty()) throw bad("a checkpoint with an empty line");
        long size = Bytes.decimal(lines[1]);
        byte[] root = Bytes.unb64(lines[2], 32);
        if (size == 0 && !Arrays.equals(root, Bytes.sha256())) throw new Refuted(Code.BAD_PROOF, "an empty log has another root");
        return new Checkpoint(lines[0], size, lines[2]);
    }

    /** Read a {@code .tlog-proof}. */
    public static Proof readProof(String text) {
        if (Bytes.utf8(text).length > 1_100_000) throw bad("the proof is too long");
        int border = text.indexOf("\n\n");
        if (border < 0) throw bad("the proof has no checkpoint");
        List<String> lines = new ArrayList<>(List.of(text.substring(0, border).split("\n", -1)));
        if (!lines.remove(0).equals(HEADER)) throw bad("not a tlog-proof of this version");
        String extra = null;
        if (!lines.isEmpty() && lines.get(0).startsWith("extra ")) {
            extra = lines.remove(0).substring(6);
            Bytes.unb64(extra);
        }
        if (lines.isEmpty() || !lines.get(0).startsWith("index ")) throw bad("the proof has no index line");
        long index = Bytes.decimal(lines.remove(0).substring(6));
        if (lines.size() > 63) throw bad("the proof has too many hashes");
        for (String line : lines) Bytes.unb64(line, 32);
        return new Proof(index, List.copyOf(lines), extra, text.substring(border + 2));
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    static byte[] latin1(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_ENCODING, message);
    }
}
