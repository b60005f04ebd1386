package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Nonces for DPoP proofs (RFC 9449 §8, §9): no ledger is needed, only its answers. */
class NoncesTest {
    private static final String WANTED = "{\"error\":\"use_dpop_nonce\"}";
    private static final String TOKEN = "{\"access_token\":\"t\",\"token_type\":\"DPoP\",\"expires_in\":60}";

    /** Gives its answers in their order: status, path, nonce; and keeps what each request's proof brought. */
    private final class Node {
        final Deque<String> answers;
        final List<String> told = Collections.synchronizedList(new ArrayList<>());
        final String url;

        Node(String... answers) throws Exception {
            this.answers = new ArrayDeque<>(Arrays.asList(answers));
            HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.createContext("/", this::answer);
            server.start();
            servers.add(server);
            url = "http://127.0.0.1:" + server.getAddress().getPort();
        }

        private void answer(HttpExchange exchange) throws java.io.IOException {
            exchange.getRequestBody().readAllBytes();
            told.add(String.valueOf(claims(exchange.getRequestHeaders().getFirst("DPoP")).get("nonce")));
            String[] next = answers.remove().split(" ");
            assertEquals(next[1], exchange.getRequestURI().getPath());
            exchange.getResponseHeaders().set("DPoP-Nonce", next[2]);
            int status = Integer.parseInt(next[0]);
            if (status == 401) exchange.getResponseHeaders().set("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\"");
            byte[] content = Bytes.utf8(status != 200 ? WANTED : next[1].equals("/token") ? TOKEN : "{}");
            exchange.sendResponseHeaders(status, content.length);
            exchange.getResponseBody().write(content);
            exchange.close();
        }
    }

    private static Map<String, Object> claims(String proof) {
        return Json.read(Base64.getUrlDecoder().decode(proof.split("\\.")[1]), 4096);
    }

    private final List<HttpServer> servers = new ArrayList<>();
    private final Map<String, Tokens> tokens = new HashMap<>();

    @AfterEach
    void stop() {
        servers.forEach(server -> server.stop(0));
    }

    private Transport to(Node... nodes) {
        List<String> addresses = Arrays.stream(nodes).map(one -> one.url).toList();
        Transport transport = new Transport(new Addresses(addresses), Patience.THROUGH_A_FAILOVER, ms -> {});
        Signer key = LocalSigner.generate("c", "EdDSA");
        addresses.forEach(one -> tokens.put(one, new Tokens(transport, "app-1", key, one)));
        return transport;
    }

    private int read(Transport transport, String path) throws LedgerException {
        return transport.ask("GET", path, null, Tokens.of(tokens, "GET", path)).status();
    }

    @Test
    void aProofIsMadeAgainWithTheNonceThatIsToldAndTheNewestIsKept() throws Exception {
        Node node = new Node(
                "400 /token a", "200 /token b", "401 /receipts/7 c", "200 /receipts/7 d", "200 /receipts/8 e", "200 /receipts/9 f");
        Transport transport = to(node);
        for (int index = 7; index < 10; index++) assertEquals(200, read(transport, "/receipts/" + index));
        assertEquals(List.of("null", "a", "b", "c", "d", "e"), node.told);
    }

    @Test
    void aLedgerThatRefusesItsOwnNonceIsAskedNoThirdTime() throws Exception {
        Node node = new Node("200 /token a", "401 /receipts/7 b", "401 /receipts/7 c");
        Transport transport = to(node);
        assertEquals(401, assertThrows(LedgerException.Refused.class, () -> read(transport, "/receipts/7")).status());
        assertEquals(List.of("null", "a", "b"), node.told);
        Node other = new Node("400 /token a", "400 /token b");
        Transport again = to(other);
        assertEquals(400, assertThrows(LedgerException.Refused.class, () -> read(again, "/receipts/7")).status());
        assertEquals(List.of("null", "a"), other.told);
    }

    @Test
    void eachAddressHasNoncesOfItsOwn() throws Exception {
        Node first = new Node("400 /token a", "503 /token b", "200 /token c", "200 /receipts/8 d");
        Node second = new Node("400 /token z", "200 /token y", "200 /receipts/7 x", "503 /receipts/8 w");
        Transport transport = to(first, second);
        assertEquals(200, read(transport, "/receipts/7"));
        assertEquals(200, read(transport, "/receipts/8"));
        assertEquals(List.of("null", "a", "b", "c"), first.told);
        assertEquals(List.of("null", "z", "y", "x"), second.told);
    }
}
