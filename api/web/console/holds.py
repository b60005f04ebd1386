"""Holds and court orders: records that must not be erased, put on record by two officers of the operator (docs/consoles.md)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Operator, OperatorsForm
from api.web.console.erasures import officer
from api.web.console.officers import asked, both_officers, put_on_record, waiting_order, withdraw_order
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.inbox import new_number
from api.web.papers import OfficersOrder
from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.entries.leaf import consent_chain
from ledger.errors import InvalidInput, LedgerError, NotFound, Refused
from ledger.orders import HoldLifted, HoldPlaced

router = APIRouter(include_in_schema=False, prefix="/console/operator/holds")
HERE: Final = "/console/operator/holds"
BASES: Final = ("court-order", "legal-hold", "dispute", "supervision")
CONSENTS: Final = 8
"""The most consents of one hold (docs/spec/ruleset-3.md, 2)."""
DAYS: Final = 36_500


@router.get("")
def overview(operator: Operator) -> Response:
    """Holds on record, and those that wait for a second officer."""
    return _page(operator.desk)


@router.post("")
def place(sent: OperatorsForm) -> Response:
    """Ask a second officer to put a hold on record. Raises StepUpNeeded."""
    desk = sent.desk
    desk.require_fresh(HERE)
    try:
        wanted = _wished(sent)
        _document(wanted, ("a", "b"), desk.now)  # what could not be put on record is told now
        desk.office.store.papers.ask(wanted)
    except (InvalidInput, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/lift")
def lift(sent: OperatorsForm) -> Response:
    """Ask a second officer to end a hold. Raises StepUpNeeded, NotFound."""
    desk, hold = sent.desk, sent.text("hold", 64)
    desk.require_fresh(HERE)
    known = desk.office.ledger.registry.supervision.holds.get(hold)
    if known is None or known.lifted_at is not None:
        raise NotFound("there is no such hold that was not lifted")
    desk.office.store.papers.ask(asked(desk, "hold.lifted", {"hold": hold, "reason": "over"}))
    return desk.redirect(HERE)


@router.post("/orders/{number}/approve")
def approve(sent: OperatorsForm, number: str) -> Response:
    """The second officer puts it on record. Raises StepUpNeeded, NotPermitted, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = waiting_order(desk, number, "hold.")
    officers = both_officers(desk, known)
    try:
        put_on_record(desk, known, _document(known, officers, desk.now))
    except (InvalidInput, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/orders/{number}/withdraw")
def withdraw(sent: OperatorsForm, number: str) -> Response:
    """Nobody puts it on record any more. Raises NotFound, IllegalTransition."""
    withdraw_order(sent.desk, waiting_order(sent.desk, number, "hold."))
    return sent.desk.redirect(HERE)


def _wished(sent: Sent) -> OfficersOrder:
    consents, days = sent.text("consents", 1_000).split(), sent.text("days", 6).strip() or "0"
    if not 1 <= len(set(consents)) <= CONSENTS:
        raise InvalidInput(f"name 1 to {CONSENTS} consents by their ids", member="consents")
    if not (days.isascii() and days.isdigit() and int(days) <= DAYS):
        raise InvalidInput(f"a hold lasts up to {DAYS} days, 0 = until it is lifted", member="days")
    chains = sorted({b64u(consent_chain(one)) for one in consents})
    hold = sent.text("hold", 64).strip() or f"hold-{new_number().lower()}"
    members = {"hold": hold, "chains": chains, "basis": sent.text("basis", 64) or BASES[0]}
    return asked(sent.desk, "hold.placed", members, seconds=int(days) * 86_400)


def _document(known: OfficersOrder, officers: tuple[str, str], now: int) -> dict[str, Any]:
    if known.kind == "hold.lifted":
        return document_of(HoldLifted, approved_by=officers, **known.members)
    until = now // 1000 + known.seconds if known.seconds else 0
    members = {**known.members, "chains": tuple(known.members["chains"])}
    return document_of(HoldPlaced, approved_by=officers, until=until, **members)


def _page(desk: Desk, error: LedgerError | None = None) -> Response:
    orders = desk.office.store.papers.orders()
    holds = desk.office.ledger.registry.supervision.holds
    return desk.render(
        "console/holds.html",
        200 if error is None else 409,
        holds=[*holds.values()][::-1],
        waiting=[one for one in orders if one.state == "asked" and one.kind.startswith("hold.")],
        me_as=officer(desk.staff),
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        may=desk.office.ledger.registry.ruleset > 2,
        bases=BASES,
        problem="" if error is None else error.detail,
    )
