"""Tiles: how the tree is stored and served (C2SP tlog-tiles v0.1).

Tile (L, N) holds up to 256 hashes of node level 8·L, beginning at node N·256; the seven node levels between
two tile levels are recomputed from its hashes. A bundle holds the entries beneath a level-0 tile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from ledger.canonical import decimal
from ledger.errors import BadEncoding, Corrupt, InvalidInput
from ledger.kept import Kept
from ledger.merkle.hashing import HASH_SIZE, MAX_SIZE, Hash, Node, check_size, parents

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_ENTRY_BYTES: Final = 65535
MAX_LEVEL: Final = 63
ENTRIES: Final = -1
"""The `level` of a path that names an entry bundle instead of a hash tile."""

_PATH: Final = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


class TilePath(NamedTuple):
    """Which tile or bundle: `level` 0 to 63, or ENTRIES; `number` from 0; `width` 1 to 256 (256 = full)."""

    level: int
    number: int
    width: int = TILE_WIDTH


class LevelWidth(NamedTuple):
    """What a tile level of a tree holds: `full` tiles, then one of `partial` hashes when that is not 0."""

    level: int
    full: int
    partial: int


def format_path(tile: TilePath) -> str:
    """The path of a tile or bundle below the log's prefix, such as `tile/0/x001/234/067.p/5`.

    Raises InvalidInput when there is no such tile.
    """
    if not (ENTRIES <= tile.level <= MAX_LEVEL and 0 <= tile.number <= MAX_SIZE and 1 <= tile.width <= TILE_WIDTH):
        raise InvalidInput(f"no tile has level {tile.level}, number {tile.number} and width {tile.width}")
    number, low = divmod(tile.number, 1000)
    groups = [f"{low:03d}"]
    while number:
        number, low = divmod(number, 1000)
        groups.append(f"x{low:03d}")
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    suffix = "" if tile.width == TILE_WIDTH else f".p/{tile.width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{suffix}"


def parse_path(text: str) -> TilePath:
    """The tile named by `text`, in the one spelling `format_path` writes. Raises BadEncoding."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise BadEncoding("not a tile path")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    number = int(match["number"].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if match["width"] is None else decimal(match["width"])
    tile = TilePath(level, number, width)
    try:
        canonical = format_path(tile)
    except InvalidInput as error:
        raise BadEncoding(error.detail) from None
    if canonical != text:  # leading zeros, `x000/`, `.p/256`
        raise BadEncoding(f"not the canonical tile path, which is {canonical}")
    return tile


def tile_widths(size: int) -> list[LevelWidth]:
    """Every tile level of the tree of `size` leaves, lowest first; none for the empty tree."""
    check_size(size)
    widths: list[LevelWidth] = []
    level = 0
    while size:
        widths.append(LevelWidth(level, size // TILE_WIDTH, size % TILE_WIDTH))
        size //= TILE_WIDTH
        level += 1
    return widths


def tile_width(level: int, number: int, size: int) -> int:
    """How many hashes tile (level, number) has in the tree of `size` leaves; 0 when it does not exist."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH))


def split_tile(tile: bytes, width: int) -> list[Hash]:
    """The hashes of a tile that must hold exactly `width`. Raises Corrupt."""
    if len(tile) != width * HASH_SIZE:
        raise Corrupt(f"a tile of {len(tile)} bytes where {width} hashes need {width * HASH_SIZE}")
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """1 to 256 entries, each as two bytes of length (big-endian) and its bytes. Raises InvalidInput."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InvalidInput(f"a bundle of {len(entries)} entries: bundles hold 1 to {TILE_WIDTH}")
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInput(f"an entry of {len(entry)} bytes: entries have at most {MAX_ENTRY_BYTES}")
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    return b"".join(parts)


FetchTile = Callable[[int, int, int], bytes]
"""(level, number, width) to the tile's bytes, exactly `width` hashes."""


TileNodes: TypeAlias = Sequence[Sequence[Hash]]
"""The complete nodes of one tile: its hashes first, then the node levels above them, eight rows in all."""


def tile_nodes(hashes: Sequence[Hash]) -> TileNodes:
    """The nodes that stand on a tile's hashes, below the next tile level."""
    rows = [hashes]
    for _ in range(TILE_HEIGHT - 1):
        rows.append(parents(rows[-1]))
    return rows


KnownTiles: TypeAlias = Kept[tuple[int, int], TileNodes]
"""Nodes of tiles by (level, number), some 36 kB each, so that readers share them. A complete node never changes; a tile that
was not full when it was read is read again by whoever needs a node that it did not have yet."""


OWN_TILES: Final = 256
"""Tiles that a reader keeps for itself when it shares none: more than any proof needs."""


class TileReader:
    """Reads node hashes of the tree of `size` leaves, and so of every smaller tree, from its tiles.

    A complete node has the same hash in every later tree, so one reader serves proofs of all sizes up to its own. Tiles are
    believed, since they come from the ledger's own storage; who reads another's tiles authenticates them against a
    checkpoint first.
    """

    def __init__(self, size: int, fetch: FetchTile, known: KnownTiles | None = None) -> None:
        """`fetch` is asked only for tiles of this tree, at the width they have in it; `known` are those that readers share.

        Raises InvalidInput.
        """
        check_size(size)
        self._size = size
        self._fetch = fetch
        self._known = Kept(OWN_TILES) if known is None else known

    def read_hashes(self, nodes: list[Node]) -> list[Hash]:
        """The hashes of complete subtrees of this tree. Raises InvalidInput for others, Corrupt for bad tiles."""
        for level, index in nodes:
            if level < 0 or index < 0 or (index + 1) << level > self._size:
                raise InvalidInput(f"node ({level}, {index}) is not complete in a tree of {self._size} leaves")
        return [self._node(level, index) for level, index in nodes]

    def _node(self, level: int, index: int) -> Hash:
        tile_level, row = divmod(level, TILE_HEIGHT)
        number = index >> (TILE_HEIGHT - row)
        at = index - (number << (TILE_HEIGHT - row))
        nodes = self._known.get((tile_level, number))
        if nodes is None or at >= len(nodes[row]):
            nodes = self._read(tile_level, number)
        return nodes[row][at]

    def _read(self, level: int, number: int) -> TileNodes:
        width = tile_width(level, number, self._size)
        nodes = tile_nodes(split_tile(self._fetch(level, number, width), width))
        self._known.put((level, number), nodes)
        return nodes
