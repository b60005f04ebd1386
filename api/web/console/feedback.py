"""Customers' feedback at work: the bank's queue, the app's part of it, and the regulator's counts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from msgspec import structs

from api.web.console.doors import Partner, PartnerDesk, PartnersForm, Regulator, partner_of
from api.web.feedback import KINDS, STATES, Feedback, State, found_among
from api.web.forms import MOST_WORDS, WORDS, Sent
from api.web.heeding import CHANGED, answer, is_recorded_here, settled
from api.web.plain import cell, plain
from ledger.errors import IllegalTransition, NotFound, NotPermitted

router = APIRouter(include_in_schema=False, prefix="/console")
DAY_MS: Final = 86_400_000
PERIODS: Final = (30, 90, 365)
COLUMNS: Final = (
    "number",
    "state",
    "kind",
    "made_utc",
    "due_utc",
    "answered_utc",
    "late",
    "app",
    "consent",
    "about_entry",
    "entry",
    "assigned",
    "words",
)
ANSWERS: Final[dict[str, tuple[State, ...]]] = {
    "holder": ("received", "forwarded", "answered", "closed"),
    "recipient": ("answered",),
}
NEED_WORDS: Final = frozenset({"answered", "forwarded"})
Wanted = Literal["", "open", "sent", "received", "forwarded", "answered", "closed"]
Text = Annotated[str, Query(max_length=128)]


def _queue(partner: PartnerDesk) -> list[Feedback]:
    """A bank sees what its customers said, an app what banks passed on to it."""
    book = partner.desk.office.store.feedback
    return book.to_holder(partner.id) if partner.side == "holder" else book.to_recipient(partner.id)


def _found(partner: PartnerDesk, state: str, kind: str, who: str, late: bool, q: str) -> list[Feedback]:
    desk = partner.desk
    name = {"mine": desk.staff.name, "nobody": ""}.get(who)
    return found_among(_queue(partner), desk.now, state=state, kind=kind, assigned=name, late=late, wanted=q)


def _one(partner: PartnerDesk, number: str) -> Feedback:
    """Raises NotFound for what is another's."""
    known = next((one for one in _queue(partner) if one.number == number), None)
    if known is None:
        raise NotFound("there is no such feedback")
    return settled(partner.desk.office, known)


@router.get("/partner/feedback")
def queue(
    partner: Partner, state: Wanted = "open", kind: Text = "", who: Text = "", q: Text = "", late: bool = False
) -> Response:
    """Customers' feedback, newest first, by state, kind, whoever looks after it, and subject.

    A search that finds nothing in the wanted state looks in all states, and the page shows them.
    """
    listed = _found(partner, state, kind, who, late, q)
    if q and not listed and (anywhere := _found(partner, "", kind, who, late, q)):
        listed, state = anywhere, ""
    everything = _queue(partner)
    return partner.desk.render(
        "console/feedback.html",
        partner=partner,
        listed=listed[:100],
        more=len(listed) > 100,
        whole=len(everything),
        late_count=sum(one.is_late(partner.desk.now) and one.answered_at is None for one in everything),
        asked={"state": state, "kind": kind, "who": who, "q": q, "late": late},
        states=STATES,
        kinds=KINDS,
        name_of=_name_of(partner),
    )


@router.get("/partner/feedback.csv")
def queue_file(
    partner: Partner, state: Wanted = "", kind: Text = "", who: Text = "", q: Text = "", late: bool = False
) -> Response:
    """The same as a table for spreadsheets; no cell is a formula."""
    desk, out = partner.desk, io.StringIO("\ufeff")
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in _found(partner, state, kind, who, late, q):
        writer.writerow([cell(value) for value in _row(partner, one)])
    headers = {"content-disposition": 'attachment; filename="feedback.csv"'}
    return desk.keep(Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers))


def _row(partner: PartnerDesk, one: Feedback) -> tuple[str | int, ...]:
    utc = partner.desk.words.utc
    return (
        one.number,
        one.state,
        one.kind,
        utc(one.made_at),
        utc(one.due) if one.due else "",
        utc(one.answered_at) if one.answered_at is not None else "",
        "yes" if one.is_late(partner.desk.now) else "no",
        one.recipient,
        one.consent_id,
        one.about,
        one.entry if one.entry >= 0 else "",
        one.assigned if partner.side == "holder" else "",
        _shown(partner, one),
    )


def _shown(partner: PartnerDesk, one: Feedback) -> str:
    """The customer's words: for her bank; the app reads what the bank wrote when it passed them on."""
    if partner.side == "holder":
        return one.words
    return next((reply.words for reply in reversed(one.replies) if reply.state == "forwarded"), "")


@router.get("/partner/feedback/{number}")
def feedback(partner: Partner, number: str) -> Response:
    """One of them: what was said, what was answered, and what can be done now."""
    one = _one(partner, number)
    said = [reply for reply in one.replies if partner.side == "holder" or reply.state != "received"]
    return partner.desk.render(
        "console/feedback_one.html",
        partner=partner,
        one=one,
        said=said,
        shown=_shown(partner, one),
        answers=ANSWERS[partner.side] if one.is_open else (),
        recorded_here=is_recorded_here(partner.desk.office),
        name_of=_name_of(partner),
    )


@router.post("/partner/feedback/{number}/answer")
def give_answer(sent: PartnersForm, number: str) -> Response:
    """Answer it, pass it on, or close it: recorded in the customer's chain. Raises IllegalTransition, NotPermitted."""
    partner, state = partner_of(sent.desk), sent.text("state", 20)
    known, words = _one(partner, number), sent.text(WORDS, MOST_WORDS).strip()
    allowed = [one for one in ANSWERS[partner.side] if one == state]
    if not allowed:
        raise NotPermitted("choose what to do: received, passed on, answered or closed")
    if state in NEED_WORDS and not words:
        raise NotPermitted("write what the customer or the app is to read")
    _require_unchanged(sent, known)
    answer(sent.desk.office, known, partner.side, allowed[0], words)
    return sent.desk.redirect(f"/console/partner/feedback/{number}")


@router.post("/partner/feedback/{number}/assign")
def assign(sent: PartnersForm, number: str) -> Response:
    """Somebody of the bank looks after it, or nobody does any more. Raises NotPermitted for an app's staff."""
    partner = partner_of(sent.desk)
    known = _one(partner, number)
    if partner.side != "holder":
        raise NotPermitted("the bank's own staff look after its customers' feedback")
    name = sent.desk.staff.name if sent.text("to", 10) == "me" else ""
    _require_unchanged(sent, known)
    sent.desk.office.store.feedback.amend(known.number, lambda one: structs.replace(one, assigned=name))
    return sent.desk.redirect(f"/console/partner/feedback/{number}")


def _require_unchanged(sent: Sent, known: Feedback) -> None:
    """Raises IllegalTransition unless the form was filled in on what is there now."""
    if sent.text("version", 20) != str(known.version):
        raise IllegalTransition(CHANGED)


def _name_of(partner: PartnerDesk) -> Callable[[str], str]:
    participants = partner.desk.office.ledger.registry.participants
    return lambda one: plain(participants[one].name) if one in participants else one


@router.get("/audit/feedback")
def counts(watcher: Regulator, days: int = 90) -> Response:
    """How much customers said, bank by bank, and how much of it was answered late; no words, no customers."""
    desk = watcher.desk
    period = days if days in PERIODS else 90
    remit = desk.office.remit_of(desk.staff.participant)
    counted = desk.office.store.feedback.counts(desk.now - period * DAY_MS, desk.now)
    listed = [one for one in counted if remit.covers_all_of(one.holder)]
    participants = desk.office.ledger.registry.participants
    return desk.render(
        "console/feedback_counts.html",
        listed=listed,
        period=period,
        periods=PERIODS,
        name_of=lambda one: plain(participants[one].name) if one in participants else one,
    )
