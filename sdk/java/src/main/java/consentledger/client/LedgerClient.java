package consentledger.client;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * The participant's client: it signs, submits, and returns nothing that it has not verified. Safe to use from many threads.
 *
 * <p>Every method that asks the ledger throws {@link LedgerException} (checked): Refused, Unavailable, WrongAnswer, Equivocation; and
 * {@link Refuted} or {@link CannotCheck} (unchecked) for evidence that does not hold or is of another version.
 */
public final class LedgerClient {
    /**
     * How to reach the ledger, and as whom. {@code addresses}: the public URL of each of its nodes, also the issuer of that node's tokens.
     * {@code signer}: registered for {@code statement} use. {@code clientKey}: registered for {@code client} use, or null; it is
     * needed for reads, and for receipts of what an earlier try has recorded. {@code onBehalfOf}: whom a technology provider signs
     * for, or null.
     */
    public record Options(
            List<String> addresses, String participant, Signer signer, Trust trust, Signer clientKey, CheckpointMemory memory,
            String onBehalfOf, Patience patience, Clock clock) {
        /** The usual options: nothing remembered beyond this process. */
        public static Options of(String address, String participant, Signer signer, Trust trust) {
            return of(List.of(address), participant, signer, trust);
        }

        /** For a ledger of several nodes: with the patience that outlasts a failover. */
        public static Options of(List<String> addresses, String participant, Signer signer, Trust trust) {
            Patience usual = addresses.size() > 1 ? Patience.THROUGH_A_FAILOVER : Patience.USUAL;
            return new Options(
                    addresses, participant, signer, trust, null, CheckpointMemory.inMemory(), null, usual, Clock.systemUTC());
        }

        public Options withClientKey(Signer key) {
            return new Options(addresses, participant, signer, trust, key, memory, onBehalfOf, patience, clock);
        }

        public Options withMemory(CheckpointMemory kept) {
            return new Options(addresses, participant, signer, trust, clientKey, kept, onBehalfOf, patience, clock);
        }

        public Options onBehalfOf(String party) {
            return new Options(addresses, participant, signer, trust, clientKey, memory, party, patience, clock);
        }

        public Options withPatience(Patience patient) {
            return new Options(addresses, participant, signer, trust, clientKey, memory, onBehalfOf, patient, clock);
        }
    }

    private final Options options;
    private final Transport transport;
    /** By address; none without a client key. */
    private final Map<String, Tokens> tokens = new HashMap<>();
    private final PublicLog published;
    private final CheckpointWatch watch;
    private volatile Trust trust;

    public LedgerClient(Options options) {
        Addresses addresses = new Addresses(options.addresses);
        this.options = options;
        this.trust = options.trust;
        this.transport = new Transport(addresses, options.patience);
        for (String one : options.clientKey == null ? List.<String>of() : addresses.all()) {
            tokens.put(one, new Tokens(transport, options.participant, options.clientKey, one));
        }
        this.published = new PublicLog(transport);
        this.watch = new CheckpointWatch(options.trust, options.memory, published::consistency);
    }

    // -- writing --------------------------------------------------------------------------------------------------------

    /** Sign a statement of any act with its members, for the log of the policy. Throws {@link Refuted} for a wrong form. */
    public String sign(String act, Map<String, ?> members) {
        Map<String, Object> payload = new TreeMap<>(members);
        payload.put("act", act);
        payload.put("aud", trust.origin());
        payload.put("iat", options.clock.millis() / 1_000);
        payload.put("iss", options.participant);
        payload.put("jti", Tokens.freshJti());
        payload.put("v", 1L);
        if (options.onBehalfOf != null) payload.put("on_behalf_of", options.onBehalfOf);
        return Statements.sign(options.signer, payload);
    }

    /** A question of one statement for {@link #submit}. Keep it to be able to send the same again. */
    public Question question(String path, String act, Map<String, ?> members) {
        return Question.of(path, sign(act, members));
    }

    /**
     * Submit a question; its receipts, each verified and compared with what was asked. Safe to call again with the same question.
     * What an earlier try has recorded is answered by indexes alone, and its receipts are then read with a token.
     */
    public List<VerifiedReceipt> submit(Question question) throws LedgerException {
        List<VerifiedReceipt> receipts = openAll(transport.ask("POST", question.path(), question.body(), null));
        checkAnswer(question, receipts);
        return receipts;
    }

    /** As recipient: ask for a consent under these terms. */
    public VerifiedReceipt requestConsent(String consentId, Map<String, ?> terms) throws LedgerException {
        return one("/consents", "consent.request", Map.of("consent_id", consentId, "terms", terms));
    }

    /** As recipient: propose new terms. */
    public VerifiedReceipt amend(String consentId, Map<String, ?> terms, long previousVersion) throws LedgerException {
        return change("amend", consentId, Map.of("previous_version", previousVersion, "terms", terms));
    }

    /**
     * As holder: {@code members} of {@code consent.authorise} (all but {@code consent_id}) and the holder's own reference for this
     * customer, which no recipient sees. The receipts of the authorisation and of its companion.
     */
    public List<VerifiedReceipt> authorise(String consentId, Map<String, ?> members, String customer) throws LedgerException {
        Map<String, Object> whole = new TreeMap<>(members);
        whole.put("consent_id", consentId);
        String companion = sign("subject.consent", Map.of("consent_id", consentId, "subject", customer));
        String statement = sign("consent.authorise", whole);
        return submit(new Question(path(consentId, "authorise"), statement, List.of(), companion, null));
    }

    /** A step ({@code pause}, {@code reject}, {@code resume}, {@code revoke}, {@code suspend}, {@code terminate}) of a consent. */
    public VerifiedReceipt step(String step, String consentId, String by, String reason) throws LedgerException {
        return change(step, consentId, Map.of("by", by, "reason", reason));
    }

    /** End a consent for ever: no access is allowed at any higher index. */
    public VerifiedReceipt revoke(String consentId) throws LedgerException {
        return step("revoke", consentId, "customer", "customer-request");
    }

    /** Any other act of {@code /consents/{id}/<change>}: {@code withdraw_accounts}, {@code reauthenticate}, … */
    public VerifiedReceipt change(String change, String consentId, Map<String, ?> members) throws LedgerException {
        Map<String, Object> whole = new TreeMap<>(members);
        whole.put("consent_id", consentId);
        return one(path(consentId, change), "consent." + change, whole);
    }

    /** As recipient: ask to read data now; the decision, allowed or denied, is in the receipt. */
    public VerifiedReceipt access(Map<String, ?> item) throws LedgerException {
        return one("/accesses", "access.request", item);
    }

    /** As recipient: up to 1,000 accesses under one signature; a receipt for each, in their order. */
    public List<VerifiedReceipt> accessMany(List<? extends Map<String, ?>> items) throws LedgerException {
        List<byte[]> spelled = items.stream().map(Json::canonical).toList();
        byte[] root = Merkle.rootOf(spelled.stream().map(Merkle::leafHash).toList());
        String statement = sign("access.batch", Map.of("items_count", items.size(), "items_root", Bytes.b64u(root)));
        return submit(new Question("/accesses/batch", statement, spelled.stream().map(Bytes::textOf).toList(), null, null));
    }

    /** As holder: record what was given out under an allowed access. {@code digest}: SHA-256 of the content. */
    public VerifiedReceipt release(VerifiedReceipt access, long rows, long bytes, byte[] digest) throws LedgerException {
        return leg("release", access, rows, bytes, digest);
    }

    /** As recipient: record what arrived. */
    public VerifiedReceipt receive(VerifiedReceipt access, long rows, long bytes, byte[] digest) throws LedgerException {
        return leg("receive", access, rows, bytes, digest);
    }

    private VerifiedReceipt leg(String leg, VerifiedReceipt access, long rows, long bytes, byte[] digest)
            throws LedgerException {
        if (access.disclosed() == null || access.disclosed().item() == null) {
            throw new LedgerException.WrongAnswer("entry " + access.index() + " is no access");
        }
        Map<String, Object> item = access.disclosed().item();
        return one("/accesses/" + leg, "access." + leg, Map.of(
                "basis", access.index(), "bytes", bytes, "consent_id", item.get("consent_id"),
                "digest", Bytes.b64u(digest), "interaction_id", item.get("interaction_id"), "rows", rows));
    }

    private VerifiedReceipt one(String path, String act, Map<String, ?> members) throws LedgerException {
        return submit(question(path, act, members)).get(0);
    }

    // -- reading --------------------------------------------------------------------------------------------------------

    /**
     * Follow the log: its newest checkpoint, consistent with all seen before. This and {@link #learnKeys} also work where the log's
     * published files alone are. Throws RolledBack and Equivocation too.
     */
    public Trust.Head follow() throws LedgerException {
        Trust.Head before = watch.known();
        Trust.Head head = transport.newest(() -> trust.open(published.newest()), before == null ? 0 : before.checkpoint().size());
        watch.observeNewest(head, before);
        return head;
    }

    /** Whom this client trusts now: as it was given, with what {@link #learnKeys} found. */
    public Trust trust() {
        return trust;
    }

    /**
     * The keys of the log to which the trusted ones lead by its own documents, for when it has changed its key; from now on they are
     * trusted, too. Put their {@code vkey} into the policy: what is remembered of the log may be signed by the new key only. Throws
     * {@link Refuted} when the documents do not prove it, with KEY_COMPROMISED when somebody else may have the older key.
     */
    public synchronized List<KeySuccession> learnKeys() throws LedgerException {
        List<KeySuccession.Document> documents = new ArrayList<>();
        for (Object one : Transport.list(published.keys().get("documents"), "documents")) {
            if (!(one instanceof Map<?, ?> members) || !(members.get("index") instanceof Long index)
                    || !(members.get("leaf") instanceof String leaf)) {
                throw new LedgerException.WrongAnswer("a document has no index or no leaf");
            }
            documents.add(new KeySuccession.Document(index, Bytes.unb64u(leaf)));
        }
        List<KeySuccession> found = KeySuccession.of(trust.logKeys(trust.origin()), documents, published::inclusion);
        if (!found.isEmpty()) {
            trust = trust.with(found);
            watch.believe(trust);
        }
        return found;
    }

    /** The receipt of an entry that this participant signed or is a party of, verified. */
    public VerifiedReceipt receipt(long index) throws LedgerException {
        VerifiedReceipt receipt = open(read("/receipts/" + index).body());
        if (receipt.index() != index) {
            throw new LedgerException.WrongAnswer("entry " + index + " was asked for, and that of " + receipt.index() + " came");
        }
        return receipt;
    }

    /** A consent's present state as the ledger tells it; what is proved of it is in {@link #history}. */
    public Map<String, Object> consent(String consentId) throws LedgerException {
        Map<String, Object> state = read(path(consentId, "")).json();
        if (!consentId.equals(state.get("consent_id"))) throw new LedgerException.WrongAnswer("another consent came");
        return state;
    }

    /** The events of a consent that this participant may see, oldest first, each verified. */
    public List<VerifiedReceipt> history(String consentId) throws LedgerException {
        List<VerifiedReceipt> all = new ArrayList<>();
        for (long after = -1; ; ) {
            String query = "?limit=100" + (after < 0 ? "" : "&after=" + after);
            List<VerifiedReceipt> page = openAll(read(path(consentId, "history") + query));
            all.addAll(page);
            long last = after;
            for (VerifiedReceipt one : page) last = Math.max(last, (Long) one.leaf().members().getOrDefault("seq", -1L));
            if (last <= after) return all;
            after = last;
        }
    }

    /** The proof that these are all entries of a consent, up to an entry that is at most a second old. */
    public Completeness completeness(String consentId) throws LedgerException {
        Completeness complete = Completeness.verify(read(path(consentId, "completeness")).body(), trust, List.of());
        if (!complete.chain().equals(Leaf.chainOf(consentId))) {
            throw new LedgerException.WrongAnswer("the proof is of another consent");
        }
        watch.observe(complete.head().head());
        return complete;
    }

    private Transport.Answer read(String path) throws LedgerException {
        return transport.ask("GET", path, null, tokens.isEmpty() ? null : Tokens.of(tokens, "GET", path));
    }

    private List<VerifiedReceipt> openAll(Transport.Answer answer) throws LedgerException {
        List<VerifiedReceipt> receipts = new ArrayList<>();
        for (Object entry : Transport.list(answer.json().get("entries"), "entries")) {
            if (!(entry instanceof Map<?, ?> members)) throw new LedgerException.WrongAnswer("an entry is no object");
            if (members.get("receipt") instanceof Map<?, ?> receipt) {
                receipts.add(open(Bytes.utf8(Json.relaxed(receipt))));
            } else if (!(members.get("index") instanceof Long index)) {
                throw new LedgerException.WrongAnswer("an entry of the answer has neither a receipt nor an index");
            } else if (tokens.isEmpty()) {
                throw new LedgerException.WrongAnswer(
                        "recorded before, as entry " + index + ": reading its receipt needs a client key");
            } else {
                receipts.add(receipt(index));
            }
        }
        return receipts;
    }

    private VerifiedReceipt open(byte[] file) throws LedgerException {
        VerifiedReceipt receipt = Receipts.verify(file, trust);
        watch.observe(receipt.head());
        return receipt;
    }

    /** The receipts are those of exactly this question: one for each entry, in order. */
    private static void checkAnswer(Question question, List<VerifiedReceipt> receipts) throws LedgerException.WrongAnswer {
        List<String> statements = new ArrayList<>();
        for (int at = 0; at < question.items().size(); at++) statements.add(question.statement());
        if (statements.isEmpty()) {
            statements.add(question.statement());
            if (question.companion() != null) statements.add(question.companion());
        }
        Set<Long> indexes = new HashSet<>();
        receipts.forEach(receipt -> indexes.add(receipt.index()));
        if (receipts.size() != statements.size() || indexes.size() != receipts.size()) {
            throw new LedgerException.WrongAnswer(
                    statements.size() + " entries were asked for, and " + receipts.size() + " receipts came");
        }
        for (int at = 0; at < receipts.size(); at++) {
            Receipts.Disclosed said = receipts.get(at).disclosed();
            if (said == null || !Objects.equals(said.statement(), statements.get(at))) {
                throw new LedgerException.WrongAnswer("receipt " + at + " is about another statement than the one sent");
            }
            if (!question.items().isEmpty()
                    && (said.position() != at || said.item() == null
                            || !Bytes.textOf(Json.canonical(said.item())).equals(question.items().get(at)))) {
                throw new LedgerException.WrongAnswer("receipt " + at + " is about another item than the one at its place");
            }
            if (said.outcome() == null && (said.act().startsWith("consent.") || said.act().equals("access.request"))) {
                throw new LedgerException.WrongAnswer("the receipt of " + said.act() + " says nothing about its outcome");
            }
        }
    }

    private static String path(String consentId, String step) {
        String coded = URLEncoder.encode(consentId, StandardCharsets.UTF_8).replace("+", "%20");
        return "/consents/" + coded + (step.isEmpty() ? "" : "/" + step);
    }
}
