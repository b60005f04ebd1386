"""The completeness map as docs/spec/log.md defines it, in memory: what the ledger's pages are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, TypeAlias

from ledger.errors import InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT, HASH_SIZE, Hash
from ledger.merkle.patricia import BITS, hash_inner, uv

MAX_KEY_BYTES: Final = 32
MAX_VALUE_BYTES: Final = 1024

_SPREAD_BYTES: Final = MAX_KEY_BYTES + 1  # two different keys of up to 32 bytes differ within 33
_TOP: Final = BITS - 1
_FILL: Final = b"\x00" + b"\xff" * _SPREAD_BYTES


class _Leaf:
    __slots__ = ("digest", "key", "value")

    def __init__(self, key: bytes, value: bytes) -> None:
        self.key = key
        self.value = value
        self.digest: Hash | None = None

    def hash(self) -> Hash:
        if self.digest is None:
            self.digest = hash_leaf(self.key, self.value)
        return self.digest


class _Inner:
    __slots__ = ("bit", "digest", "left", "right")

    def __init__(self, bit: int, left: _Tree, right: _Tree) -> None:
        self.bit = bit
        self.left = left
        self.right = right
        self.digest: Hash | None = None

    def hash(self) -> Hash:
        if self.digest is None:  # at most BITS calls deep, since bits rise strictly on the way down
            self.digest = hash_inner(self.bit, self.left.hash(), self.right.hash())
        return self.digest


_Tree: TypeAlias = _Leaf | _Inner
_Step: TypeAlias = tuple[_Inner, int]  # a branching passed on the way down, and the side taken (1 = right)


class PatriciaMap:
    """A map with a root hash and proofs. Nodes never change: `set` rebuilds the path, `copy` shares the tree.

    Hashes are computed when a root or proof is asked for, each node's once.
    """

    __slots__ = ("_count", "_tree")

    def __init__(self, items: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """A map of `items`; a later value replaces an earlier one. Raises InvalidInput."""
        self._tree: _Tree | None = None
        self._count = 0
        for key, value in items:
            self.set(key, value)

    def __len__(self) -> int:
        return self._count

    def copy(self) -> PatriciaMap:
        """A map of the same content that changes on its own, in constant time: for a batch that may be undone."""
        twin = PatriciaMap()
        twin._tree, twin._count = self._tree, self._count
        return twin

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, or None. Raises InvalidInput when this can be no key."""
        if self._tree is None:
            return None
        leaf, _ = _descend(self._tree, _spread(key))
        return leaf.value if leaf.key == key else None

    def set(self, key: bytes, value: bytes) -> None:
        """Put `value` under `key`. Raises InvalidInput when either is too long."""
        if len(value) > MAX_VALUE_BYTES:
            raise InvalidInput(f"a map value has at most {MAX_VALUE_BYTES} bytes")
        bits = _spread(key)
        tree: _Tree = _Leaf(key, value)
        if self._tree is None:
            self._tree, self._count = tree, 1
            return
        found, steps = _descend(self._tree, bits)
        if found.key != key:
            bit = BITS - (bits ^ _spread(found.key)).bit_length()
            below: _Tree = found
            while steps and steps[-1][0].bit > bit:
                below = steps.pop()[0]
            tree = _Inner(bit, below, tree) if bits >> (_TOP - bit) & 1 else _Inner(bit, tree, below)
            self._count += 1
        for inner, side in reversed(steps):
            tree = _Inner(inner.bit, inner.left, tree) if side else _Inner(inner.bit, tree, inner.right)
        self._tree = tree

    def root(self) -> Hash:
        """The root hash; of the empty map, SHA-256 of nothing."""
        return EMPTY_ROOT if self._tree is None else self._tree.hash()

    def prove(self, key: bytes) -> bytes:
        """The proof of `key`: of its value if it has one (see `get`), of its absence if not. Raises InvalidInput."""
        bits = _spread(key)
        if self._tree is None:
            return b""
        leaf, steps = _descend(self._tree, bits)
        parts: list[bytes] = []
        if leaf.key != key:
            parts += (uv(len(leaf.key)), leaf.key, uv(len(leaf.value)), leaf.value)
        for inner, side in reversed(steps):
            parts += (uv(inner.bit), (inner.left if side else inner.right).hash())
        return b"".join(parts)


def verify_present(root: Hash, key: bytes, value: bytes, proof: bytes) -> None:
    """Raises InvalidInput unless `proof` shows that the map with `root` holds `value` under `key`."""
    _verify_path(root, _spread(key), hash_leaf(key, value), _Reader(proof))


def verify_absent(root: Hash, key: bytes, proof: bytes) -> None:
    """Raises InvalidInput unless `proof` shows that the map with `root` has nothing under `key`."""
    bits = _spread(key)
    if root == EMPTY_ROOT:
        if proof:
            raise InvalidInput("the empty map needs an empty proof of absence")
        return
    reader = _Reader(proof)
    found_key = reader.take(reader.uv(MAX_KEY_BYTES))
    found_value = reader.take(reader.uv(MAX_VALUE_BYTES))
    if found_key == key:
        raise InvalidInput("the proof of absence shows the key itself")
    _verify_path(root, bits, hash_leaf(found_key, found_value), reader, also=_spread(found_key))


def _verify_path(root: Hash, bits: int, folded: Hash, reader: _Reader, *, also: int | None = None) -> None:
    """Fold the steps onto `folded`. With `also`, both keys must take the same side at every branching."""
    above = BITS
    while not reader.at_end():
        bit = reader.uv(_TOP)
        sibling = reader.take(HASH_SIZE)
        if bit >= above:
            raise InvalidInput("the bits of a map proof fall strictly from leaf to root")
        above = bit
        side = bits >> (_TOP - bit) & 1
        if also is not None and also >> (_TOP - bit) & 1 != side:
            raise InvalidInput("the proof of absence leaves the searched key's path")
        folded = hash_inner(bit, sibling, folded) if side else hash_inner(bit, folded, sibling)
    if folded != root:
        raise InvalidInput("the map proof leads to another root")


def _descend(tree: _Tree, bits: int) -> tuple[_Leaf, list[_Step]]:
    steps: list[_Step] = []
    while isinstance(tree, _Inner):
        side = bits >> (_TOP - tree.bit) & 1
        steps.append((tree, side))
        tree = tree.right if side else tree.left
    return tree, steps


def _spread(key: bytes) -> int:
    """The key as it is compared: followed by 00 FF FF …, 33 bytes in all, as a number."""
    if len(key) > MAX_KEY_BYTES:
        raise InvalidInput(f"a map key has at most {MAX_KEY_BYTES} bytes")
    return int.from_bytes((key + _FILL)[:_SPREAD_BYTES], "big")


def hash_leaf(key: bytes, value: bytes) -> Hash:
    """The hash of one key with its value."""
    return sha256(b"".join((b"\x00", uv(len(key)), key, uv(len(value)), value))).digest()


class _Reader:
    """Takes a proof apart from the front; every read past its end or bounds raises InvalidInput."""

    __slots__ = ("_at", "_proof")

    def __init__(self, proof: bytes) -> None:
        self._proof = proof
        self._at = 0

    def at_end(self) -> bool:
        return self._at == len(self._proof)

    def take(self, count: int) -> bytes:
        taken = self._proof[self._at : self._at + count]
        if len(taken) != count:
            raise InvalidInput("the map proof ends too early")
        self._at += count
        return taken

    def uv(self, most: int) -> int:
        """A minimal LEB128 number of at most `most` (below 2^14, so two bytes suffice)."""
        number = self.take(1)[0]
        if number >= 0x80:
            high = self.take(1)[0]
            if not 0 < high < 0x80:
                raise InvalidInput("a number in the map proof is not in its shortest form")
            number = number & 0x7F | high << 7
        if number > most:
            raise InvalidInput(f"a number in the map proof is {number}, above {most}")
        return number
