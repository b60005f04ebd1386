package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several logs as one: a head log and its shard, of which this file makes the answers. */
class LedgerSetTest {
    private static final String ZERO = Bytes.b64u(new byte[32]);
    private static final Patience SHORT = new Patience(
            2, Duration.ofMillis(1), Duration.ofMillis(1), Duration.ofSeconds(1), Duration.ofSeconds(20));

    /** A log with a key of its own. */
    private static final class Log {
        final List<String> leaves = Collections.synchronizedList(new ArrayList<>());
        final LocalSigner key = LocalSigner.generate("log", "EdDSA");
        final String name;
        final byte[] raw;
        final byte[] id;
        final Trust trust;

        Log(String name) {
            this.name = name;
            raw = Bytes.unb64u((String) key.jwk().get("x"));
            byte[] material = Bytes.concat(new byte[] {1}, raw);
            id = Arrays.copyOf(Bytes.sha256(Bytes.utf8(name + "\n"), material), 4);
            String vkey = name + "+" + HexFormat.of().formatHex(id) + "+" + Bytes.b64(material);
            trust = Trust.read(Bytes.utf8("log " + vkey + "\nquorum none\n"), Instant.now());
        }

        private long add(String kind, Map<String, Object> members) {
            Map<String, Object> leaf = new LinkedHashMap<>(members);
            leaf.putAll(Map.of(
                    "index", (long) leaves.size(), "kind", kind, "prev", ZERO, "time", 1_790_000_000_000L, "v", 1L));
            leaves.add(Bytes.textOf(Json.canonical(leaf)));
            return leaves.size() - 1;
        }

        long say(String chain, Map<String, Object> document) {
            Map<String, Object> whole = new LinkedHashMap<>(document);
            whole.put("v", 2L);
            return add("operator", Map.of(
                    "chain", Leaf.chainOf(chain), "document", whole, "prev_in_chain", ZERO, "seq", 0L));
        }

        void grow() {
            add("index-head", Map.of("map_root", ZERO, "map_size", 0L));
        }

        List<byte[]> hashes(int size) {
            return leaves.subList(0, size).stream().map(leaf -> Merkle.leafHash(Bytes.utf8(leaf))).toList();
        }

        byte[] root() {
            return Merkle.rootOf(hashes(leaves.size()));
        }

        String note() {
            String text = name + "\n" + leaves.size() + "\n" + Bytes.b64(root()) + "\n";
            return text + "\n\u2014 " + name + " " + Bytes.b64(Bytes.concat(id, key.sign(Bytes.utf8(text)))) + "\n";
        }

        String proof(long index) {
            StringBuilder lines = new StringBuilder("c2sp.org/tlog-proof@v1\nindex " + index + "\n");
            path((int) index, hashes(leaves.size())).forEach(hash -> lines.append(Bytes.b64(hash)).append('\n'));
            return lines + "\n" + note();
        }

        VerifiedReceipt receipt(int index) {
            Map<String, Object> file = Map.of("leaf", leaves.get(index), "proof", proof(index), "v", 1L);
            return Receipts.verify(Bytes.utf8(Json.relaxed(file)), trust);
        }

        /** What a node answers to a reader. */
        String answer(URI uri) {
            if (uri.getPath().equals("/checkpoint/newest")) return note();
            Map<String, Integer> asked = new LinkedHashMap<>();
            for (String one : uri.getQuery().split("&")) {
                asked.put(one.split("=")[0], Integer.valueOf(one.split("=")[1]));
            }
            List<byte[]> hashes = path(asked.get("index"), hashes(asked.get("size")));
            return "{\"hashes\":[" + String.join(",", hashes.stream().map(hash -> '"' + Bytes.b64u(hash) + '"').toList()) + "]}";
        }

        /** The proof of entry {@code index} in the tree over these leaf hashes (RFC 6962 §2.1.1). */
        private static List<byte[]> path(int index, List<byte[]> hashes) {
            if (hashes.size() == 1) return List.of();
            int half = Integer.highestOneBit(hashes.size() - 1);
            List<byte[]> left = hashes.subList(0, half);
            List<byte[]> right = hashes.subList(half, hashes.size());
            List<byte[]> path = new ArrayList<>(index < half ? path(index, left) : path(index - half, right));
            path.add(Merkle.rootOf(index < half ? right : left));
            return path;
        }
    }

    private final Log head = new Log("ledger.example/head");
    private final Log east = new Log("ledger.example/east");
    private final List<HttpServer> servers = new ArrayList<>();
    private final List<String> posted = Collections.synchronizedList(new ArrayList<>());
    private final List<String> asked = Collections.synchronizedList(new ArrayList<>());
    private final List<Long> pauses = new ArrayList<>();
    private volatile String documents;
    private volatile String address;
    private volatile long committed = -1;

    @BeforeEach
    void set() throws Exception {
        head.say("operator:set", Map.of("type", "shard.added", "origin", east.name, "key", Bytes.b64u(east.raw)));
        head.say("operator:set", Map.of("type", "holder.placed", "holder", "bank-a", "origin", east.name));
        for (int count = 0; count < 5; count++) east.grow();
        tell(head.leaves);
        address = serve();
    }

    @AfterEach
    void stop() {
        servers.forEach(server -> server.stop(0));
    }

    private void tell(List<String> leaves) {
        List<String> told = new ArrayList<>();
        for (String leaf : leaves) told.add("{\"index\":" + told.size() + ",\"leaf\":\"" + Bytes.b64u(Bytes.utf8(leaf)) + "\"}");
        documents = "[" + String.join(",", told) + "]";
    }

    /** A server that answers for the head log, under {@code /head}, and for the shard. */
    private String serve() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
        servers.add(server);
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws java.io.IOException {
        URI uri = exchange.getRequestURI();
        int status = 200;
        String said;
        asked.add(exchange.getLocalAddress().getPort() + uri.getPath());
        if (exchange.getRequestMethod().equals("POST")) {
            posted.add(Bytes.textOf(exchange.getRequestBody().readAllBytes()));
            status = 409;
            said = "{\"detail\":\"no\"}";
        } else if (uri.getPath().equals("/head/set")) {
            said = "{\"documents\":" + documents + ",\"shards\":[{\"address\":\"" + address + "\",\"origin\":\"" + east.name + "\"}]}";
        } else if (uri.getPath().equals("/head/set/heads")) {
            status = committed < 0 ? 404 : 200;
            said = committed < 0
                    ? "{}"
                    : Json.relaxed(Map.of("leaf", head.leaves.get((int) committed), "proof", head.proof(committed)));
        } else {
            Log log = uri.getPath().startsWith("/head/") ? head : east;
            said = log.answer(URI.create(uri.toString().replaceFirst("^/head", "")));
        }
        exchange.sendResponseHeaders(status, Bytes.utf8(said).length);
        exchange.getResponseBody().write(Bytes.utf8(said));
        exchange.close();
    }

    private LedgerSet logs(Trust trust) {
        Signer signer = LocalSigner.generate("app-1-statement", "EdDSA");
        LedgerSet.Connect connect = (where, key) ->
                new LedgerClient(LedgerClient.Options.of(where, "app-1", signer, key).withPatience(SHORT));
        Transport.Pause pause = ms -> {
            pauses.add(ms);
            if (pauses.size() == 3) commit(east.root());
        };
        List<String> addresses = List.of(address + "/head");
        return new LedgerSet(addresses, trust, connect, CheckpointMemory.inMemory(), SHORT, pause);
    }

    private void commit(byte[] root) {
        Map<String, Object> one = Map.of("origin", east.name, "root", Bytes.b64u(root), "size", (long) east.leaves.size());
        committed = head.say("operator:heads", Map.of("type", "heads.committed", "heads", List.of(one)));
    }

    private static Code code(org.junit.jupiter.api.function.Executable work) {
        return assertThrows(Refuted.class, work).code();
    }

    @Test
    void theHeadLogsKeyLeadsToTheShardOfAHolderAndTheClientOfItIsMadeOnce() throws Exception {
        LedgerSet logs = logs(head.trust);
        LedgerClient bank = logs.ofHolder("bank-a");
        assertEquals(east.name, bank.trust().origin());
        assertArrayEquals(east.raw, HexFormat.of().parseHex(bank.trust().logKeys(east.name).get(0).raw()));
        assertSame(bank, logs.ofHolder("bank-a"));
        assertThrows(LedgerException.NotInSet.class, () -> logs.ofHolder("bank-b"));
        assertThrows(LedgerException.NotInSet.class, () -> logs.ofOrigin("ledger.example/west"));
    }

    @Test
    void nobodyIsBelievedWhomTheHeadLogDoesNotProve() throws Exception {
        assertEquals(Code.BAD_SIGNATURE, code(() -> logs(east.trust).ofHolder("bank-a")));
        LedgerSet logs = logs(head.trust);
        logs.ofHolder("bank-a");
        tell(List.of(head.leaves.get(0), head.leaves.get(1).replace("bank-a", "bank-b"))); // in the place of one that was proved
        assertEquals(Code.BAD_PROOF, code(() -> logs.ofHolder("bank-b")));
        tell(List.of(head.leaves.get(1)));
        assertEquals(Code.BAD_PROOF, code(() -> logs.ofHolder("bank-c")));
    }

    @Test
    void aStatementGoesUnchangedToWhereItsLogAnswersAfterThatHasMoved() throws Exception {
        LedgerSet logs = logs(head.trust);
        LedgerClient bank = logs.ofHolder("bank-a");
        Question question = bank.question("/consents/x/revoke", "consent.revoke", Map.of(
                "by", "customer", "consent_id", "5f3c1a52-8a41-4c2e-9d3e-2f1f6f0a7b11", "reason", "customer-request"));
        assertThrows(LedgerException.Refused.class, () -> logs.submit(question));
        String gone;
        try (java.net.ServerSocket probe = new java.net.ServerSocket(0)) {
            gone = "http://127.0.0.1:" + probe.getLocalPort();
        }
        String here = address;
        address = gone;
        LedgerSet moved = new LedgerSet(
                List.of(here + "/head"), head.trust,
                (where, key) -> new LedgerClient(LedgerClient.Options.of(where, "app-1", signer(), key).withPatience(SHORT)),
                CheckpointMemory.inMemory(), SHORT);
        LedgerClient before = moved.ofHolder("bank-a");
        assertThrows(LedgerException.Unavailable.class, () -> moved.submit(question)); // the head log knows of no other address
        address = serve();
        assertThrows(LedgerException.Refused.class, () -> moved.submit(question));
        assertEquals(address.replace("http://127.0.0.1:", "") + "/consents/x/revoke", asked.get(asked.size() - 1));
        assertEquals(2, posted.size());
        assertEquals(Set.of(posted.get(0)), Set.copyOf(posted));
        assertNotSame(before, moved.ofHolder("bank-a"));
    }

    private static Signer signer() {
        return LocalSigner.generate("app-1-statement", "EdDSA");
    }

    @Test
    void theHeadLogCommitsToAnEntryAfterAWhileAndTheProofOfItCanBeHandedOn() throws Exception {
        VerifiedReceipt receipt = east.receipt(3);
        LedgerSet.SetReceipt proof = logs(head.trust).prove(receipt);
        assertEquals(2, proof.index());
        assertEquals(List.of(500L, 500L, 500L), pauses);
        byte[] file = Bytes.utf8(proof.file());
        SetProofs.Checked checked = SetProofs.check(Bytes.utf8(receipt.file()), file, head.trust, null);
        assertEquals(List.of(), checked.defects());
        assertEquals(1, checked.unchecked().size());
        byte[] other = Bytes.utf8(east.receipt(2).file());
        assertEquals(Code.BAD_PROOF, SetProofs.check(other, file, head.trust, null).defects().get(0).code());
    }

    @Test
    void aHeadLogThatCommitsToAnotherTreeOfTheShardProvesNothing() {
        commit(new byte[32]);
        assertEquals(Code.BAD_PROOF, code(() -> logs(head.trust).prove(east.receipt(3))));
    }
}
