package consentledger.client;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Transparent statements: a receipt as a COSE receipt within a statement of the log (docs/spec/cose.md, RFC 9942). */
public final class Transparent {
    /**
     * All that is wrong is in {@code defects}, what could not be looked at in {@code unchecked}; parts that were refused are null.
     * {@code key}: the log's. A transparent statement is never witnessed: {@code quorumMet} says that the policy asks for no witnesses.
     */
    public record Checked(
            Notes.Key key, Leaf leaf, Receipts.Disclosed disclosed, boolean quorumMet, List<Refuted> defects,
            List<String> unchecked) {}

    private static final int LIMIT = 131_072;
    private static final int RECEIPT_LIMIT = 65_536;
    private static final int LEAF_LIMIT = 1_024;
    private static final String LEAF_TYPE = "application/vnd.consent-ledger.leaf+json";
    private static final BigInteger SIGN1 = BigInteger.valueOf(18);
    private static final BigInteger EDDSA = BigInteger.valueOf(-8);
    private static final BigInteger ALG = BigInteger.ONE;
    private static final BigInteger CONTENT_TYPE = BigInteger.valueOf(3);
    private static final BigInteger KID = BigInteger.valueOf(4);
    private static final BigInteger CLAIMS = BigInteger.valueOf(15);
    private static final BigInteger RECEIPTS = BigInteger.valueOf(394);
    private static final BigInteger VDS = BigInteger.valueOf(395);
    private static final BigInteger VDP = BigInteger.valueOf(396);
    private static final BigInteger ISSUER = BigInteger.ONE;
    private static final BigInteger SUBJECT = BigInteger.TWO;
    private static final BigInteger INCLUSION = BigInteger.ONE.negate();

    /** {@code payload} is null where it is detached. */
    private record Sign1(byte[] header, Map<?, ?> headers, Map<?, ?> unprotected, byte[] payload, byte[] signature) {
        private static final byte[] BEGINS = Bytes.concat(new byte[] {(byte) 0x84, 0x6a}, Bytes.utf8("Signature1"));

        /** Without external data (RFC 9052, section 4.4). */
        void verify(byte[] signed, PublicKeys.Verifier key) {
            byte[] nothing = Cbor.byteString(new byte[0]);
            key.verify(Bytes.concat(BEGINS, Cbor.byteString(header), nothing, Cbor.byteString(signed)), signature);
        }
    }

    private record Inclusion(long size, long index, List<byte[]> path) {}

    private record Statement(Sign1 outer, Sign1 receipt, Inclusion inclusion, byte[] evidence, byte[] opening) {}

    private Transparent() {}

    /**
     * Check all of a transparent statement and collect every defect; {@code keys} as for {@link Receipts#check}. Throws {@link Refuted}
     * if it is none at all, {@link CannotCheck} for a version that is not known.
     */
    public static Checked check(byte[] file, Trust trust, Map<String, PublicKeys.Verifier> keys) {
        Statement statement = parse(file);
        List<Refuted> defects = new ArrayList<>();
        List<Refuted> ofTheProof = new ArrayList<>(); // they name no entry, and come after all that do (docs/spec/verdicts.md)
        List<String> unchecked = new ArrayList<>();
        byte[] payload = statement.outer.payload;
        Inclusion inclusion = statement.inclusion;
        Notes.Key key = null;
        try {
            Notes.Key found = keyOf(statement, trust);
            byte[] root = Merkle.inclusionRoot(inclusion.index, inclusion.size, Merkle.leafHash(payload), inclusion.path);
            statement.receipt.verify(root, found.verifier());
            statement.outer.verify(payload, found.verifier());
            key = found;
        } catch (Refuted refusal) {
            ofTheProof.add(refusal);
        }
        Leaf leaf = null;
        Receipts.Disclosed disclosed = null;
        try {
            leaf = Leaf.read(payload);
            Map<?, ?> claims = claims(statement.outer);
            if (leaf.index() != inclusion.index || !("entry/" + leaf.index()).equals(claims.get(SUBJECT))) {
                throw new Refuted(Code.BAD_PROOF, "leaf and proof name different indexes", "index");
            }
            String origin = String.valueOf(claims.get(ISSUER));
            disclosed = Receipts.disclose(statement.evidence, statement.opening, leaf, origin, keys, defects, unchecked);
        } catch (Refuted refusal) {
            defects.add(refusal);
        }
        defects.addAll(ofTheProof);
        return new Checked(key, leaf, disclosed, !trust.asksForWitnesses(), List.copyOf(defects), List.copyOf(unchecked));
    }

    private static Statement parse(byte[] file) {
        Sign1 outer = sign1(file, LIMIT);
        labels(outer.headers, ALG, CONTENT_TYPE, KID, CLAIMS);
        if (outer.payload == null || outer.payload.length > LEAF_LIMIT || !LEAF_TYPE.equals(outer.headers.get(CONTENT_TYPE))) {
            throw bad("the payload is not a leaf");
        }
        boolean disclosed = outer.unprotected.get("opening") instanceof byte[] opening && opening.length == 32
                && outer.unprotected.get("evidence") instanceof byte[];
        labels(outer.unprotected, disclosed ? new Object[] {RECEIPTS, "evidence", "opening"} : new Object[] {RECEIPTS});
        if (!(only(outer.unprotected.get(RECEIPTS)) instanceof byte[] inner)) {
            throw bad("a transparent statement has one receipt");
        }
        Sign1 receipt = sign1(inner, RECEIPT_LIMIT);
        labels(receipt.headers, ALG, KID, CLAIMS, VDS);
        labels(receipt.unprotected, VDP);
        if (receipt.payload != null || !BigInteger.ONE.equals(receipt.headers.get(VDS))) {
            throw bad("not a receipt of this tree, with a detached payload");
        }
        return new Statement(
                outer, receipt, inclusion(receipt.unprotected.get(VDP)),
                disclosed ? (byte[]) outer.unprotected.get("evidence") : null,
                disclosed ? (byte[]) outer.unprotected.get("opening") : null);
    }

    private static Sign1 sign1(byte[] data, int limit) {
        if (data.length > limit) throw bad("the COSE object is too long");
        if (Cbor.read(data) instanceof Cbor.Tagged outer && outer.tag().equals(SIGN1)
                && outer.item() instanceof List<?> parts && parts.size() == 4
                && parts.get(0) instanceof byte[] header && parts.get(1) instanceof Map<?, ?> unprotected
                && (parts.get(2) == Cbor.NULL || parts.get(2) instanceof byte[]) && parts.get(3) instanceof byte[] signature
                && Cbor.read(header) instanceof Map<?, ?> headers) {
            return new Sign1(header, headers, unprotected, parts.get(2) instanceof byte[] payload ? payload : null, signature);
        }
        throw bad("not a COSE_Sign1");
    }

    private static Inclusion inclusion(Object proofs) {
        Object list = proofs instanceof Map<?, ?> map && map.size() == 1 ? map.get(INCLUSION) : null;
        if (only(list) instanceof byte[] wrapped && Cbor.read(wrapped) instanceof List<?> parts && parts.size() == 3
                && parts.get(0) instanceof BigInteger size && parts.get(1) instanceof BigInteger index
                && size.signum() >= 0 && size.bitLength() <= 63 && index.signum() >= 0 && index.bitLength() <= 63
                && parts.get(2) instanceof List<?> path && path.size() <= 64
                && path.stream().allMatch(hash -> hash instanceof byte[] bytes && bytes.length == 32)) {
            return new Inclusion(size.longValue(), index.longValue(), path.stream().map(byte[].class::cast).toList());
        }
        throw bad("not one proof of inclusion");
    }

    private static Object only(Object list) {
        return list instanceof List<?> items && items.size() == 1 ? items.get(0) : null;
    }

    private static void labels(Map<?, ?> headers, Object... labels) {
        if (!headers.keySet().equals(Set.of(labels))) throw bad("not exactly the headers of its kind");
    }

    private static Map<?, ?> claims(Sign1 one) {
        return one.headers.get(CLAIMS) instanceof Map<?, ?> claims ? claims : Map.of();
    }

    /** The key of the policy that statement and receipt name. */
    private static Notes.Key keyOf(Statement statement, Trust trust) {
        List<Sign1> both = List.of(statement.outer, statement.receipt);
        if (!both.stream().allMatch(one -> EDDSA.equals(one.headers.get(ALG)))) {
            throw new Refuted(Code.BAD_SIGNATURE, "not the algorithm of a log key");
        }
        for (Notes.Key key : trust.logKeys(String.valueOf(claims(statement.outer).get(ISSUER)))) {
            String[] parts = key.vkey().split("\\+", 3);
            byte[] kid = Bytes.utf8(parts[0] + "+" + parts[1]);
            boolean named = both.stream().allMatch(one -> key.name().equals(claims(one).get(ISSUER))
                    && one.headers.get(KID) instanceof byte[] given && Arrays.equals(given, kid));
            if (!named) continue;
            if (trust.isBounded(key)) {
                throw new Refuted(
                        Code.POLICY_REJECTED, "nobody signs the size of a COSE receipt: a key with bounds vouches for none");
            }
            return key;
        }
        throw new Refuted(Code.BAD_SIGNATURE, "neither statement nor receipt names a log key of the policy, or they name two");
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_ENCODING, message);
    }
}
