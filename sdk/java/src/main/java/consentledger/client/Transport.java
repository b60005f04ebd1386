package consentledger.client;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Asking again, politely: bounded tries, growing pauses with jitter, Retry-After obeyed, answers of bounded size, several addresses.
 *
 * <p>Repeating is safe for every request of this client, at any node of the log: reads change nothing, and a statement is recorded
 * once however often and wherever it arrives (docs/spec/statements.md, {@code jti}).
 */
final class Transport {
    private static final int ANSWER_LIMIT = 64 * 1024 * 1024;
    private static final Set<Integer> AGAIN = Set.of(429, 502, 503, 504);
    /** It is about the client and not about the node: no other node is asked before its time either. */
    private static final int TOO_MANY = 429;
    /** A node that only reads, asked to record: another one is asked, and this one not again. */
    private static final int ELSEWHERE = 421;
    private static final Duration SOON = Duration.ofMillis(1);
    private static final int BEHIND_TRIES = 10;
    /** Between two tries: another node learns within a second what one has recorded, a reader as soon as its standby does. */
    private static final long BEHIND_MS = 500;

    /** The error of a proof without the nonce that the ledger wants (RFC 9449 §8, §9). */
    private static final String WANTS_NONCE = "use_dpop_nonce";

    /** {@code nonce}: what the next DPoP proof for this address brings, or null (RFC 9449 §8.2). */
    record Answer(int status, byte[] body, String nonce) {
        /** The JSON object of the answer, as any spelling has it. */
        Map<String, Object> json() throws LedgerException.WrongAnswer {
            try {
                return Json.read(body, ANSWER_LIMIT);
            } catch (Refuted refusal) {
                throw new LedgerException.WrongAnswer("the ledger's answer is not a JSON object: " + refusal.getMessage());
            }
        }
    }

    /** Headers for one try, made within a time: a proof of possession is for one use and one address. */
    interface Headers {
        Map<String, String> make(String address, Duration within) throws LedgerException;

        /** The nonce that the next proof for an address brings. */
        void learn(String address, String nonce);
    }

    /** A request with a proof: its body and headers. */
    record Form(String body, Map<String, String> headers) {}

    /** Reads what is said to be the newest checkpoint. */
    interface ReadHead {
        Trust.Head read() throws LedgerException;
    }

    /** Waits so many milliseconds. */
    interface Pause {
        void of(long ms) throws InterruptedException;
    }

    private record Sent(Answer answer, long retryAfterMs, boolean wantsNonce) {}

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1) // in clear the JDK would ask to change to HTTP/2 in the midst of a POST
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(10))
            .build();
    private final Addresses addresses;
    private final Patience patience;
    private final Pause pause;

    Transport(Addresses addresses, Patience patience) {
        this(addresses, patience, Thread::sleep);
    }

    Transport(Addresses addresses, Patience patience, Pause pause) {
        this.addresses = addresses;
        this.patience = patience;
        this.pause = pause;
    }

    /**
     * Send until an answer comes: the same bytes to one address after the other. Throws Refused for a final no, Unavailable when
     * patience ends.
     */
    Answer ask(String method, String path, String body, Headers headers) throws LedgerException {
        Addresses.Round round = addresses.round();
        boolean several = addresses.all().size() > 1;
        int tries = patience.tries() * addresses.all().size();
        long begun = System.nanoTime();
        String reason = "no try was made";
        Exception cause = null;
        for (int made = 0; made < tries; made++) {
            Addresses.Turn turn = round.next();
            String address = turn.address();
            if (turn.waitMs() > patience.longestRetryAfter().toMillis()) {
                String said = "the ledger asks to wait " + turn.waitMs() / 1_000 + " s (" + reason + ")";
                throw new LedgerException.Unavailable(said, cause);
            }
            Duration left = patience.longest().minusMillis(since(begun) + turn.waitMs());
            if (left.isNegative() || left.isZero()) {
                throw ended(method, path, "within " + patience.longest().toMillis() / 1_000.0 + " s", reason, cause);
            }
            if (turn.waitMs() > 0) sleep(turn.waitMs());
            round.passed(turn.waitMs());
            long asked = System.nanoTime();
            long asksFor = 0;
            boolean everywhere = false;
            try {
                Sent sent = proved(method, address, path, body, headers, left);
                int status = sent.answer.status;
                if (status < 300) {
                    addresses.answered(address);
                    return sent.answer;
                }
                if (!AGAIN.contains(status) && !(status == ELSEWHERE && several)) throw new Final(refusal(path, sent.answer));
                reason = status + ": " + problem(sent.answer).getOrDefault("detail", "no reason given");
                asksFor = status == ELSEWHERE ? patience.longest().toMillis() : sent.retryAfterMs;
                everywhere = status == TOO_MANY;
            } catch (Final last) {
                throw last.why;
            } catch (IOException | LedgerException.Unavailable error) {
                if (Thread.currentThread().isInterrupted()) throw interrupted(error);
                reason = error.toString();
                cause = error;
            }
            round.passed(since(asked));
            long ceiling = Math.min(
                    patience.longestPause().toMillis(),
                    patience.firstPause().toMillis() << Math.min(round.failures(address), 20));
            round.failed(address, Math.max(asksFor, ThreadLocalRandom.current().nextLong(ceiling + 1)), everywhere);
        }
        throw ended(method, path, "after " + tries + " tries", reason, cause);
    }

    /**
     * What {@code read} finds to be the log's newest checkpoint. One of several nodes may not have heard yet of the {@code size} that
     * another one recorded: it is asked again for some seconds, and what it says then is what it says.
     */
    Trust.Head newest(ReadHead read, long size) throws LedgerException {
        Trust.Head found = read.read();
        for (int left = addresses.all().size() > 1 ? BEHIND_TRIES : 1; found.checkpoint().size() < size && left > 1; left--) {
            sleep(BEHIND_MS);
            found = read.read();
        }
        return found;
    }

    /**
     * One request with a proof, which is for one use: sent once, and once more where the ledger tells the nonce that the proof must
     * bring. {@code made}: its body and headers; {@code learn}: hears the nonce of each answer.
     */
    Answer once(String url, String type, Supplier<Form> made, Consumer<String> learn, Duration within) throws LedgerException {
        long begun = System.nanoTime();
        try {
            for (boolean again = false; ; again = true) {
                Form form = made.get();
                Answer answer = send("POST", url, form.body, type, form.headers, within.minusMillis(since(begun))).answer;
                if (answer.nonce != null) learn.accept(answer.nonce);
                if (answer.status < 300) return answer;
                boolean wanted = answer.status == 400 && WANTS_NONCE.equals(problem(answer).get("error"));
                if (again || answer.nonce == null || !wanted) throw refusal(url, answer);
            }
        } catch (IOException error) {
            throw new LedgerException.Unavailable("POST " + url + ": " + error, error);
        }
    }

    /** One try; twice where the ledger asks for a proof with the nonce that it tells. */
    private Sent proved(String method, String address, String path, String body, Headers headers, Duration within)
            throws IOException, LedgerException {
        long begun = System.nanoTime();
        for (boolean again = false; ; again = true) {
            Duration left = within.minusMillis(since(begun));
            Map<String, String> extra = headers == null ? Map.of() : headers.make(address, left);
            Sent sent = send(method, address + path, body, "application/json", extra, left);
            if (headers == null || sent.answer.nonce == null) return sent;
            headers.learn(address, sent.answer.nonce);
            if (again || !sent.wantsNonce) return sent;
        }
    }

    /** An answer after which nobody else is asked. */
    private static final class Final extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient LedgerException why;

        Final(LedgerException why) {
            super(null, null, false, false);
            this.why = why;
        }
    }

    private static long since(long nanos) {
        return (System.nanoTime() - nanos) / 1_000_000;
    }

    private static LedgerException.Unavailable ended(String method, String path, String when, String reason, Exception cause) {
        return new LedgerException.Unavailable(
                method + " " + path + ": no answer " + when + " (" + reason + "); sending the same again is safe", cause);
    }

    private static LedgerException.Unavailable interrupted(Exception error) {
        return new LedgerException.Unavailable("interrupted; sending the same again is safe", error);
    }

    private Sent send(String method, String url, String body, String type, Map<String, String> headers, Duration within)
            throws IOException, LedgerException {
        Duration timeout = within.compareTo(patience.timeout()) < 0 ? within : patience.timeout();
        if (timeout.compareTo(SOON) < 0) timeout = SOON; // the JDK takes no time that is over
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(timeout);
        headers.forEach(request::header);
        if (body != null) request.header("Content-Type", type);
        request.method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body));
        try {
            HttpResponse<InputStream> response = http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            try (InputStream stream = response.body()) {
                byte[] content = stream.readNBytes(ANSWER_LIMIT + 1);
                if (content.length > ANSWER_LIMIT) throw new LedgerException.WrongAnswer("the answer is too long");
                String after = response.headers().firstValue("retry-after").orElse("");
                long wait = after.matches("[0-9]{1,6}") ? Long.parseLong(after) * 1_000 : 0;
                String nonce = response.headers().firstValue("dpop-nonce").orElse(null);
                boolean wantsNonce = response.statusCode() == 401
                        && response.headers().firstValue("www-authenticate").orElse("").contains(WANTS_NONCE);
                return new Sent(new Answer(response.statusCode(), content, nonce), wait, wantsNonce);
            }
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw interrupted(error);
        }
    }

    private static LedgerException refusal(String path, Answer answer) {
        Map<String, Object> problem = problem(answer);
        String detail = String.valueOf(problem.getOrDefault("detail", problem.getOrDefault("error", "no reason given")));
        if (answer.status >= 400 && answer.status < 500 && !AGAIN.contains(answer.status)) {
            return new LedgerException.Refused(answer.status, String.valueOf(problem.get("type")), detail);
        }
        return new LedgerException.Unavailable(path + ": the ledger answered " + answer.status + ": " + detail, null);
    }

    private static Map<String, Object> problem(Answer answer) {
        try {
            return answer.json();
        } catch (LedgerException.WrongAnswer none) {
            return Map.of();
        }
    }

    void sleep(long ms) throws LedgerException {
        try {
            pause.of(ms);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw interrupted(error);
        }
    }

    static List<?> list(Object value, String what) throws LedgerException.WrongAnswer {
        if (value instanceof List<?> items) return items;
        throw new LedgerException.WrongAnswer("the answer holds no " + what);
    }
}
