"""What makes proofs of a whole tree in memory: the verifier itself reads proofs and makes none."""

from __future__ import annotations

from collections.abc import Sequence

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


# --- checks ---------------------------------------------------------------------------------------------------
