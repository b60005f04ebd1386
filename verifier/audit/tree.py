"""The entries of a bundle against their links and against every tile: one entry bundle after the other.

A bundle in which all is in order is swept column by column (`leaf.read_columns`, `links.add_all`), without an object per
entry; any other is gone through entry by entry, which finds what is wrong and says it at its place.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.audit.log_order import Links
from verifier.audit.marks import Marks
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.growing_tree import WIDTH, Growth, Tile
from verifier.bytes.merkle import HASH
from verifier.errors import Code, Defect, NotFound, Place, Refuted, printable
from verifier.records.leaf import Leaf, read_columns
from verifier.rules.findings import Findings
from verifier.tlog.tiles import MAX_BUNDLE, leading_entries, split_entries, split_hashes, tile_path


class Tree:
    """The tree of `size` entries from `start` on, growing in `growth`; `marks` are shown it on the way."""

    def __init__(
        self,
        archive: Archive,
        findings: Findings,
        links: Links,
        growth: Growth,
        start: int,
        size: int,
        marks: Marks | None = None,
    ) -> None:
        self._archive, self._findings, self._links, self._growth = archive, findings, links, growth
        self._start, self._size, self._marks = start, size, marks
        self._level_0: list[bytes] | None = None
        self._tainted: set[tuple[int, int]] = set()

    def bundles(self, wanted: bool) -> Iterator[tuple[int, list[Leaf | None]]]:
        """The index of the first entry and the leaves (None: unreadable) of each entry bundle. Unless they are `wanted`,
        a bundle of consent and subject leaves in perfect order gives none."""
        for n in range(self._start // WIDTH, -(-self._size // WIDTH)):
            width = min(WIDTH, self._size - n * WIDTH)
            hashes = self._level_0 = self._tile(0, n, width)
            data = self._read(n, width)
            swept = self._sweep(n, data, hashes, wanted) if n * WIDTH >= self._start and width == WIDTH else None
            first = max(self._start, n * WIDTH)
            yield first, self._walk(n, width, data, hashes) if swept is None else swept

    def _sweep(self, n: int, data: bytes | None, hashes: list[bytes] | None, wanted: bool) -> list[Leaf | None] | None:
        """The leaves of a bundle in perfect order; None, and nothing was done, if it is not."""
        columns = None if data is None else read_columns(data, n * WIDTH, WIDTH)
        if columns is None or columns.raws != hashes or not self._links.add_all(n * WIDTH, columns):
            return None
        if self._marks is not None:
            self._marks.see_within(self._growth, columns.raws)
        for tile in self._growth.extend(columns.raws):
            self._compare(tile)
        if self._marks is not None:
            self._marks.see(self._growth)
        return [*columns.leaves(n * WIDTH)] if wanted else []

    def _walk(self, n: int, width: int, data: bytes | None, hashes: list[bytes] | None) -> list[Leaf | None]:
        leaves: list[Leaf | None] = []
        entries = self._split(n, width, data, hashes)
        for offset in range(max(0, self._start - n * WIDTH), width):
            position = n * WIDTH + offset
            in_tile = hashes[offset] if hashes is not None else None
            if offset < len(entries):
                leaf, raw = self._links.add(position, entries[offset], in_tile)
            else:  # the entry is missing: said once for its file; its hash comes from the tile, if there is one
                leaf, raw = None, in_tile or bytes(HASH)
                self._links.skip(position, in_tile)
            if self._marks is not None and raw != in_tile and (in_tile is not None or offset >= len(entries)):
                self._marks.doubt()
            for tile in self._growth.append(raw):
                self._compare(tile)
            if self._marks is not None:
                self._marks.see(self._growth)
            leaves.append(leaf)
        return leaves

    def _read(self, n: int, width: int) -> bytes | None:
        path = tile_path("entries", n, width)
        try:
            # Step 5.1.
            return self._archive.read(path, MAX_BUNDLE)
        except NotFound:
            self._file(
                Code.BAD_ENCODING, "an entry bundle is missing", path, f"{width} entries", "none", index=n * WIDTH
            )
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), path, "", "", index=n * WIDTH)
        return None

    def _split(self, n: int, width: int, data: bytes | None, hashes: list[bytes] | None) -> list[bytes]:
        path = tile_path("entries", n, width)
        if data is None:
            return []
        try:
            entries = split_entries(data, width)
        except Refuted as refusal:
            # Where the lengths cease to make sense, an earlier one was wrong: the tile says up to where all is well.
            entries = leading_entries(data, hashes or [])
            self._findings.refuse(refusal, file=path, index=n * WIDTH + min(len(entries), width - 1))
            return entries
        if len(entries) != width:
            self._file(
                Code.BAD_ENCODING,
                "an entry bundle has too few entries",
                path,
                width,
                len(entries),
                index=n * WIDTH + len(entries),
            )
        return entries

    def _tile(self, level: int, n: int, width: int) -> list[bytes] | None:
        path = tile_path(level, n, width)
        try:
            # Step 5.2.
            return split_hashes(self._archive.read(path, WIDTH * HASH), width)
        except Refuted as refusal:
            self._findings.refuse(refusal, file=path)
        except NotFound:
            self._file(Code.BAD_PROOF, "a tile is missing", path, f"{width} hashes", "none")
        except Unreadable as error:
            self._file(Code.BAD_ENCODING, str(error), path, "", "")
        return None

    def _compare(self, tile: Tile) -> None:
        """A tile of the bundle against the one recomputed from the entries. Level 0 was compared entry by entry."""
        width = len(tile.hashes)
        self._findings.checked["tiles"] += 1
        published = self._level_0 if tile.level == 0 else self._tile(tile.level, tile.n, width)
        if published is None or published == tile.hashes:
            return
        self._tainted.add((tile.level, tile.n))
        if tile.level == 0:
            return
        for position, (theirs, ours) in enumerate(zip(published, tile.hashes, strict=True)):
            # Step 5.5.
            if theirs != ours and (tile.level - 1, tile.n * WIDTH + position) not in self._tainted:
                self._file(
                    Code.BAD_PROOF,
                    f"hash {position} of the tile is not that of the entries below it",
                    tile_path(tile.level, tile.n, width),
                    ours,
                    theirs,
                )

    def finish(self) -> bytes:
        """Compare the tiles at the right edge; the root of the entries."""
        for tile in self._growth.partial_tiles():
            self._compare(tile)
        return self._growth.root()

    def _file(
        self, code: Code, sentence: str, file: str, expected: object, found: object, index: int | None = None
    ) -> None:
        self._findings.add(Defect(code, sentence, Place(index, file=file), printable(expected), printable(found)))
