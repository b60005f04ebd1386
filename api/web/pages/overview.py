"""Who reads her data, app by app: how many, how often this week, what needs her, what may be worth a look."""

from __future__ import annotations

from typing import Final, Literal, assert_never

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.advice import Advice, Looked, advise
from api.web.cards import MOST_LOOKED, AppGroup, Card, grouped, look, newest_of, week_of
from api.web.customer import PAGE, Connection, Dealings, Tab
from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from api.web.readings import Readings
from ledger.consent.state import Status
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False, prefix="/my")
SEARCHED: Final = 8
"""From how many connections on a list offers to search it."""
NEVER: Final = 2**63
Sort = Literal["newest", "name", "ending"]
SORTS: Final[tuple[Sort, ...]] = ("newest", "name", "ending")
DISMISSED: Final = "advice/"


@router.get("/connections")
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
    live = [one for one in tabs["active"] if one.status is Status.ACTIVE]
    looked = look(desk, live)
    cards = [
        Card(one, looked[one.key] if one.key in looked else newest_of(desk, one), desk.account_labels(one))
        for one in shown
    ]
    return desk.render(
        "connections.html",
        tab=tab,
        tabs=tabs,
        groups=grouped(desk, cards),
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
        week=week_of(desk, live, looked),
        advice=_advice(desk, live, looked) if tab == "active" and not q and not page else [],
        mapped={name for one in live for name, _ in desk.words.clusters(one.consent.terms.permissions)},
        waiting=[one for one in tabs["action"] if one.waits],
        steps=dealings.steps(shown),
        can_object=desk.office.rights is not None,
        objects=desk.office.objects_since(desk.person),
    )


def _advice(desk: Desk, live: list[Connection], looked: dict[int, Readings]) -> list[Advice]:
    seen = [Looked(one, looked[one.key]) for one in live if one.key in looked]
    return advise(seen, desk.now, desk.words.zone, _dismissed(desk))


def _dismissed(desk: Desk) -> dict[str, int]:
    notes = desk.office.store.notes.of(desk.person)
    return {name.removeprefix(DISMISSED): value for name, value in notes.items() if name.startswith(DISMISSED)}


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


@router.post("/advice/dismiss")
def dismiss(sent: CustomersForm) -> Response:
    """She waves advice away. Raises NotFound for advice that is not hers now."""
    desk = sent.desk
    listed, _ = desk.dealings.connections()
    live = [one for one in listed if one.is_live and one.status is Status.ACTIVE]
    name = sent.text("advice", 200)
    known = next((one for one in _advice(desk, live, look(desk, live)) if one.name == name), None)
    if known is None:
        raise NotFound("there is no such advice now")
    desk.office.store.notes.put(desk.person, DISMISSED + name, max(known.entries), desk.now)
    return desk.redirect("/my/connections#advice")


def overview_of(desk: Desk) -> dict[str, object]:
    """The overview for a bank's own app: `apps` with their connections, what was read this week, how many wait for her.

    It says what the page says, in her language; addresses lead to these pages, where anything is changed.
    """
    dealings, base = desk.dealings, desk.office.base_url
    listed, _ = dealings.connections()
    shown = [one for one in listed if "active" in one.tabs(desk.now)]
    live = [one for one in shown if one.status is Status.ACTIVE]
    looked = look(desk, live)
    week = week_of(desk, live, looked)
    waiting = [one for one in listed if one.waits]
    cards = [Card(one, looked.get(one.key) or newest_of(desk, one), []) for one in shown[:MOST_LOOKED]]
    return {
        "apps": [_app(desk, group) for group in grouped(desk, cards)],
        "reads_week": week.reads,
        "reads_week_at_least": week.is_least,
        "needs": len(waiting) + len(_opened_requests(desk, dealings, listed)),
        "url": f"{base}/my/connections",
        "stop_all_url": f"{base}/my/stop-all",
    }


def _app(desk: Desk, group: AppGroup) -> dict[str, object]:
    base, logo = desk.office.base_url, desk.office.directory.logo_url(group.participant)
    return {
        "participant": group.participant,
        "name": group.name,
        "legal_name": group.listing.legal_name,
        "registration": group.listing.registration,
        "logo": base + logo if logo else "",
        "connections": [
            {
                "purpose": desk.words.purpose(card.connection.consent.terms),
                "status": str(card.connection.status),
                "state": desk.words.t(f"status.{card.connection.status}"),
                "expires_at": card.connection.consent.terms.expires_at,
                "last_read_at": card.readings.last.time // 1000 if card.readings.last else 0,
                "url": f"{base}/my/connections/{card.connection.key}",
                "stop_url": f"{base}/my/connections/{card.connection.key}/stop",
            }
            for card in group.cards
        ],
    }
