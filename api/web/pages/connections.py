"""Who reads her data: the list, one connection, its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, assert_never

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.customer import PAGE, SCANNED, Connection, Dealings, Tab
from api.web.desk import Customer, Desk, in_order
from api.web.happened import Event, Show, joined
from api.web.pictures import days, life
from api.web.terms import changes, lines_of
from ledger.consent.state import Status
from ledger.entries.acts import ConsentAmend, ConsentRequest
from ledger.entries.terms import Terms
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False, prefix="/my/connections")
FIRST_EVENTS: Final = 20
SEARCHED: Final = 8
"""From how many connections on a list offers to search it."""
NEVER: Final = 2**63
Sort = Literal["newest", "name", "ending"]
SORTS: Final[tuple[Sort, ...]] = ("newest", "name", "ending")


@dataclass(frozen=True, slots=True)
class Card:
    """A connection in the list."""

    connection: Connection
    last_access: Event | None
    accounts: list[str]


@dataclass(frozen=True, slots=True)
class Version:
    """One step in a connection's life, with what it changed in the terms."""

    event: Event
    changed: list[tuple[str, tuple[str, ...], tuple[str, ...]]]


@router.get("")
def connections(
    desk: Customer,
    tab: Tab = "active",
    page: int = Query(0, ge=0, le=1000),
    after: int = -1,
    q: str = Query("", max_length=100),
    sort: Sort = "newest",
) -> Response:
    """All connections, what waits for her on top; found by name or purpose, in the order that she likes."""
    dealings = desk.dealings
    listed, more = dealings.connections(after)
    tabs: dict[str, list[Connection]] = {"active": [], "action": [], "ended": []}
    for connection in listed:
        for name in connection.tabs(desk.now):
            tabs[name].append(connection)
    opened = _opened_requests(desk, dealings, listed)
    found = _sorted([one for one in tabs[tab] if _is_about(desk, one, q)], sort)
    shown = found[page * PAGE : (page + 1) * PAGE]
    cards = [Card(one, dealings.last_access(one), desk.account_labels(one)) for one in shown]
    live = [one for one in tabs["active"] if one.status is Status.ACTIVE]
    return desk.render(
        "connections.html",
        tab=tab,
        tabs=tabs,
        cards=cards,
        page=page,
        opened=opened,
        live=live[:PAGE],
        more=more,
        pages=-(-len(found) // PAGE),
        q=q,
        sort=sort,
        sorts=SORTS,
        many=bool(q) or len(listed) >= SEARCHED,
        sharing=len(live),
        resting=len(tabs["active"]) - len(live),
        mapped={name for one in live for name, _ in desk.words.clusters(one.consent.terms.permissions)},
        waiting=[one for one in tabs["action"] if one.waits],
        steps=dealings.steps(shown),
    )


def _is_about(desk: Desk, one: Connection, wanted: str) -> bool:
    """Whether the partner's name or the purpose holds what she looks for."""
    text = f"{one.recipient}\n{desk.words.purpose(one.consent.terms)}"
    return wanted.strip().casefold() in text.casefold()


def _sorted(found: list[Connection], sort: Sort) -> list[Connection]:
    match sort:
        case "newest":
            return found
        case "name":
            return sorted(found, key=lambda one: one.recipient.casefold())
        case "ending":
            return sorted(found, key=lambda one: one.consent.terms.expires_at or NEVER)
        case _:
            assert_never(sort)


def _opened_requests(desk: Desk, dealings: Dealings, listed: list[Connection]) -> list[Connection]:
    """Requests that she opened and has not answered; those answered elsewhere are forgotten."""
    known = {connection.consent.consent_id for connection in listed}
    found: list[Connection] = []
    for consent_id in desk.office.store.requests_of(desk.person):
        try:
            request = dealings.request(consent_id)
        except NotFound:
            request = None
        if request is None or consent_id in known:
            desk.office.store.forget_request(desk.person, consent_id)
        elif request.status is Status.AWAITING:
            found.append(request)
    return found


@router.get("/{key}")
def connection(desk: Customer, key: int, done: str = "") -> Response:
    """One connection: who, why, what, for how long, what happened."""
    dealings = desk.dealings
    found = dealings.connection(key)
    length = dealings.length(found)
    newest = dealings.events_from(found, max(0, length - SCANNED), SCANNED)
    first = dealings.events_from(found, 0, FIRST_EVENTS)
    events = {event.index: event for event in [*first, *newest]}
    if found.consent.basis not in events:
        events[found.consent.basis] = dealings.receipt(found.consent.basis)
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
        clusters=desk.words.clusters(found.consent.terms.permissions),
        accounts=[
            (one, desk.account_label(one, labels), one in found.consent.waiting, not own or one in own)
            for one in in_order({*found.consent.accounts, *found.consent.waiting}, labels)
        ],
        rules=desk.office.ledger.registry.purposes.get(found.consent.terms.purpose.code),
        versions=_versions(desk, steps)[::-1],
        life=life(start, end, desk.now),
        started=start,
        days=days(newest, desk.now, desk.words.zone),
        rows=joined(newest)[:5],
        length=length,
        labels=labels,
        others=_earlier(dealings, found),
        last=next((e for e in reversed(newest) if e.is_access), None),
        step=dealings.steps([found]).get(key),
        is_mine=dealings.is_mine(found),
        waits=found.waits,
        cut=length > SCANNED + FIRST_EVENTS,
        opened=desk.office.disclosures.of_chain(desk.office.ledger.records, found.chain, key),
    )


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
    desk: Customer, key: int, before: int | None = None, show: Show = "all", account: str = Query("", max_length=128)
) -> Response:
    """Everything that happened under one connection, newest first; all accounts, or reads of one."""
    found = desk.dealings.connection(key)
    labels = desk.labels(found.consent)
    page = desk.dealings.history(found, before=before, show=show, account=account)
    return desk.render(
        "history.html",
        one=found,
        history=page,
        show=show,
        before=before,
        account=account,
        is_mine=desk.dealings.is_mine(found),
        opened=desk.office.disclosures.known(),
        labels=labels,
        accounts=in_order(found.consent.accounts, labels),
    )
