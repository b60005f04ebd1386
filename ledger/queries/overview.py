"""An auditor's questions about the log as a whole: leaves, operator documents, checkpoints, growth.

Nothing here opens evidence: the class has no key store and could not decrypt it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import select

from ledger.engines.engine import database_bytes
from ledger.entries.leaf import Kind
from ledger.errors import NotFound
from ledger.queries.tree import head_of
from ledger.storage.asking import LEAVES, select_in
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.tables import checkpoints, entries

PAGE_LIMIT: Final = 200
LOOKED_THROUGH: Final = 65_536
"""Entries that a search without an index looks through."""


@dataclass(frozen=True, slots=True)
class PublicLeaf:
    """A leaf as the tree holds it. `time` is in milliseconds."""

    index: int
    kind: str
    time: int
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class PublicDocument:
    """An operator document with its place in the log."""

    index: int
    time: int
    leaf_hash: bytes
    document: Mapping[str, Any]


class OverviewQueries:
    """Questions about the log whose answers are no secret to an auditor."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def leaf(self, index: int) -> PublicLeaf:
        """One leaf. Raises NotFound."""
        with self._store.read() as connection:
            query = select(entries.c.idx, entries.c.kind, entries.c.leaf, entries.c.leaf_hash)
            row = connection.execute(query.where(entries.c.idx == index)).one_or_none()
        if row is None:
            raise NotFound(f"there is no entry {index}", member="index")
        return _leaf(row)

    def first_at(self, moment: int) -> int:
        """The index of the first entry at or after a moment (ms), the size of the log if there is none. Times never fall, so
        that some thirty looks find it in any log."""
        with self._store.read() as connection:
            low, high = 0, head_of(connection)[0]
            while low < high:
                middle = (low + high) // 2
                row = connection.execute(select(entries.c.leaf).where(entries.c.idx == middle)).one()
                low, high = (middle + 1, high) if _time(row.leaf) < moment else (low, middle)
        return low

    def chain(self, chain: bytes, *, after: int = -1, limit: int = 50) -> list[PublicLeaf]:
        """The leaves of one chain with a sequence number above `after`, in their order."""
        query = select(entries.c.idx, entries.c.kind, entries.c.leaf, entries.c.leaf_hash)
        query = query.where(entries.c.chain == chain, entries.c.seq > after).order_by(entries.c.seq)
        with self._store.read() as connection:
            size, _ = head_of(connection)
            rows = connection.execute(query.limit(min(limit, PAGE_LIMIT))).all()
        return [_leaf(row) for row in rows if row.idx < size]

    def with_leaf_hash(self, wanted: bytes) -> PublicLeaf | None:
        """The leaf of this hash among the newest LOOKED_THROUGH entries: the log has no index by it."""
        query = select(entries.c.idx, entries.c.kind, entries.c.leaf, entries.c.leaf_hash)
        with self._store.read() as connection:
            size, _ = head_of(connection)
            query = query.where(entries.c.idx >= size - LOOKED_THROUGH, entries.c.idx < size)
            row = connection.execute(query.where(entries.c.leaf_hash == wanted).limit(1)).one_or_none()
        return None if row is None else _leaf(row)

    def times(self, indexes: Collection[int]) -> dict[int, int]:
        """The time in ms of each of these entries, in one question for up to 500 of them."""
        with self._store.read() as connection:
            rows = select_in(connection, LEAVES, sorted(indexes))
            return {row.idx: _time(row.leaf) for row in rows}

    def documents(
        self, *, before: int | None = None, since: int | None = None, limit: int = 50
    ) -> list[PublicDocument]:
        """Operator documents from below index `before`, newest first, none below `since`: a range of one partial index."""
        query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash)
        query = query.where(entries.c.kind == Kind.OPERATOR.value)
        if before is not None:
            query = query.where(entries.c.idx < before)
        if since is not None:
            query = query.where(entries.c.idx >= since)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(entries.c.idx.desc()).limit(min(limit, PAGE_LIMIT))).all()
        return [_document(row.idx, row.leaf, row.leaf_hash) for row in rows]

    def document(self, index: int) -> PublicDocument:
        """The operator document at one index. Raises NotFound for other entries."""
        found = self.leaf(index)
        if found.kind != Kind.OPERATOR:
            raise NotFound(f"entry {index} is not an operator document", member="index")
        return _document(index, found.leaf, found.leaf_hash)

    def checkpoints(self, *, before: int | None = None, limit: int = 20) -> list[tuple[int, str]]:
        """(size, note) of signed checkpoints with a size below `before`, newest first."""
        query = select(checkpoints.c.size, checkpoints.c.note)
        if before is not None:
            query = query.where(checkpoints.c.size < before)
        with self._store.read() as connection:
            query = query.where(checkpoints.c.size <= head_of(connection)[0])
            rows = connection.execute(query.order_by(checkpoints.c.size.desc()).limit(min(limit, PAGE_LIMIT))).all()
        return [(row.size, row.note) for row in rows]

    def checkpoint_of(self, size: int) -> str:
        """The signed checkpoint of exactly this size. Raises NotFound: not every size was signed."""
        with self._store.read() as connection:
            query = select(checkpoints.c.note).where(checkpoints.c.size == size)
            known = confirmed_size(connection, size) >= size
            note = connection.execute(query).scalar_one_or_none() if known else None
        if note is None:
            raise NotFound(f"no checkpoint of size {size} was signed", member="size")
        return str(note)

    def growth(self, points: int = 48) -> list[tuple[int, int]]:
        """(time in ms, size) at up to `points` evenly spaced sizes: as many reads by key, however long the log is."""
        with self._store.read() as connection:
            size, _ = head_of(connection)
            count = max(2, min(points, PAGE_LIMIT))
            wanted = sorted({round(part * (size - 1) / (count - 1)) for part in range(count)}) if size else []
            rows = select_in(connection, LEAVES, wanted)
            return sorted((_time(row.leaf), row.idx + 1) for row in rows)

    def database_bytes(self) -> int:
        """Size of the log's database, as its engine tells it."""
        with self._store.read() as connection:
            return database_bytes(connection)


def _leaf(row: Any) -> PublicLeaf:
    return PublicLeaf(row.idx, Kind(row.kind).value, _time(row.leaf), row.leaf, row.leaf_hash)


def _time(leaf: bytes) -> int:
    return int(msgspec.json.decode(leaf)["time"])


def _document(index: int, leaf: bytes, leaf_hash: bytes) -> PublicDocument:
    read = msgspec.json.decode(leaf)
    return PublicDocument(index, read["time"], leaf_hash, read["document"])
