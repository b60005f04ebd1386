"""Which sheets of attested history a regulator may open (docs/spec/history.md, 5, «Who may read it»)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import UNSET
from sqlalchemy import Connection, select

from ledger.entries.evidence import decode_evidence
from ledger.entries.history_acts import HistorySheet
from ledger.entries.leaf import Kind, subject_chain
from ledger.entries.payload import acting_for
from ledger.entries.statement import payload_of
from ledger.queries.remit import PAGE, Remit
from ledger.storage.standing import open_entry
from ledger.storage.tables import consents, entries
from ledger.vault.keystore import KeyStore

Outside = Literal["holder", "recipient", "unnamed"]
OUTSIDE: Final[tuple[Outside, ...]] = ("holder", "recipient", "unnamed")
"""Why a sheet is outside a remit: its bank is; a recipient in it is; a row names none by its id, so that nobody can tell."""


@dataclass(frozen=True, slots=True)
class CoveredSheets:
    """Of some entries, those that are sheets within a remit, with whose they are; how many are not, by why."""

    indexes: set[int] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    customers: set[bytes] = field(default_factory=set)
    """Their subject chains."""
    outside: Counter[Outside] = field(default_factory=Counter)


def covered_sheets(connection: Connection, keystore: KeyStore, remit: Remit, first: int, last: int) -> CoveredSheets:
    """Of the entries `first` … `last`. Reads the evidence of what may be a sheet; one that was erased is not counted.

    Raises Corrupt, Unavailable.
    """
    found = CoveredSheets()
    for index, holder, says in _sheets(connection, keystore, first, last):
        why = outside(remit, holder, says)
        if why is not None:
            found.outside[why] += 1
            continue
        found.indexes.add(index)
        found.holders.add(holder)
        found.customers.add(subject_chain(holder, says.sheet.subject))
    return found


def outside(remit: Remit, holder: str, says: HistorySheet) -> Outside | None:
    """Why a sheet of this holder is not for this regulator; None: it is.

    A row counts as of a consent between the holder and the `recipient_id` that it names.
    """
    if remit.covers_all_of(holder):
        return None
    if remit.holders and holder not in remit.holders:
        return "holder"
    named = {row.recipient_id for row in says.sheet.rows}
    if not all(remit.covers_consent(holder, name) for name in named if name is not UNSET):
        return "recipient"
    return "unnamed" if UNSET in named else None


def _sheets(
    connection: Connection, keystore: KeyStore, first: int, last: int
) -> Iterator[tuple[int, str, HistorySheet]]:
    """Index, holder and statement of each sheet that can be read."""
    customers = select(consents.c.subject_chain).where(consents.c.subject_chain.is_not(None))
    query = select(entries).where(
        entries.c.idx <= last,
        entries.c.kind == Kind.SUBJECT.value,
        entries.c.sealed.is_not(None),
        entries.c.chain.not_in(customers),
    )
    after = first - 1
    while page := connection.execute(query.where(entries.c.idx > after).order_by(entries.c.idx).limit(PAGE)).all():
        ciphers = keystore.existing({bytes(row.chain) for row in page}, remember=False)
        for row in page:
            cipher = ciphers.get(bytes(row.chain))
            statements = () if cipher is None else decode_evidence(open_entry(row, cipher)[0]).statements
            says = payload_of(statements[0]) if statements else None
            if isinstance(says, HistorySheet):
                yield row.idx, acting_for(says.iss, says.on_behalf_of), says
        after = page[-1].idx
