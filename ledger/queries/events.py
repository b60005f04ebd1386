"""Events of consents of which their parties must be told, and who has been told (docs/events.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection, and_, func, or_, select

from ledger.consent.state import Consent
from ledger.entries.acts import ConsentRequest
from ledger.entries.evidence import ConsentOutcome, Evidence, decode_evidence
from ledger.entries.leaf import Kind
from ledger.entries.payload import acting_for
from ledger.entries.statement import payload_of
from ledger.queries.alerts import AlertNotice, AlertQueue
from ledger.queries.tree import visible_size
from ledger.storage.asking import CONSENTS, select_in
from ledger.storage.events import OPEN, Attempt, DeliveryState
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry, standing_consents
from ledger.storage.tables import (
    consents,
    entries,
    event_attempts,
    event_cursor,
    event_deliveries,
    event_endpoints,
)
from ledger.vault.keystore import KeyStore

TOLD_ACTS: Final = frozenset(
    {
        "consent.amend",
        "consent.authorise",
        "consent.expire",
        "consent.pause",
        "consent.reauthenticate",
        "consent.reconfirm",
        "consent.reject",
        "consent.resume",
        "consent.revoke",
        "consent.supersede",
        "consent.suspend",
        "consent.terminate",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.withdraw_separate",
    }
)
"""Acts that the other party of a consent is told of."""
TOLD_REQUESTS: Final = frozenset({"eu-psr"})
"""Standards whose requests the holder is told of at once (PSR, art. 43(4)(b): docs/standards/psr.md)."""
PAGE_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """An entry that somebody must be told of."""

    index: int
    seq: int
    time: int
    """Milliseconds, of the leaf."""
    leaf_hash: bytes
    act: str
    consent_id: str
    signer: str | None
    """Whose act it is (the one acted for, where a provider signed); None for what the ledger itself found: an expiry."""
    by: str | None
    reason: str | None
    status: str | None
    version: int | None
    holder: str
    recipient: str
    standard: str
    standard_version: str

    @property
    def audience(self) -> tuple[str, ...]:
        """The parties of the consent but for the one who signed."""
        return tuple(party for party in (self.holder, self.recipient) if party != self.signer)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one entry to one participant; times in milliseconds."""

    event_id: str
    index: int
    participant: str
    kind: str
    state: DeliveryState
    attempts: int
    next_at: int
    first_at: int
    acknowledged_at: int | None
    last_error: str | None

    @property
    def is_open(self) -> bool:
        """Whether it is still tried."""
        return self.state.value in OPEN


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose next attempt is due, and where to."""

    delivery: Delivery
    url: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a participant wants to be told."""

    participant: str
    url: str
    enabled: bool


class EventQueries:
    """Questions about events. Blocking; each raises Unavailable when the database does not answer."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore

    def position(self) -> tuple[int, int]:
        """(first entry not looked at yet, number of entries) of one snapshot."""
        with self._store.read() as connection:
            size = visible_size(connection) or 0
            size = min(size, confirmed_size(connection, size))  # nobody is told of what a crash may still undo
            return connection.execute(select(event_cursor.c.next_index)).scalar_one(), size

    def notices(self, first: int, below: int) -> list[Notice]:
        """What must be told of the entries from `first` to below `below`, in order. Erased consents are passed over.

        Evidence is opened only of consents that changed at `first` or later: accesses, which are most entries, change none.
        """
        wanted = (
            select(entries)
            .join(consents, consents.c.chain == entries.c.chain)
            .where(entries.c.idx >= first, entries.c.idx < below, consents.c.basis >= first)
            .where(entries.c.kind == Kind.CONSENT.value)
            .order_by(entries.c.idx)
        )
        with self._store.read() as connection:
            return self._read(connection, connection.execute(wanted).all())

    def notice(self, index: int) -> Notice | None:
        """The notice about one entry; None if there is none, or the entry cannot be read any more."""
        with self._store.read() as connection:
            rows = connection.execute(select(entries).where(entries.c.idx == index)).all()
            found = self._read(connection, [row for row in rows if row.kind == Kind.CONSENT.value])
        return found[0] if found else None

    def alert(self, index: int) -> AlertNotice | None:
        """The alert at one entry, for somebody who is told of it."""
        return AlertQueue(self._store).notice(index)

    def listening(self) -> list[str]:
        """The participants with an endpoint in use."""
        query = select(event_endpoints.c.participant).where(event_endpoints.c.enabled)
        with self._store.read() as connection:
            return sorted(connection.execute(query).scalars())

    def due(self, now: int, busy: Iterable[str], limit: int = PAGE_LIMIT) -> list[Due]:
        """Open deliveries whose time has come, for participants with an endpoint in use that are not `busy`, in order."""
        query = (
            select(event_deliveries, event_endpoints.c.url)
            .join(event_endpoints, event_endpoints.c.participant == event_deliveries.c.participant)
            .where(event_endpoints.c.enabled, event_deliveries.c.participant.not_in(list(busy)))
            .where(event_deliveries.c.state.in_(OPEN), event_deliveries.c.next_at <= now)
            .order_by(event_deliveries.c.idx)
            .limit(limit)
        )
        with self._store.read() as connection:
            return [Due(_delivery(row), row.url) for row in connection.execute(query)]

    def open_since(self, before: int, states: Sequence[DeliveryState], limit: int = PAGE_LIMIT) -> list[Delivery]:
        """Deliveries in these states that began at `before` (ms) or earlier, oldest first."""
        query = (
            select(event_deliveries)
            .where(event_deliveries.c.state.in_([state.value for state in states]))
            .where(event_deliveries.c.first_at <= before)
            .order_by(event_deliveries.c.idx)
            .limit(limit)
        )
        return self._deliveries(query)

    def open_for(self, participant: str, limit: int) -> list[Delivery]:
        """The deliveries that a participant has not acknowledged, oldest first."""
        mine = event_deliveries.c.participant == participant, event_deliveries.c.state.in_(OPEN)
        return self._deliveries(select(event_deliveries).where(*mine).order_by(event_deliveries.c.idx).limit(limit))

    def deliveries_of(
        self, participant: str, *, state: str | None = None, after: int = -1, limit: int = 50
    ) -> list[Delivery]:
        """A participant's own deliveries of entries above `after`, oldest first; `state` is the name of one."""
        query = select(event_deliveries).where(
            event_deliveries.c.participant == participant, event_deliveries.c.idx > after
        )
        if state is not None:
            query = query.where(event_deliveries.c.state == state)
        return self._deliveries(query.order_by(event_deliveries.c.idx).limit(min(limit, PAGE_LIMIT)))

    def latest_of(self, participant: str, limit: int) -> list[Delivery]:
        """A participant's last deliveries, the newest entry first."""
        found: list[Delivery] = []
        for (
            state
        ) in DeliveryState:  # one question for each, so that each is answered by an index, however many there are
            mine = event_deliveries.c.participant == participant, event_deliveries.c.state == state.value
            query = select(event_deliveries).where(*mine).order_by(event_deliveries.c.idx.desc())
            found += self._deliveries(query.limit(min(limit, PAGE_LIMIT)))
        return sorted(found, key=lambda one: one.index, reverse=True)[:limit]

    def attempts_of(self, participant: str, limit: int, before: tuple[int, str] | None = None) -> list[Attempt]:
        """What was sent to a participant's endpoint, the newest first; `before`: time (ms) and event id of the last one that is
        known."""
        rows = event_attempts.c
        query = select(event_attempts).where(rows.participant == participant)
        if before is not None:
            at, event_id = before
            query = query.where(or_(rows.at < at, and_(rows.at == at, rows.event_id < event_id)))
        query = query.order_by(rows.at.desc(), rows.event_id.desc()).limit(min(limit, PAGE_LIMIT))
        with self._store.read() as connection:
            return [Attempt(*row) for row in connection.execute(query)]

    def deliveries_about(self, index: int) -> list[Delivery]:
        """Who was to be told of one entry."""
        query = select(event_deliveries).where(event_deliveries.c.idx == index)
        return self._deliveries(query.order_by(event_deliveries.c.participant))

    def endpoint(self, participant: str) -> Endpoint | None:
        """The endpoint of a participant, if it has set one."""
        query = select(event_endpoints).where(event_endpoints.c.participant == participant)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Endpoint(row.participant, row.url, row.enabled)

    def counts(self) -> dict[DeliveryState, int]:
        """How many deliveries are in each state but ACKNOWLEDGED, whose number only grows."""
        states = [state for state in DeliveryState if state is not DeliveryState.ACKNOWLEDGED]
        query = (
            select(event_deliveries.c.state, func.count())
            .where(event_deliveries.c.state.in_([state.value for state in states]))
            .group_by(event_deliveries.c.state)
        )
        with self._store.read() as connection:
            found = {DeliveryState(state): count for state, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in states}

    def _deliveries(self, query: Any) -> list[Delivery]:
        with self._store.read() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def _read(self, connection: Connection, rows: Sequence[Any]) -> list[Notice]:
        chains = list({row.chain for row in rows})
        states = {row.chain: row for row in select_in(connection, CONSENTS, chains)}
        ciphers = self._keystore.existing(chains)
        standing: dict[bytes, Consent] = {}
        found: list[Notice] = []
        for row in rows:
            if row.chain not in ciphers or row.chain not in states:
                continue  # erased: nobody can be told any more what it was
            evidence = decode_evidence(open_entry(row, ciphers[row.chain])[0])
            if evidence.act in TOLD_ACTS or _is_told_request(evidence):
                if row.chain not in standing:
                    standing |= standing_consents(connection, [states[row.chain]], ciphers)
                found.append(_notice(row, evidence.statements, evidence.act, evidence.outcome, standing[row.chain]))
        return found


def _is_told_request(evidence: Evidence) -> bool:
    if evidence.act != "consent.request":
        return False
    says = [payload_of(text) for text in evidence.statements]
    return any(isinstance(one, ConsentRequest) and one.terms.standard in TOLD_REQUESTS for one in says)


def _notice(row: Any, statements: Sequence[str], act: str, outcome: Any, consent: Consent) -> Notice:
    says = payload_of(statements[0]) if statements else None
    led_to = outcome if outcome is not UNSET and isinstance(outcome, ConsentOutcome) else None
    return Notice(
        index=row.idx,
        seq=row.seq,
        time=msgspec.json.decode(row.leaf)["time"],
        leaf_hash=row.leaf_hash,
        act=act,
        consent_id=consent.consent_id,
        signer=None if says is None else acting_for(says.iss, says.on_behalf_of),
        by=getattr(says, "by", None),
        reason=getattr(says, "reason", None),
        status=led_to.status if led_to else None,
        version=led_to.consent_version if led_to else None,
        holder=consent.terms.holder,
        recipient=consent.terms.recipient,
        standard=consent.terms.standard,
        standard_version=consent.terms.standard_version,
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        row.event_id,
        row.idx,
        row.participant,
        row.kind,
        DeliveryState(row.state),
        row.attempts,
        row.next_at,
        row.first_at,
        row.acknowledged_at,
        row.last_error,
    )
