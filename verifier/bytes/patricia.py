"""The completeness map: a Merkle-Patricia tree over chains (docs/spec/log.md, after torchwood's mpt).

A proof of presence or absence is a walk from a leaf to the root. The trap of absence: the key asked for must follow
EVERY branching of the walk, else a prover could show some other corner of the map and call the key absent.
"""

from __future__ import annotations

import hashlib
from array import array

from verifier.errors import Code, Refuted, refuted

EMPTY = hashlib.sha256(b"").digest()
HASH = 32
MAX_PROOF = 65_536
MAX_KEY = 4_096


def hash_leaf(key: bytes, value: bytes) -> bytes:
    """H(0x00 || uv(len k) || k || uv(len v) || v)."""
    return hashlib.sha256(b"\x00" + uvarint(len(key)) + key + uvarint(len(value)) + value).digest()


def hash_inner(bit: int, left: bytes, right: bytes) -> bytes:
    """H(0x01 || uv(bit) || left || right)."""
    return hashlib.sha256(b"\x01" + uvarint(bit) + left + right).digest()


def uvarint(number: int) -> bytes:
    """Unsigned LEB128, minimal."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def bit_of(key: bytes, bit: int) -> int:
    """Bit number `bit` of a key, most significant first; keys of unequal length compare as key || 00 || FF FF ..."""
    at = bit // 8
    byte = key[at] if at < len(key) else 0 if at == len(key) else 0xFF
    return byte >> (7 - bit % 8) & 1


def verify_present(root: bytes, key: bytes, value: bytes, proof: bytes) -> None:
    """The map with `root` holds `value` under `key`; else Refuted(INCOMPLETE)."""
    _check_root(root, key, hash_leaf(key, value), _Walk(proof).steps(_limit(key)))


def verify_absent(root: bytes, key: bytes, proof: bytes) -> None:
    """The map with `root` holds nothing under `key`; else Refuted(INCOMPLETE).

    The proof is empty for the empty map, else the one leaf (k', v') where a search for `key` ends, and its walk.
    """
    if root == EMPTY and proof == b"":
        return
    walk = _Walk(proof)
    other, value = walk.string(), walk.string()
    if other == key:
        raise _bad("the proof of absence ends at the very key", other)
    steps = walk.steps(max(_limit(key), _limit(other)))
    for bit, _ in steps:
        if bit_of(key, bit) != bit_of(other, bit):
            raise _bad("the proof of absence leaves the way of the key", f"at bit {bit}")
    _check_root(root, other, hash_leaf(other, value), steps)


def verify_prefix(root: bytes, prefix: bytes, subtree: bytes, proof: bytes) -> None:
    """All keys that begin with `prefix` are those below the node `subtree`; else Refuted(INCOMPLETE)."""
    _check_root(root, prefix, subtree, _Walk(proof).steps(8 * len(prefix)))


def _limit(key: bytes) -> int:
    """The first bit that no branching of a map of such keys can test. Keys of unequal length may differ in the two
    bytes behind the shorter one; keys of 32 bytes, which are all of ours, differ within 256 bits."""
    return 8 * len(key) if len(key) == HASH else 8 * (len(key) + 2)


def _check_root(root: bytes, key: bytes, node: bytes, steps: list[tuple[int, bytes]]) -> None:
    for bit, sibling in steps:
        node = hash_inner(bit, sibling, node) if bit_of(key, bit) else hash_inner(bit, node, sibling)
    if node != root:
        raise refuted(Code.INCOMPLETE, "the map proof does not lead to the root", expected=root, found=node)


class _Walk:
    """Reads a proof from the front."""

    def __init__(self, proof: bytes) -> None:
        if len(proof) > MAX_PROOF:
            raise _bad("the map proof is too long", f"{len(proof)} bytes")
        self._proof, self._at = proof, 0

    def steps(self, limit: int) -> list[tuple[int, bytes]]:
        """(bit, sibling) from leaf to root: bits strictly decreasing, all below `limit`; to the end of the proof."""
        steps: list[tuple[int, bytes]] = []
        while self._at < len(self._proof):
            bit = self._uvarint()
            if bit >= limit:
                raise _bad("the bits of the map proof do not decrease from within the key", bit)
            limit = bit
            steps.append((bit, self._take(HASH)))
        return steps

    def string(self) -> bytes:
        length = self._uvarint()
        if length > MAX_KEY:
            raise _bad("a key or value of the map proof is too long", length)
        return self._take(length)

    def _uvarint(self) -> int:
        number = 0
        for position in range(10):
            byte = self._take(1)[0]
            number |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                if byte == 0 and position:
                    raise _bad("a number of the map proof is not minimal", number)
                return number
        raise _bad("a number of the map proof is too long", "more than 10 bytes")

    def _take(self, count: int) -> bytes:
        taken = self._proof[self._at : self._at + count]
        if len(taken) != count:
            raise _bad("the map proof ends too early", f"at byte {len(self._proof)}")
        self._at += count
        return taken


def _bad(sentence: str, found: object) -> Refuted:
    return refuted(Code.INCOMPLETE, sentence, found=found)


# --- replay ---------------------------------------------------------------------------------------------------


class Map:
    """The map itself, for replaying a log: `put` in log order, `root` at each index-head.

    Hashes on the changed ways are recomputed by `root` only, once per change of a node. A log has a chain for every consent,
    so nodes are rows of arrays, not objects: about 150 bytes for a key with its leaf and its branching. Inner node n is number
    n; leaf n is number ~n, which is negative.
    """

    def __init__(self) -> None:
        self._top: int | None = None
        self._keys: list[bytes] = []
        self._leaves = bytearray()  # HASH bytes for each leaf
        self._bits, self._left, self._right = array("I"), array("i"), array("i")
        self._hashes = bytearray()  # HASH bytes for each inner node
        self._stale = bytearray()  # 1: something below that inner node has changed

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        leaf = hash_leaf(key, value)
        if self._top is None:
            self._top = self._add_leaf(key, leaf)
            return
        bits, left, right = self._bits, self._left, self._right
        node, way = self._top, []
        while node >= 0:
            way.append(node)
            node = right[node] if bit_of(key, bits[node]) else left[node]
        if self._keys[~node] == key:
            self._leaves[HASH * ~node : HASH * (~node + 1)] = leaf
        else:
            bit = _first_difference(key, self._keys[~node])
            kept = [inner for inner in way if bits[inner] < bit]
            below = way[len(kept)] if len(kept) < len(way) else node
            branch = self._add_branch(bit, key, below, self._add_leaf(key, leaf))
            if not kept:
                self._top = branch
            elif bit_of(key, bits[kept[-1]]):
                right[kept[-1]] = branch
            else:
                left[kept[-1]] = branch
            way = kept
        for inner in way:
            self._stale[inner] = 1

    def _add_leaf(self, key: bytes, leaf: bytes) -> int:
        self._keys.append(key)
        self._leaves += leaf
        return ~(len(self._keys) - 1)

    def _add_branch(self, bit: int, key: bytes, below: int, fresh: int) -> int:
        self._bits.append(bit)
        first, second = (below, fresh) if bit_of(key, bit) else (fresh, below)
        self._left.append(first)
        self._right.append(second)
        self._hashes += bytes(HASH)
        self._stale.append(1)
        return len(self._bits) - 1

    def root(self) -> bytes:
        """The root of the map as it is now."""
        return EMPTY if self._top is None else self._hash_of(self._top)

    def _hash_of(self, node: int) -> bytes:
        """Depth is bounded by the bits of a key: 256 for chains."""
        if node < 0:
            return bytes(self._leaves[HASH * ~node : HASH * (~node + 1)])
        at = HASH * node
        if self._stale[node]:
            left, right = self._hash_of(self._left[node]), self._hash_of(self._right[node])
            self._hashes[at : at + HASH] = hash_inner(self._bits[node], left, right)
            self._stale[node] = 0
        return bytes(self._hashes[at : at + HASH])


def _first_difference(a: bytes, b: bytes) -> int:
    if len(a) == len(b):
        return 8 * len(a) - (int.from_bytes(a) ^ int.from_bytes(b)).bit_length()
    bit = 0
    while bit_of(a, bit) == bit_of(b, bit):
        bit += 1
    return bit
