package consentledger.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The log's public files: those of a node, or as {@code consent-ledger publish} left them on any web server (docs/spec/log.md,
 * «Published files»). Such a server computes no proofs; then they are made here, from tiles. Tiles may lie: whoever verifies the
 * proof finds out. Nothing is verified here.
 */
final class PublicLog {
    /** Takes a tile's path; gives its bytes. */
    @FunctionalInterface
    interface FetchTile {
        byte[] fetch(String path) throws LedgerException;
    }

    /** Leaves from the first up to, not including, the second: a proof has one hash over each. */
    private record Span(long begin, long end) {}

    private static final int WIDTH = 256;
    /** 403 is what object stores say of a file that is not there to those who may not list the others. */
    private static final Set<Integer> NOT_THERE = Set.of(403, 404, 410);

    private final Transport transport;

    PublicLog(Transport transport) {
        this.transport = transport;
    }

    /** The newest checkpoint, signed. */
    String newest() throws LedgerException {
        for (String path : List.of("checkpoint/newest", "checkpoint.newest")) {
            Transport.Answer found = found(path);
            if (found != null) return Bytes.textOf(found.body());
        }
        return Bytes.textOf(get("checkpoint").body());
    }

    /** What the log says of its keys. */
    Map<String, Object> keys() throws LedgerException {
        return get("log/keys").json();
    }

    /** The proof that the tree of {@code size} entries begins with that of {@code old}. */
    List<byte[]> consistency(long old, long size) throws LedgerException {
        Transport.Answer found = found("proofs/consistency?old=" + old + "&new=" + size);
        return found != null ? hashes(found) : consistencyFromTiles(old, size, this::tile);
    }

    /** The proof of entry {@code index} in the tree of {@code size} entries. */
    List<byte[]> inclusion(long index, long size) throws LedgerException {
        Transport.Answer found = found("proofs/inclusion?index=" + index + "&size=" + size);
        if (found != null) return hashes(found);
        String note = newest();
        long tiled = Notes.readCheckpoint(note.substring(0, note.lastIndexOf("\n\n") + 1)).size();
        return inclusionFromTiles(index, size, tiled, this::tile);
    }

    /** A tile; of one that has been filled since, its beginning. */
    private byte[] tile(String path) throws LedgerException {
        Transport.Answer found = found(path);
        if (found != null) return found.body();
        String[] parts = path.split("\\.p/");
        byte[] whole = get(parts[0]).body();
        return parts.length == 1 ? whole : Arrays.copyOf(whole, Math.min(whole.length, Integer.parseInt(parts[1]) * 32));
    }

    private Transport.Answer get(String path) throws LedgerException {
        return transport.ask("GET", "/" + path, null, null);
    }

    private Transport.Answer found(String path) throws LedgerException {
        try {
            return get(path);
        } catch (LedgerException.Refused refused) {
            if (!NOT_THERE.contains(refused.status())) throw refused;
            return null;
        }
    }

    private static List<byte[]> hashes(Transport.Answer answer) throws LedgerException {
        try {
            List<byte[]> hashes = new ArrayList<>();
            for (Object hash : Transport.list(answer.json().get("hashes"), "hashes")) {
                hashes.add(Bytes.unb64u(String.valueOf(hash), 32));
            }
            return hashes;
        } catch (Refuted refusal) {
            throw new LedgerException.WrongAnswer("the proof is no list of hashes: " + refusal.getMessage());
        }
    }

    /** The consistency proof between two sizes, 0 &lt; old &lt;= size, from tiles of the larger tree. */
    static List<byte[]> consistencyFromTiles(long old, long size, FetchTile fetch) throws LedgerException {
        long begin = 0;
        long end = size;
        List<Span> spans = new ArrayList<>();
        while (end != old) {
            long middle = begin + half(end - begin);
            if (old <= middle) {
                spans.add(new Span(middle, end));
                end = middle;
            } else {
                spans.add(new Span(begin, middle));
                begin = middle;
            }
        }
        if (begin != 0) spans.add(new Span(begin, end)); // else the last one is the whole old tree, whose root the verifier has
        return new Tiles(size, fetch).over(spans);
    }

    /** The inclusion proof of entry {@code index} in the tree of {@code size} entries, from tiles of a tree of {@code tiled}. */
    static List<byte[]> inclusionFromTiles(long index, long size, long tiled, FetchTile fetch) throws LedgerException {
        if (index < 0 || index >= size || size > tiled) {
            throw new LedgerException.WrongAnswer("the log has not as many entries as the proof is about");
        }
        long begin = 0;
        long end = size;
        List<Span> spans = new ArrayList<>();
        while (end - begin > 1) {
            long middle = begin + half(end - begin);
            if (index < middle) {
                spans.add(new Span(middle, end));
                end = middle;
            } else {
                spans.add(new Span(begin, middle));
                begin = middle;
            }
        }
        return new Tiles(tiled, fetch).over(spans);
    }

    /** The largest power of two below {@code count} &gt; 1. */
    private static long half(long count) {
        return Long.highestOneBit(count - 1);
    }

    /** The tiles of one tree, each fetched once. */
    private static final class Tiles {
        private final Map<String, List<byte[]>> read = new HashMap<>();
        private final long size;
        private final FetchTile fetch;

        Tiles(long size, FetchTile fetch) {
            this.size = size;
            this.fetch = fetch;
        }

        /** A hash for each span, the last one's first. */
        List<byte[]> over(List<Span> spans) throws LedgerException {
            List<byte[]> hashes = new ArrayList<>();
            for (Span span : spans) hashes.add(root(span.begin, span.end));
            Collections.reverse(hashes);
            return hashes;
        }

        /** The root over a span that begins where a complete subtree of at least its size may. */
        private byte[] root(long begin, long end) throws LedgerException {
            long count = end - begin;
            if (Long.bitCount(count) == 1) return complete(begin, count);
            long middle = begin + half(count);
            return Merkle.nodeHash(complete(begin, half(count)), root(middle, end));
        }

        /** The root over {@code count} leaves, a power of two, from {@code begin} on. */
        private byte[] complete(long begin, long count) throws LedgerException {
            int level = 0;
            long first = begin;
            long width = count;
            while (width >= WIDTH) {
                level++;
                first /= WIDTH;
                width /= WIDTH;
            }
            int at = (int) (first % WIDTH);
            return Merkle.rootOf(tile(level, first / WIDTH).subList(at, at + (int) width));
        }

        private List<byte[]> tile(int level, long number) throws LedgerException {
            int width = (int) Math.min(WIDTH, (size >> (8 * level)) - number * WIDTH);
            String path = path(level, number, width);
            List<byte[]> hashes = read.get(path);
            if (hashes == null) {
                byte[] bytes = fetch.fetch(path);
                if (bytes.length != width * 32) {
                    throw new LedgerException.WrongAnswer(path + " has " + bytes.length + " bytes and not " + width * 32);
                }
                hashes = new ArrayList<>();
                for (int at = 0; at < width; at++) hashes.add(Arrays.copyOfRange(bytes, at * 32, at * 32 + 32));
                read.put(path, hashes);
            }
            return hashes;
        }

        /** {@code tile/0/x001/234} of C2SP tlog-tiles. */
        private static String path(int level, long number, int width) {
            StringBuilder groups = new StringBuilder(String.format("%03d", number % 1_000));
            for (long rest = number / 1_000; rest > 0; rest /= 1_000) groups.insert(0, String.format("x%03d/", rest % 1_000));
            return "tile/" + level + "/" + groups + (width < WIDTH ? ".p/" + width : "");
        }
    }
}
