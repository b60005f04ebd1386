"""What a participant signed, for itself or for others: newest first, page by page, each page of bounded cost.

A row that another participant signed is never read here: the question begins with «whose signature is the viewer's».
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy import func, select

from ledger.entries.evidence import AccessOutcome, ConsentOutcome, decode_evidence
from ledger.entries.payload import acting_for
from ledger.entries.statement import payload_of
from ledger.queries.records import consent_id_of
from ledger.queries.tree import head_of
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry, time_of
from ledger.storage.tables import entries
from ledger.vault.keystore import KeyStore

SPAN: Final = 1_024
"""Indexes that one look at the log covers."""
SPANS: Final = 8
"""Looks that one page may take to find enough of the viewer's entries."""


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """An entry that the viewer signed, opened, without its proof. `time` is in milliseconds."""

    index: int
    time: int
    act: str
    principal: str
    """For whom it was signed: the viewer itself, or the participant that it acted for."""
    consent_id: str | None
    outcome: AccessOutcome | ConsentOutcome | None

    @property
    def refused(self) -> bool:
        """Whether this is an access that was denied."""
        return isinstance(self.outcome, AccessOutcome) and self.outcome.decision == "deny"


@dataclass(frozen=True, kw_only=True, slots=True)
class SoughtEntries:
    """Which of them are wanted: `since` ≤ index < `until`; signed for this participant; of this act; accesses that were
    denied only. None: any."""

    since: int | None = None
    until: int | None = None
    principal: str | None = None
    act: str | None = None
    refused: bool = False

    def holds(self, entry: SignedEntry) -> bool:
        """Whether an entry between the two indexes is one of them."""
        return (
            self.principal in (None, entry.principal)
            and self.act in (None, entry.act)
            and (entry.refused or not self.refused)
        )


@dataclass(frozen=True, slots=True)
class SignedEntries:
    """Those found among `low` ≤ index < `high`, newest first; `older` begins the next page (None: nothing is left)."""

    rows: list[SignedEntry]
    low: int
    high: int
    older: int | None


class SignedQueries:
    """Questions of a participant about what it signed."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore

    def signed(
        self, viewer: str, sought: SoughtEntries, *, before: int | None = None, limit: int = 100, spans: int = SPANS
    ) -> SignedEntries:
        """Entries that the viewer signed, from below index `before`. Looks at `spans` · SPAN indexes and opens `limit` entries
        at the most, so a page may be short, or empty, although `older` is given. Erased entries are left out."""
        # By place, not by the index of signatures: that one holds all that a participant ever signed, in no order of time.
        mine = func.coalesce(entries.c.iss, "") == viewer
        rows: list[Any] = []
        with self._store.read() as connection:
            size, _ = head_of(connection)
            floor = max(0, sought.since or 0)
            high = max(floor, min(end for end in (size, before, sought.until) if end is not None))
            low = high
            for _ in range(spans):
                if low <= floor or len(rows) == limit:
                    break
                top, low = low, max(floor, low - SPAN)
                query = select(entries).where(entries.c.idx >= low, entries.c.idx < top, mine)
                rows += connection.execute(query.order_by(entries.c.idx.desc()).limit(limit - len(rows))).all()
            if len(rows) == limit:
                low = rows[-1].idx
        ciphers = self._keystore.existing(row.chain for row in rows)
        opened = [_opened(viewer, row, ciphers[row.chain]) for row in rows if row.chain in ciphers]
        return SignedEntries([one for one in opened if sought.holds(one)], low, high, low if low > floor else None)


def _opened(viewer: str, row: Any, cipher: Any) -> SignedEntry:
    says = decode_evidence(open_entry(row, cipher)[0])
    behalf = {payload_of(text).on_behalf_of for text in says.statements} - {UNSET}
    principal = acting_for(viewer, behalf.pop() if behalf else UNSET)
    consent_id = consent_id_of(says.statements, says.item.body if says.item else None)
    return SignedEntry(row.idx, time_of(row), says.act, principal, consent_id, says.outcome or None)
