"""Which customers' chains some entries touch: for whoever tells customers what happened. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import select

from ledger.entries.leaf import Kind
from ledger.queries.tree import visible_size
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.spoken import beginnings
from ledger.storage.tables import consents, entries

_PUBLIC: Final = (Kind.OPERATOR.value, Kind.PARTICIPANT.value)


class SubjectQueries:
    """Questions about ranges of the log. Blocking; each raises Unavailable when the database does not answer."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def position(self) -> int:
        """How many entries nobody can take back any more."""
        with self._store.read() as connection:
            size = visible_size(connection) or 0
            return min(size, confirmed_size(connection, size))

    def began(self, chains: Collection[bytes]) -> dict[bytes, int]:
        """By chain of customers: the time (ms) of its first entry, of those that have one. Raises Corrupt."""
        with self._store.read() as connection:
            return beginnings(connection, chains)

    def touched(self, first: int, below: int) -> list[tuple[int, bytes]]:
        """(index, subject chain) of the entries from `first` to below `below` that concern a customer, in order."""
        inside = (entries.c.idx >= first, entries.c.idx < below)
        of_consents = (
            select(entries.c.idx, consents.c.subject_chain)
            .join(consents, consents.c.chain == entries.c.chain)
            .where(*inside, entries.c.kind == Kind.CONSENT.value)
        )
        own = select(entries.c.idx, entries.c.chain).where(*inside, entries.c.kind == Kind.SUBJECT.value)
        with self._store.read() as connection:
            found = [(row[0], row[1]) for query in (of_consents, own) for row in connection.execute(query)]
        return sorted((index, bytes(chain)) for index, chain in found if chain)

    def public(self, first: int, below: int) -> list[tuple[int, bool]]:
        """(index, whether it is an operator's document) of documents and declarations in a range, in order."""
        query = select(entries.c.idx, entries.c.kind).where(
            entries.c.idx >= first, entries.c.idx < below, entries.c.kind.in_(_PUBLIC)
        )
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(entries.c.idx)).all()
        return [(row.idx, row.kind == Kind.OPERATOR.value) for row in rows]
