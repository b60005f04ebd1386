"""The public log: checkpoints, tiles, bundles, proofs (docs/spec/log.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, bindparam, select

from ledger.engines.engine import driver_for
from ledger.errors import InvalidInput, LedgerError, NotFound, Unavailable
from ledger.kept import Kept
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import HASH_SIZE
from ledger.merkle.proofs import prove_consistency, prove_inclusion
from ledger.merkle.tiles import TILE_WIDTH, KnownTiles, TilePath, TileReader, encode_bundle
from ledger.storage.horizon import confirmed_size, horizon_of
from ledger.storage.log import LogStore
from ledger.storage.tables import checkpoints, entries, log_head, tiles

Snapshot: TypeAlias = Connection
"""A connection that sees one state of the log."""

HASHED_TILES: Final = 1024
SERVED_TILES: Final = 2048
"""Tiles in memory: 36 kB each with their nodes, and 8 KiB each as they are served."""

Q = TypeVar("Q")
A = TypeVar("A")

# made once: building a statement costs more than running it
_HEAD: Final = select(log_head.c.size, log_head.c.checkpoint, log_head.c.confirmed)
_VISIBLE: Final = select(log_head.c.size)
_NOTE: Final = select(checkpoints.c.note).where(checkpoints.c.size == bindparam("size"))
_NEWEST: Final = (
    select(checkpoints.c.size, checkpoints.c.note)
    .where(checkpoints.c.size <= bindparam("confirmed"))
    .order_by(checkpoints.c.size.desc())
    .limit(1)
)
_EDGE: Final = select(log_head.c.edge)
_TILE: Final = select(tiles.c.content).where(tiles.c.level == bindparam("level"), tiles.c.number == bindparam("number"))


class ProofWanted(NamedTuple):
    """Which proof: of entry `first` in the tree of `size`, or that the tree of `size` extends that of `first`."""

    kind: Literal["inclusion", "consistency"]
    first: int
    size: int


class TreeQueries:
    """Questions about the tree. Every size asked for must be a confirmed one."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self.known_tiles: KnownTiles = Kept(HASHED_TILES)
        self._served: Kept[tuple[int, int], bytes] = Kept(SERVED_TILES)

    def checkpoint(self) -> str:
        """The newest signed checkpoint. Raises NotFound before the log is opened."""
        with self._store.read() as connection:
            return head_of(connection)[1]

    def size(self) -> int:
        """How many entries are confirmed."""
        with self._store.read() as connection:
            return head_of(connection)[0]

    def tile(self, level: int, number: int, width: int) -> bytes:
        """A hash tile at a width that the log has reached. Raises NotFound."""
        with self._store.read() as connection:
            content = TileSource(connection).tile(level, number, width)
        if width == TILE_WIDTH:
            self._served.put((level, number), content)
        return content

    def known_tile(self, tile: TilePath) -> bytes | None:
        """A hash tile that was asked for before: such a one costs no read. None when it must be read."""
        content = self._served.get((tile.level, tile.number))
        return None if content is None else content[: tile.width * HASH_SIZE]

    def entry_bundle(self, number: int, width: int) -> bytes:
        """A bundle of leaves: the first `width` leaves of bundle `number`. Raises NotFound."""
        with self._store.read() as connection:
            size, _ = head_of(connection)
            first = number * TILE_WIDTH
            if not 1 <= width <= TILE_WIDTH or first + width > size:
                refuse_what_is_coming(connection, first + width)
                raise NotFound(f"the log has {size} entries: there is no such bundle yet")
            return bundle_of(connection, first, width)

    def leaves(self, indexes: Sequence[int]) -> dict[int, bytes]:
        """The leaves of those entries that are confirmed."""
        with self._store.read() as connection:
            size, _ = head_of(connection)
            query = select(entries.c.idx, entries.c.leaf).where(entries.c.idx.in_([i for i in indexes if i < size]))
            return {int(row.idx): bytes(row.leaf) for row in connection.execute(query)}

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion proof of entry `index` in the tree of `size` entries; cost O(log size) tile reads."""
        with self._store.read() as connection:
            return Prover(connection, self.known_tiles).inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes, 1 ≤ old ≤ new ≤ size."""
        with self._store.read() as connection:
            return Prover(connection, self.known_tiles).consistency(old, new)

    def prove(self, wanted: Sequence[ProofWanted]) -> list[list[bytes] | LedgerError]:
        """Many proofs from one snapshot, each answered or refused alone."""
        with self._store.read() as connection:
            prover = Prover(connection, self.known_tiles)
            return [answered(prover.prove, one) for one in wanted]


class TileSource:
    """Tiles of one snapshot: full ones from their table, partial ones from the head's edge or cut from full ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._edge: Edge | None = None

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of tile (level, number). Raises NotFound when the confirmed log has not grown so far."""
        end = (number * TILE_WIDTH + width) << (8 * level)
        if confirmed_size(self._connection, end) < end:
            refuse_what_is_coming(self._connection, end)
            raise NotFound("the log has not grown as far as this tile")
        content = self._connection.execute(_TILE, {"level": level, "number": number}).scalar_one_or_none()
        if content is None:
            if self._edge is None:
                edge = self._connection.execute(_EDGE).scalar_one()
                self._edge = Edge.from_bytes(edge)
            content = self._edge.tile(level, number) or b""
        if not 1 <= width <= TILE_WIDTH or len(content) < width * 32:
            raise NotFound("the log has not grown as far as this tile")
        return bytes(content[: width * 32])


class Prover:
    """Proofs in the trees of one snapshot; of tiles that others have read only what they did not have yet is read again."""

    def __init__(self, connection: Connection, known_tiles: KnownTiles) -> None:
        """Raises NotFound before the log is opened."""
        self._size, _ = head_of(connection)
        self._connection = connection
        self._read_hashes = TileReader(self._size, TileSource(connection).tile, known_tiles).read_hashes

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof of entry `index` in the tree of `size` entries. Raises InvalidInput."""
        self._check(size)
        return prove_inclusion(index, size, self._read_hashes)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `new` entries extends that of `old`. Raises InvalidInput."""
        self._check(new)
        return prove_consistency(old, new, self._read_hashes)

    def prove(self, wanted: ProofWanted) -> list[bytes]:
        """One or the other."""
        if wanted.kind == "inclusion":
            return self.inclusion(wanted.first, wanted.size)
        return self.consistency(wanted.first, wanted.size)

    def _check(self, size: int) -> None:
        if not 1 <= size <= self._size:
            refuse_what_is_coming(self._connection, size)
            raise InvalidInput(f"size must lie between 1 and the log's {self._size}", member="size")


def answered(answer: Callable[[Q], A], question: Q) -> A | LedgerError:
    """The answer, or why there is none: a refusal of one question does not touch the others."""
    try:
        return answer(question)
    except LedgerError as error:
        return error


def head_of(connection: Connection) -> tuple[int, str]:
    """(size, signed checkpoint) of the confirmed log in this snapshot: what may leave a node.

    Raises NotFound before the log is opened, Unavailable while nothing of it is known to be confirmed.
    """
    row = connection.execute(_HEAD).one_or_none()
    if row is None:
        raise NotFound("there is no log in this database yet")
    confirmed = horizon_of(connection).reached(row.confirmed)
    if row.size <= confirmed:
        return row.size, row.checkpoint
    newest = connection.execute(_NEWEST, {"confirmed": confirmed}).one_or_none()
    if newest is None:
        raise Unavailable(
            "nothing of this log is known to be confirmed yet: a node that records does so when it starts"
        )
    return newest.size, newest.note


def visible_size(connection: Connection) -> int | None:
    """How many entries this snapshot shows, confirmed or not; None without a log. For those who judge a database, not for
    what leaves a node."""
    size: int | None = connection.execute(_VISIBLE).scalar_one_or_none()
    return size


def refuse_what_is_coming(connection: Connection, size: int) -> None:
    """Raise Unavailable when this snapshot shows a log of `size` entries that is not known to be confirmed here yet.

    Another node may have acknowledged it: whoever comes from there asks again in a second, and must not be told that what he
    holds a receipt for is not there (ADR 0021).
    """
    if 1 <= size <= (visible_size(connection) or 0):
        raise Unavailable(
            f"the log is growing to {size} entries, and this node has not heard yet that they are confirmed: ask again"
        )


def visible_note(connection: Connection, size: int) -> str | None:
    """The signed checkpoint of exactly `size` that this snapshot shows, confirmed or not."""
    note: str | None = connection.execute(_NOTE, {"size": size}).scalar_one_or_none()
    return note


def first_checkpoint_with(connection: Connection, index: int) -> tuple[int, str]:
    """(size, note) of the first checkpoint that includes entry `index`: the one of its own batch. Raises NotFound."""
    if confirmed_size(connection, index + 1) <= index:
        refuse_what_is_coming(connection, index + 1)
        raise NotFound(f"there is no entry {index}", member="index")
    query = select(checkpoints.c.size, checkpoints.c.note).where(checkpoints.c.size > index)
    row = connection.execute(query.order_by(checkpoints.c.size).limit(1)).one_or_none()
    if row is None:
        raise NotFound(f"there is no entry {index}", member="index")
    return row.size, row.note


def first_checkpoints_with(connection: Connection, indexes: Sequence[int]) -> dict[int, tuple[int, str]]:
    """The same for many entries: (size, note) by index. Raises NotFound when one of them is not covered."""
    last = max(indexes, default=-1)
    if confirmed_size(connection, last + 1) <= last:
        refuse_what_is_coming(connection, last + 1)
        raise NotFound(f"there is no entry {last}", member="index")
    rows = driver_for(connection.engine).first_checkpoints(connection, indexes) if indexes else ()
    found = {int(index): (int(size), str(note)) for index, size, note in rows}
    if missing := set(indexes) - found.keys():
        raise NotFound(f"there is no entry {min(missing)}", member="index")
    return found


def bundle_of(connection: Connection, first: int, width: int) -> bytes:
    """The entry bundle of the leaves from `first` onwards."""
    query = select(entries.c.leaf).where(entries.c.idx >= first, entries.c.idx < first + width)
    return encode_bundle([row.leaf for row in connection.execute(query.order_by(entries.c.idx))])


def sealed_rows(connection: Connection, first: int, end: int) -> list[Any]:
    """Rows (idx, chain, sealed) of the entries from `first` up to, not including, `end` that have evidence."""
    query = select(entries.c.idx, entries.c.chain, entries.c.sealed).where(
        entries.c.idx >= first, entries.c.idx < end, entries.c.sealed.is_not(None)
    )
    return list(connection.execute(query.order_by(entries.c.idx)))
