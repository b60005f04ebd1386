package consentledger.client;

import java.time.Duration;

/**
 * How long to try. A ledger that asks to wait longer than {@code longestRetryAfter} is given up at once: the caller decides.
 * {@code timeout} is for one try; the ledger itself answers within 60 s.
 */
public record Patience(int tries, Duration firstPause, Duration longestPause, Duration longestRetryAfter, Duration timeout) {
    public static final Patience USUAL = new Patience(
            6, Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(30), Duration.ofSeconds(65));
}
