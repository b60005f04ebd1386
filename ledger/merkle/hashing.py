"""The three hashes of an RFC 6962 tree (§2.1), and the bounds every size and node obeys.

A leaf and a node start with different bytes, so that no inner node can be passed off as an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from ledger.errors import InvalidInput

Hash: TypeAlias = bytes
"""A SHA-256 digest: 32 bytes."""

Node: TypeAlias = tuple[int, int]
"""(level, index): the complete subtree over leaves [index << level, (index + 1) << level)."""

HASH_SIZE: Final = 32
MAX_SIZE: Final = 2**63 - 1
EMPTY_ROOT: Final[Hash] = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> Hash:
    """SHA-256(00 ‖ leaf bytes)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """SHA-256(01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def parents(children: Sequence[Hash]) -> list[Hash]:
    """The node hashes over each pair of `children`; a last one without a partner is left out."""
    pairs = iter(children)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]


def fold(roots: Sequence[Hash]) -> Hash:
    """The hash over adjoining complete subtrees of falling size, given from left to right; at least one."""
    folded = roots[-1]
    for root in reversed(roots[:-1]):
        folded = node_hash(root, folded)
    return folded


def check_size(size: int) -> None:
    """Raises InvalidInput unless 0 <= size < 2^63."""
    if not 0 <= size <= MAX_SIZE:
        raise InvalidInput(f"no tree has size {size}: sizes are 0 to 2^63 - 1")


def check_hashes(hashes: Iterable[Hash]) -> None:
    """Raises InvalidInput unless each hash is 32 bytes long."""
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise InvalidInput(f"a hash of {len(value)} bytes: a tree hash has {HASH_SIZE}")
