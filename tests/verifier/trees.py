"""What makes proofs of a whole tree in memory: the verifier itself reads proofs and makes none."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.bytes import patricia
from verifier.bytes.merkle import EMPTY_ROOT, hash_node, split_at


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of the tree over these leaf hashes."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    k = split_at(len(leaves))
    return hash_node(root_of(leaves[:k]), root_of(leaves[k:]))


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH: the sibling hashes from the leaf's up to the root's child."""
    if len(leaves) == 1:
        return []
    k = split_at(len(leaves))
    if index < k:
        return [*inclusion_path(index, leaves[:k]), root_of(leaves[k:])]
    return [*inclusion_path(index - k, leaves[k:]), root_of(leaves[:k])]


def subtree_path(start: int, end: int, leaves: Sequence[bytes], known: bool = True) -> list[bytes]:
    """SUBTREE_SUBPROOF: that the subtree [start, end) is part of the tree; `known` = its root need not be told."""
    n = len(leaves)
    if start == end:
        return []
    if (start, end) == (0, n):
        return [] if known else [root_of(leaves)]
    k = split_at(n)
    if end <= k:
        return [*subtree_path(start, end, leaves[:k], known), root_of(leaves[k:])]
    if k <= start:
        return [*subtree_path(start - k, end - k, leaves[k:], known), root_of(leaves[:k])]
    return [*subtree_path(0, end - k, leaves[k:], False), root_of(leaves[:k])]


class Prover:
    """The map by its definition: split at the first bit in which the sorted keys differ."""

    def __init__(self, pairs: dict[bytes, bytes]) -> None:
        self.pairs = pairs

    def root(self, keys: list[bytes]) -> bytes:
        if not keys:
            return patricia.EMPTY
        if len(keys) == 1:
            return patricia.hash_leaf(keys[0], self.pairs[keys[0]])
        bit, left, right = self.split(keys)
        return patricia.hash_inner(bit, self.root(left), self.root(right))

    @staticmethod
    def split(keys: list[bytes]) -> tuple[int, list[bytes], list[bytes]]:
        bit = next(
            b for b in range(8 * (max(map(len, keys)) + 2)) if len({patricia.bit_of(key, b) for key in keys}) == 2
        )
        left = [key for key in keys if not patricia.bit_of(key, bit)]
        return bit, left, [key for key in keys if patricia.bit_of(key, bit)]

    def walk(self, key: bytes, keys: list[bytes]) -> tuple[bytes, bytes]:
        """The key at which a search ends, and the steps from there to the root."""
        if len(keys) == 1:
            return keys[0], b""
        bit, left, right = self.split(keys)
        ours, theirs = (right, left) if patricia.bit_of(key, bit) else (left, right)
        end, steps = self.walk(key, ours)
        return end, steps + patricia.uvarint(bit) + self.root(theirs)

    def absence(self, key: bytes, end: bytes, steps: bytes) -> bytes:
        value = self.pairs[end]
        return patricia.uvarint(len(end)) + end + patricia.uvarint(len(value)) + value + steps
