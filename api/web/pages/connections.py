"""One connection of hers, and its history."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.customer import PAGE, Connection, Dealings
from api.web.desk import Customer, Desk, in_order
from api.web.happened import Event, Show, joined
from api.web.mandated import data_of
from api.web.pictures import life
from api.web.readings import LOOKED, how_often, readings_of
from api.web.terms import changes, lines_of
from api.web.told import NOTHING_TOLD
from ledger.canonical import b64u
from ledger.consent.state import Status
from ledger.entries.acts import ConsentAmend, ConsentRequest
from ledger.entries.terms import Terms
from ledger.queries.alerts import AlertQueue, QueuedAlert

router = APIRouter(include_in_schema=False, prefix="/my/connections")
FIRST_EVENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Version:
    """One step in a connection's life, with what it changed in the terms."""

    event: Event
    changed: list[tuple[str, tuple[str, ...], tuple[str, ...]]]


@router.get("/{key}")
def connection(desk: Customer, key: int, done: str = "") -> Response:
    """One connection: who, why, what, for how long, what happened."""
    dealings = desk.dealings
    found = dealings.connection(key)
    length = dealings.length(found)
    readings = readings_of(desk.office.glances.newest(found.chain, LOOKED))
    newest = dealings.events_from(found, max(0, length - FIRST_EVENTS), FIRST_EVENTS)
    first = dealings.events_from(found, 0, FIRST_EVENTS)
    events = {event.index: event for event in [*first, *newest]}
    wanted = {found.consent.basis, *readings.steps[-FIRST_EVENTS:]}.difference(events)
    events |= {event.index: event for event in dealings.entries(found, wanted)}
    steps = [events[index] for index in sorted(events) if events[index].act.startswith("consent.")]
    start = next((step.time for step in steps if _led_to(step, Status.ACTIVE)), steps[0].time)
    expires = found.consent.terms.expires_at * 1000 or None
    end = expires if found.is_live or found.status is Status.EXPIRED else steps[-1].time
    labels, own = desk.labels(found.consent), desk.own_accounts(found.consent.consent_id)
    return desk.render(
        "connection.html",
        one=found,
        done=done if done in {"agreed", "resumed", "paused"} else "",
        lines=lines_of(desk.words, found.consent.terms),
        clusters=data_of(desk.words, found.consent.terms),
        accounts=[
            (one, desk.account_label(one, labels), one in found.consent.waiting, not own or one in own)
            for one in in_order({*found.consent.accounts, *found.consent.waiting}, labels)
        ],
        rules=desk.office.ledger.registry.purposes.get(found.consent.terms.purpose.code),
        versions=_versions(desk, steps)[::-1],
        life=life(start, end, desk.now),
        started=start,
        often=how_often(readings, desk.now, desk.words.zone, start),
        listing=desk.office.directory.of(found.consent.terms.recipient),
        rows=joined(newest)[:5],
        length=length,
        labels=labels,
        others=_earlier(dealings, found),
        last=readings.last,
        told=desk.told_of(found.consent) if found.is_live else NOTHING_TOLD,
        step=dealings.steps([found]).get(key),
        is_mine=dealings.is_mine(found),
        waits=found.waits,
        cut=length > LOOKED + FIRST_EVENTS,
        opened=desk.office.disclosures.of_chain(desk.office.ledger.records, found.chain, key),
        noticed=_noticed(desk, found),
    )


def _noticed(desk: Desk, found: Connection) -> list[QueuedAlert]:
    """The alerts about this connection, each with what her bank decided."""
    ledger = desk.office.ledger
    chain, holder = b64u(found.chain), found.consent.terms.holder
    return AlertQueue(ledger.store).of_consents(holder, ledger.registry.supervision, [chain])


def _led_to(event: Event, status: Status) -> bool:
    return getattr(event.outcome, "status", None) == status


def _versions(desk: Desk, steps: list[Event]) -> list[Version]:
    versions: list[Version] = []
    terms: Terms | None = None
    for step in steps:
        changed: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        if isinstance(step.says, ConsentRequest):
            terms = step.says.terms
        elif isinstance(step.says, ConsentAmend):
            changed = changes(desk.words, terms, step.says.terms) if terms is not None else []
            terms = step.says.terms
        versions.append(Version(step, changed))
    return versions


def _earlier(dealings: Dealings, found: Connection) -> list[Connection]:
    """Other connections of hers with the same recipient, newest first."""
    listed, _ = dealings.connections()
    same = [one for one in listed if one.consent.terms.recipient == found.consent.terms.recipient]
    return [one for one in same if one.key != found.key][:PAGE]


@router.get("/{key}/history")
def history(
    desk: Customer,
    key: int,
    before: int | None = None,
    show: Show = "all",
    account: str = Query("", max_length=128),
    day: dt.date | None = None,
) -> Response:
    """Everything that happened under one connection, newest first; all accounts, or reads of one; all days, or one."""
    found = desk.dealings.connection(key)
    labels = desk.labels(found.consent)
    first, end = (0, None) if day is None else _stretch(desk, found, day)
    top = end if before is None or (end is not None and before > end) else before
    page = desk.dealings.history(found, before=top, show=show, account=account, first=first)
    return desk.render(
        "history.html",
        one=found,
        history=page,
        show=show,
        before=before,
        account=account,
        day=day,
        is_mine=desk.dealings.is_mine(found),
        opened=desk.office.disclosures.known(),
        labels=labels,
        accounts=in_order(found.consent.accounts, labels),
    )


def _stretch(desk: Desk, found: Connection, day: dt.date) -> tuple[int, int]:
    """Where a day's events begin in a chain and where they end, as `seq`."""
    place = ZoneInfo(desk.words.zone)
    midnights = (dt.datetime.combine(day + dt.timedelta(days=more), dt.time(), place) for more in (0, 1))
    begins, ends = (desk.office.glances.seq_at(found.chain, int(one.timestamp() * 1000)) for one in midnights)
    return begins, ends
