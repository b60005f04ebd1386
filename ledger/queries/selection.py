"""Selects the entries of a customer, a participant or a period for an evidence pack (docs/spec/packs.md)."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from ledger.entries.leaf import history_chain, participant_chain, subject_chain
from ledger.errors import NotFound
from ledger.storage.asking import log_size
from ledger.storage.log import LogStore
from ledger.storage.tables import consents, entries


class SelectionQueries:
    """Questions whose answers are indexes, in their order, and the size of the log in which they were looked for."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def all(self) -> tuple[list[int], int]:
        """Every entry."""
        with self._store.read() as connection:
            size = log_size(connection)
        return list(range(size)), size

    def customer(self, holder: str, subject: str) -> tuple[list[int], int]:
        """A customer's own chain, those of the consents in it, and what was attested of her past. Raises NotFound when the
        holder has no such customer."""
        chain = subject_chain(holder, subject)
        theirs = select(consents.c.chain).where(consents.c.subject_chain == chain)
        found = self._where(
            or_(entries.c.chain.in_([chain, history_chain(holder, subject)]), entries.c.chain.in_(theirs))
        )
        if not found[0]:
            raise NotFound(f"{holder} has no customer under this reference", member="customer")
        return found

    def participant(self, participant: str) -> tuple[list[int], int]:
        """What a participant signed, what happened to its consents as far as it may see it, and the documents about it.

        A recipient is not shown what strangers tried on its consents. Raises NotFound for a name that is in no entry.
        """
        held = select(consents.c.chain).where(consents.c.holder == participant)
        received = select(consents.c.chain).where(consents.c.recipient == participant)
        party = select(consents.c.holder).where(consents.c.chain == entries.c.chain).scalar_subquery()
        shown = or_(entries.c.iss.is_(None), entries.c.iss == party)
        found = self._where(
            or_(
                entries.c.iss == participant,
                entries.c.chain == participant_chain(participant),
                entries.c.chain.in_(held),
                and_(entries.c.chain.in_(received), shown),
            )
        )
        if not found[0]:
            raise NotFound(f"there is no entry of or about {participant!r}", member="participant")
        return found

    def period(self, since: int, until: int) -> tuple[list[int], int]:
        """Entries of a time from `since` to below `until`, both in ms since 1970. Times never fall, so it is one stretch."""
        with self._store.read() as connection:
            size = log_size(connection)
            return list(range(_first_at(connection, size, since), _first_at(connection, size, until))), size

    def _where(self, wanted: ColumnElement[bool]) -> tuple[list[int], int]:
        with self._store.read() as connection:
            rows: Any = connection.execute(select(entries.c.idx).where(wanted).order_by(entries.c.idx))
            return list(rows.scalars()), log_size(connection)


def _first_at(connection: Connection, size: int, time: int) -> int:
    """The first index whose entry has this time or a later one; `size` if there is none."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        leaf = connection.execute(select(entries.c.leaf).where(entries.c.idx == middle)).scalar_one()
        if msgspec.json.decode(leaf)["time"] < time:
            low = middle + 1
        else:
            high = middle
    return low
