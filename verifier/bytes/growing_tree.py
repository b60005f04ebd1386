"""A tree that grows leaf by leaf in flat memory, and hands out every tile of every level on the way.

At most 255 hashes are kept per tile level, whatever the size of the log. The tiles are those of C2SP tlog-tiles:
tile (L, n) holds the roots of the complete subtrees of 256^L leaves number 256 n to 256 n + 255.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from verifier.bytes.merkle import EMPTY_ROOT, hash_node

WIDTH = 256


class Tile(NamedTuple):
    """`hashes` of tile number `n` at tile level `level`; full tiles have 256."""

    level: int
    n: int
    hashes: list[bytes]


def fold_complete(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    row = hashes
    while len(row) > 1:
        row = [sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
    return row[0]


class Growth:
    """Append leaf hashes with `append`; `size` counts them; `root` is the root so far."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[list[bytes]] = []  # per tile level the hashes of its unfinished tile

    @classmethod
    def resume(cls, size: int, edge: dict[int, list[bytes]]) -> Growth:
        """A tree of `size` leaves from its right-edge tiles by level (authenticated: tiles.TileReader.edge)."""
        growth = cls()
        growth.size = size
        while size >> (8 * len(growth._edge)):
            growth._edge.append(list(edge.get(len(growth._edge), [])))
        return growth

    def append(self, leaf: bytes) -> list[Tile]:
        """Add a leaf hash; the tiles that became full, lowest level first."""
        self.size += 1
        if not self._edge:
            self._edge.append([])
        row = self._edge[0]
        row.append(leaf)
        return self._carry() if len(row) == WIDTH else []

    def extend(self, leaves: list[bytes]) -> list[Tile]:
        """Add the leaf hashes of a whole tile where one begins; the tiles that became full."""
        self.size += WIDTH
        if not self._edge:
            self._edge.append([])
        self._edge[0] = leaves
        return self._carry()

    def _carry(self) -> list[Tile]:
        full: list[Tile] = []
        level = 0
        while len(self._edge[level]) == WIDTH:
            tile = Tile(level, (self.size >> 8 * (level + 1)) - 1, self._edge[level])
            full.append(tile)
            self._edge[level] = []
            level += 1
            if level == len(self._edge):
                self._edge.append([])
            self._edge[level].append(fold_complete(tile.hashes))
        return full

    def partial_tiles(self) -> Iterator[Tile]:
        """The unfinished tiles of the tree so far, lowest level first."""
        for level, row in enumerate(self._edge):
            if row:
                yield Tile(level, self.size >> 8 * (level + 1), list(row))

    def root(self) -> bytes:
        """MTH of all leaves so far."""
        return self.root_with(())

    def root_with(self, leaves: Sequence[bytes]) -> bytes:
        """MTH of all leaves so far and of these, which do not fill the tile that they stand in."""
        edge = {level: row for level, row in enumerate(self._edge) if row}
        if leaves:
            edge[0] = [*edge.get(0, ()), *leaves]
        return fold_frontier(frontier_of(edge))


class Frontier:
    """A tree of which only the root is asked for: one hash for each complete subtree."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        self.size += 1
        width = self.size
        while not width & 1:
            leaf, width = hash_node(self._complete.pop(), leaf), width >> 1
        self._complete.append(leaf)

    def root(self) -> bytes:
        """MTH of all leaves so far."""
        return fold_frontier(self._complete)


def frontier_of(edge: dict[int, list[bytes]]) -> list[bytes]:
    """The roots of the largest complete subtrees, left to right, from the right-edge tiles by level."""
    frontier: list[bytes] = []
    for level in sorted(edge, reverse=True):
        row, start = edge[level], 0
        for bit in range(7, -1, -1):
            if len(row) >> bit & 1:
                frontier.append(fold_complete(row[start : start + (1 << bit)]))
                start += 1 << bit
    return frontier


def fold_frontier(frontier: Sequence[bytes]) -> bytes:
    """The root of a tree from its frontier: odd nodes rise unchanged (RFC 6962)."""
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = hash_node(left, root)
    return root
