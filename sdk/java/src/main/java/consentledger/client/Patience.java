package consentledger.client;

import java.time.Duration;

/**
 * How long to try. {@code tries}: of each address. A ledger that asks to wait longer than {@code longestRetryAfter} is given up at
 * once: the caller decides. {@code timeout} is for one try; the ledger itself answers within 60 s. {@code longest} is for all tries of
 * one request together, whatever each of them takes.
 */
public record Patience(
        int tries, Duration firstPause, Duration longestPause, Duration longestRetryAfter, Duration timeout, Duration longest) {
    /** What a client with one address has, unless told otherwise. */
    public static final Patience USUAL = new Patience(
            6, Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(30), Duration.ofSeconds(65));

    /** And one with several: a database's failover takes seconds, and that of a whole machine some twenty. */
    public static final Patience THROUGH_A_FAILOVER = new Patience(
            60, Duration.ofMillis(100), Duration.ofSeconds(1), Duration.ofSeconds(30), Duration.ofSeconds(65),
            Duration.ofSeconds(90));

    /** With 400 s for all tries of a request together. */
    public Patience(int tries, Duration firstPause, Duration longestPause, Duration longestRetryAfter, Duration timeout) {
        this(tries, firstPause, longestPause, longestRetryAfter, timeout, Duration.ofSeconds(400));
    }
}
