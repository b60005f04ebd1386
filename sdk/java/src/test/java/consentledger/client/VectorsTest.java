package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The vectors of docs/spec/vectors: what every implementation accepts, and what each refuses, with the same code. */
class VectorsTest {
    private static final Instant NOW = Instant.ofEpochMilli(1_790_000_000_000L);
    private static final Path FOLDER =
            Path.of(Objects.requireNonNullElse(System.getenv("VECTORS"), "../../docs/spec/vectors"));

    private interface Work {
        void run() throws IOException;
    }

    private static Map<String, Object> read(Path path) throws IOException {
        return Json.read(Files.readAllBytes(path), 10_000_000);
    }

    private static Members file(String name) throws IOException {
        return new Members(read(FOLDER.resolve(name)));
    }

    private static List<Members> rows(Members file, String name) {
        List<Members> rows = file.objects(name, 1, 100_000);
        assertFalse(rows.isEmpty());
        return rows;
    }

    private static String said(Members row, String name) {
        return (String) row.values().get(name);
    }

    private static byte[] hex(Members row, String name) {
        return HexFormat.of().parseHex(said(row, name));
    }

    /** The code it is refused with; "" if nobody can say (exit status 2); null if it is accepted. */
    private static String refusal(Work work) throws IOException {
        try {
            work.run();
            return null;
        } catch (Refuted refusal) {
            return refusal.code().name();
        } catch (CannotCheck refusal) {
            return "";
        }
    }

    private static void judge(Members row, Work work) throws IOException {
        String name = said(row, "name");
        String code = refusal(work);
        assertEquals(row.values().get("accept"), code == null, name + ": " + code);
        if (row.has("code")) assertEquals(said(row, "code"), code, name);
    }

    @Test
    void everyFileIsRunHereOrSaidToBeLeftOut() throws IOException {
        Members kinds = new Members(read(Path.of("../vectors.json")));
        Set<String> named = new TreeSet<>(kinds.texts("run", 1, 100));
        named.addAll(kinds.object("left_out").values().keySet());
        try (Stream<Path> found = Files.list(FOLDER)) {
            Set<String> there = found.map(path -> path.getFileName().toString())
                    .filter(name -> name.endsWith(".json") || name.equals("bundles") || name.equals("cases"))
                    .collect(Collectors.toCollection(TreeSet::new));
            assertEquals(there, named);
        }
    }

    @Test
    void base64() throws IOException {
        for (Members row : rows(file("base64.json"), "cases")) {
            judge(row, () -> {
                String text = said(row, "text");
                byte[] bytes = said(row, "alphabet").equals("base64url") ? Bytes.unb64u(text) : Bytes.unb64(text);
                if (row.has("hex")) assertEquals(said(row, "hex"), HexFormat.of().formatHex(bytes));
            });
        }
    }

    @Test
    void clJson() throws IOException {
        for (Members row : rows(file("cl-json.json"), "cases")) judge(row, () -> Json.readCanonical(hex(row, "hex"), 49_152));
    }

    @Test
    void derivations() throws IOException {
        Members all = file("derivations.json");
        for (Members row : rows(all, "chains")) assertEquals(said(row, "chain"), Leaf.chainOf(said(row, "name")));
        for (Members row : rows(all, "commitments")) {
            byte[] opening = Bytes.unb64u(said(row, "opening"));
            assertEquals(said(row, "commitment"), Bytes.b64u(Receipts.commitment(Bytes.utf8(said(row, "evidence")), opening)));
        }
        for (Members row : rows(all, "leaves")) {
            assertEquals(said(row, "hash"), Bytes.b64u(Merkle.leafHash(Bytes.utf8(said(row, "leaf")))));
        }
        for (Members row : rows(all, "nodes")) {
            if (!row.has("left")) continue;
            assertEquals(said(row, "hash"), HexFormat.of().formatHex(Merkle.nodeHash(hex(row, "left"), hex(row, "right"))));
        }
        for (Members row : rows(all, "terms")) {
            Map<String, Object> terms = row.values().get("terms") instanceof String text
                    ? Json.readCanonical(Bytes.utf8(text), 16_384)
                    : row.object("terms").values();
            assertEquals(said(row, "hash"), Statements.termsHash(terms));
        }
    }

    @Test
    void keys() throws IOException {
        for (Members row : rows(file("keys.json"), "jwk")) {
            judge(row, () -> {
                PublicKeys.Verifier key = PublicKeys.fromJwk(row.object("jwk").values());
                if (!key.alg().equals(said(row, "alg"))) throw new Refuted(Code.BAD_SIGNATURE, "another algorithm");
            });
        }
        for (Members row : rows(file("keys.json"), "cose")) {
            judge(row, () -> PublicKeys.fromCose(Bytes.unb64u(said(row, "public_key"))));
        }
    }

    @Test
    void merkle() throws IOException {
        Members all = file("merkle.json");
        List<byte[]> hashes =
                all.texts("leaves", 1, 100).stream().map(leaf -> Merkle.leafHash(HexFormat.of().parseHex(leaf))).toList();
        for (Members row : rows(all, "roots")) {
            byte[] root = Merkle.rootOf(hashes.subList(0, (int) row.integer("size")));
            assertEquals(said(row, "root"), HexFormat.of().formatHex(root));
        }
        for (Members row : rows(all, "proofs")) {
            List<byte[]> path = row.texts("path", 0, 1_000).stream().map(HexFormat.of()::parseHex).toList();
            switch (said(row, "kind")) {
                case "inclusion" -> judge(row, () -> Merkle.verifyInclusion(
                        number(row, "index"), number(row, "size"), hex(row, "leaf"), path, hex(row, "root")));
                case "consistency" -> judge(row, () -> Merkle.verifyConsistency(
                        number(row, "old_size"), number(row, "new_size"), path, hex(row, "old_root"), hex(row, "new_root")));
                default -> assertEquals("subtree", said(row, "kind"));
            }
        }
    }

    private static long number(Members row, String name) {
        return (Long) row.values().get(name);
    }

    @Test
    void notes() throws IOException {
        Members all = file("notes.json");
        for (Members row : rows(all, "vkeys")) judge(row, () -> Notes.readVkey(said(row, "vkey")));
        for (Members row : rows(all, "notes")) {
            judge(row, () -> {
                Notes.Key key = Notes.readVkey(said(row, "vkey"));
                Notes.Checkpoint checkpoint = Notes.readCheckpoint(Notes.open(said(row, "note"), List.of(key)).text());
                if (!checkpoint.origin().equals(key.name())) throw new Refuted(Code.BAD_SIGNATURE, "of another log");
                Members wanted = all.object("checkpoint");
                if (row.flag("accept")) {
                    assertEquals(
                            new Notes.Checkpoint(said(wanted, "origin"), number(wanted, "size"), said(wanted, "root")), checkpoint);
                }
            });
        }
    }

    @Test
    void policies() throws IOException {
        for (String kind : List.of("policies", "trust_files")) {
            for (Members row : rows(file("policies.json"), kind)) {
                byte[] policy = row.has("text") ? Bytes.utf8(said(row, "text")) : hex(row, "hex");
                judge(row, () -> Trust.read(policy, NOW));
            }
        }
    }

    @Test
    void statements() throws IOException {
        Members all = file("statements.json");
        for (Members row : rows(all, "cases")) {
            judge(row, () -> {
                PublicKeys.Verifier key = PublicKeys.fromJwk(row.object("jwk").values());
                Map<String, Object> payload =
                        Statements.verify(said(row, "jws"), said(row, "kid"), key, said(all, "origin"));
                if (row.has("payload")) assertEquals(said(row, "payload"), Bytes.textOf(Json.canonical(payload)));
            });
        }
    }

    @Test
    void receipts() throws IOException {
        for (Members row : rows(file("receipts.json"), "cases")) {
            byte[] policy = Files.readAllBytes(FOLDER.resolve("policies").resolve(said(row, "policy")));
            String[] code = new String[1];
            String refused = refusal(() -> {
                Receipts.Checked checked = Receipts.check(Bytes.utf8(said(row, "receipt")), Trust.read(policy, NOW), null);
                if (!checked.defects().isEmpty()) throw checked.defects().get(0);
                code[0] = checked.head().quorumMet() ? "VALID" : "VALID_UNWITNESSED";
            });
            assertEquals(said(row, "code"), refused == null ? code[0] : refused, said(row, "name"));
            long exit = refused == null ? code[0].equals("VALID") ? 0 : 3 : refused.isEmpty() ? 2 : 1;
            assertEquals(number(row, "exit"), exit, said(row, "name"));
        }
    }

    @Test
    void transparent() throws IOException {
        for (Members row : rows(file("transparent.json"), "cases")) {
            byte[] policy = Files.readAllBytes(FOLDER.resolve("policies").resolve(said(row, "policy")));
            String[] code = new String[1];
            String refused = refusal(() -> {
                byte[] statement = Bytes.unb64(said(row, "statement"));
                Transparent.Checked checked = Transparent.check(statement, Trust.read(policy, NOW), null);
                if (!checked.defects().isEmpty()) throw checked.defects().get(0);
                code[0] = checked.quorumMet() ? "VALID" : "VALID_UNWITNESSED";
            });
            assertEquals(said(row, "code"), refused == null ? code[0] : refused, said(row, "name"));
            long exit = refused == null ? code[0].equals("VALID") ? 0 : 3 : refused.isEmpty() ? 2 : 1;
            assertEquals(number(row, "exit"), exit, said(row, "name"));
        }
    }

    /** The form of what a holder attests and of its sheets; whether a sheet is legal hangs on the log. */
    @Test
    void histories() throws IOException {
        Members all = file("histories.json");
        String origin = new Members(Json.read(Bytes.utf8(said(rows(all, "attests").get(0), "attest")), 16_384)).text("aud", 255);
        for (Members row : rows(all, "attests")) {
            judge(row, () -> Statements.payload(Bytes.utf8(said(row, "attest")), origin));
        }
        for (Members row : rows(all, "sheets")) {
            String code = refusal(() -> Statements.payload(Bytes.utf8(said(row, "sheet")), origin));
            assertEquals("BAD_ENCODING".equals(row.values().get("code")) ? "BAD_ENCODING" : null, code, said(row, "name"));
        }
    }

    @Test
    void setProofs() throws IOException {
        for (Members row : rows(file("set-proofs.json"), "cases")) {
            byte[] policy = Files.readAllBytes(FOLDER.resolve("policies").resolve(said(row, "policy")));
            String[] code = new String[1];
            String refused = refusal(() -> {
                byte[] receipt = Bytes.utf8(said(row, "receipt"));
                SetProofs.Checked checked =
                        SetProofs.check(receipt, Bytes.utf8(said(row, "set_proof")), Trust.read(policy, NOW), null);
                if (!checked.defects().isEmpty()) throw checked.defects().get(0);
                code[0] = checked.vouched().head().quorumMet() ? "VALID" : "VALID_UNWITNESSED";
            });
            assertEquals(said(row, "code"), refused == null ? code[0] : refused, said(row, "name"));
            long exit = refused == null ? code[0].equals("VALID") ? 0 : 3 : refused.isEmpty() ? 2 : 1;
            assertEquals(number(row, "exit"), exit, said(row, "name"));
        }
    }

    @Test
    void aReceiptOfTheLargestSizeIsOneAndOneByteMoreIsNone() throws IOException {
        for (Members row : rows(file("receipts.json"), "cases")) {
            if (number(row, "exit") != 0 && number(row, "exit") != 3) continue;
            byte[] policy = Files.readAllBytes(FOLDER.resolve("policies").resolve(said(row, "policy")));
            String receipt = said(row, "receipt");
            String room = " ".repeat(1_400_000 - Bytes.utf8(receipt).length);
            assertTrue(Receipts.check(Bytes.utf8(receipt + room), Trust.read(policy, NOW), null).defects().isEmpty());
            assertEquals(
                    "BAD_ENCODING",
                    refusal(() -> Receipts.check(Bytes.utf8(receipt + room + " "), Trust.read(policy, NOW), null)));
            return;
        }
        fail("no receipt of the vectors is accepted");
    }

    @Test
    void map() throws IOException {
        for (Members row : rows(file("map.json"), "proofs")) {
            byte[] root = hex(row, "root");
            byte[] key = hex(row, "key");
            byte[] proof = hex(row, "proof");
            judge(row, () -> {
                if (said(row, "kind").equals("present")) CompletenessMap.verifyPresent(root, key, hex(row, "value"), proof);
                else CompletenessMap.verifyAbsent(root, key, proof);
            });
        }
    }

    @Test
    void completeness() throws IOException {
        for (Members row : rows(file("completeness.json"), "cases")) {
            Trust trust = Trust.read(Files.readAllBytes(FOLDER.resolve("policies").resolve(said(row, "policy"))), NOW);
            List<byte[]> shown =
                    row.has("shown") ? row.texts("shown", 0, 1_000).stream().map(Bytes::utf8).toList() : List.of();
            String refused = refusal(() -> Completeness.verify(Bytes.utf8(said(row, "file")), trust, shown));
            assertEquals(said(row, "code"), refused == null ? "VALID" : refused, said(row, "name"));
            assertEquals(number(row, "exit"), refused == null ? 0 : refused.isEmpty() ? 2 : 1, said(row, "name"));
        }
    }

    @Test
    void logKeys() throws IOException {
        for (Members row : rows(file("log-keys.json"), "cases")) {
            Map<String, List<byte[]>> proofs = new HashMap<>();
            for (Members one : row.objects("proofs", 0, 1_000)) {
                List<byte[]> hashes = one.texts("hashes", 0, 63).stream().map(Bytes::unb64u).toList();
                proofs.put(number(one, "index") + " of " + number(one, "size"), hashes);
            }
            List<Notes.Key> trusted = row.texts("trusted", 1, 10).stream().map(Notes::readVkey).toList();
            List<KeySuccession.Document> documents = row.objects("documents", 0, 100).stream()
                    .map(one -> new KeySuccession.Document(number(one, "index"), Bytes.utf8(said(one, "leaf"))))
                    .toList();
            judge(row, () -> {
                List<String> told = new ArrayList<>();
                try {
                    for (KeySuccession one : KeySuccession.of(trusted, documents, (i, size) -> proofs.get(i + " of " + size))) {
                        told.add(one.key().vkey() + " by " + one.by().vkey() + " from " + one.first());
                    }
                } catch (LedgerException never) {
                    throw new AssertionError(never);
                }
                List<String> wanted = row.objects("keys", 0, 10).stream()
                        .map(one -> said(one, "vkey") + " by " + said(one, "by") + " from " + number(one, "first"))
                        .toList();
                assertEquals(wanted, told, said(row, "name"));
            });
        }
    }

    @Test
    void acts() throws IOException {
        Members all = file("acts.json");
        for (Members row : rows(all, "cases")) {
            judge(row, () -> Statements.payload(Bytes.utf8(said(row, "payload")), said(all, "origin")));
        }
    }

    @Test
    void anSm2StatementIsNeitherValidNorRefuted() throws IOException {
        String coordinate = Bytes.b64u(new byte[32]);
        PublicKeys.Verifier key = PublicKeys.fromJwk(Map.of("crv", "SM2", "kty", "EC", "x", coordinate, "y", coordinate));
        byte[] header = Json.canonical(Map.of("alg", "SM2", "kid", "k", "typ", "consent-statement+jwt"));
        String jws = Bytes.b64u(header) + "." + Bytes.b64u(Bytes.utf8("{}")) + "." + Bytes.b64u(new byte[64]);
        assertEquals("", refusal(() -> Statements.verify(jws, "k", key, "ledger.example/any")));
    }
}
