package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A client with several addresses of one ledger: no ledger is needed, only its answers. */
class AddressesTest {
    private static final String NO = "{\"detail\":\"no\"}";

    /** A node that gives its answers in their order, the last one again and again. */
    private final class Node {
        final Deque<String[]> answers = new ArrayDeque<>();
        final List<String> bodies = Collections.synchronizedList(new ArrayList<>());
        final String url;

        Node(String... answered) throws Exception {
            for (String one : answered) answers.add(one.split(" ", 3));
            HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.createContext("/", this::answer);
            server.start();
            servers.add(server);
            url = "http://127.0.0.1:" + server.getAddress().getPort();
        }

        private void answer(HttpExchange exchange) throws java.io.IOException {
            bodies.add(Bytes.textOf(exchange.getRequestBody().readAllBytes()));
            order.add(this);
            String[] next = answers.size() > 1 ? answers.poll() : answers.peek();
            if (!next[1].equals("-")) exchange.getResponseHeaders().set("Retry-After", next[1]);
            byte[] content = Bytes.utf8(next[2]);
            exchange.sendResponseHeaders(Integer.parseInt(next[0]), content.length);
            exchange.getResponseBody().write(content);
            exchange.close();
        }
    }

    private final List<HttpServer> servers = new ArrayList<>();
    private final List<Node> order = Collections.synchronizedList(new ArrayList<>());
    private final List<Long> pauses = new ArrayList<>();

    @AfterEach
    void stop() {
        servers.forEach(server -> server.stop(0));
    }

    private Transport to(Patience patience, String... addresses) {
        return new Transport(new Addresses(List.of(addresses)), patience, pauses::add);
    }

    private static String nowhere() throws Exception {
        try (ServerSocket probe = new ServerSocket(0)) {
            return "http://127.0.0.1:" + probe.getLocalPort();
        }
    }

    private static void refused(Transport transport, int status) {
        LedgerException.Refused told =
                assertThrows(LedgerException.Refused.class, () -> transport.ask("POST", "/accesses", "{\"a\":1}", null));
        assertEquals(status, told.status());
    }

    @Test
    void aStatementGoesToTheNextAddressAtOnceUnchangedAndTheOneThatAnsweredIsAskedFirstFromThenOn() throws Exception {
        Node away = new Node("503 - {}", "200 - {}");
        Node there = new Node("200 - {}", "409 - " + NO);
        Transport transport = to(Patience.THROUGH_A_FAILOVER, nowhere(), away.url, there.url);
        assertEquals(200, transport.ask("POST", "/accesses", "{\"a\":1}", null).status());
        refused(transport, 409);
        assertEquals(List.of(away, there, there), order);
        assertEquals(Set.of("{\"a\":1}"), Set.copyOf(away.bodies));
        assertEquals(away.bodies, there.bodies.subList(0, 1));
        assertEquals(List.of(), pauses);
    }

    @Test
    void noAddressIsAskedBeforeTheTimeThatItNamed() throws Exception {
        Node first = new Node("503 7 {}", "409 - " + NO);
        Node second = new Node("503 3 {}", "409 - " + NO);
        refused(to(Patience.THROUGH_A_FAILOVER, first.url, second.url), 409);
        assertEquals(List.of(first, second, second), order);
        assertEquals(3_000, pauses.get(0), 500);
    }

    @Test
    void tooManyRequestsIsSaidOfTheClientAndSoHoldsAtEveryNode() throws Exception {
        Node first = new Node("429 7 {}", "409 - " + NO);
        Node second = new Node("409 - " + NO);
        refused(to(Patience.THROUGH_A_FAILOVER, first.url, second.url), 409);
        assertEquals(7_000, pauses.get(0), 500);
    }

    @Test
    void aNodeThatOnlyReadsIsPassedOverAndNotAskedAgain() throws Exception {
        Node reader = new Node("421 - {}");
        Node busy = new Node("503 - {}", "503 - {}", "409 - " + NO);
        refused(to(Patience.THROUGH_A_FAILOVER, reader.url, busy.url), 409);
        assertEquals(List.of(reader, busy, busy, busy), order);
        refused(to(Patience.USUAL, reader.url), 421);
    }

    @Test
    void allTriesTogetherTakeNoLongerThanPatienceSays() throws Exception {
        Node busy = new Node("503 20 {}");
        Patience usual = Patience.USUAL;
        Patience short10 = new Patience(
                6, usual.firstPause(), usual.longestPause(), usual.longestRetryAfter(), usual.timeout(), Duration.ofSeconds(10));
        Transport transport = to(short10, busy.url);
        LedgerException.Unavailable told =
                assertThrows(LedgerException.Unavailable.class, () -> transport.ask("GET", "/", null, null));
        assertTrue(told.getMessage().matches(".*no answer within 10.0 s.*again is safe"), told.getMessage());
        assertEquals(1, order.size());
    }

    @Test
    void eachNodeGivesTokensOfItsOwnAndOneThatGivesNoneIsPassedOver() throws Exception {
        Node first = new Node("503 - {}");
        Node second = new Node("200 - {\"access_token\":\"t\",\"token_type\":\"DPoP\",\"expires_in\":60}", "200 - {}");
        Transport transport = to(Patience.THROUGH_A_FAILOVER, first.url, second.url);
        Signer key = LocalSigner.generate("c", "EdDSA");
        Map<String, Tokens> tokens = Map.of(
                first.url, new Tokens(transport, "app-1", key, first.url),
                second.url, new Tokens(transport, "app-1", key, second.url));
        Transport.Headers headers = Tokens.of(tokens, "GET", "/receipts/7");
        assertEquals(200, transport.ask("GET", "/receipts/7", null, headers).status());
        assertEquals(List.of(first, second, second), order);
    }

    @Test
    void aNodeThatHasNotHeardYetIsAskedAgainBeforeTheLogIsAccused() throws Exception {
        Transport two = to(Patience.THROUGH_A_FAILOVER, "https://a.example", "https://b.example");
        Deque<Long> sizes = new ArrayDeque<>(List.of(2L, 2L, 3L));
        Transport.ReadHead behind = () -> headOf(sizes.size() > 1 ? sizes.poll() : sizes.peek());
        assertEquals(3, two.newest(behind, 3).checkpoint().size());
        assertEquals(List.of(500L, 500L), pauses);
        assertEquals(3, two.newest(behind, 4).checkpoint().size()); // and what it says then is what it says
        Deque<Long> once = new ArrayDeque<>(List.of(2L));
        assertEquals(2, to(Patience.USUAL, "https://a.example").newest(() -> headOf(once.poll()), 3).checkpoint().size());
    }

    private static Trust.Head headOf(long size) {
        return new Trust.Head(new Notes.Checkpoint("ledger.example/test", size, ""), "", List.of(), List.of(), true, false);
    }

    @Test
    void addressesThatCannotBeMeantAreRefused() {
        List<String> many = Collections.nCopies(17, "https://a.example");
        for (List<String> one : List.of(
                List.<String>of(), many, List.of("https://a.example", "https://a.example/"), List.of("b.example"),
                List.of("https://a.example?x=1"))) {
            assertThrows(IllegalArgumentException.class, () -> new Addresses(one));
        }
    }
}
