"""The right edge of the tree: all a sequencer keeps to append, prove and write tiles without reading storage.

The edge is the partial tile of every tile level, with the complete nodes inside it at each of its eight node
levels. Why that suffices: two siblings lie in one tile, because their parent is at most that tile's root. So
the left sibling of any node on the path of a new leaf lies in a tile that was partial before the batch, or in
the batch itself; a tile that is already full is never looked into again.

Byte form: 01 ‖ be64(size) ‖ root ‖ the hashes of the partial tile of each tile level, lowest level first. How
many there are follows from the size, and the root must come out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger.errors import Corrupt
from ledger.merkle.hashing import (
    EMPTY_ROOT,
    HASH_SIZE,
    MAX_SIZE,
    Hash,
    check_hashes,
    check_size,
    node_hash,
    parents,
)
from ledger.merkle.tiles import TILE_HEIGHT, TILE_WIDTH, FetchTile, split_tile, tile_widths
from ledger.merkle.together import SharedProofs

_VERSION: Final = b"\x01"
_HEADER_BYTES: Final = 1 + 8 + HASH_SIZE


class FullTile(NamedTuple):
    """A tile that became full: it will never change again. `content` is 256 hashes, 8192 bytes."""

    level: int
    number: int
    content: bytes


class EdgeState(NamedTuple):
    """What an Edge holds. `rows[l]`: the complete nodes of node level l in the partial tile above or at l."""

    size: int
    root: Hash
    rows: list[list[Hash]]  # replaced as a whole, never changed: states may share them


class Edge:
    """The right edge of a tree; `Edge()` is that of the empty tree.

    `extend` moves it forward; `grow` leaves it untouched, for a batch that may yet be undone.
    """

    __slots__ = ("_state",)

    def __init__(self, state: EdgeState | None = None) -> None:
        self._state = state or EdgeState(0, EMPTY_ROOT, [])

    @classmethod
    def from_tiles(cls, size: int, fetch: FetchTile) -> Edge:
        """The edge of the tree of `size` leaves, from its partial tiles. Raises InvalidInput, Corrupt."""
        rows: list[list[Hash]] = []
        for level, full, partial in tile_widths(size):
            row = split_tile(fetch(level, full, partial), partial) if partial else []
            for _ in range(TILE_HEIGHT):
                rows.append(row)
                row = parents(row)
        del rows[size.bit_length() :]
        return cls(EdgeState(size, Growth(EdgeState(size, EMPTY_ROOT, rows), ()).root, rows))

    @classmethod
    def from_bytes(cls, data: bytes) -> Edge:
        """The edge that `to_bytes` wrote. Raises Corrupt when bytes are missing, surplus or changed."""
        if data[:1] != _VERSION or len(data) < _HEADER_BYTES:
            raise Corrupt("the stored tree edge is not of a known version")
        size = int.from_bytes(data[1:9], "big")
        if size > MAX_SIZE:
            raise Corrupt("the stored tree edge names an impossible size")
        hashes = data[_HEADER_BYTES:]
        partials: dict[int, bytes] = {}
        for level, _, partial in tile_widths(size):
            partials[level], hashes = hashes[: partial * HASH_SIZE], hashes[partial * HASH_SIZE :]
        if hashes:
            raise Corrupt(f"the stored tree edge has more hashes than size {size} calls for")
        edge = cls.from_tiles(size, lambda level, _number, _width: partials[level])
        if edge.root() != data[9:_HEADER_BYTES]:
            raise Corrupt(f"the stored tree edge of size {size} does not hash to its own root")
        return edge

    def to_bytes(self) -> bytes:
        """The byte form described above: 41 bytes and 32 for each hash of a partial tile."""
        size, root, rows = self._state
        partials = (value for row in rows[::TILE_HEIGHT] for value in row)
        return b"".join((_VERSION, size.to_bytes(8, "big"), root, *partials))

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._state.size

    def root(self) -> Hash:
        """The root of the tree."""
        return self._state.root

    def partial(self, level: int) -> bytes:
        """The partial tile of tile level `level`: 0 to 255 hashes."""
        rows, at = self._state.rows, level * TILE_HEIGHT
        return b"".join(rows[at]) if 0 <= at < len(rows) else b""

    def tile(self, level: int, number: int) -> bytes | None:
        """Tile (level, number) if it is the partial one of its level and not empty, else None."""
        if level < 0 or number != self._state.size >> (TILE_HEIGHT * (level + 1)):
            return None
        return self.partial(level) or None

    def grow(self, leaf_hashes: Sequence[Hash]) -> Growth:
        """What appending `leaf_hashes` would make; this edge stays as it is. Raises InvalidInput."""
        check_size(self._state.size + len(leaf_hashes))
        check_hashes(leaf_hashes)
        return Growth(self._state, leaf_hashes)

    def extend(self, leaf_hashes: Sequence[Hash]) -> list[FullTile]:
        """Append `leaf_hashes`; the tiles that became full, lowest level first. Raises InvalidInput."""
        growth = self.grow(leaf_hashes)
        self._state = growth.state()
        return growth.full_tiles()

    def copy(self) -> Edge:
        """An edge of the same tree that grows on its own."""
        return Edge(self._state)


class Growth:
    """An edge and a batch of leaves after it: root, full tiles, proofs and the new edge, hashed once for all.

    At each node level it holds every complete node from the start of the tile that was partial before, and
    the *ragged* last node, if the level has one: the hash over what is left at the right, which rises
    unchanged while it has no partner (RFC 6962 §2.1: a tree is split at the largest power of two).
    """

    __slots__ = ("_before", "_count", "_rows", "_starts", "root", "size")

    def __init__(self, before: EdgeState, leaf_hashes: Sequence[Hash]) -> None:
        """Hash the new nodes. Called by `Edge.grow`, which checks the input."""
        self._before = before
        self._count = len(leaf_hashes)
        self.size: int = before.size + self._count
        self._rows: list[list[Hash]] = []
        self._starts: list[int] = []
        self.root: Hash = EMPTY_ROOT
        if self.size:
            self._hash(leaf_hashes)

    def _hash(self, leaf_hashes: Sequence[Hash]) -> None:
        old_size, _, old_rows = self._before
        fresh = list(leaf_hashes)  # the complete nodes of this level that did not exist before
        ragged: Hash | None = None
        level = 0
        while True:
            start = _tile_start(old_size, level)
            row = old_rows[level] + fresh if level < len(old_rows) else fresh
            fresh = parents(row[2 * (old_size >> (level + 1)) - start :])
            if ragged is not None:
                row = [*row, ragged]
            self._rows.append(row)
            self._starts.append(start)
            end = start + len(row)  # how many nodes this level has, the ragged one included
            if end == 1:
                self.root = row[0]
                return
            if end % 2 == 1:
                ragged = row[-1]
            elif ragged is not None:
                ragged = node_hash(row[-2], ragged)
            level += 1

    def full_tiles(self) -> list[FullTile]:
        """The tiles that became full with this batch, lowest level first."""
        tiles: list[FullTile] = []
        for level in range(0, len(self._rows), TILE_HEIGHT):
            row, start = self._rows[level], self._starts[level]
            for begin in range(start, (self.size >> level) - TILE_WIDTH + 1, TILE_WIDTH):
                content = b"".join(row[begin - start : begin - start + TILE_WIDTH])
                tiles.append(FullTile(level // TILE_HEIGHT, begin // TILE_WIDTH, content))
        return tiles

    def proofs(self) -> list[list[Hash]]:
        """The inclusion proof of each appended leaf in the grown tree, the leaf's sibling first.

        Built from the root down, so that leaves share the upper part of their paths.
        """
        if not self._count:
            return []
        old_size, last_leaf = self._before.size, self.size - 1
        paths: list[list[Hash]] = [[]]
        first_above = 0
        for level in range(len(self._rows) - 2, -1, -1):
            row, start = self._rows[level], self._starts[level]
            first, end = old_size >> level, start + len(row)
            below: list[list[Hash]] = []
            for node in range(first, (last_leaf >> level) + 1):
                path = paths[(node >> 1) - first_above]
                sibling = node ^ 1
                below.append([row[sibling - start], *path] if sibling < end else path)
            paths, first_above = below, first
        return paths

    def shared_proofs(self, first: int, count: int) -> SharedProofs:
        """The proofs of `count` of the appended leaves from `first` on, at least one, in the grown tree."""
        last = first + count - 1
        levels: list[tuple[int, tuple[Hash, ...]]] = []
        for level, (row, start) in enumerate(zip(self._rows[:-1], self._starts, strict=False)):
            begin, end = first >> level & ~1, (last >> level | 1) + 1
            levels.append((begin, tuple(row[begin - start : end - start])))
        return SharedProofs(first, last, tuple(levels))

    def edge(self) -> Edge:
        """The edge of the grown tree."""
        return Edge(self.state())

    def state(self) -> EdgeState:
        """The edge of the grown tree, as its parts: of each node level what lies in the partial tile."""
        rows: list[list[Hash]] = []
        for level in range(self.size.bit_length()):
            start = self._starts[level]
            rows.append(self._rows[level][_tile_start(self.size, level) - start : (self.size >> level) - start])
        return EdgeState(self.size, self.root, rows)


def _tile_start(size: int, level: int) -> int:
    """The first node of node level `level` that lies in the tile which is partial at `size`."""
    height = TILE_HEIGHT - level % TILE_HEIGHT
    return (size >> (level + height)) << height
