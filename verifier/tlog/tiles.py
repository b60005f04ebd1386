"""Tiles and entry bundles (C2SP tlog-tiles v0.1.0), and the reader that believes none of them unproved.

A tile is trusted only when it lies on the right edge and folds into the verified root, or when its hash stands in
its (trusted) parent tile. Reading a leaf any other way is how forged entries passed in other implementations.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from verifier.bytes.encoding import decode_decimal
from verifier.bytes.growing_tree import WIDTH, fold_complete, fold_frontier, frontier_of
from verifier.bytes.merkle import EMPTY_ROOT, HASH, hash_leaf, hash_node, split_at
from verifier.errors import Code, NotFound, located, refuted
from verifier.tlog import ct
from verifier.tlog.source import Source

MAX_ENTRY = 65_535
MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)
MAX_DATA_TILE = 64 * 1024 * 1024
CACHED_TILES = 1_024

_PATH = re.compile(
    r"tile/(?P<level>[0-9]{1,2}|entries|data)/(?P<groups>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


def tile_path(level: int | str, n: int, width: int = WIDTH) -> str:
    """The path of tile `n` of a level (0 to 63, `entries` or `data`); `.p/<width>` unless it is full."""
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> tuple[int | str, int, int]:
    """Level, number and width of a tile path; any spelling but `tile_path`'s is refused (BAD_ENCODING)."""
    match = _PATH.fullmatch(path)
    if match and len(path) <= 60:
        level: int | str = match["level"]
        if level not in ("entries", "data"):
            level = decode_decimal(match["level"], 63)
        n = int(match["groups"].replace("x", "").replace("/", ""))
        width = WIDTH if match["width"] is None else decode_decimal(match["width"], WIDTH - 1)
        if width and n < 2**63 and tile_path(level, n, width) == path:
            return level, n, width
    raise refuted(Code.BAD_ENCODING, "not the path of a tile", found=path)


def split_hashes(data: bytes, width: int) -> list[bytes]:
    """The `width` hashes of a tile, exactly. Raises Refuted(BAD_ENCODING)."""
    if len(data) != width * HASH:
        raise refuted(Code.BAD_ENCODING, "a tile has a wrong length", expected=width * HASH, found=len(data))
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def split_entries(data: bytes, limit: int = WIDTH) -> list[bytes]:
    """The entries of a bundle: 2-byte length and that many bytes, each. Raises Refuted(BAD_ENCODING)."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(data[start - 2 : start])
        if at > end or len(entries) == limit:
            raise refuted(Code.BAD_ENCODING, "an entry bundle ends within an entry or has too many", found=len(entries))
        entries.append(data[start:at])
    return entries


def leading_entries(data: bytes, hashes: list[bytes]) -> list[bytes]:
    """The entries at the beginning of a damaged bundle that have the hashes of its tile: what can still be read of it."""
    entries: list[bytes] = []
    at = 0
    for expected in hashes:
        start = at + 2
        at = start + int.from_bytes(data[at:start])
        if at > len(data) or hash_leaf(data[start:at]) != expected:
            break
        entries.append(data[start:at])
    return entries


@dataclass(frozen=True, slots=True)
class EntryFormat:
    """A kind of log by how it keeps its entries: folder below `tile/`, most bytes of a file, splitting, leaf hash."""

    folder: str
    limit: int
    split: Callable[[bytes, int], list[bytes]]
    hash: Callable[[bytes], bytes]


C2SP = EntryFormat("entries", MAX_BUNDLE, split_entries, hash_leaf)
STATIC_CT = EntryFormat("data", MAX_DATA_TILE, ct.split_leaves, ct.hash_tile_leaf)


class TileReader:
    """Authenticated reading of the log of `size` leaves with `root`, both from a VERIFIED checkpoint.

    Opening reads the right edge. All methods raise Refuted (BAD_ENCODING, BAD_PROOF, with the file) when a tile or
    bundle is wrong, and CannotCheck when it is not there.
    """

    def __init__(self, source: Source, size: int, root: bytes, entries: EntryFormat = C2SP) -> None:
        self.size, self.root = size, root
        self._source, self._entries = source, entries
        self._trusted: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self.edge: dict[int, list[bytes]] = {}
        level = 0
        while size >> (8 * level):
            n, width = divmod(size >> (8 * level), WIDTH)
            if width:
                self.edge[level] = self._fetch(level, n, width)
            level += 1
        found = fold_frontier(frontier_of(self.edge)) if size else EMPTY_ROOT
        if found != root:
            raise refuted(
                Code.BAD_PROOF,
                "the right-edge tiles do not give the root of the checkpoint",
                expected=root,
                found=found,
            )

    def tile(self, level: int, n: int) -> list[bytes]:
        """The hashes of tile `n`: all 256, or those the size implies for the tile on the right edge."""
        full, width = divmod(self.size >> (8 * level), WIDTH)
        if n == full and width:
            return self.edge[level]
        if not 0 <= n < full:
            raise refuted(
                Code.BAD_PROOF, f"the tile is not within level {level} of the tree", expected=f"below {full}", found=n
            )
        known = self._trusted.get((level, n))
        if known is None:
            known = self._fetch(level, n, WIDTH)
            expected = self.tile(level + 1, n // WIDTH)[n % WIDTH]
            found = fold_complete(known)
            if found != expected:
                raise refuted(
                    Code.BAD_PROOF,
                    "the tile is not the one its parent tile names",
                    file=tile_path(level, n),
                    expected=expected,
                    found=found,
                )
            self._trusted[level, n] = known
            if len(self._trusted) > CACHED_TILES:
                self._trusted.popitem(last=False)
        else:
            self._trusted.move_to_end((level, n))
        return known

    def leaf(self, index: int) -> bytes:
        """The authenticated leaf hash of entry `index`."""
        if not 0 <= index < self.size:
            raise refuted(
                Code.BAD_PROOF, "the index is not within the tree", expected=f"below {self.size}", found=index
            )
        return self.tile(0, index // WIDTH)[index % WIDTH]

    def bundle(self, n: int) -> list[bytes]:
        """The entries of bundle `n`, each compared with its authenticated leaf hash."""
        hashes = self.tile(0, n)
        path, data = self._read(self._entries.folder, n, len(hashes), self._entries.limit)
        count = WIDTH if path == tile_path(self._entries.folder, n) else len(hashes)
        with located(file=path):
            entries = self._entries.split(data, count)
            if len(entries) != count:
                raise refuted(Code.BAD_ENCODING, "a bundle has too few entries", expected=count, found=len(entries))
            for position, (entry, leaf) in enumerate(zip(entries, hashes, strict=False)):
                found = self._entries.hash(entry)
                if found != leaf:
                    raise refuted(
                        Code.BAD_PROOF,
                        "the entry is not the one of the tree",
                        index=n * WIDTH + position,
                        expected=leaf,
                        found=found,
                    )
        return entries[: len(hashes)]

    def entry(self, index: int) -> bytes:
        """The authenticated bytes of entry `index`."""
        if not 0 <= index < self.size:
            raise refuted(
                Code.BAD_PROOF, "the index is not within the tree", expected=f"below {self.size}", found=index
            )
        return self.bundle(index // WIDTH)[index % WIDTH]

    def range_root(self, start: int, end: int) -> bytes:
        """The root over leaves [start, end); `start` = 0 or a multiple of a power of two >= end - start."""
        count = end - start
        if count == 0:
            return EMPTY_ROOT
        if count & (count - 1):
            k = split_at(count)
            return hash_node(self.range_root(start, start + k), self.range_root(start + k, end))
        height = count.bit_length() - 1
        level, width = height // 8, 1 << (height % 8)
        first = start >> (8 * level)
        offset = first % WIDTH
        return fold_complete(self.tile(level, first // WIDTH)[offset : offset + width])

    def inclusion(self, index: int) -> list[bytes]:
        """The inclusion proof of leaf `index` in the tree of this size."""
        path: list[bytes] = []
        start, end = 0, self.size
        while end - start > 1:
            middle = start + split_at(end - start)
            if index < middle:
                path.append(self.range_root(middle, end))
                end = middle
            else:
                path.append(self.range_root(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """The path from the first `old` leaves, 0 < old < size, to this tree, its seed always included: see
        merkle.consistency_roots. Without the seed, when `old` is a power of two, it is the RFC's proof."""
        path: list[bytes] = []
        start, end = 0, self.size
        while old != end:
            middle = start + split_at(end - start)
            if old <= middle:
                path.append(self.range_root(middle, end))
                end = middle
            else:
                path.append(self.range_root(start, middle))
                start = middle
        return [self.range_root(start, end), *path[::-1]]

    def _fetch(self, level: int, n: int, width: int) -> list[bytes]:
        path, data = self._read(level, n, width, WIDTH * HASH)
        with located(file=path):
            return split_hashes(data, WIDTH if path == tile_path(level, n) else width)[:width]

    def _read(self, level: int | str, n: int, width: int, limit: int) -> tuple[str, bytes]:
        """The partial file the size implies; if it is gone, the full one, of which the beginning is used."""
        path = tile_path(level, n, width)
        try:
            return path, self._source.read(path, limit)
        except NotFound:
            if width == WIDTH:
                raise
            full = tile_path(level, n)
            return full, self._source.read(full, limit)
