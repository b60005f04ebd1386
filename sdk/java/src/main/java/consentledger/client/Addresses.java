package consentledger.client;

import java.net.URI;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * The addresses of nodes of one log, in the order in which they are tried; the one that answered last comes first. Safe to use
 * from many threads.
 */
final class Addresses {
    private static final int MOST = 16;

    private final List<String> all;
    private volatile int preferred;

    /** Throws IllegalArgumentException for none, for too many, for one given twice, and for what is not an http or https URL. */
    Addresses(List<String> given) {
        all = given.stream().map(one -> one.replaceAll("/+$", "")).toList();
        if (all.isEmpty() || all.size() > MOST) {
            throw new IllegalArgumentException(
                    "a client has 1 to " + MOST + " addresses of its ledger, and " + all.size() + " were given");
        }
        if (new HashSet<>(all).size() != all.size()) {
            throw new IllegalArgumentException("an address of the ledger is given twice: " + String.join(", ", all));
        }
        for (String one : all) {
            URI uri = URI.create(one);
            boolean http = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
            if (!http || uri.getHost() == null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
                throw new IllegalArgumentException(
                        one + " is not an address of a ledger: it begins with http:// or https://, and names a host");
            }
        }
    }

    List<String> all() {
        return all;
    }

    /** This one works: the next request begins with it. */
    void answered(String address) {
        preferred = all.indexOf(address);
    }

    /** For one request. */
    Round round() {
        int first = preferred;
        List<String> order = new ArrayList<>(all.subList(first, all.size()));
        order.addAll(all.subList(0, first));
        return new Round(order);
    }

    /** Whom to ask, and in how many milliseconds from now. */
    record Turn(String address, long waitMs) {}

    /**
     * One request's way through the addresses. Each rests after a failure for as long as it asked for, or as patience says;
     * meanwhile the others are asked, and so nobody is asked before its time and no time is lost.
     */
    static final class Round {
        private final Map<String, Long> rests = new HashMap<>();
        private final Map<String, Integer> failures = new HashMap<>();
        private final List<String> order;

        Round(List<String> order) {
            this.order = new ArrayList<>(order);
        }

        /** The one whose rest ends first, the one asked longest ago among equals. */
        Turn next() {
            String best = order.get(0);
            for (String one : order) if (wait(one) < wait(best)) best = one;
            order.remove(best);
            order.add(best);
            return new Turn(best, wait(best));
        }

        private long wait(String address) {
            return Math.max(0, rests.getOrDefault(address, 0L));
        }

        /** So much time has passed. */
        void passed(long ms) {
            rests.replaceAll((address, rest) -> rest - ms);
        }

        /**
         * It is asked again after {@code restMs}; {@code everywhere}: so is every other one, since the answer was about the client
         * and not about the node.
         */
        void failed(String address, long restMs, boolean everywhere) {
            failures.merge(address, 1, Integer::sum);
            rests.put(address, restMs);
            if (everywhere) order.forEach(other -> rests.merge(other, restMs, Math::max));
        }

        /** How often it failed in this round. */
        int failures(String address) {
            return failures.getOrDefault(address, 0);
        }
    }
}
