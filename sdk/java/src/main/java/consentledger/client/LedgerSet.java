package consentledger.client;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Several logs as one (docs/sets.md): a statement goes to the log of its holder, and the head log vouches for all of them. Who trusts
 * the head log's key needs no other: it says which key each shard has, and where each holder lives. Safe to use from many threads.
 *
 * <p>Every method throws what a {@link LedgerClient} throws, and {@link LedgerException.NotInSet}.
 */
public final class LedgerSet {
    private static final int COMMITTED_TRIES = 20;
    private static final long COMMITTED_MS = 500;

    /** Makes the client of a shard, for its address and the trust in its key. */
    @FunctionalInterface
    public interface Connect {
        LedgerClient to(String address, Trust trust);
    }

    /**
     * A set proof: {@code file} can be handed on beside the receipt. {@code index}: the entry of the head log that commits;
     * {@code witnessed}: whether the policy asks for witnesses of the head log, and enough of them have signed.
     */
    public record SetReceipt(String file, long index, boolean witnessed) {}

    /** What a document says: a shard's key, or the shard of a holder; the other of the two is null. */
    private record Word(long index, byte[] leaf, String origin, byte[] key, String holder) {}

    private record Known(List<Word> words, Map<String, String> addresses) {}

    private record Made(String address, LedgerClient client) {}

    private final Trust trust;
    private final Connect connect;
    private final Patience patience;
    private final Transport.Pause pause;
    private final Transport transport;
    private final PublicLog published;
    private final CheckpointWatch watch;
    private final Map<String, Made> clients = new HashMap<>();
    /** Leaves, each of which names its index. */
    private final Set<String> proved = new HashSet<>();
    private Known known = new Known(List.of(), Map.of());

    /** {@code addresses}: the public URL of each node of the head log; {@code trust}: in the head log. */
    public LedgerSet(List<String> addresses, Trust trust, Connect connect, CheckpointMemory memory, Patience patience) {
        this(addresses, trust, connect, memory, patience, Thread::sleep);
    }

    /** With the usual patience, and nothing remembered beyond this process. */
    public LedgerSet(String address, Trust trust, Connect connect) {
        this(List.of(address), trust, connect, CheckpointMemory.inMemory(), Patience.USUAL);
    }

    LedgerSet(
            List<String> addresses, Trust trust, Connect connect, CheckpointMemory memory, Patience patience, Transport.Pause pause) {
        this.trust = trust;
        this.connect = connect;
        this.patience = patience;
        this.pause = pause;
        this.transport = new Transport(new Addresses(addresses), patience, pause);
        this.published = new PublicLog(transport);
        this.watch = new CheckpointWatch(trust, memory, published::consistency);
    }

    /** The client of the shard in which this holder lives; the same one as long as the shard answers at one address. */
    public synchronized LedgerClient ofHolder(String holder) throws LedgerException {
        Word home = find(word -> holder.equals(word.holder));
        if (home == null) throw new LedgerException.NotInSet("the head log places the holder " + holder + " in no shard");
        return ofOrigin(home.origin);
    }

    /** The client of the shard of this origin. */
    public synchronized LedgerClient ofOrigin(String origin) throws LedgerException {
        Made made = clients.get(origin);
        if (made != null && made.address.equals(known.addresses.get(origin))) return made.client;
        Trust key = trustIn(origin);
        String address = address(origin);
        LedgerClient client = connect.to(address, key);
        clients.put(origin, new Made(address, client));
        return client;
    }

    /** The key with which a shard opened, as the head log says. */
    public synchronized Trust trustIn(String origin) throws LedgerException {
        Word added = find(word -> word.key != null && word.origin.equals(origin));
        if (added == null) throw new LedgerException.NotInSet("the head log knows no shard " + origin);
        String vkey = KeySuccession.noteKey(origin, added.key).vkey();
        return Trust.read(Bytes.utf8("log " + vkey + "\nquorum none\n"), Instant.EPOCH);
    }

    /**
     * Submit a question to the log that its statement names in {@code aud}. If that shard does not answer, the head log is asked where
     * it answers now, and the same question goes there: it is recorded once.
     */
    public List<VerifiedReceipt> submit(Question question) throws LedgerException {
        Map<String, Object> payload = Json.readCanonical(Statements.envelope(question.statement()).payload(), Statements.LIMIT);
        String origin = new Members(payload).text("aud", 255);
        LedgerClient client = ofOrigin(origin);
        try {
            return client.submit(question);
        } catch (LedgerException.Unavailable error) {
            LedgerClient other = again(origin);
            if (other == client) throw error;
            return other.submit(question);
        }
    }

    private synchronized LedgerClient again(String origin) throws LedgerException {
        look();
        return ofOrigin(origin);
    }

    /** That the head log has committed to the entry of this receipt; waits some seconds until it has. */
    public SetReceipt prove(VerifiedReceipt receipt) throws LedgerException {
        String origin = receipt.head().checkpoint().origin();
        PublicLog shard = new PublicLog(new Transport(new Addresses(List.of(addressNow(origin))), patience, pause));
        Map<String, Object> told = committed(origin, receipt.index());
        if (!(told.get("leaf") instanceof String leaf) || !(told.get("proof") instanceof String proof)) {
            throw new LedgerException.WrongAnswer("the head log's answer holds no leaf and no proof");
        }
        SetProofs.Vouched vouched = SetProofs.open(Bytes.utf8(leaf), Notes.readProof(proof), trust);
        SetProofs.ShardHead head = vouched.of(origin, receipt.index());
        String file = SetProofs.spell(leaf, shard.inclusion(receipt.index(), head.size()), proof);
        SetProofs.Checked checked = SetProofs.check(Bytes.utf8(receipt.file()), Bytes.utf8(file), trust, null);
        if (!checked.defects().isEmpty()) throw checked.defects().get(0);
        watch.observe(vouched.head());
        return new SetReceipt(file, vouched.index(), vouched.head().witnessed());
    }

    private Map<String, Object> committed(String origin, long index) throws LedgerException {
        String wanted = "/set/heads?origin=" + URLEncoder.encode(origin, StandardCharsets.UTF_8) + "&index=" + index;
        for (int left = COMMITTED_TRIES; ; left--) {
            try {
                return transport.ask("GET", wanted, null, null).json();
            } catch (LedgerException.Refused refused) {
                if (refused.status() != 404 || left == 0) throw refused;
            }
            transport.sleep(COMMITTED_MS);
        }
    }

    private synchronized String addressNow(String origin) throws LedgerException {
        if (known.addresses.isEmpty()) look();
        return address(origin);
    }

    private String address(String origin) throws LedgerException {
        String address = known.addresses.get(origin);
        if (address == null) throw new LedgerException.NotInSet("the head log does not say where " + origin + " answers");
        return address;
    }

    /** The document that is wanted, shown to stand in the head log; the set is asked for anew if it is not known. */
    private Word find(Predicate<Word> wanted) throws LedgerException {
        for (int tries = 0; tries < 2; tries++) {
            for (Word word : known.words) {
                if (!wanted.test(word)) continue;
                check(word);
                return word;
            }
            look();
        }
        return null;
    }

    private void look() throws LedgerException {
        Map<String, Object> told = transport.ask("GET", "/set", null, null).json();
        List<Word> words = new ArrayList<>();
        for (Object one : Transport.list(told.get("documents"), "documents")) words.add(read(one));
        Map<String, String> addresses = new HashMap<>();
        for (Object one : Transport.list(told.get("shards"), "shards")) {
            if (one instanceof Map<?, ?> shard && shard.get("origin") instanceof String origin
                    && shard.get("address") instanceof String address) {
                addresses.put(origin, address);
            }
        }
        known = new Known(List.copyOf(words), Map.copyOf(addresses));
    }

    /** What a leaf of the set says; nothing is proved yet. */
    private static Word read(Object told) throws LedgerException {
        if (!(told instanceof Map<?, ?> members) || !(members.get("index") instanceof Long index)
                || !(members.get("leaf") instanceof String coded)) {
            throw new LedgerException.WrongAnswer("a document has no index or no leaf");
        }
        byte[] leaf = Bytes.unb64u(coded);
        SetProofs.SetDocument read = SetProofs.document(leaf, "operator:set");
        if (read.index() != index) {
            throw new Refuted(Code.BAD_PROOF, "entry " + index + " of the head log is not the one that it is said to be");
        }
        Members document = read.document();
        if ("holder.placed".equals(document.values().get("type"))) {
            document.exactly(List.of("holder", "origin", "type", "v"));
            String holder = document.text("holder", 63, Acts.PARTICIPANT);
            return new Word(index, leaf, SetProofs.origin(document), null, holder);
        }
        document.choice("type", "shard.added");
        document.exactly(List.of("key", "origin", "type", "v"));
        byte[] key = document.bytes("key", 32);
        PublicKeys.ed25519(key);
        return new Word(index, leaf, SetProofs.origin(document), key, null);
    }

    private void check(Word word) throws LedgerException {
        if (proved.contains(Bytes.b64u(word.leaf))) return;
        Trust.Head before = watch.known();
        Trust.Head head = transport.newest(() -> trust.open(published.newest()), before == null ? 0 : before.checkpoint().size());
        watch.observeNewest(head, before);
        Notes.Checkpoint checkpoint = head.checkpoint();
        List<byte[]> path = published.inclusion(word.index, checkpoint.size());
        Merkle.verifyInclusion(word.index, checkpoint.size(), Merkle.leafHash(word.leaf), path, checkpoint.rootBytes());
        proved.add(Bytes.b64u(word.leaf));
    }
}
