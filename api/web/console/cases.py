"""Evidence for a case: two people of a regulator open it together, after a look at what it is (docs/consoles.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response
from msgspec import UNSET
from starlette.concurrency import run_in_threadpool

from api.web.console.audit import CASE_MS, send_bundle
from api.web.console.doors import Place, Regulator, RegulatorsForm, Watcher
from api.web.console.erasures import officer
from api.web.console.officers import asked, both_officers, put_on_record, waiting_order, withdraw_order
from api.web.console.scoping import choices, members_of, typed
from api.web.console.supervision import namer
from api.web.declaring import can_declare
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.papers import OfficersOrder
from ledger.canonical import unb64u
from ledger.documents import Disclosure, document_of
from ledger.entries.fields import Code
from ledger.errors import IllegalTransition, InvalidInput, LedgerError, NotFound, Refused
from ledger.queries.disclosed import WouldOpen, openings, would_open
from ledger.queries.overview import OverviewQueries, PublicDocument

router = APIRouter(include_in_schema=False, prefix="/console/audit")
HERE: Final = "/console/audit/bundles"
CASE_ENTRIES: Final = 65_536
"""The most entries that one case opens."""
LISTED: Final = 100
ASKED_MS: Final = 24 * 3_600_000
"""How long a second person may confirm what the first one has asked for."""


@dataclass(frozen=True)
class CaseWish:
    """What somebody wants to open."""

    case: str
    first: int
    last: int


@router.get("/bundles")
def bundles(watcher: Watcher, first: Place | None = Query(None), last: Place | None = Query(None)) -> Response:
    """Take the log home, without evidence; a regulator may open evidence for a case, of entries that a page named."""
    return _page(watcher.desk, first=first, last=last)


@router.post("/cases/preview")
def look(sent: RegulatorsForm) -> Response:
    """How many entries, customers and banks it would be, before anybody asks. Raises InvalidInput."""
    desk, wish = sent.desk, _wish(sent)
    try:
        _document(desk, wish)
    except (InvalidInput, Refused) as error:
        return _page(desk, error=error)
    return _confirm(desk, wish, _found(desk, wish))


@router.post("/cases")
def ask(sent: RegulatorsForm) -> Response:
    """Ask a second person to open it. Nothing is recorded or opened yet. Raises StepUpNeeded, InvalidInput."""
    desk, wish = sent.desk, _wish(sent)
    desk.require_fresh(HERE)
    try:
        _document(desk, wish)  # what could not be put on record is told now, not to the second person
    except (InvalidInput, Refused) as error:
        return _page(desk, error=error)
    found = _found(desk, wish)
    if not typed(sent, found.entries):
        return _confirm(desk, wish, found, retyped=True)
    members = {
        "participant": desk.staff.participant,
        "case": wish.case,
        "from_index": wish.first,
        "to_index": wish.last,
    }
    desk.office.store.papers.ask(asked(desk, "disclosure", members, touches=found.entries))
    return desk.redirect(HERE)


@router.post("/cases/asked/{number}/confirm")
def confirm(sent: RegulatorsForm, number: str) -> Response:
    """The second person opens it: the log says so before anything is opened. Raises StepUpNeeded, NotFound, NotPermitted."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = _waiting(desk, number)
    people = both_officers(desk, known)
    wish = CaseWish(known.members["case"], known.members["from_index"], known.members["to_index"])
    if desk.now >= known.made_at + ASKED_MS:
        raise IllegalTransition("nobody confirmed this within a day: ask for it again")
    if not typed(sent, _found(desk, wish).entries):
        return _page(desk, retyped=True)
    try:
        put_on_record(desk, known, _document(desk, wish, people))
    except (InvalidInput, Refused) as error:
        return _page(desk, error=error)
    done = desk.office.store.papers.order(known.id)
    return desk.redirect(f"/console/audit/cases/{done.index}" if done is not None else HERE)


@router.post("/cases/asked/{number}/withdraw")
def withdraw(sent: RegulatorsForm, number: str) -> Response:
    """Nobody opens it any more. Raises NotFound, IllegalTransition."""
    withdraw_order(sent.desk, _waiting(sent.desk, number))
    return sent.desk.redirect(HERE)


@router.get("/cases/{index}")
def case(regulator: Regulator, index: Place) -> Response:
    """A recorded disclosure and its file."""
    return page_of_case(regulator.desk, own_case(regulator.desk, index))


@router.get("/cases/{index}/bundle")
async def case_bundle(regulator: Regulator, index: Place) -> Response:
    """The log with the evidence of a case, for thirty days after it was recorded. Raises StepUpNeeded."""
    desk = regulator.desk
    found = await run_in_threadpool(own_case, desk, index)
    if desk.now >= found.time + CASE_MS:
        raise NotFound("this case is closed: record a new disclosure")
    desk.require_fresh(f"/console/audit/cases/{index}")
    first, last = found.document["from_index"], found.document["to_index"]
    disclose = await run_in_threadpool(
        desk.office.bundler.disclosed_to, desk.office.remit_of(desk.staff.participant), first, last
    )
    return await send_bundle(desk, disclose, f"case-{index}.zip", last)


# -- reading ------------------------------------------------------------------------------------------------------------


def _wish(sent: Sent) -> CaseWish:
    first, last = (_index(sent.text(name, 20)) for name in ("from_index", "to_index"))
    if last - first >= CASE_ENTRIES:
        raise InvalidInput(f"a case opens at most {CASE_ENTRIES} entries")
    return CaseWish(sent.text("case", 64), first, last)


def _index(text: str) -> int:
    """An entry number as a person types it. Raises InvalidInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidInput("an entry number is written in digits")
    return int(text)


def _document(desk: Desk, wish: CaseWish, people: tuple[str, str] = ("a", "b")) -> dict[str, object]:
    """The document; before ruleset 3 a log has no place for who opened it. Raises InvalidInput."""
    ledger = desk.office.ledger
    try:
        msgspec.convert(wish.case, Code)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the case does not read: {error}", member="case") from None
    if not wish.first <= wish.last < ledger.tree.size():
        raise InvalidInput("a case opens entries that exist, in order")
    return document_of(
        Disclosure,
        participant=desk.staff.participant,
        case=wish.case,
        from_index=wish.first,
        to_index=wish.last,
        approved_by=people if ledger.registry.ruleset > 2 else UNSET,
    )


def _found(desk: Desk, wish: CaseWish) -> WouldOpen:
    office, remit = desk.office, desk.office.remit_of(desk.staff.participant)
    return would_open(office.ledger.store, office.ledger.keystore, remit, wish.first, wish.last)


def _waiting(desk: Desk, number: str) -> OfficersOrder:
    """What somebody of the same regulator asked for. Raises NotFound, IllegalTransition."""
    known = waiting_order(desk, number, "disclosure")
    if known.members["participant"] != desk.staff.participant:
        raise NotFound("there is no such order")
    return known


def own_case(desk: Desk, index: int) -> PublicDocument:
    """A disclosure to the visitor's authority. Raises NotFound."""
    found = OverviewQueries(desk.office.ledger.store).document(index)
    if (found.document["type"], found.document.get("participant")) != ("disclosure", desk.staff.participant):
        raise NotFound("you have no such case")
    return found


# -- pages --------------------------------------------------------------------------------------------------------------


def page_of_case(desk: Desk, found: PublicDocument, error: LedgerError | None = None) -> Response:
    """A case: what was opened, until when its file can be saved, to whom it was handed."""
    registry = desk.office.ledger.registry
    others = sorted(
        one.id
        for one in registry.participants.values()
        if "regulator" in one.roles and not one.removed and one.id != desk.staff.participant
    )
    return desk.render(
        "console/case.html",
        200 if error is None else 409,
        one=found,
        ends=found.time + CASE_MS,
        is_open=desk.now < found.time + CASE_MS,
        handovers=registry.handovers.of_disclosure(found.index),
        others=others if registry.ruleset > 2 else [],
        choices=choices(desk),
        signs=can_declare(desk),
        fresh=_is_fresh(desk),
        problem="" if error is None else error.detail,
        hex_of=_hex_of,
        name_of=namer(desk),
    )


def page_of_bundles(desk: Desk, error: LedgerError) -> Response:
    """The page of bundles and cases, with what was wrong."""
    return _page(desk, error=error)


def _is_fresh(desk: Desk) -> bool:
    return desk.session is not None and desk.session.is_fresh(desk.now)


def _hex_of(pack_hash: str) -> str:
    """A hash as sha256sum prints it."""
    return unb64u(pack_hash).hex()


def _page(
    desk: Desk,
    *,
    first: int | None = None,
    last: int | None = None,
    error: LedgerError | None = None,
    retyped: bool = False,
) -> Response:
    staff, cases, waiting = desk.staff, [], []
    handed = [*desk.office.ledger.registry.handovers.handed.values()]
    if staff.role == "regulator":
        cases = openings(desk.office.ledger.store, staff.participant)[:LISTED]
        waiting = [one for one in desk.office.store.papers.orders() if _is_asked(desk, one)]
    return desk.render(
        "console/bundles.html",
        409 if error is not None or retyped else 200,
        staff=staff,
        cases=cases,
        waiting=[(one, _found(desk, _wish_of(one))) for one in waiting],
        me_as=officer(staff),
        fresh=_is_fresh(desk),
        handed=[one for one in handed if one.says.to == staff.participant][::-1],
        signs=can_declare(desk),
        hex_of=_hex_of,
        scope=members_of,
        size=desk.office.bundler.size(),
        until=lambda one: one.time + CASE_MS,
        expires=lambda one: one.made_at + ASKED_MS,
        case_entries=CASE_ENTRIES,
        first=first,
        last=last,
        problem="" if error is None else error.detail,
        retyped=retyped,
        name_of=namer(desk),
    )


def _is_asked(desk: Desk, one: OfficersOrder) -> bool:
    mine = one.kind == "disclosure" and one.members["participant"] == desk.staff.participant
    return mine and one.state == "asked" and desk.now < one.made_at + ASKED_MS


def _wish_of(one: OfficersOrder) -> CaseWish:
    return CaseWish(one.members["case"], one.members["from_index"], one.members["to_index"])


def _confirm(desk: Desk, wish: CaseWish, found: WouldOpen, *, retyped: bool = False) -> Response:
    return desk.render(
        "console/case_preview.html",
        409 if retyped else 200,
        wish=wish,
        found=found,
        retyped=retyped,
        fresh=_is_fresh(desk),
        name_of=namer(desk),
    )
