"""The completeness map: a Merkle-Patricia tree over chains (docs/spec/log.md, after torchwood's mpt).

A proof of presence or absence is a walk from a leaf to the root. The trap of absence: the key asked for must follow
EVERY branching of the walk, else a prover could show some other corner of the map and call the key absent.
"""

from __future__ import annotations

import hashlib
from struct import Struct
from typing import Final

from verifier.bytes.scratch import Records
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


_NODE: Final = Struct("<Hii?32s")
"""An inner node: the bit it tests, what lies left and right of it, whether something below has changed, its hash."""
_LEAF: Final = Struct("<H32s32s")
"""A leaf: the length of its key, the key, its hash."""
HOT: Final = 200_000
"""Inner nodes, and leaves, that are kept in memory: 22 MB in all. The first are those near the top, which every way crosses."""


class Map:
    """The map itself, for replaying a log: `put` in log order, `root` at each index-head; `close` at the end.

    Hashes on the changed ways are recomputed by `root` only, once per change of a node. A log has a chain for every consent,
    so nodes are records, those beyond `hot` on disk. Inner node n is number n; leaf n is number ~n, which is negative.
    """

    def __init__(self, hot: int = HOT) -> None:
        self._top: int | None = None
        self._nodes, self._leaves = Records(_NODE.size, hot), Records(_LEAF.size, hot)
        self._long: dict[int, bytes] = {}  # keys that no chain has: longer than a hash

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key. Raises CannotCheck, as `root`, when there is no room on disk."""
        hashed = hash_leaf(key, value)
        if self._top is None:
            self._top = self._add_leaf(key, hashed)
            return
        get, node, way = self._nodes.get, self._top, []
        while node >= 0:
            bit, left, right, stale, inner = _NODE.unpack(get(node))
            way.append((node, bit, left, right, stale, inner))
            node = right if bit_of(key, bit) else left
        known = self._key_of(~node)
        if known == key:
            self._leaves.put(~node, _leaf(key, hashed))
        else:
            fresh = _first_difference(key, known)
            kept = [step for step in way if step[1] < fresh]
            below = way[len(kept)][0] if len(kept) < len(way) else node
            branch = self._add_branch(fresh, key, below, self._add_leaf(key, hashed))
            way = kept
            if not kept:
                self._top = branch
            else:
                node, bit, left, right, _, inner = way.pop()
                left, right = (left, branch) if bit_of(key, bit) else (branch, right)
                self._nodes.put(node, _NODE.pack(bit, left, right, True, inner))
        for node, bit, left, right, stale, inner in way:
            if not stale:
                self._nodes.put(node, _NODE.pack(bit, left, right, True, inner))

    def _key_of(self, leaf: int) -> bytes:
        length, key, _ = _LEAF.unpack(self._leaves.get(leaf))
        return self._long[leaf] if length > HASH else bytes(key[:length])

    def _add_leaf(self, key: bytes, hashed: bytes) -> int:
        leaf = self._leaves.add(_leaf(key, hashed))
        if len(key) > HASH:
            self._long[leaf] = key
        return ~leaf

    def _add_branch(self, bit: int, key: bytes, below: int, fresh: int) -> int:
        left, right = (below, fresh) if bit_of(key, bit) else (fresh, below)
        return self._nodes.add(_NODE.pack(bit, left, right, True, b""))

    def root(self) -> bytes:
        """The root of the map as it is now."""
        return EMPTY if self._top is None else self._hash_of(self._top)

    def _hash_of(self, node: int) -> bytes:
        """Depth is bounded by the bits of a key: 256 for chains."""
        if node < 0:
            return bytes(_LEAF.unpack(self._leaves.get(~node))[2])
        bit, left, right, stale, known = _NODE.unpack(self._nodes.get(node))
        if stale:
            known = hash_inner(bit, self._hash_of(left), self._hash_of(right))
            self._nodes.put(node, _NODE.pack(bit, left, right, False, known))
        return bytes(known)

    def close(self) -> None:
        """Give temporary files back."""
        self._nodes.close()
        self._leaves.close()


def _leaf(key: bytes, hashed: bytes) -> bytes:
    return _LEAF.pack(len(key), key[:HASH], hashed)


def _first_difference(a: bytes, b: bytes) -> int:
    if len(a) == len(b):
        return 8 * len(a) - (int.from_bytes(a) ^ int.from_bytes(b)).bit_length()
    bit = 0
    while bit_of(a, bit) == bit_of(b, bit):
        bit += 1
    return bit
