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
from ledger.entries.leaf import Kind, consent_chain
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


Order = Literal["newest", "oldest", "ending"]
"""Of a list: by the request, or by the end, the next end first and consents without one last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """Which of the viewer's consents are wanted: in this effective status; with this participant on the other side; asked for
    by an entry with `since` ≤ index < `until`; of the customer whose `subject_chain` this is. None: any."""

    status: Status | None = None
    other: str | None = None
    since: int | None = None
    until: int | None = None
    subject_chain: bytes | None = None
    order: Order = "newest"


@dataclass(frozen=True, slots=True)
class OwnConsents:
    """A page of consents; `older` is where the next page begins (None: there is none, or the order has no pages)."""

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
        newest = _newest(viewer, side)
        status = self._effective(newest, now)
        with self._store.read() as connection:
            rows = connection.execute(select(status, func.count()).group_by(status)).all()
        counted = Counter({Status(name): int(count) for name, count in rows})
        return Tally(counted, counted.total(), counted.total() < CONSENTS_A_PAGE)

    def consents(
        self, viewer: str, side: Side, now: int, sought: Sought, *, before: int | None = None, limit: int = 25
    ) -> OwnConsents:
        """The viewer's consents that are sought. Erased ones are left out.

        `before`: the key below which a page begins; above which, of the oldest first. Looks at CONSENTS_A_PAGE consents at the
        most, so a page may be short although `older` is given.
        """
        rising = sought.order == "oldest"
        looked_at = _looked_at(viewer, side, sought, before)
        key = looked_at.c.opened_at
        query = select(looked_at).limit(limit)
        if sought.status is not None:
            query = query.where(self._effective(looked_at, now) == sought.status.value)
        if sought.other is not None:
            query = query.where((looked_at.c.recipient if side == "holder" else looked_at.c.holder) == sought.other)
        if sought.order == "ending":
            query = query.order_by(looked_at.c.expires_at == 0, looked_at.c.expires_at, key)
        else:
            query = query.order_by(key.asc() if rising else key.desc())
        with self._store.read() as connection:
            rows = connection.execute(query).all()
            count, low, high = connection.execute(select(func.count(), func.min(key), func.max(key))).one()
            opened = self._open(connection, rows, now)
        end = None if count < CONSENTS_A_PAGE else (high if rising else low)
        older = rows[-1].opened_at if len(rows) == limit else end
        return OwnConsents(opened, None if sought.order == "ending" else older)

    def expiring(self, viewer: str, side: Side, now: int, until: int, *, limit: int = 10) -> list[OwnConsent]:
        """Live consents among the viewer's newest CONSENTS_A_PAGE that expire after `now` and by `until` (ms), next first."""
        newest = _newest(viewer, side)
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

    def named(self, viewer: str, side: Side, consent_id: str, now: int) -> OwnConsent:
        """One of the viewer's consents by its id. Raises NotFound for any other, and for an erased one."""
        query = select(consents).where(consents.c.chain == consent_chain(consent_id), _mine(viewer, side))
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


def _newest(viewer: str, side: Side) -> Subquery:
    """The viewer's newest consents: a range of one index, never more than CONSENTS_A_PAGE rows."""
    return _looked_at(viewer, side, Sought(), None)


def _looked_at(viewer: str, side: Side, sought: Sought, before: int | None) -> Subquery:
    """Consents among which the sought ones are looked for: a range of one index, never more than CONSENTS_A_PAGE rows."""
    key = consents.c.opened_at
    query = select(consents).where(_mine(viewer, side))
    if sought.subject_chain is not None:
        query = query.where(consents.c.subject_chain == sought.subject_chain)
    if sought.since is not None:
        query = query.where(key >= sought.since)
    if sought.until is not None:
        query = query.where(key < sought.until)
    rising = sought.order == "oldest"
    if before is not None:
        query = query.where(key > before if rising else key < before)
    return query.order_by(key.asc() if rising else key.desc()).limit(CONSENTS_A_PAGE).subquery()


def _call(row: Any, cipher: Any) -> Call:
    evidence, _ = open_entry(row, cipher)
    says = decode_evidence(evidence)
    time = msgspec.json.decode(row.leaf)["time"]
    consent_id = consent_id_of(says.statements, says.item.body if says.item else None)
    return Call(row.idx, time, says.act, row.iss, consent_id, says.outcome or None)
