"""What opening evidence would show, counted before anything is opened (docs/consoles.md, «Evidence for a case»)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from ledger.entries.leaf import Kind, ledger_chain
from ledger.queries.remit import PAGE, Remit
from ledger.queries.sheets import OUTSIDE, CoveredSheets, Outside, covered_sheets
from ledger.storage.log import LogStore
from ledger.storage.operator import OnRecord, said_in_row
from ledger.storage.tables import consents, entries
from ledger.vault.keystore import KeyStore

LOOKED_AT: Final = 1_000
"""The newest documents of the log's own chain among which openings are looked for."""


class WouldOpen(NamedTuple):
    """Entries whose evidence would be opened, and whose it is."""

    entries: int
    consents: int
    customers: int
    holders: tuple[str, ...]
    outside: tuple[tuple[Outside, int], ...] = ()
    """Sheets of attested history that stay closed, by why they are outside the remit."""


def would_open(store: LogStore, keystore: KeyStore, remit: Remit, first: int, last: int) -> WouldOpen:
    """Of the entries `first` … `last`, as far as the remit covers them. Raises Corrupt, Unavailable.

    Entries of erased chains are counted too: that they are gone is known when they are asked for.
    """
    inside = entries.c.idx >= first, entries.c.idx <= last, entries.c.kind != Kind.OPERATOR.value
    query = select(entries.c.chain, func.count()).where(*inside, entries.c.sealed.is_not(None))
    with store.read() as connection:
        counts = {bytes(chain): int(count) for chain, count in connection.execute(query.group_by(entries.c.chain))}
        sheets = CoveredSheets()
        if remit.is_limited:
            mine = remit.chains(connection, first, last)
            sheets = covered_sheets(connection, keystore, remit, first, last)
            counts = {chain: count for chain, count in counts.items() if chain in mine}
        found: dict[bytes, tuple[str, bytes | None]] = {}
        chains = sorted(counts)
        for at in range(0, len(chains), PAGE):
            some = consents.c.chain.in_(chains[at : at + PAGE])
            rows = connection.execute(select(consents.c.chain, consents.c.holder, consents.c.subject_chain).where(some))
            found |= {bytes(row.chain): (row.holder, row.subject_chain) for row in rows}
    customers = {bytes(chain) for _, chain in found.values() if chain is not None} | sheets.customers
    return WouldOpen(
        sum(counts.values()) + len(sheets.indexes),
        len(found),
        len(customers),
        tuple(sorted({one for one, _ in found.values()} | sheets.holders)),
        tuple((why, sheets.outside[why]) for why in OUTSIDE if sheets.outside[why]),
    )


def openings(store: LogStore, participant: str) -> list[OnRecord[dict[str, Any]]]:
    """What was opened to a participant, the newest first. Raises Unavailable, Corrupt."""
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(entries.c.chain == ledger_chain())
    with store.read() as connection:
        rows = connection.execute(query.order_by(entries.c.seq.desc()).limit(LOOKED_AT)).all()
    said = [said_in_row(row) for row in rows]
    return [one for one in said if (one.says["type"], one.says.get("participant")) == ("disclosure", participant)]
