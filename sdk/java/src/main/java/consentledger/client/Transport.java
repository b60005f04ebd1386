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

/** Asking again, politely: bounded tries, growing pauses with jitter, Retry-After obeyed, answers of bounded size. */
final class Transport {
    private static final int ANSWER_LIMIT = 64 * 1024 * 1024;
    private static final Set<Integer> AGAIN = Set.of(429, 502, 503, 504);

    record Answer(int status, byte[] body) {
        /** The JSON object of the answer, as any spelling has it. */
        Map<String, Object> json() throws LedgerException.WrongAnswer {
            try {
                return Json.read(body, ANSWER_LIMIT);
            } catch (Refuted refusal) {
                throw new LedgerException.WrongAnswer("the ledger's answer is not a JSON object: " + refusal.getMessage());
            }
        }
    }

    /** Headers for one try: a proof of possession is for one use. */
    interface Headers {
        Map<String, String> make() throws LedgerException;
    }

    private record Sent(Answer answer, long retryAfterMs) {}

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1) // in clear the JDK would ask to change to HTTP/2 in the midst of a POST
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(10))
            .build();
    private final String base;
    private final Patience patience;

    Transport(String base, Patience patience) {
        this.base = base;
        this.patience = patience;
    }

    /** Send until an answer comes: safe for all that this client sends, as a statement is recorded once. */
    Answer ask(String method, String path, String body, Headers headers) throws LedgerException {
        String reason = "no try was made";
        Exception cause = null;
        for (int attempt = 0; attempt < patience.tries(); attempt++) {
            long ceiling = Math.min(patience.longestPause().toMillis(), patience.firstPause().toMillis() << Math.min(attempt, 20));
            long pause = ThreadLocalRandom.current().nextLong(ceiling + 1);
            Map<String, String> extra = headers == null ? Map.of() : headers.make();
            try {
                Sent sent = send(method, path, body, "application/json", extra);
                int status = sent.answer.status;
                if (status < 300) return sent.answer;
                if (!AGAIN.contains(status)) throw refusal(path, sent.answer);
                reason = status + ": " + problem(sent.answer).getOrDefault("detail", "no reason given");
                pause = Math.max(pause, sent.retryAfterMs);
            } catch (IOException error) {
                reason = error.toString();
                cause = error;
            }
            if (pause > patience.longestRetryAfter().toMillis()) {
                throw new LedgerException.Unavailable("the ledger asks to wait " + pause / 1_000 + " s (" + reason + ")", cause);
            }
            if (attempt + 1 < patience.tries()) sleep(pause);
        }
        throw new LedgerException.Unavailable(
                method + " " + path + ": no answer after " + patience.tries() + " tries (" + reason
                        + "); sending the same again is safe",
                cause);
    }

    /** One request that is not repeated by itself. */
    Answer once(String path, String body, String type, Map<String, String> headers) throws LedgerException {
        try {
            Answer answer = send("POST", path, body, type, headers).answer;
            if (answer.status < 300) return answer;
            throw refusal(path, answer);
        } catch (IOException error) {
            throw new LedgerException.Unavailable("POST " + path + ": " + error, error);
        }
    }

    private Sent send(String method, String path, String body, String type, Map<String, String> headers)
            throws IOException, LedgerException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path)).timeout(patience.timeout());
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
                return new Sent(new Answer(response.statusCode(), content), wait);
            }
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new LedgerException.Unavailable("interrupted; sending the same again is safe", error);
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

    private static void sleep(long ms) throws LedgerException {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new LedgerException.Unavailable("interrupted; sending the same again is safe", error);
        }
    }

    static List<?> list(Object value, String what) throws LedgerException.WrongAnswer {
        if (value instanceof List<?> items) return items;
        throw new LedgerException.WrongAnswer("the answer holds no " + what);
    }
}
