"""The operator's console: customers' requests to be erased. Two people approve; nothing here can read what is erased."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Operator, OperatorsForm
from api.web.inbox import DECLINED, ErasureWish
from api.web.staff import Staff
from api.web.waiting import PATIENCE_SECONDS, Unconfirmed
from ledger.canonical import unb64u
from ledger.errors import IllegalTransition, NotFound, NotPermitted, Unavailable

router = APIRouter(include_in_schema=False, prefix="/console/operator/erasures")
HERE: Final = "/console/operator/erasures"
BASIS: Final = "customer-request"
CHANGED: Final = "somebody else answered this request in the meantime: load the page again"


def officer(staff: Staff) -> str:
    """How the log names who approved: the same code for the same account, and no name, for it stands there for ever."""
    return f"officer-{staff.key.hex()[:16]}"


@router.get("")
def requests(operator: Operator) -> Response:
    """The requests, those that wait first."""
    desk = operator.desk
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    return desk.render(
        "console/erasures.html",
        operator=operator,
        listed=desk.office.store.inbox.erasures(),
        fresh=fresh,
        me_as=officer(operator.staff),
        declined=DECLINED,
    )


@router.post("/{number}/approve")
def approve(sent: OperatorsForm, number: str) -> Response:
    """The first approval is kept, the second one, by another person, erases: that person types the request's number.

    Raises StepUpNeeded, NotPermitted, IllegalTransition where the number is not the one of this request.
    """
    desk = sent.desk
    desk.require_fresh(HERE)
    wish, inbox, who = _open(sent, number), desk.office.store.inbox, officer(desk.staff)
    if who in wish.approved_by:
        raise NotPermitted("you have approved this already: a second person must")
    if not wish.approved_by:
        _agreed(inbox.answer_erasure(wish, state="approved", approved_by=(who,)))
        return desk.redirect(HERE)
    if sent.text("typed", 32).strip() != number:
        raise IllegalTransition("type the number of the request that is to be erased: this cannot be undone")
    first, second = sorted((*wish.approved_by, who))
    # Erasing twice is erasing once: what fails between the ledger and the note is done again by approving again. The note is
    # last: «your data was erased» is never said while the pages' own store still holds any of it.
    chains = [unb64u(chain) for chain in wish.chains]
    try:
        desk.office.ledger.erase(chains, BASIS, (first, second), seconds=PATIENCE_SECONDS)
    except Unavailable as error:
        raise Unconfirmed(error.detail) from error
    desk.office.store.drop_person(unb64u(wish.person))
    _agreed(inbox.answer_erasure(wish, state="done", approved_by=(first, second), answered_at=desk.now))
    return desk.redirect(HERE)


@router.post("/{number}/decline")
def decline(sent: OperatorsForm, number: str) -> Response:
    """Decline it, for a reason that the customer reads."""
    desk, reason = sent.desk, sent.text("reason", 64)
    wish = _open(sent, number)
    if reason not in DECLINED:
        raise NotPermitted("choose one of the reasons: the customer is told it")
    _agreed(desk.office.store.inbox.answer_erasure(wish, state="declined", reason=reason, answered_at=desk.now))
    return desk.redirect(HERE)


def _open(sent: OperatorsForm, number: str) -> ErasureWish:
    """The request of this number, while it waits. Raises NotFound, IllegalTransition."""
    wish = sent.desk.office.store.inbox.erasure(number[:32])
    if wish is None:
        raise NotFound("there is no such request")
    if not wish.is_open:
        raise IllegalTransition("this request has been answered")
    return wish


def _agreed(done: bool) -> None:
    if not done:
        raise IllegalTransition(CHANGED)
