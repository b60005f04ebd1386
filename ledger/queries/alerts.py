"""The queue of alerts, as each party may see it: newest first, with what is proposed and what was decided (docs/risk.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from ledger.canonical import unb64u
from ledger.entries.leaf import risk_chain
from ledger.errors import NotFound
from ledger.queries.remit import Remit
from ledger.scoring.proposals import Earlier, Proposal, due, propose
from ledger.storage.log import LogStore
from ledger.storage.operator import OnRecord, said_in_row
from ledger.storage.tables import consents, entries
from ledger.supervision import AlertDecided, Supervision

Side = Literal["holder", "recipient", "watcher"]
"""Watchers are regulators and auditors: they see all, or what their remit covers."""
AlertState = Literal["decided", "escalated", "open"]
PAGE: Final = 500
LOOKED_AT: Final = 1_000
"""Entries of the chain of alerts that one question reads at most."""
PAST: Final = 200
"""Entries below an alert in which earlier ones of the same kind are looked for."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Who asks."""

    viewer: str
    side: Side
    remit: Remit = field(default_factory=Remit)
    """Of a watcher: what it is there for."""


@dataclass(frozen=True, slots=True)
class QueuedAlert:
    """An alert as its viewer sees it. Times in milliseconds; parties are None where the alert or an erasure does not tell."""

    index: int
    time: int
    says: Mapping[str, Any]
    """The document."""
    holder: str | None
    recipient: str | None
    due: int
    proposal: Proposal
    decisions: Mapping[str, AlertDecided]
    """By participant: the viewer's own; to watchers, everybody's."""
    viewer: str

    @property
    def own(self) -> AlertDecided | None:
        """The viewer's own last decision."""
        return self.decisions.get(self.viewer)

    @property
    def state(self) -> AlertState:
        """To the viewer."""
        own = self.own
        return "open" if own is None else "escalated" if own.says.decision == "escalated" else "decided"

    def is_late(self, now: int) -> bool:
        """Whether the viewer's first answer is, or was, too late, by the log's own time."""
        return (now if self.own is None else self.own.time) > self.due


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """An alert that somebody is told of, to whom it concerns. `time` in milliseconds."""

    index: int
    seq: int
    time: int
    leaf_hash: bytes
    says: Mapping[str, Any]
    """The document."""
    audience: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Newest first; `older` is where the next page begins (None: there is none)."""

    alerts: list[QueuedAlert]
    older: int | None


_Said = OnRecord[dict[str, Any]]


def _sort(said: _Said) -> tuple[str, str, str]:
    """Rule, kind and id: what makes two alerts the same."""
    about = said.says["about"]
    return said.says["rule"], about["kind"], about["id"]


class AlertQueue:
    """Questions about alerts. It reads no bodies: alerts are public documents, and rows name the parties of consents."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def page(
        self,
        seat: Seat,
        supervision: Supervision,
        *,
        before: int | None = None,
        limit: int = 50,
        state: AlertState | None = None,
    ) -> AlertPage:
        """Alerts below entry `before` that the viewer may see. A page may be short although `older` is given."""
        with self._store.read() as connection:
            rows, more = _read(connection, before)
            shown = rows[:LOOKED_AT]
            parties = _Parties(connection, seat, shown)
            found: list[QueuedAlert] = []
            for place, said in enumerate(shown):
                if not parties.sees(said):
                    continue
                alert = _queued(said, rows[place + 1 : place + 1 + PAST], seat, supervision, parties)
                if state is None or alert.state == state:
                    found.append(alert)
                    if len(found) == limit:
                        return AlertPage(found, said.at if place + 1 < len(rows) or more else None)
        return AlertPage(found, shown[-1].at if more and shown else None)

    def alert(self, seat: Seat, supervision: Supervision, index: int) -> QueuedAlert:
        """One alert. Raises NotFound, also for one that is not the viewer's."""
        page = self.page(seat, supervision, before=index + 1, limit=1)
        if not page.alerts or page.alerts[0].index != index:
            raise NotFound("you have no such alert")
        return page.alerts[0]

    def of_consents(self, holder: str, supervision: Supervision, chains: Iterable[str]) -> list[QueuedAlert]:
        """The newest alerts about these consents of a holder (chains as in leaves), for their customer."""
        wanted, seat = set(chains), Seat(holder, "holder")
        with self._store.read() as connection:
            rows, _ = _read(connection, None)
            own = [
                said for said in rows if said.says["about"]["kind"] == "consent" and said.says["about"]["id"] in wanted
            ]
            parties = _Parties(connection, seat, own)
            return [_queued(said, (), seat, supervision, parties) for said in own if parties.sees(said)]

    def notices(self, first: int, below: int, seats: Sequence[Seat]) -> list[AlertNotice]:
        """The alerts from entry `first` to below `below` that concern somebody of these seats, in order: to each what it would
        see in its queue."""
        query = _RAISED.where(entries.c.idx >= first, entries.c.idx < below).order_by(entries.c.seq)
        with self._store.read() as connection:
            rows = [(row, said_in_row(row)) for row in connection.execute(query)] if seats else []
            found = [(row, said) for row, said in rows if said.says["type"] == "alert.raised"]
            sides = [(seat.viewer, _Parties(connection, seat, [said for _, said in found])) for seat in seats if found]
        told = []
        for row, said in found:
            audience = tuple(sorted(viewer for viewer, parties in sides if parties.sees(said)))
            if audience:
                told.append(AlertNotice(row.idx, row.seq, said.time, bytes(row.leaf_hash), said.says, audience))
        return told

    def notice(self, index: int) -> AlertNotice | None:
        """The alert at one entry; None if there is none."""
        with self._store.read() as connection:
            row = connection.execute(_RAISED.where(entries.c.idx == index)).one_or_none()
        said = None if row is None else said_in_row(row)
        if row is None or said is None or said.says["type"] != "alert.raised":
            return None
        return AlertNotice(row.idx, row.seq, said.time, bytes(row.leaf_hash), said.says)

    def newest(self) -> int:
        """The index of the newest alert, −1 without one: what a page that watches asks for."""
        query = select(entries.c.idx).where(entries.c.chain == risk_chain()).order_by(entries.c.seq.desc()).limit(1)
        with self._store.read() as connection:
            found = connection.execute(query).scalar()
        return -1 if found is None else int(found)


_RAISED: Final = select(entries.c.idx, entries.c.seq, entries.c.leaf, entries.c.leaf_hash).where(
    entries.c.chain == risk_chain()
)


def _read(connection: Connection, before: int | None) -> tuple[list[_Said], bool]:
    """Alerts below `before`, newest first, with some more below for what came earlier; whether there are older ones."""
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(entries.c.chain == risk_chain())
    if before is not None:
        query = query.where(entries.c.idx < before)
    rows = connection.execute(query.order_by(entries.c.seq.desc()).limit(LOOKED_AT + PAST)).all()
    return [one for one in map(said_in_row, rows) if one.says["type"] == "alert.raised"], len(rows) == LOOKED_AT + PAST


class _Parties:
    """The parties of what these alerts are about, and so who may see them."""

    def __init__(self, connection: Connection, seat: Seat, said: Iterable[_Said]) -> None:
        self._seat = seat
        about = [one.says["about"] for one in said]
        chains = {one["id"] for one in about if one["kind"] == "consent"}
        self._consents: dict[str, tuple[str, str]] = {}
        for some in _pieces(sorted(chains)):
            query = select(consents.c.chain, consents.c.holder, consents.c.recipient)
            keys = {unb64u(name): name for name in some}
            for row in connection.execute(query.where(consents.c.chain.in_(keys))):
                self._consents[keys[bytes(row.chain)]] = row.holder, row.recipient
        self._partners: set[str] = set()
        if seat.side == "holder":
            recipients = {one["id"] for one in about if one["kind"] == "recipient"}
            for some in _pieces(sorted(recipients)):
                own = select(consents.c.recipient).where(
                    consents.c.holder == seat.viewer, consents.c.recipient.in_(some)
                )
                self._partners |= set(connection.execute(own.distinct()).scalars())

        elif seat.side == "watcher" and seat.remit.is_limited:
            names = {one["id"] for one in about if one["kind"] != "consent"}
            self._partners = seat.remit.partners(connection, names)

    def of(self, said: _Said) -> tuple[str | None, str | None]:
        """(holder, recipient)."""
        kind, name = said.says["about"]["kind"], said.says["about"]["id"]
        if kind == "consent":
            return self._consents.get(name, (None, None))
        return (name, None) if kind == "holder" else (None, name)

    def sees(self, said: _Said) -> bool:
        """A holder sees what is about itself, its consents, and recipients that it has consents with: it may let alerts about
        them deny accesses."""
        viewer, side = self._seat.viewer, self._seat.side
        holder, recipient = self.of(said)
        if side == "watcher":
            remit, about = self._seat.remit, said.says["about"]
            if not remit.is_limited:
                return True
            if about["kind"] != "consent":
                return about["id"] in self._partners
            return holder is not None and recipient is not None and remit.covers_consent(holder, recipient)
        if side == "recipient":
            return recipient == viewer
        return holder == viewer or (said.says["about"]["kind"] == "recipient" and recipient in self._partners)


def _pieces(names: list[str]) -> Iterable[list[str]]:
    return (names[first : first + PAGE] for first in range(0, len(names), PAGE))


def _queued(
    said: _Said, below: Iterable[_Said], seat: Seat, supervision: Supervision, parties: _Parties
) -> QueuedAlert:
    decided = supervision.decided.get(said.at, {})
    holder, recipient = parties.of(said)
    earlier = []
    for one in below:
        if _sort(one) == _sort(said):
            own = supervision.decided.get(one.at, {}).get(seat.viewer)
            earlier.append(Earlier(one.time, None if own is None else own.says.decision))
    score = said.says["score"]
    return QueuedAlert(
        said.at,
        said.time,
        said.says,
        holder,
        recipient,
        due(score, said.time),
        propose(said.says["rule"], score, said.time, earlier),
        decided if seat.side == "watcher" else {name: one for name, one in decided.items() if name == seat.viewer},
        seat.viewer,
    )
