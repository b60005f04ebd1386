"""Freezes: ordered by a regulator, by a participant for what is its own, or by two officers of the operator; with a preview and
a number to type before (docs/consoles.md, «Preview»)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.node.remits import told_remit
from api.web.console.doors import AtWork, OrderersForm, Place
from api.web.console.erasures import officer
from api.web.console.officers import asked, both_officers, put_on_record, waiting_order, withdraw_order
from api.web.console.scoping import Preview, choices, members_of, preview, scope_of, typed
from api.web.console.standing import freezes_at
from api.web.console.supervision import namer
from api.web.declaring import can_declare, declare
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.inbox import new_number
from api.web.papers import OfficersOrder
from ledger.documents import document_of
from ledger.entries.scope import Scope
from ledger.errors import Conflict, InvalidInput, LedgerError, NotFound, NotPermitted, Refused
from ledger.orders import FreezeLifted, FreezeOrdered
from ledger.supervision import OPERATOR

router = APIRouter(include_in_schema=False, prefix="/console/freezes")
HERE: Final = "/console/freezes"
HOURS: Final = 2_160
"""The longest freeze: ninety days."""
REASONS: Final = ("scraping", "breach", "court-order", "complaints", "test")


@router.get("")
def overview(desk: AtWork) -> Response:
    """All freezes, and what one may order."""
    return _page(desk)


@router.post("/preview")
def look(sent: OrderersForm) -> Response:
    """Show what the freeze would touch, before it is ordered."""
    desk = sent.desk
    try:
        wish = _wish(sent)
        _check_remit(desk, wish)
        return _confirm(desk, wish, preview(desk, wish.scope))
    except (InvalidInput, Refused, NotPermitted) as error:
        return _page(desk, error)


@router.post("")
def order(sent: OrderersForm) -> Response:
    """Order it: sign it and put it on record, or ask the second officer. Raises StepUpNeeded, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    try:
        wish = _wish(sent)
        _check_remit(desk, wish)
        found = preview(desk, wish.scope)
        if found.behind or not typed(sent, found.reach.consents):
            return _confirm(desk, wish, found, retyped=True)
        if desk.staff.role == "operator":
            _ask(desk, wish, found)
        else:
            now = desk.now // 1000
            declare(
                desk,
                "freeze.order",
                freeze_id=wish.freeze_id,
                scope=members_of(wish.scope),
                drill=wish.drill,
                reason=wish.reason,
                until=now + wish.hours * 3_600,
                **{"from": 0},
            )
    except (InvalidInput, Refused, NotPermitted) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/{index}/lift")
def lift(sent: OrderersForm, index: Place) -> Response:
    """End a freeze of one's own. Raises StepUpNeeded, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    author = OPERATOR if desk.staff.role == "operator" else desk.staff.participant
    known = desk.office.ledger.registry.supervision.freezes.values()
    freeze = next((one for one in known if one.index == index and one.author == author), None)
    if freeze is None:
        raise NotFound("you have ordered no such freeze")
    try:
        if author == OPERATOR:
            members = {"freeze_id": freeze.freeze_id, "reason": "over"}
            desk.office.store.papers.ask(asked(desk, "freeze.lifted", members))
        else:
            declare(desk, "freeze.lift", freeze_id=freeze.freeze_id, reason="over")
    except (InvalidInput, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/orders/{number}/approve")
def approve(sent: OrderersForm, number: str) -> Response:
    """The second officer puts it on record. Raises StepUpNeeded, NotPermitted, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = _waiting(sent, number)
    officers = both_officers(desk, known)
    if known.kind == "freeze.ordered":
        scope = msgspec.convert(known.members["scope"], Scope)
        found = preview(desk, scope)
        if found.behind or not typed(sent, found.reach.consents):
            return _page(desk, Conflict("type the number of consents that it touches now"))
    try:
        put_on_record(desk, known, _document(known, officers, desk.now))
    except (InvalidInput, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/orders/{number}/withdraw")
def withdraw(sent: OrderersForm, number: str) -> Response:
    """Nobody puts it on record any more. Raises NotFound, IllegalTransition."""
    withdraw_order(sent.desk, _waiting(sent, number))
    return sent.desk.redirect(HERE)


class FreezeWish(msgspec.Struct, frozen=True):
    """A freeze that somebody wants."""

    freeze_id: str
    scope: Scope
    hours: int
    reason: str
    drill: bool


def _wish(sent: Sent) -> FreezeWish:
    scope, hours = scope_of(sent), sent.text("hours", 8).strip()
    if scope == Scope() and not sent.text("everything", 4):
        raise InvalidInput("say what is frozen: a part of a scope, or everything", member="scope")
    if not (hours.isascii() and hours.isdigit() and 1 <= int(hours) <= HOURS):
        raise InvalidInput(f"a freeze lasts 1 to {HOURS} hours", member="hours")
    freeze_id = sent.text("freeze_id", 64).strip() or f"freeze-{new_number().lower()}"
    return FreezeWish(freeze_id, scope, int(hours), sent.text("reason", 64) or REASONS[0], bool(sent.text("drill", 4)))


def _check_remit(desk: Desk, wish: FreezeWish) -> None:
    """Tell a regulator before anything is counted that it is not there for all of this. Raises NotPermitted."""
    if desk.staff.role == "regulator":
        told_remit(desk.office.remits, desk.office.ledger.registry, desk.staff.participant).check_order(wish.scope)


def _ask(desk: Desk, wish: FreezeWish, found: Preview) -> None:
    members = {"freeze_id": wish.freeze_id, "scope": members_of(wish.scope), "reason": wish.reason, "drill": wish.drill}
    wanted = asked(desk, "freeze.ordered", members, seconds=wish.hours * 3_600, touches=found.reach.consents)
    # An order that could not be put on record is refused now, not before the second officer.
    _document(wanted, ("a", "b"), desk.now)
    desk.office.store.papers.ask(wanted)


def _document(known: OfficersOrder, officers: tuple[str, str], now: int) -> dict[str, Any]:
    if known.kind == "freeze.lifted":
        return document_of(FreezeLifted, approved_by=officers, **known.members)
    members = {**known.members, "scope": msgspec.convert(known.members["scope"], Scope)}
    return document_of(FreezeOrdered, approved_by=officers, from_=0, until=now // 1000 + known.seconds, **members)


def _waiting(sent: Sent, number: str) -> OfficersOrder:
    """An order that waits, for the operator's staff. Raises NotFound, IllegalTransition."""
    if sent.desk.staff.role != "operator":
        raise NotFound("there is no such order")
    return waiting_order(sent.desk, number, "freeze.")


def _confirm(desk: Desk, wish: FreezeWish, found: Preview, *, retyped: bool = False) -> Response:
    return desk.render(
        "console/freeze.html",
        200 if not retyped else 409,
        wish=wish,
        scope=members_of(wish.scope),
        found=found,
        retyped=retyped,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        by_two=desk.staff.role == "operator",
        name_of=namer(desk),
    )


def _page(desk: Desk, error: LedgerError | None = None) -> Response:
    staff = desk.staff
    operator = staff.role == "operator"
    waiting = [one for one in desk.office.store.papers.orders() if one.state == "asked"] if operator else []
    return desk.render(
        "console/freezes.html",
        200 if error is None else 409,
        freezes=freezes_at(desk.office.ledger.registry.supervision, desk.now),
        mine=OPERATOR if operator else staff.participant,
        may=_may(desk),
        signs=operator or can_declare(desk),
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        waiting=[
            (one, preview(desk, msgspec.convert(one.members["scope"], Scope)) if "scope" in one.members else None)
            for one in waiting
            if one.kind.startswith("freeze.")
        ],
        me_as=officer(staff),
        problem="" if error is None else error.detail,
        choices=choices(desk),
        reasons=REASONS,
        scope_of=lambda freeze: members_of(freeze.scope),
        name_of=namer(desk),
    )


def _may(desk: Desk) -> bool:
    """Whether a visitor of this role may order anything, under the rules that are in force."""
    return desk.staff.role not in {"auditor", "technology-provider"} and desk.office.ledger.registry.ruleset > 2
