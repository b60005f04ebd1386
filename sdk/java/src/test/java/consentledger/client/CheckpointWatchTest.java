package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A log that does not behave is told, and the evidence is there to be shown. */
class CheckpointWatchTest {
    private static final String NAME = "ledger.example/test";
    private final LocalSigner log;
    private final byte[] keyId;
    private final Trust trust;
    private final List<byte[]> leaves =
            List.of("a", "b", "c").stream().map(one -> Merkle.leafHash(Bytes.utf8(one))).toList();
    private final byte[] left = Merkle.nodeHash(leaves.get(0), leaves.get(1));
    private final String two;
    private final String three;
    private final String forked;

    CheckpointWatchTest() throws Exception {
        KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        log = new LocalSigner("log", pair);
        byte[] material = Bytes.concat(new byte[] {1}, Bytes.unb64u((String) log.jwk().get("x")));
        keyId = Arrays.copyOf(Bytes.sha256(Bytes.utf8(NAME + "\n"), material), 4);
        String vkey = NAME + "+" + HexFormat.of().formatHex(keyId) + "+" + Bytes.b64(material);
        trust = Trust.read(Bytes.utf8("log " + vkey + "\nquorum none\n"), Instant.now());
        two = note(2, left);
        three = note(3, Merkle.nodeHash(left, leaves.get(2)));
        forked = note(3, Merkle.nodeHash(left, leaves.get(0)));
    }

    private String note(long size, byte[] root) {
        String text = NAME + "\n" + size + "\n" + Bytes.b64(root) + "\n";
        return text + "\n\u2014 " + NAME + " " + Bytes.b64(Bytes.concat(keyId, log.sign(Bytes.utf8(text)))) + "\n";
    }

    private CheckpointWatch watch(CheckpointMemory memory) {
        return new CheckpointWatch(trust, memory, (old, size) -> List.of(leaves.get(2)));
    }

    @Test
    void aLogThatContinuesIsFollowedAndRememberedOnDisk(@TempDir Path folder) throws Exception {
        CheckpointWatch watch = watch(CheckpointMemory.inFile(folder.resolve("newest")));
        watch.observe(trust.open(two));
        watch.observe(trust.open(three));
        watch.observe(trust.open(two)); // an older one that fits
        assertEquals(three, Files.readString(folder.resolve("newest")));
        assertEquals(3, watch(CheckpointMemory.inFile(folder.resolve("newest"))).known().checkpoint().size());
    }

    @Test
    void aSecondHistoryIsAnEquivocationWithBothCheckpoints() throws Exception {
        CheckpointMemory memory = CheckpointMemory.inMemory();
        memory.write(two);
        CheckpointWatch watch = watch(memory);
        LedgerException.Equivocation told =
                assertThrows(LedgerException.Equivocation.class, () -> watch.observe(trust.open(forked)));
        assertEquals(List.of(two, forked), List.of(told.known(), told.seen()));
        assertEquals(two, memory.read());
        watch.observe(trust.open(three));
        assertThrows(LedgerException.Equivocation.class, () -> watch.observe(trust.open(forked))); // of one size
    }

    @Test
    void aLogThatShowsLessThanBeforeIsTold() throws Exception {
        CheckpointWatch watch = watch(CheckpointMemory.inMemory());
        Trust.Head before = trust.open(three);
        watch.observe(before);
        assertThrows(LedgerException.RolledBack.class, () -> watch.observeNewest(trust.open(two), before));
    }

    @Test
    void aRememberedCheckpointThatTheLogDidNotSignIsRefusedAndNotForgotten() {
        CheckpointMemory memory = CheckpointMemory.inMemory();
        memory.write(two.replace("\n2\n", "\n1\n"));
        assertThrows(Refuted.class, () -> watch(memory).known());
    }
}
