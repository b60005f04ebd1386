package consentledger.client;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.TreeMap;
import java.util.UUID;

/** A consent's whole life against a live ledger: run by tests/sdks/live.py, which registers the keys. */
final class Live {
    private static final SecureRandom RANDOM = new SecureRandom();

    private Live() {}

    private static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void refused(Class<? extends Exception> kind, String words, Work work) throws Exception {
        try {
            work.run();
        } catch (Exception error) {
            if (kind.isInstance(error) && error.getMessage().contains(words)) return;
            throw error;
        }
        throw new AssertionError("nothing was refused: " + words);
    }

    private static String random(int bytes) {
        byte[] drawn = new byte[bytes];
        RANDOM.nextBytes(drawn);
        return Bytes.b64u(drawn);
    }

    private static Signer keyOf(Path folder, String participant, String use, String alg) throws Exception {
        Signer signer = LocalSigner.generate(participant + "-" + use, alg);
        Files.write(folder.resolve(participant + "." + use + ".jwk"), Json.canonical(signer.jwk()));
        return signer;
    }

    private static Map<String, Object> item(String consent, String permission) {
        return Map.of(
                "accounts", List.of(), "consent_id", consent, "customer_present", true, "from", 0, "interaction_id",
                UUID.randomUUID().toString(), "permissions", List.of(permission), "purpose", "budgeting", "request_digest",
                random(32), "to", 0);
    }

    private static Map<String, Object> terms(long now) {
        Map<String, Object> terms = new TreeMap<>();
        for (String none : List.of("history_from", "history_to", "starts_at")) terms.put(none, 0);
        terms.putAll(Map.of(
                "authorisers_required", 1, "expires_at", now + 86_400, "frequency_per_day", 10, "grade", 3, "holder", "bank-1",
                "language", "en", "notice_hash", random(32), "once", false));
        terms.putAll(Map.of(
                "permissions", List.of("ReadAccountsBasic", "ReadBalances"), "purpose",
                Map.of("code", "budgeting", "text", "Budget planning"), "recipient", "app-1", "retention_days", 90,
                "separate_consents", List.of("provision", "sensitive"), "standard", "own", "standard_version", "1"));
        return terms;
    }

    /** What the operator answers. */
    private static String ask(Scanner input, String request) {
        System.out.println(request);
        return input.nextLine();
    }

    /** The operator changes the log's key. Who knows the older one only is led to the new one by the log, and by nothing else. */
    private static void acrossTheKeys(LedgerClient.Options usual, LedgerClient app, VerifiedReceipt before, Map<String, Object> item)
            throws Exception {
        refused(Refuted.class, "no signature", app::follow);
        List<KeySuccession> learned = app.learnKeys();
        check(learned.size() == 1 && usual.trust().logKeys(usual.trust().origin()).contains(learned.get(0).by()), "one new key");
        check(app.learnKeys().isEmpty(), "nothing more is learned");
        app.follow();
        VerifiedReceipt after = app.access(item);
        check(!after.allowed(), "the consent has ended");
        refused(Refuted.class, "no signature", () -> Receipts.verify(Bytes.utf8(after.file()), usual.trust()));
        for (VerifiedReceipt one : List.of(after, before)) {
            check(Receipts.verify(Bytes.utf8(one.file()), app.trust()).index() == one.index(), "receipts of both times hold");
        }
        LedgerClient next = new LedgerClient(usual); // what is remembered is signed by the new key alone
        refused(Refuted.class, "no signature", next::follow);
        next.learnKeys();
        check(next.follow().checkpoint().size() > after.index(), "the log grows");
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        Path folder = Path.of(arguments[2]);
        Signer appKey = keyOf(folder, "app-1", "statement", "ES256");
        Signer appClient = keyOf(folder, "app-1", "client", "EdDSA");
        Signer bankKey = keyOf(folder, "bank-1", "statement", "EdDSA");
        Signer bankClient = keyOf(folder, "bank-1", "client", "ES256");
        Scanner input = new Scanner(System.in);
        ask(input, "keys");
        Trust trust = Trust.read(Files.readAllBytes(Path.of(arguments[1])), Instant.now());
        CheckpointMemory memory = CheckpointMemory.inFile(folder.resolve("app.checkpoint"));
        LedgerClient.Options usual =
                LedgerClient.Options.of(url, "app-1", appKey, trust).withClientKey(appClient).withMemory(memory);
        LedgerClient app = new LedgerClient(usual);
        LedgerClient bank =
                new LedgerClient(LedgerClient.Options.of(url, "bank-1", bankKey, trust).withClientKey(bankClient));

        String consent = UUID.randomUUID().toString();
        long now = Instant.now().getEpochSecond();
        Map<String, Object> terms = terms(now);
        for (int tries = 0; ; tries++) { // the server learns within a second which keys a command has registered
            try {
                app.requestConsent(consent, terms);
                break;
            } catch (LedgerException.Refused refusal) {
                if (refusal.status() == 409 || tries == 50) throw refusal;
                Thread.sleep(200);
            }
        }
        String words = random(32);
        Map<String, Object> members = new HashMap<>(Map.of(
                "accounts", List.of(random(18)), "authoriser", random(18), "sca",
                Map.of("acr", "sca", "amr", List.of("pwd", "otp"), "at", now), "subject", random(18), "terms_hash",
                Statements.termsHash(terms), "version", 1));
        members.put("separate_consents", List.of(
                Map.of("given_at", now, "kind", "provision", "text_hash", words),
                Map.of("given_at", now, "kind", "sensitive", "text_hash", words)));
        List<VerifiedReceipt> authorised = bank.authorise(consent, members, random(18));
        check(authorised.get(0).disclosed().outcome().get("status").equals("ACTIVE"), "the consent is active");
        check(authorised.get(1).leaf().kind().equals("subject"), "the companion is in the customer's chain");

        VerifiedReceipt access = app.access(item(consent, "ReadBalances"));
        check(access.allowed(), "the access is allowed");
        byte[] content = Bytes.utf8("{\"balance\":\"12.30\"}");
        bank.release(access, 1, content.length, Bytes.sha256(content));
        app.receive(access, 1, content.length, Bytes.sha256(content));
        List<VerifiedReceipt> many = app.accessMany(
                List.of(item(consent, "ReadBalances"), item(consent, "ReadParty"), item(consent, "ReadBalances")));
        check(many.stream().map(VerifiedReceipt::allowed).toList().equals(List.of(true, false, true)), "one of three is denied");

        // The same question again is recorded once; its receipt is then read with a token, and by nobody without one.
        Question question = app.question("/accesses", "access.request", item(consent, "ReadBalances"));
        long index = app.submit(question).get(0).index();
        check(app.submit(question).get(0).index() == index, "the same entry");
        LedgerClient without = new LedgerClient(LedgerClient.Options.of(url, "app-1", appKey, trust));
        refused(LedgerException.WrongAnswer.class, "client key", () -> without.submit(question));

        bank.revoke(consent);
        VerifiedReceipt denied = app.access(item(consent, "ReadBalances"));
        check(!denied.allowed(), "the access is denied");
        check(denied.disclosed().outcome().get("reasons").equals(List.of("CONSENT_REVOKED")), "because it was revoked");
        check(app.consent(consent).get("status").equals("REVOKED"), "the state says so");
        List<VerifiedReceipt> history = app.history(consent);
        check(history.get(history.size() - 1).index() == denied.index(), "the last entry is the denied access");

        // The ledger proves within about a second that nothing was left out.
        Completeness complete = app.completeness(consent);
        for (int tries = 0; complete.count() < history.size() && tries < 50; tries++) {
            Thread.sleep(200);
            complete = app.completeness(consent);
        }
        List<Long> proved = complete.leaves().stream().map(Leaf::index).toList();
        check(proved.equals(history.stream().map(VerifiedReceipt::index).toList()), "the history is complete");

        // Follow the log, and find out whether it continues what an earlier process has seen.
        long size = app.follow().checkpoint().size();
        long later = new LedgerClient(usual).follow().checkpoint().size();
        check(size > denied.index() && later >= size, "the log grows");

        // A receipt in which one word was changed is none.
        for (List<String> change : List.of(List.of("\\\"allow\\\"", "\\\"denies\\\""), List.of("\"index\\\":", "\"index\\\":1"))) {
            String changed = access.file().replace(change.get(0), change.get(1));
            check(!changed.equals(access.file()), "something was changed");
            refused(Refuted.class, "BAD_", () -> Receipts.verify(Bytes.utf8(changed), trust));
        }
        Map<String, PublicKeys.Verifier> keys = Map.of("app-1-statement", PublicKeys.fromJwk(appKey.jwk()));
        check(Receipts.verify(Bytes.utf8(access.file()), trust, keys).unchecked().isEmpty(), "all was checked");
        refused(Refuted.class, "not registered", () ->
                Receipts.verify(Bytes.utf8(authorised.get(0).file()), trust, keys));

        // The published files stand for the log, on a server that computes no proofs.
        LedgerClient reader = new LedgerClient(LedgerClient.Options.of(ask(input, "public"), "app-1", appKey, trust));
        long published = reader.follow().checkpoint().size();
        check(published >= later, "all of it is public");

        ask(input, "key");
        acrossTheKeys(usual, app, access, item(consent, "ReadBalances"));
        ask(input, "public");
        refused(Refuted.class, "no signature", reader::follow);
        List<KeySuccession> led = reader.learnKeys();
        List<String> known = app.trust().logKeys(trust.origin()).stream().map(Notes.Key::vkey).toList();
        check(led.size() == 1 && known.contains(led.get(0).key().vkey()), "the same key");
        check(reader.follow().checkpoint().size() > published, "the public log grows");

        for (VerifiedReceipt one : history) {
            Files.writeString(folder.resolve("receipts").resolve(one.index() + ".json"), one.file());
        }
        System.out.println("Java: " + history.size() + " entries of a consent's life, each verified; log of " + later
                + " entries followed, across a change of its key");
    }
}
