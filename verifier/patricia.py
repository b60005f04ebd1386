"""The completeness map: a Merkle-Patricia tree over chains (docs/spec/log.md, after torchwood's mpt).

A proof of presence or absence is a walk from a leaf to the root. The trap of absence: the key asked for must follow
EVERY branching of the walk, else a prover could show some other corner of the map and call the key absent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

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


@dataclass(slots=True)
class _Leaf:
    key: bytes
    hash: bytes


@dataclass(slots=True)
class _Inner:
    bit: int
    left: _Node
    right: _Node
    hash: bytes | None = None  # None: something below has changed


_Node: TypeAlias = "_Leaf | _Inner"


class Map:
    """The map itself, for replaying a log: `put` in log order, `root` at each index-head.

    Hashes on the changed ways are recomputed by `root` only, once per change of a node.
    """

    def __init__(self) -> None:
        self._top: _Node | None = None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key."""
        fresh = _Leaf(key, hash_leaf(key, value))
        if self._top is None:
            self._top = fresh
            return
        node, way = self._top, []
        while isinstance(node, _Inner):
            way.append(node)
            node = node.right if bit_of(key, node.bit) else node.left
        if node.key == key:
            node.hash = fresh.hash
        else:
            bit = _first_difference(key, node.key)
            kept = [inner for inner in way if inner.bit < bit]
            below = way[len(kept)] if len(kept) < len(way) else node
            ones = bit_of(key, bit)
            branch = _Inner(bit, below, fresh) if ones else _Inner(bit, fresh, below)
            if not kept:
                self._top = branch
            elif bit_of(key, kept[-1].bit):
                kept[-1].right = branch
            else:
                kept[-1].left = branch
            way = kept
        for inner in way:
            inner.hash = None

    def root(self) -> bytes:
        """The root of the map as it is now."""
        return EMPTY if self._top is None else _hash_of(self._top)


def _first_difference(a: bytes, b: bytes) -> int:
    if len(a) == len(b):
        return 8 * len(a) - (int.from_bytes(a) ^ int.from_bytes(b)).bit_length()
    bit = 0
    while bit_of(a, bit) == bit_of(b, bit):
        bit += 1
    return bit


def _hash_of(node: _Node) -> bytes:
    """Depth is bounded by the bits of a key: 256 for chains."""
    if isinstance(node, _Leaf):
        return node.hash
    if node.hash is None:
        node.hash = hash_inner(node.bit, _hash_of(node.left), _hash_of(node.right))
    return node.hash
