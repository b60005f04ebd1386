"""Stopping one connection or all of them, in two steps, at once; pausing and resuming."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from api.office.rights import OBJECTING
from api.web.actors import Actor
from api.web.agent import Step
from api.web.customer import STEPS, Connection
from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from api.web.happened import Event
from api.web.pages.feedback import REASONS
from api.web.people import Paused
from ledger.consent.state import Status
from ledger.errors import IllegalTransition
from ledger.planning.commands import Recorded

router = APIRouter(include_in_schema=False, prefix="/my")
STOPPED: Final = "customer-request"
STOPPED_AND_DELETE: Final = "customer-request-deletion"
"""The recipient reads in the signed statement that the customer also asks it to delete what it has."""
Pausing = Literal["pause", "resume"]


@router.get("/connections/{key}/stop")
def ask(desk: Customer, key: int) -> Response:
    """Step one: what stops, and what happens to what was collected."""
    found = desk.dealings.connection(key)
    if not found.is_live:
        return desk.redirect(f"/my/connections/{key}/stopped")
    return desk.render("stop.html", one=found, accounts=desk.account_labels(found))


@router.post("/connections/{key}/stop")
def stop(sent: CustomersForm, key: int) -> Response:
    """Step two: it stops, in the log's own order, before this answer is given."""
    desk = sent.desk
    found = desk.dealings.connection(key)
    if found.is_live:
        take_step(desk, found, "consent.revoke", _reason(sent))
    return desk.redirect(f"/my/connections/{key}/stopped")


@router.get("/connections/{key}/stopped")
def stopped(desk: Customer, key: int) -> Response:
    """The time it stopped, whether the partner knows, the receipt, and how to share again."""
    dealings = desk.dealings
    found = dealings.connection(key)
    if found.is_live:
        return desk.redirect(f"/my/connections/{key}")
    newest: Event = dealings.receipt(found.consent.basis)
    ended = newest if newest.act in STEPS else None
    expires = found.consent.terms.expires_at * 1000
    return desk.render(
        "stopped.html",
        one=found,
        newest=newest,
        ended=ended,
        told=dealings.told_at(found, ended) if ended else None,
        at=ended.time if ended else (expires if found.status is Status.EXPIRED else None),
        mine=ended is not None and desk.acts.actor(ended) is Actor.YOU,
        told_why=desk.office.store.feedback.about(desk.person, ended.index) if ended else [],
        reasons=REASONS,
        again=desk.office.rights is not None and desk.office.rights.may_share_again(found.consent),
    )


@router.get("/stop-all")
def ask_all(desk: Customer, done: int = 0) -> Response:
    """Step one for everything."""
    listed, _ = desk.dealings.connections()
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    live = [one for one in listed if one.is_live]
    return desk.render(
        "stopall.html",
        live=live,
        fresh=fresh,
        done=bool(done),
        can_object=desk.office.rights is not None,
        objects=desk.office.objects_since(desk.person),
    )


@router.post("/stop-all")
def stop_all(sent: CustomersForm) -> Response:
    """Step two for everything: one statement for each connection, all of them even if one meets a refusal.

    An objection stands first, so that nothing new is agreed to while the last connection is being stopped.
    """
    desk = sent.desk
    desk.require_fresh("/my/stop-all")
    reason, rights = _reason(sent), desk.office.rights
    if sent.text("object") and rights is not None:
        rights.objections.stand(desk.person.holder, desk.person.subject)
        reason = OBJECTING if reason == STOPPED else f"{OBJECTING}-deletion"
    listed, _ = desk.dealings.connections()
    for found in listed:
        if found.is_live:
            try:
                take_step(desk, found, "consent.revoke", reason)
            except IllegalTransition:
                continue  # it ended by itself in the meantime, which is as good
    return desk.redirect("/my/stop-all?done=1")


@router.post("/allow-requests")
def allow_requests(sent: CustomersForm) -> Response:
    """She lifts her objection to all sharing. What was stopped stays stopped."""
    desk = sent.desk
    desk.require_fresh("/my/stop-all")
    if desk.office.rights is not None:
        desk.office.rights.objections.lift(desk.person.holder, desk.person.subject)
    return desk.redirect("/my/stop-all")


@router.post("/connections/{key}/share-again")
def share_again(sent: CustomersForm, key: int) -> Response:
    """She shares again what she stopped: the same request, to read and to answer anew."""
    desk = sent.desk
    found, rights = desk.dealings.connection(key), desk.office.rights
    if rights is None or not rights.may_share_again(found.consent):
        return desk.redirect(f"/my/connections/{key}")
    return desk.redirect(f"/my/approve?consent={quote(rights.share_again(found.consent), safe='')}")


@router.post("/connections/{key}/undo")
def undo(sent: CustomersForm, key: int) -> Response:
    """Take back a pause of the last seconds, in the session that made it. Later, going on needs a proof of who is there."""
    desk = sent.desk
    found = desk.dealings.connection(key)
    if not desk.can_undo(key):
        return desk.redirect(f"/my/connections/{key}/resume")
    if found.status is Status.PAUSED:
        take_step(desk, found, "consent.resume", STOPPED)
    desk.change(paused=None)
    return desk.redirect(f"/my/connections/{key}?done=resumed")


@router.get("/connections/{key}/{step}")
def ask_pausing(desk: Customer, key: int, step: Pausing) -> Response:
    """The meaning of pausing or resuming."""
    return desk.render("pause.html", one=desk.dealings.connection(key), step=step)


@router.post("/connections/{key}/{step}")
def pausing(sent: CustomersForm, key: int, step: Pausing) -> Response:
    """Pause or resume sharing; resuming widens what is shared, so it needs a fresh sign-in."""
    desk = sent.desk
    found = desk.dealings.connection(key)
    if step == "resume":
        desk.require_fresh(f"/my/connections/{key}/resume")
        if found.status is Status.PAUSED:
            take_step(desk, found, "consent.resume", STOPPED)
        return desk.redirect(f"/my/connections/{key}?done=resumed")
    if found.status is Status.ACTIVE:
        take_step(desk, found, "consent.pause", STOPPED)
        desk.change(paused=Paused(key, desk.office.clock.now()))
    return desk.redirect(f"/my/connections/{key}?done=paused")


def take_step(desk: Desk, found: Connection, step: Step, reason: str) -> Recorded:
    """Have the holder sign a customer's step, and record it. Raises what the ledger says."""
    return desk.record(desk.agent.step(desk.person, step, found.consent.consent_id, reason))


def _reason(sent: CustomersForm) -> str:
    return STOPPED_AND_DELETE if sent.text("delete") else STOPPED
