"""The public log: checkpoints, tiles, bundles, proofs (docs/spec/log.md)."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from ledger.errors import InvalidInput, NotFound
from ledger.merkle.edge import Edge
from ledger.merkle.proofs import prove_consistency, prove_inclusion
from ledger.merkle.tiles import TILE_WIDTH, TileReader, encode_bundle
from ledger.storage.log import LogStore
from ledger.storage.tables import checkpoints, entries, log_head, tiles

Snapshot: TypeAlias = Connection
"""A connection that sees one state of the log."""


class TreeQueries:
    """Questions about the tree. Every size asked for must be a committed one."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def checkpoint(self) -> str:
        """The newest signed checkpoint. Raises NotFound before the log is opened."""
        with self._store.read() as connection:
            return head_of(connection)[1]

    def size(self) -> int:
        """How many entries are committed."""
        with self._store.read() as connection:
            return head_of(connection)[0]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """A hash tile at a width that the log has reached. Raises NotFound."""
        with self._store.read() as connection:
            return TileSource(connection).tile(level, number, width)

    def entry_bundle(self, number: int, width: int) -> bytes:
        """A bundle of leaves: the first `width` leaves of bundle `number`. Raises NotFound."""
        with self._store.read() as connection:
            size, _ = head_of(connection)
            first = number * TILE_WIDTH
            if not 1 <= width <= TILE_WIDTH or first + width > size:
                raise NotFound(f"the log has {size} entries: there is no such bundle yet")
            return bundle_of(connection, first, width)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion proof of entry `index` in the tree of `size` entries; cost O(log size) tile reads."""
        with self._store.read() as connection:
            return self._proofs(connection, size).inclusion(index)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes, 1 ≤ old ≤ new ≤ size."""
        with self._store.read() as connection:
            return prove_consistency(old, new, self._proofs(connection, new).reader.read_hashes)

    def _proofs(self, connection: Connection, size: int) -> Prover:
        newest, _ = head_of(connection)
        if not 1 <= size <= newest:
            raise InvalidInput(f"size must lie between 1 and the log's {newest}", member="size")
        return Prover(connection, size)


class TileSource:
    """Tiles of one snapshot: full ones from their table, partial ones from the head's edge or cut from full ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._edge: Edge | None = None

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of tile (level, number). Raises NotFound when the log has not grown so far."""
        query = select(tiles.c.content).where(tiles.c.level == level, tiles.c.number == number)
        content = self._connection.execute(query).scalar_one_or_none()
        if content is None:
            if self._edge is None:
                edge = self._connection.execute(select(log_head.c.edge)).scalar_one()
                self._edge = Edge.from_bytes(edge)
            content = self._edge.tile(level, number) or b""
        if not 1 <= width <= TILE_WIDTH or len(content) < width * 32:
            raise NotFound("the log has not grown as far as this tile")
        return bytes(content[: width * 32])


class Prover:
    """Inclusion proofs in the tree of one size; tiles are read once each."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._size = size
        self.reader = TileReader(size, TileSource(connection).tile)

    def inclusion(self, index: int) -> list[bytes]:
        """The proof of entry `index`. Raises InvalidInput when it is not in the tree."""
        return prove_inclusion(index, self._size, self.reader.read_hashes)


def head_of(connection: Connection) -> tuple[int, str]:
    """(size, signed checkpoint) of this snapshot. Raises NotFound before the log is opened."""
    row = connection.execute(select(log_head.c.size, log_head.c.checkpoint)).one_or_none()
    if row is None:
        raise NotFound("there is no log in this database yet")
    return row.size, row.checkpoint


def first_checkpoint_with(connection: Connection, index: int) -> tuple[int, str]:
    """(size, note) of the first checkpoint that includes entry `index`: the one of its own batch. Raises NotFound."""
    query = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size > index)
    row = connection.execute(query.order_by(checkpoints.c.size).limit(1)).one_or_none()
    if row is None:
        raise NotFound(f"there is no entry {index}", member="index")
    return row.size, row.note


def bundle_of(connection: Connection, first: int, width: int) -> bytes:
    """The entry bundle of the leaves from `first` on."""
    query = select(entries.c.leaf).where(entries.c.idx >= first, entries.c.idx < first + width)
    return encode_bundle([row.leaf for row in connection.execute(query.order_by(entries.c.idx))])


def sealed_rows(connection: Connection, first: int, end: int) -> list[Any]:
    """Rows (idx, chain, sealed) of the entries from `first` up to, not including, `end` that have evidence."""
    query = select(entries.c.idx, entries.c.chain, entries.c.sealed).where(
        entries.c.idx >= first, entries.c.idx < end, entries.c.sealed.is_not(None)
    )
    return list(connection.execute(query.order_by(entries.c.idx)))
