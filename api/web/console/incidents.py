"""Incidents: opened, gone on with and closed by whom they happened to; read by supervisors, with what is due and what is late
(docs/consoles.md, «Incidents»)."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Concerned, DeclarersForm, Place
from api.web.console.scoping import Preview, choices, members_of, preview, scope_of, typed
from api.web.console.standing import OpenedIncident, incidents_at
from api.web.console.supervision import in_words, namer
from api.web.declaring import can_declare, declare
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.inbox import new_number
from api.web.papers import WORDS
from ledger.entries.evidence import decode_evidence
from ledger.entries.scope import Scope
from ledger.entries.statement import payload_of
from ledger.errors import BadStatement, InvalidInput, LedgerError, NotFound, NotPermitted, Refused
from ledger.receipts import receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/console/incidents")
HERE: Final = "/console/incidents"
CLASSES: Final = ("data-breach", "key-compromise", "misuse", "outage", "wrong-data")
CLOCKS: Final = {"initial": 4, "intermediate": 24, "authority": 72}
"""What is due after how many hours, unless it is unticked."""
LISTED: Final = 100


class OpeningWish(msgspec.Struct, frozen=True):
    """An incident that somebody is about to open."""

    incident_id: str
    kind: str
    severity: int
    scope: Scope
    hours_ago: int
    clocks: dict[str, int]
    """Name → hours after it was detected."""
    text: str


@router.get("")
def overview(concerned: Concerned) -> Response:
    """Incidents that one may see, those that are open first."""
    return _page(concerned)


@router.post("/preview")
def look(sent: DeclarersForm) -> Response:
    """How many consents and customers are affected, before it is opened."""
    desk = sent.desk
    try:
        wish = _wish(sent)
        return _confirm(desk, wish, preview(desk, wish.scope))
    except (InvalidInput, Refused) as error:
        return _page(desk, error)


@router.post("")
def open_incident(sent: DeclarersForm) -> Response:
    """Put it on record, with the number of affected consents. Raises StepUpNeeded, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    try:
        wish = _wish(sent)
        found = preview(desk, wish.scope)
        if found.behind or not typed(sent, found.reach.consents):
            return _confirm(desk, wish, found, retyped=True)
        detected = desk.now // 1000 - wish.hours_ago * 3_600
        clocks = [{"due": detected + hours * 3_600, "name": name} for name, hours in wish.clocks.items()]
        recorded = declare(
            desk,
            "incident.open",
            incident_id=wish.incident_id,
            severity=wish.severity,
            detected_at=detected,
            affected=members_of(wish.scope),
            affected_consents=found.reach.consents,
            clocks=sorted(clocks, key=lambda clock: clock["due"]),
            text_hash=_kept(desk, wish.text),
            **{"class": wish.kind},
        )
    except (InvalidInput, Refused, NotPermitted, BadStatement) as error:
        return _page(desk, error)
    return desk.redirect(f"{HERE}/{recorded.index}")


@router.get("/{index}")
def incident(concerned: Concerned, index: Place) -> Response:
    """One incident: its clocks, what was said, its entries."""
    return _one(concerned, _found(concerned, index))


@router.post("/{index}/update")
def go_on(sent: DeclarersForm, index: Place) -> Response:
    """Record an update; it delivers the clock that it names. Raises NotFound, Unconfirmed."""
    desk = sent.desk
    found = _own(desk, index)
    clock = sent.text("clock", 64)
    try:
        counts = {name: _count(sent, name) for name in ("told_customers", "told_participants")}
        declare(
            desk,
            "incident.update",
            incident_id=found.incident.says.incident_id,
            clock=clock or None,
            text_hash=_kept(desk, _text(sent)),
            **counts,
        )
    except (InvalidInput, Refused, NotPermitted, BadStatement) as error:
        return _one(desk, found, error)
    return desk.redirect(f"{HERE}/{index}")


@router.post("/{index}/close")
def close(sent: DeclarersForm, index: Place) -> Response:
    """Put its end on record. Raises NotFound, Unconfirmed."""
    desk = sent.desk
    found = _own(desk, index)
    try:
        says = {"incident_id": found.incident.says.incident_id, "reason": sent.text("reason", 64) or "resolved"}
        declare(desk, "incident.close", text_hash=_kept(desk, _text(sent)), **says)
    except (InvalidInput, Refused, NotPermitted, BadStatement) as error:
        return _one(desk, found, error)
    return desk.redirect(f"{HERE}/{index}")


@router.get("/{index}/pack")
def pack(concerned: Concerned, index: Place) -> Response:
    """The receipts of all its entries, which anyone checks offline, and its words as they are kept here."""
    found = _found(concerned, index)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, text, recorded in _said(concerned, found):
            archive.writestr(f"entry-{place}.receipt.json", receipt_bytes(recorded))
            if text:
                archive.writestr(f"entry-{place}.txt", text)
    headers = {"content-disposition": f'attachment; filename="incident-{index}.zip"'}
    return concerned.keep(Response(stream.getvalue(), media_type="application/zip", headers=headers))


# -- reading ------------------------------------------------------------------------------------------------------------


def _visible(desk: Desk) -> list[OpenedIncident]:
    staff, supervision = desk.staff, desk.office.ledger.registry.supervision
    if staff.role in {"regulator", "auditor"}:
        return incidents_at(supervision, desk.now, remit=desk.office.remit_of(staff.participant))
    return incidents_at(supervision, desk.now, author=staff.participant)


def _found(desk: Desk, index: int) -> OpenedIncident:
    """Raises NotFound for one that this visitor may not see."""
    for one in _visible(desk):
        if one.incident.index == index:
            return one
    raise NotFound("you know of no such incident")


def _own(desk: Desk, index: int) -> OpenedIncident:
    found = _found(desk, index)
    if found.incident.author != desk.staff.participant:
        raise NotFound("you have opened no such incident")
    return found


def _said(desk: Desk, found: OpenedIncident) -> list[tuple[int, str, Any]]:
    """(index, words as far as they are kept here, entry) of all entries of an incident, in order."""
    said = []
    for recorded in desk.office.ledger.records.recorded([found.incident.index, *found.incident.updates]):
        says: Any = payload_of(decode_evidence(recorded.evidence or b"").statements[0])
        said.append((recorded.index, desk.office.store.papers.words(says.text_hash), recorded))
    return said


# -- forms --------------------------------------------------------------------------------------------------------------


def _wish(sent: Sent) -> OpeningWish:
    severity = sent.text("severity", 1)
    if severity not in {"1", "2", "3", "4"}:
        raise InvalidInput("the severity is 1 to 4", member="severity")
    clocks = {name: hours for name, hours in CLOCKS.items() if sent.text(f"clock-{name}", 4)}
    own = sent.text("own-clock", 64).strip()
    if own:
        clocks[own] = _count(sent, "own-hours")
    if not clocks:
        raise InvalidInput("an incident has at least one clock", member="clocks")
    incident_id = sent.text("incident_id", 64).strip() or f"incident-{new_number().lower()}"
    ago = _count(sent, "hours-ago")
    return OpeningWish(incident_id, sent.text("class", 64), int(severity), scope_of(sent), ago, clocks, _text(sent))


def _count(sent: Sent, name: str) -> int:
    text = sent.text(name, 12).strip() or "0"
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{name} is written in digits", member=name)
    return int(text)


def _text(sent: Sent) -> str:
    text = sent.text("text", WORDS + 1).strip()
    if not 1 <= len(text) <= WORDS:
        raise InvalidInput(f"say in 1 to {WORDS} characters what happened", member="text")
    return text


def _kept(desk: Desk, text: str) -> str:
    return desk.office.store.papers.keep_words(text, desk.now)


# -- pages --------------------------------------------------------------------------------------------------------------


def _confirm(desk: Desk, wish: OpeningWish, found: Preview, *, retyped: bool = False) -> Response:
    return desk.render(
        "console/incident_preview.html",
        409 if retyped else 200,
        wish=wish,
        scope=members_of(wish.scope),
        found=found,
        retyped=retyped,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        name_of=namer(desk),
        usual=CLOCKS,
    )


def _page(desk: Desk, error: LedgerError | None = None) -> Response:
    return desk.render(
        "console/incidents.html",
        200 if error is None else 409,
        incidents=_visible(desk)[:LISTED],
        may=desk.staff.role != "auditor" and desk.office.ledger.registry.ruleset > 2,
        signs=can_declare(desk),
        problem="" if error is None else error.detail,
        classes=CLASSES,
        clocks_usual=CLOCKS,
        choices=choices(desk),
        name_of=namer(desk),
        seconds=lambda value: in_words(desk, value),
    )


def _one(desk: Desk, found: OpenedIncident, error: LedgerError | None = None) -> Response:
    own = found.incident.author == desk.staff.participant
    touched = preview(desk, found.incident.says.affected).reach if own and found.is_open else None
    return desk.render(
        "console/incident.html",
        200 if error is None else 409,
        one=found,
        says=found.incident.says,
        scope=members_of(found.incident.says.affected),
        said=_said(desk, found),
        mine=own,
        signs=can_declare(desk),
        touched=touched,
        problem="" if error is None else error.detail,
        name_of=namer(desk),
        seconds=lambda value: in_words(desk, value),
    )
