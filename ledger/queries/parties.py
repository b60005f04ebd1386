"""What a participant may ask about its own consents and calls: newest first, page by page, each page of bounded cost.

A row of another party is never read here: every question begins with «whose holder, or whose recipient, is the viewer».
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, or_, select

from ledger.consent.state import LIVE, Consent, Status
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, decode_evidence
from ledger.entries.leaf import Kind
from ledger.errors import NotFound
from ledger.queries.records import consent_id_of
from ledger.queries.tree import head_of
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry, standing_consents
from ledger.storage.tables import consents, entries
from ledger.vault.keystore import KeyStore

Side = Literal["holder", "recipient"]
"""On which side of a consent the viewer stands."""

CONSENTS_A_PAGE: Final = 5_000
"""The most consents that one question looks at (not: opens)."""
SPAN: Final = 1_024
"""Indexes that one look at the log covers."""
SPANS: Final = 8
"""Looks that one page may take to find enough of the viewer's entries."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The newest consents of a participant by effective status; `complete` unless there are more than were looked at."""

    by_status: Mapping[Status, int]
    looked_at: int
    complete: bool


@dataclass(frozen=True, slots=True)
class OwnConsent:
    """A consent as its holder or recipient sees it. `key` is the index of its request."""

    key: int
    consent: Consent
    status: Status
    """The effective status at the time that was asked for."""


@dataclass(frozen=True, slots=True)
class OwnConsents:
    """A page of consents, newest first; `older` is where the next page begins (None: there is none)."""

    rows: list[OwnConsent]
    older: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """An entry of a consent's chain, opened for a party, without its proof."""

    index: int
    time: int
    act: str
    iss: str | None
    consent_id: str | None
    outcome: AccessOutcome | ConsentOutcome | None

    @property
    def refused(self) -> bool:
        """Whether this is an access that was denied."""
        return isinstance(self.outcome, AccessOutcome) and self.outcome.decision == "deny"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was denied."""
        return self.outcome.reasons if isinstance(self.outcome, AccessOutcome) else ()


@dataclass(frozen=True, slots=True)
class Calls:
    """The viewer's entries with `low` ≤ index < `high`, newest first; `older` begins the next page (None: the log begins)."""

    rows: list[Call]
    low: int
    high: int

    @property
    def older(self) -> int | None:
        """Where the next page begins."""
        return self.low or None


class PartyQueries:
    """Questions of a holder or recipient about what is its own."""

    def __init__(self, store: LogStore, keystore: KeyStore, removed: Collection[str] = ()) -> None:
        """`removed`: participants that are gone for ever, whose consents count as TERMINATED."""
        self._store = store
        self._keystore = keystore
        self._removed = removed

    def tally(self, viewer: str, side: Side, now: int) -> Tally:
        """How many of the viewer's newest CONSENTS_A_PAGE consents are in which effective status at `now` (ms)."""
        newest = _newest(viewer, side, None)
        status = self._effective(newest, now)
        with self._store.read() as connection:
            rows = connection.execute(select(status, func.count()).group_by(status)).all()
        counted = Counter({Status(name): int(count) for name, count in rows})
        return Tally(counted, counted.total(), counted.total() < CONSENTS_A_PAGE)

    def consents(
        self,
        viewer: str,
        side: Side,
        now: int,
        *,
        status: Status | None = None,
        before: int | None = None,
        limit: int = 25,
    ) -> OwnConsents:
        """The viewer's consents from below key `before`, newest first, `status` only. Erased ones are left out.

        Looks at CONSENTS_A_PAGE consents at the most, so a page may be short although `older` is given.
        """
        newest = _newest(viewer, side, before)
        query = select(newest).order_by(newest.c.opened_at.desc()).limit(limit)
        if status is not None:
            query = query.where(self._effective(newest, now) == status.value)
        with self._store.read() as connection:
            rows = connection.execute(query).all()
            count, lowest = connection.execute(select(func.count(), func.min(newest.c.opened_at))).one()
            opened = self._open(connection, rows, now)
        older = rows[-1].opened_at if len(rows) == limit else (lowest if count == CONSENTS_A_PAGE else None)
        return OwnConsents(opened, older)

    def expiring(self, viewer: str, side: Side, now: int, until: int, *, limit: int = 10) -> list[OwnConsent]:
        """Live consents among the viewer's newest CONSENTS_A_PAGE that expire after `now` and by `until` (ms), next first."""
        newest = _newest(viewer, side, None)
        ends = newest.c.expires_at * 1000
        live = self._effective(newest, now).in_([status.value for status in LIVE])
        query = select(newest).where(live, newest.c.expires_at > 0, ends > now, ends <= until)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(newest.c.expires_at).limit(limit)).all()
            return self._open(connection, rows, now)

    def consent(self, viewer: str, side: Side, key: int, now: int) -> OwnConsent:
        """One of the viewer's consents by its key. Raises NotFound for any other, and for an erased one."""
        query = select(consents).where(_mine(viewer, side), consents.c.opened_at == key)
        with self._store.read() as connection:
            found = self._open(connection, connection.execute(query).all(), now)
        if not found:
            raise NotFound("you have no such consent")
        return found[0]

    def calls(self, viewer: str, side: Side, *, before: int | None = None, limit: int = 200) -> Calls:
        """Entries of consent chains that the viewer may read, from below index `before`, newest first.

        A recipient sees what it signed, what its holder did for it, and what the ledger did; a holder sees all on its
        consents, strangers' attempts too. Looks at SPANS · SPAN indexes and opens `limit` entries at the most. Erased entries
        are left out.
        """
        joined = entries.outerjoin(consents, consents.c.chain == entries.c.chain)
        visible = _visible(viewer, side)
        rows: list[Any] = []
        with self._store.read() as connection:
            size, _ = head_of(connection)
            high = low = size if before is None else max(0, min(before, size))
            for _ in range(SPANS):
                top, low = low, max(0, low - SPAN)
                query = (
                    select(entries)
                    .select_from(joined)
                    .where(entries.c.idx >= low, entries.c.idx < top, entries.c.kind == Kind.CONSENT, visible)
                    .order_by(entries.c.idx.desc())
                    .limit(limit - len(rows))
                )
                rows += connection.execute(query).all()
                if len(rows) == limit:
                    low = rows[-1].idx
                if len(rows) == limit or low == 0:
                    break
        ciphers = self._keystore.existing(row.chain for row in rows)
        return Calls([_call(row, ciphers[row.chain]) for row in rows if row.chain in ciphers], low, high)

    def _open(self, connection: Connection, rows: Any, now: int) -> list[OwnConsent]:
        standing = standing_consents(connection, rows, self._keystore.existing(row.chain for row in rows))
        opened = [(row.opened_at, standing[row.chain]) for row in rows if row.chain in standing]
        return [OwnConsent(key, consent, consent.status_at(now, self._removed)) for key, consent in opened]

    def _effective(self, rows: Subquery, now: int) -> ColumnElement[str]:
        """The effective status in SQL (docs/spec/consents.md, State)."""
        live = rows.c.status.in_([status.value for status in LIVE])
        over = and_(live, rows.c.expires_at > 0, rows.c.expires_at * 1000 <= now)
        gone = and_(live, or_(rows.c.holder.in_(self._removed), rows.c.recipient.in_(self._removed)))
        return case((gone, Status.TERMINATED.value), (over, Status.EXPIRED.value), else_=rows.c.status)


def _mine(viewer: str, side: Side) -> ColumnElement[bool]:
    return (consents.c.holder if side == "holder" else consents.c.recipient) == viewer


def _visible(viewer: str, side: Side) -> ColumnElement[bool]:
    signed = entries.c.iss == viewer
    if side == "holder":
        return or_(signed, consents.c.holder == viewer)
    by_parties = or_(entries.c.iss == consents.c.holder, entries.c.iss.is_(None))
    return or_(signed, and_(consents.c.recipient == viewer, by_parties))


def _newest(viewer: str, side: Side, before: int | None) -> Subquery:
    """The viewer's newest consents from below `before`: a range of one index, never more than CONSENTS_A_PAGE rows."""
    query = select(consents).where(_mine(viewer, side))
    if before is not None:
        query = query.where(consents.c.opened_at < before)
    return query.order_by(consents.c.opened_at.desc()).limit(CONSENTS_A_PAGE).subquery()


def _call(row: Any, cipher: Any) -> Call:
    evidence, _ = open_entry(row, cipher)
    says = decode_evidence(evidence)
    time = msgspec.json.decode(row.leaf)["time"]
    consent_id = consent_id_of(says.statements, says.item.body if says.item else None)
    return Call(row.idx, time, says.act, row.iss, consent_id, says.outcome or None)
