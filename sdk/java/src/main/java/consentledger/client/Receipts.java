package consentledger.client;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Receipts: one entry, proved to whoever holds the file (docs/spec/receipts.md). */
public final class Receipts {
    static final int LIMIT = 1_400_000;
    static final int EVIDENCE_LIMIT = 49_152;
    private static final int ITEM_LIMIT = 8_192;
    private static final List<String> DECISION =
            List.of("basis", "consent_version", "decision", "obligations", "reasons", "ruleset", "used_today");

    /**
     * What the evidence says. {@code statement}, {@code kid} and {@code payload} are null for an expiry, which the ledger derives;
     * {@code item} is what an access asks for; {@code position} is its place in its batch, −1 outside of one.
     */
    public record Disclosed(
            String act, String statement, String kid, Map<String, Object> payload, Map<String, Object> item, int position,
            Map<String, Object> outcome) {}

    /** All that is wrong is in {@code defects}, what could not be looked at in {@code unchecked}; parts that were refused are null. */
    public record Checked(
            Trust.Head head, Leaf leaf, Disclosed disclosed, List<Refuted> defects, List<String> unchecked) {}

    /** What is checked beside a receipt, about the log, index and leaf that it names. Throws {@link Refuted}, {@link CannotCheck}. */
    interface Beside {
        void check(String origin, long index, byte[] leaf);
    }

    private static final String UNNAMED =
            "the shard's own signature: the policy does not name the shard, the head log alone vouches for it";

    private record Parsed(byte[] leaf, Notes.Proof proof, byte[] evidence, byte[] opening) {}

    private Receipts() {}

    /** A receipt without a defect; statements' signatures stay unchecked. Throws {@link Refuted}, {@link CannotCheck}. */
    public static VerifiedReceipt verify(byte[] file, Trust trust) {
        return verify(file, trust, null);
    }

    /**
     * A receipt without a defect. {@code keys}: participants' registered keys by kid, or null. Throws {@link Refuted} with the first
     * defect, and {@link CannotCheck}.
     */
    public static VerifiedReceipt verify(byte[] file, Trust trust, Map<String, PublicKeys.Verifier> keys) {
        Checked checked = check(file, trust, keys);
        if (!checked.defects.isEmpty()) throw checked.defects.get(0);
        return new VerifiedReceipt(
                Bytes.textOf(file), checked.leaf, checked.head, checked.disclosed, checked.unchecked);
    }

    /**
     * Check all of a receipt and collect every defect. Without {@code keys} the signature on the statement stays unchecked, and the
     * result says so. Throws {@link Refuted} if it is no receipt at all, {@link CannotCheck} for a version that is not known.
     */
    public static Checked check(byte[] file, Trust trust, Map<String, PublicKeys.Verifier> keys) {
        return check(file, trust, keys, null);
    }

    /**
     * The same, with what is checked {@code beside} the receipt, whose defects come before those of its own proof. With it, the log
     * need not be one of the policy, since something else vouches for it; its signature then stays unchecked.
     */
    static Checked check(byte[] file, Trust trust, Map<String, PublicKeys.Verifier> keys, Beside beside) {
        Parsed receipt = parse(file);
        String origin = receipt.proof.note().split("\n", 2)[0];
        List<Refuted> defects = new ArrayList<>();
        List<Refuted> ofTheProof = new ArrayList<>(); // they name no entry, and come after all that do (docs/spec/verdicts.md)
        List<String> unchecked = new ArrayList<>();
        Trust.Head head = null;
        try {
            boolean vouched = beside != null && trust.logKeys(origin).isEmpty();
            if (vouched) unchecked.add(UNNAMED);
            Trust.Head opened = vouched ? null : trust.open(receipt.proof.note());
            Notes.Checkpoint checkpoint = vouched ? trust.openUnnamed(receipt.proof.note()) : opened.checkpoint();
            byte[] hash = Merkle.leafHash(receipt.leaf);
            Merkle.verifyInclusion(
                    receipt.proof.index(), checkpoint.size(), hash, receipt.proof.hashes(), checkpoint.rootBytes());
            head = opened;
        } catch (Refuted refusal) {
            ofTheProof.add(refusal);
        }
        Leaf leaf = null;
        Disclosed disclosed = null;
        try {
            leaf = Leaf.read(receipt.leaf);
            if (leaf.index() != receipt.proof.index()) {
                throw new Refuted(Code.BAD_PROOF, "leaf and proof name different indexes", "index");
            }
            if (head != null && leaf.time() > trust.latest(head)) {
                defects.add(new Refuted(
                        Code.TIME_INVALID, "the entry is younger than the witnesses' signatures over its tree", "time"));
            }
            disclosed = disclose(receipt.evidence, receipt.opening, leaf, origin, keys, defects, unchecked);
        } catch (Refuted refusal) {
            defects.add(refusal);
        }
        try {
            if (beside != null) beside.check(origin, receipt.proof.index(), receipt.leaf);
        } catch (Refuted refusal) {
            defects.add(refusal);
        }
        defects.addAll(ofTheProof);
        return new Checked(head, leaf, disclosed, List.copyOf(defects), List.copyOf(unchecked));
    }

    private static Parsed parse(byte[] file) {
        Members receipt = new Members(Json.read(file, LIMIT));
        receipt.version("the receipt");
        receipt.exactly(List.of("v", "leaf", "proof"), List.of("evidence", "opening"));
        boolean disclosed = receipt.has("evidence");
        if (disclosed != receipt.has("opening")) {
            throw new Refuted(Code.BAD_ENCODING, "evidence and opening come together or not at all");
        }
        Notes.Proof proof = Notes.readProof(receipt.text("proof", LIMIT));
        if (proof.extra() != null) throw Members.bad("the proof of a receipt has no extra data", "proof");
        return new Parsed(
                Bytes.utf8(receipt.text("leaf", 1_024)),
                proof,
                disclosed ? Bytes.utf8(receipt.text("evidence", EVIDENCE_LIMIT)) : null,
                disclosed ? receipt.bytes("opening", 32) : null);
    }

    /** What a leaf shows of its evidence. */
    public static byte[] commitment(byte[] evidence, byte[] opening) {
        return Bytes.hmac(opening, Bytes.concat(Bytes.utf8("consent-ledger/v1/commitment\0"), Bytes.sha256(evidence)));
    }

    /** What a receipt, in either of its forms, shows of its entry. Throws {@link Refuted} for what ends the reading. */
    static Disclosed disclose(
            byte[] shown, byte[] opening, Leaf leaf, String origin, Map<String, PublicKeys.Verifier> keys, List<Refuted> defects,
            List<String> unchecked) {
        if (shown == null) {
            if (leaf.committed()) unchecked.add("the entry's content: this receipt does not disclose it");
            return null;
        }
        if (!leaf.committed()) throw new Refuted(Code.BAD_ENCODING, "a receipt of this kind of leaf discloses no evidence");
        if (!Bytes.b64u(commitment(shown, opening)).equals(leaf.members().get("commitment"))) {
            throw new Refuted(Code.BAD_COMMITMENT, "evidence and opening do not give the leaf's commitment");
        }
        Members evidence = new Members(Json.readCanonical(shown, EVIDENCE_LIMIT));
        evidence.version("the evidence");
        evidence.exactly(List.of("act", "statements", "v"), List.of("assertion", "item", "outcome"));
        String act = evidence.text("act", 64);
        Members outcome = evidence.has("outcome") ? evidence.object("outcome") : null;
        Members item = evidence.has("item") ? evidence.object("item") : null;
        checkOutcome(act, outcome);
        Map<String, Object> decided = outcome == null ? null : outcome.values();
        List<String> statements = evidence.texts("statements", 0, 1);
        if (act.equals("consent.expire")) {
            if (!statements.isEmpty() || !leaf.kind().equals("consent") || item != null || evidence.has("assertion")) {
                throw Members.bad("an expiry is derived by the ledger: it has no statement", "statements");
            }
            return new Disclosed(act, null, null, null, null, -1, decided);
        }
        if (statements.isEmpty()) throw Members.bad("the evidence holds no statement", "statements");
        if (evidence.has("assertion")) evidence.object("assertion");
        String statement = statements.get(0);
        Statements.Envelope envelope = Statements.envelope(statement);
        checkSignature(envelope, keys, defects, unchecked);
        Map<String, Object> values = Statements.payload(envelope.payload(), origin);
        Members payload = new Members(values);
        boolean batch = item != null;
        if (!(batch ? "access.batch" : act).equals(values.get("act")) || act.equals("access.batch")
                || batch && !act.equals("access.request")) {
            throw new Refuted(Code.CONSENT_INVALID, "the evidence is of another act than its statement", "act");
        }
        Members content = batch ? readItem(item, payload) : payload;
        if (Math.abs(payload.integer("iat") * 1_000 - leaf.time()) > Statements.SKEW_SECONDS * 1_000) {
            defects.add(new Refuted(Code.TIME_INVALID, "the statement was not made within 300 s of the entry", "iat"));
        }
        checkChain(leaf, act, String.valueOf(values.getOrDefault("on_behalf_of", values.get("iss"))), content);
        Map<String, Object> asked = null;
        if (act.equals("access.request")) {
            asked = new LinkedHashMap<>();
            for (String name : Acts.ITEM) asked.put(name, content.values().get(name));
            if (content.has("region")) asked.put("region", content.values().get("region"));
        }
        int position = batch ? (int) item.integer("position") : -1;
        return new Disclosed(act, statement, envelope.kid(), values, asked, position, decided);
    }

    private static void checkSignature(
            Statements.Envelope envelope, Map<String, PublicKeys.Verifier> keys, List<Refuted> defects, List<String> unchecked) {
        if (keys == null) {
            unchecked.add("the participant's signature: no keys were given");
            return;
        }
        PublicKeys.Verifier key = keys.get(envelope.kid());
        if (key == null) {
            defects.add(new Refuted(Code.BAD_SIGNATURE, "the key " + envelope.kid() + " is not registered", "kid"));
            return;
        }
        try {
            Statements.verify(envelope, key);
        } catch (Refuted refusal) {
            defects.add(refusal);
        }
    }

    private static Members readItem(Members item, Members payload) {
        item.exactly(List.of("body", "path", "position"));
        byte[] body = Bytes.utf8(item.text("body", ITEM_LIMIT));
        Members content = new Members(Json.readCanonical(body, ITEM_LIMIT));
        content.exactly(Acts.ITEM, List.of("region"));
        Acts.checkItem(content);
        long position = item.integer("position", 0, 999);
        List<byte[]> path = item.texts("path", 0, 16).stream().map(hash -> Bytes.unb64u(hash, 32)).toList();
        Merkle.verifyInclusion(
                position, payload.integer("items_count", 1, 1_000), Merkle.leafHash(body), path, payload.bytes("items_root", 32));
        return content;
    }

    private static void checkChain(Leaf leaf, String act, String party, Members content) {
        boolean sheet = act.equals("history.sheet");
        boolean subject = sheet || act.startsWith("subject.");
        String kind = Declarations.MEMBERS.containsKey(act) ? "participant" : subject ? "subject" : "consent";
        String name = switch (kind) {
            case "participant" -> "participant:" + party;
            case "subject" -> sheet
                    ? "history:" + party + ":" + content.object("sheet").values().get("subject")
                    : "subject:" + party + ":" + content.values().get("subject");
            default -> String.valueOf(content.values().get("consent_id"));
        };
        if (!leaf.kind().equals(kind) || !Leaf.chainOf(name).equals(leaf.members().get("chain"))) {
            throw new Refuted(Code.BAD_CHAIN, "the entry is filed under another chain than its statement names", "chain");
        }
    }

    private static void checkOutcome(String act, Members outcome) {
        boolean access = act.equals("access.request");
        if ((outcome != null) != (access || act.startsWith("consent."))) {
            throw Members.bad("an outcome is missing or out of place", "outcome");
        }
        if (outcome == null) return;
        outcome.exactly(
                access ? DECISION : List.of("consent_version", "ruleset", "status"), access ? List.of("asserted") : List.of());
        outcome.integer("ruleset", 1);
        outcome.integer("consent_version");
        if (!access) {
            outcome.text("status", 16);
            return;
        }
        outcome.integer("basis", -1);
        outcome.integer("used_today");
        if (outcome.object("obligations").values().values().stream().anyMatch(Boolean.class::isInstance)) {
            throw Members.bad("true or false among the obligations", "outcome.obligations");
        }
        outcome.texts("reasons", 0, 32);
        if (outcome.has("asserted")) outcome.texts("asserted", 1, 32);
        Object decision = outcome.values().get("decision");
        if (!"allow".equals(decision) && !"deny".equals(decision)) {
            throw Members.bad("neither allow nor deny", "outcome.decision");
        }
    }
}
