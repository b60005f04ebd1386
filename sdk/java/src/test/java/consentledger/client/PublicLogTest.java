package consentledger.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Proofs made from tiles lead to the roots, across full and partial tiles of several levels. */
class PublicLogTest {
    private static final int SIZE = 700;
    private static final Pattern PATH = Pattern.compile("tile/([01])/([0-9]{3})(?:\\.p/([0-9]+))?");
    private final List<byte[]> leaves =
            IntStream.range(0, SIZE).mapToObj(at -> Merkle.leafHash(Bytes.utf8("entry " + at))).toList();
    private final List<byte[]> above =
            List.of(Merkle.rootOf(leaves.subList(0, 256)), Merkle.rootOf(leaves.subList(256, 512)));
    private final Set<String> asked = new TreeSet<>();

    private byte[] tile(String path) {
        asked.add(path);
        Matcher found = PATH.matcher(path);
        assertEquals(true, found.matches(), path);
        List<byte[]> row = found.group(1).equals("0") ? leaves : above;
        int first = Integer.parseInt(found.group(2)) * 256;
        int width = found.group(3) == null ? 256 : Integer.parseInt(found.group(3));
        List<byte[]> parts = new ArrayList<>(row.subList(first, first + width));
        return Bytes.concat(parts.toArray(byte[][]::new));
    }

    private byte[] root(int size) {
        return Merkle.rootOf(leaves.subList(0, size));
    }

    @Test
    void consistency() throws Exception {
        for (int old : new int[] {1, 2, 255, 256, 257, 511, 512, 513, 699, 700}) {
            List<byte[]> path = PublicLog.consistencyFromTiles(old, SIZE, this::tile);
            Merkle.verifyConsistency(old, SIZE, path, root(old), root(SIZE));
        }
        assertEquals(Set.of("tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"), asked);
        assertThrows(LedgerException.WrongAnswer.class, () -> PublicLog.consistencyFromTiles(3, SIZE, path -> new byte[31]));
    }

    @Test
    void inclusion() throws Exception {
        for (int[] one : new int[][] {{0, 1}, {0, 700}, {255, 256}, {256, 300}, {300, 513}, {511, 512}, {699, 700}}) {
            List<byte[]> path = PublicLog.inclusionFromTiles(one[0], one[1], SIZE, this::tile);
            assertArrayEquals(root(one[1]), Merkle.inclusionRoot(one[0], one[1], leaves.get(one[0]), path));
        }
        assertThrows(LedgerException.WrongAnswer.class, () -> PublicLog.inclusionFromTiles(5, SIZE + 1, SIZE, this::tile));
    }
}
