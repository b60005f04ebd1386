"""What regulators are there for, put on record by two officers of the operator, with a preview and a number to type before
(docs/consoles.md, «Remits»)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from api.node.remits import remit_documents, told_remit
from api.web.console.doors import Operator, OperatorsForm
from api.web.console.erasures import officer
from api.web.console.officers import asked, both_officers, put_on_record, waiting_order, withdraw_order
from api.web.console.scoping import LOOK_BACK_DAYS, LOOK_SECONDS, Preview, choices, typed
from api.web.console.supervision import namer
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.papers import OfficersOrder
from ledger.entries.scope import Bounds, Scope
from ledger.errors import Conflict, InvalidInput, LedgerError, NotFound, Refused
from ledger.queries.figures import FigureQueries
from ledger.queries.remit import Remit

router = APIRouter(include_in_schema=False, prefix="/console/operator/remits")
HERE: Final = "/console/operator/remits"
NAMES: Final = 120
"""The most participants that one part of a remit names here; more of them are recorded from the operator's file."""
PARTS: Final = ("holders", "recipients", "within")


class RemitWish(Struct, frozen=True):
    """What a regulator shall be there for from now on, in whole."""

    regulator: str
    bounds: Bounds


@dataclass(frozen=True)
class KnownRemit:
    """What a regulator is there for now, and who says so: the log, the operator's file, or nobody (it is there for all)."""

    regulator: str
    bounds: Bounds
    said_by: Literal["log", "file", "nobody"]


@router.get("")
def overview(operator: Operator) -> Response:
    """All regulators, and what waits for a second officer."""
    return _page(operator.desk)


@router.post("/preview")
def look(sent: OperatorsForm) -> Response:
    """What the remit would cover, before anybody asks for it."""
    desk = sent.desk
    try:
        wish = _wish(sent)
        _documents(desk, wish, ("a", "b"))
        return _confirm(desk, wish, _covered(desk, wish.bounds))
    except (InvalidInput, NotFound, Refused) as error:
        return _page(desk, error)


@router.post("")
def ask(sent: OperatorsForm) -> Response:
    """Ask a second officer to put it on record. Raises StepUpNeeded."""
    desk = sent.desk
    desk.require_fresh(HERE)
    try:
        wish = _wish(sent)
        _documents(desk, wish, ("a", "b"))  # what changes nothing is told now, not to the second officer
        found = _covered(desk, wish.bounds)
        if found.behind or not typed(sent, found.reach.consents):
            return _confirm(desk, wish, found, retyped=True)
    except (InvalidInput, NotFound, Refused) as error:
        return _page(desk, error)
    members = {"regulator": wish.regulator, **{part: sorted(getattr(wish.bounds, part)) for part in PARTS}}
    kind: Literal["remit.granted", "remit.ended"] = "remit.granted" if wish.bounds.is_limited else "remit.ended"
    desk.office.store.papers.ask(asked(desk, kind, members, touches=found.reach.consents))
    return desk.redirect(HERE)


@router.post("/orders/{number}/approve")
def approve(sent: OperatorsForm, number: str) -> Response:
    """The second officer puts it on record. Raises StepUpNeeded, NotPermitted, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = waiting_order(desk, number, "remit.")
    officers, wish = both_officers(desk, known), _asked_for(known)
    found = _covered(desk, wish.bounds)
    if found.behind or not typed(sent, found.reach.consents):
        return _page(desk, Conflict("type the number of active consents that the remit covers now"))
    try:
        put_on_record(desk, known, *_documents(desk, wish, officers))
    except (InvalidInput, NotFound, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/orders/{number}/withdraw")
def withdraw(sent: OperatorsForm, number: str) -> Response:
    """Nobody puts it on record any more. Raises NotFound, IllegalTransition."""
    withdraw_order(sent.desk, waiting_order(sent.desk, number, "remit."))
    return sent.desk.redirect(HERE)


def _wish(sent: Sent) -> RemitWish:
    """What the form names. Raises InvalidInput, which says which name is wrong and why."""
    registry = sent.desk.office.ledger.registry
    regulator = sent.text("regulator", 64).strip()
    if not registry.has_role(regulator, "regulator"):
        raise InvalidInput("choose a regulator of this log", member="regulator")
    sets = {}
    for part, role in zip(PARTS, ("holder", "recipient", ""), strict=True):
        names = frozenset(sent.text(part, 8_000).replace(",", " ").split())
        if len(names) > NAMES:
            raise InvalidInput(f"name at most {NAMES} participants; record more of them from a file", member=part)
        for name in sorted(names):
            roles = () if name not in registry.participants else registry.participants[name].roles
            if not (role in roles or (not role and roles)):
                raise InvalidInput(f"{name[:64]!r} is no {role or 'participant'} of this log", member=part)
        sets[part] = names
    bounds = Bounds(**sets)
    if bounds.is_limited == bool(sent.text("everything", 4)):
        raise InvalidInput("name whom the regulator is there for, or say that it is there for all", member="holders")
    return RemitWish(regulator, bounds)


def _asked_for(known: OfficersOrder) -> RemitWish:
    sets = {part: frozenset(known.members[part]) for part in PARTS}
    return RemitWish(known.members["regulator"], Bounds(**sets))


def _documents(desk: Desk, wish: RemitWish, officers: tuple[str, str]) -> list[dict[str, Any]]:
    """What leads there from what the log says. Raises Conflict when it says so already."""
    known = desk.office.ledger.registry.supervision.remits.get(wish.regulator)
    documents = remit_documents(wish.regulator, wish.bounds, known, officers)
    if not documents:
        raise Conflict("the log says this of the regulator already: nothing is to be recorded")
    return documents


def _covered(desk: Desk, bounds: Bounds) -> Preview:
    """The consents within these bounds now. Raises Corrupt, Unavailable."""
    remit = Remit(bounds.holders, bounds.recipients, bounds.within)
    figures = FigureQueries(desk.office.counting, remit)
    read = figures.read(LOOK_SECONDS)
    return Preview(figures.reach(Scope(), desk.now, desk.now - LOOK_BACK_DAYS * 86_400_000), read.of - read.size)


def _known(desk: Desk, regulator: str) -> KnownRemit:
    office = desk.office
    registry = office.ledger.registry
    found = told_remit(office.remits, registry, regulator)
    if regulator in registry.supervision.remits:
        return KnownRemit(regulator, found, "log")
    return KnownRemit(regulator, found, "file" if found.is_limited else "nobody")


def _confirm(desk: Desk, wish: RemitWish, found: Preview, *, retyped: bool = False) -> Response:
    return desk.render(
        "console/remit.html",
        409 if retyped else 200,
        wish=wish,
        known=_known(desk, wish.regulator),
        found=found,
        retyped=retyped,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        parts=PARTS,
        name_of=namer(desk),
    )


def _page(desk: Desk, error: LedgerError | None = None) -> Response:
    registry = desk.office.ledger.registry
    orders = [one for one in desk.office.store.papers.orders() if one.state == "asked"]
    waiting = [(one, _asked_for(one)) for one in orders if one.kind.startswith("remit.")]
    regulators = sorted(one.id for one in registry.participants.values() if "regulator" in one.roles)
    return desk.render(
        "console/remits.html",
        200 if error is None else 409,
        regulators=[_known(desk, one) for one in regulators],
        waiting=[(one, wish, _covered(desk, wish.bounds)) for one, wish in waiting],
        me_as=officer(desk.staff),
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        may=registry.ruleset > 2,
        problem="" if error is None else error.detail,
        choices=choices(desk),
        parts=PARTS,
        name_of=namer(desk),
    )
