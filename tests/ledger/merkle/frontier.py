"""The frontier (compact range): the least state that can append to a tree and name its root.

One hash per set bit of the size, from the largest subtree to the smallest. Appending merges subtrees of equal
size, as a binary counter carries; the root folds them from the right (RFC 6962 §2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.errors import InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT, Hash, check_hashes, check_size, fold, node_hash


class Frontier:
    """The right edge of a tree of `size` leaves, one complete subtree per set bit of its size."""

    __slots__ = ("_roots", "_size")

    def __init__(self, size: int = 0, roots: Sequence[Hash] = ()) -> None:
        """Resume at `size` with the subtree roots in `roots`, largest first. Raises InvalidInput."""
        check_size(size)
        check_hashes(roots)
        if len(roots) != size.bit_count():
            raise InvalidInput(f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(roots)}")
        self._size = size
        self._roots = list(roots)

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._size

    @property
    def roots(self) -> tuple[Hash, ...]:
        """The roots of the complete subtrees, largest first."""
        return tuple(self._roots)

    def append(self, leaf_hash: Hash) -> None:
        """Add one leaf at the right."""
        merged = leaf_hash
        carry = self._size
        while carry & 1:
            merged = node_hash(self._roots.pop(), merged)
            carry >>= 1
        self._roots.append(merged)
        self._size += 1

    def extend(self, leaf_hashes: Iterable[Hash]) -> None:
        """Add leaves at the right, in order."""
        for leaf_hash in leaf_hashes:
            self.append(leaf_hash)

    def root(self) -> Hash:
        """The root of the tree; of the empty tree, SHA-256 of nothing."""
        return fold(self._roots) if self._roots else EMPTY_ROOT


def tree_root(leaf_hashes: Iterable[Hash]) -> Hash:
    """The RFC 6962 root over `leaf_hashes`, in constant memory."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()
