"""All her banks on one page: seeing, adding, opening one, asking one again, taking one off (docs/one-stop.md)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from msgspec import structs

from api.web.cookies import keep_together
from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from api.web.people import ABSOLUTE_MS, new_token
from api.web.security import local_path
from api.web.ties import MOST
from api.web.together import HERE, ask, bank_part, place_of, places, secret_of, tied
from ledger.errors import NotPermitted, Refused, Unavailable

router = APIRouter(include_in_schema=False, prefix=HERE)
FULL: Final = "this page has as many banks as it can show; take one off first"


@router.get("")
def overview(desk: Customer, same: bool = False) -> Response:
    """Every bank that she linked in this browser; `same`: she signed in again where she already was."""
    parts = [bank_part(desk, one) for one in places(desk)]
    return desk.render("together.html", parts=parts, same=same, full=len(parts) >= MOST)


@router.post("/add")
def add(sent: CustomersForm) -> Response:
    """She consents at the bank where she is, and goes on to the other one. Raises StepUpNeeded, Refused, Unavailable."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = places(desk)
    if len(known) >= MOST:
        raise Refused(FULL)
    secret = secret_of(desk) if known else new_token()
    tied(desk, secret)
    return keep_together(_to_a_bank(desk, HERE), secret, secure=desk.office.is_secure)


def _to_a_bank(desk: Desk, then: str) -> Response:
    if desk.office.relying_party is None:
        raise Unavailable("nobody can sign in here: no identity provider is configured")
    attempt, address = desk.office.relying_party.begin(then, fresh=True, joins=True)
    desk.change(login=attempt)
    return desk.keep(RedirectResponse(address, status_code=303))


@router.get("/join")
def joining(desk: Customer) -> Response:
    """Ask her at the other bank, too."""
    if desk.session is None or not desk.session.joining:
        return desk.redirect(HERE)
    return desk.render("together_join.html", other=desk.name_of(desk.person.holder))


@router.post("/join")
def join(sent: CustomersForm) -> Response:
    """She consents at this bank as well. Raises NotPermitted unless she came here for that, Refused."""
    desk = sent.desk
    if desk.session is None or not desk.session.joining or not secret_of(desk):
        raise NotPermitted("this bank was not added from your page; begin there")
    desk.require_fresh(f"{HERE}/join")
    if not tied(desk, secret_of(desk)):
        raise Refused(FULL)
    desk.change(joining=False)
    return desk.redirect(HERE)


@router.post("/open")
def go(sent: CustomersForm) -> Response:
    """Go on at another of her banks, after a sign-in there if her session has ended. Raises NotFound, Unavailable."""
    desk, then = sent.desk, local_path(sent.text("then", 512))
    one = place_of(desk, sent.text("bank", 2))
    if one.session is None:
        return _to_a_bank(desk, then)
    if not one.is_here:
        desk.move(one.session, one.tie.token)
        desk.change()
    return desk.redirect(then)


@router.post("/ask")
def again(sent: CustomersForm) -> Response:
    """Ask one of her banks again what it did not answer. Raises NotFound."""
    desk = sent.desk
    one = place_of(desk, sent.text("bank", 2))
    if one.session is not None and one.session.person is not None:
        answers = ask(desk, one.session.person)
        if one.is_here:
            desk.change(answers_of_bank=answers)
        else:
            session = structs.replace(one.session, answers_of_bank=answers, seen_at=desk.now)
            desk.office.store.put_session(one.tie.token, session, session.created_at + ABSOLUTE_MS)
    return desk.redirect(f"{HERE}#bank-{one.number}")


@router.post("/remove")
def remove(sent: CustomersForm) -> Response:
    """Take a bank off the page; with the last but one, the link is gone. Raises NotFound."""
    desk, secret = sent.desk, secret_of(sent.desk)
    gone = place_of(desk, sent.text("bank", 2))
    left = [one for one in places(desk) if one.number != gone.number]
    store = desk.office.store
    for one in [gone] if len(left) > 1 else [gone, *left]:
        store.ties.drop(secret, one.number)
        if not one.is_here:
            store.drop_session(one.tie.token)
    answer = desk.redirect(HERE)
    return answer if len(left) > 1 else keep_together(answer, "", secure=desk.office.is_secure)
