"""Bringing a public place up to date with the log (C2SP tlog-tiles v0.1).

The order is what makes it safe. First everything that the new checkpoint needs, made durable: tiles, and what the log says of
its keys; then the newest checkpoint, and the one that strangers are shown first; then what they made superfluous goes. A
reader who sees a checkpoint finds all its tiles, and a publisher that died anywhere is simply run again. Tiles are written
once and never replaced: one that is there with other bytes stops the publisher, because one of the two belongs to a second
history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.errors import BadEncoding, Corrupt, InvalidInput
from ledger.log_keys import LogKeys
from ledger.merkle.edge import Edge
from ledger.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, format_path, parse_path, tile_widths
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.publish.place import CHECKPOINT, KEYS, NEWEST, REPLACED, PublicPlace
from ledger.queries.log_keys import keys_file, log_keys_since
from ledger.queries.tree import TileSource, bundle_of, head_of, visible_size
from ledger.queries.witnessed import WitnessedQueries
from ledger.storage.horizon import horizon_of
from ledger.storage.log import LogStore

_PORTION: Final = 64
"""Files read in one snapshot: a long one would keep SQLite's write-ahead log from being moved into the database."""


@dataclass(frozen=True, slots=True)
class Published:
    """The result of one publication: the size that is public now, files written and files removed."""

    size: int
    written: int
    removed: int


class Publisher:
    """Brings a public place up to the log's newest checkpoint, again and again."""

    def __init__(
        self,
        store: LogStore,
        own: VerifierKey,
        place: PublicPlace,
        witnessed: WitnessedQueries,
        *,
        entries: bool = False,
    ) -> None:
        """`own`: a key of the log. `witnessed` tells what strangers are shown first. With `entries`, leaves are published too,
        for a place that only auditors and regulators can read: they hold no personal data, but they say how often which chain
        grows, and the leaf beside an authorisation names its customer's chain, so that recipients who read them could tell
        which of their customers are one person."""
        self._store = store
        self._own = own
        self._place = place
        self._witnessed = witnessed
        self._entries = entries
        self._swept = False
        self._keys, self._keys_at = LogKeys(), 0

    def publish(self) -> Published:
        """Publish what was committed since the last time. Raises Corrupt, Conflict, Unavailable; each is safe to repeat."""
        with self._place.alone():
            shown = self._witnessed.shown()  # before the head, so that it is never beyond it
            with self._store.read() as connection:
                size, note = head_of(connection)
                self._keys, self._keys_at = log_keys_since(connection, self._keys, self._keys_at), size
            public = {name: self._place.read(name) for name in REPLACED}
            first = self._size_of(public[CHECKPOINT])
            # a place that was published to by an older version has no other checkpoint than the one that is shown first
            before = first if public[NEWEST] is None else self._size_of(public[NEWEST])
            if before > size:  # another process knew more to be confirmed than this one does yet
                return Published(before, 0, self._sweep(before))
            written = 0
            if before < size:
                for path, content in self._files(before, size):
                    written += self._place.create(path, content)
            # who finds a checkpoint under a new key finds what leads there
            written += self._replace(KEYS, public, keys_file(self._store, self._keys, self._own))
            if before < size or public[NEWEST] is None:
                written += self._replace(NEWEST, public, note.encode())
            if self._size_of(shown.encode()) >= first:  # it never goes back, also when witnesses are new to the log
                written += self._replace(CHECKPOINT, public, shown.encode())
            removed = self._sweep(size) if not self._swept else self._remove_superseded(before, size)
            return Published(size, written, removed)

    def _replace(self, name: str, public: Mapping[str, bytes | None], content: bytes) -> bool:
        if public[name] == content:
            return False
        self._place.replace(name, content)
        return True

    def _size_of(self, note: bytes | None) -> int:
        """The size that a checkpoint makes public, after a look whether it is this log's: 0 for a new place."""
        if note is None:
            return 0
        try:
            public = open_checkpoint(note.decode(), (*self._keys.vkeys(self._own.name), self._own))
        except UnicodeDecodeError:
            raise Corrupt("the published checkpoint is not one: it is not text") from None
        except InvalidInput as error:
            raise Corrupt(f"the published checkpoint is not one of this log: {error.detail}") from None
        with self._store.read() as connection:
            size = visible_size(connection) or 0
            if public.size > size:
                raise Corrupt(
                    f"{public.size} entries are published, and the log has {size}: the database was rolled back"
                )
            horizon_of(connection).reached(public.size)  # what was published was confirmed
            if Edge.from_tiles(public.size, TileSource(connection).tile).root() != public.root:
                raise Corrupt(f"the published checkpoint of size {public.size} has another root than the log had")
        return public.size

    def _files(self, before: int, size: int) -> Iterator[tuple[str, bytes]]:
        """What the tree of `size` needs and that of `before` did not, read a few at a time."""
        wanted = list(self._wanted(before, size))
        for at in range(0, len(wanted), _PORTION):
            with self._store.read() as connection:
                source = TileSource(connection)
                portion = [
                    (format_path(tile), bundle_of(connection, tile.number * TILE_WIDTH, tile.width))
                    if tile.level == ENTRIES
                    else (format_path(tile), source.tile(*tile))
                    for tile in wanted[at : at + _PORTION]
                ]
            yield from portion

    def _wanted(self, before: int, size: int) -> Iterator[TilePath]:
        for level, first, full, partial in self._grown(before, size):
            yield from (TilePath(level, number) for number in range(first, full))
            if partial:
                yield TilePath(level, full, partial)

    def _grown(self, before: int, size: int) -> Iterator[tuple[int, int, int, int]]:
        """(level, first tile that was not full, tiles that are full now, width of the partial one) of each level."""
        old = {level: full for level, full, _ in tile_widths(before)}
        for level, full, partial in tile_widths(size):
            yield level, old.get(level, 0), full, partial
            if level == 0 and self._entries:
                yield ENTRIES, 0 if self._entries_are_new(before) else old.get(0, 0), full, partial

    def _entries_are_new(self, before: int) -> bool:
        """Whether no bundle was published until now, so that all are due. The last full one tells."""
        number = before // TILE_WIDTH - 1
        if number < 0:
            return True
        with self._store.read() as connection:
            content = bundle_of(connection, number * TILE_WIDTH, TILE_WIDTH)
        return self._place.create(format_path(TilePath(ENTRIES, number)), content)

    def _remove_superseded(self, before: int, size: int) -> int:
        """A reader with an older checkpoint falls back to the full tile, which begins with the partial one's hashes."""
        gone: list[str] = []
        for level, first, full, _ in self._grown(before, size):
            for number in range(first, full):
                gone += self._place.partials(format_path(TilePath(level, number)))
        self._place.remove(gone)
        return len(gone)

    def _sweep(self, size: int) -> int:
        """Once per publisher: what an earlier one left behind."""
        if self._swept:
            return 0
        full = {level: count for level, count, _ in tile_widths(size)}
        full[ENTRIES] = full.get(0, 0)
        gone = []
        for path in self._place.partials(None):
            try:
                tile = parse_path(path)
            except BadEncoding:
                continue  # not ours
            if tile.width < TILE_WIDTH and tile.number < full.get(tile.level, 0):
                gone.append(path)
        self._place.remove(gone)
        self._swept = True
        return len(gone)
