"""The tree of an evidence pack: all of it in memory, with the sides of its siblings written down (docs/spec/packs.md).

It has the nodes of RFC 6962's tree. A path says for each sibling where it stands, since a pack is read without the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from ledger.errors import InvalidInput
from ledger.merkle.hashing import Hash, check_hashes, node_hash

Sibling: TypeAlias = tuple[Literal["left", "right"], Hash]
"""On which side of the path a sibling stands, and its hash."""


def rows_above(leaves: Sequence[Hash]) -> list[list[Hash]]:
    """All rows of the tree over ready leaf hashes: the leaves first, the root alone in the last.

    The last node of an odd row rises unchanged. Raises InvalidInput without leaves, and for a hash that has not 32 bytes.
    """
    if not leaves:
        raise InvalidInput("a tree over a selection has at least one leaf")
    check_hashes(leaves)
    rows = [list(leaves)]
    while len(row := rows[-1]) > 1:
        above = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        rows.append(above + row[len(above) * 2 :])
    return rows


def path_in(rows: Sequence[Sequence[Hash]], position: int) -> list[Sibling]:
    """The siblings of leaf `position`, from the leaf upwards."""
    path: list[Sibling] = []
    for row in rows[:-1]:
        if position % 2:
            path.append(("left", row[position - 1]))
        elif position + 1 < len(row):
            path.append(("right", row[position + 1]))
        position //= 2
    return path
