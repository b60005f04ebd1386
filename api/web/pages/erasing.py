"""Asking to be erased: what it means, the request, and its result (GDPR art. 17, PIPL art. 47)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from api.web.inbox import ErasureWish, new_number
from ledger.canonical import b64u
from ledger.errors import IllegalTransition, NotPermitted

router = APIRouter(include_in_schema=False, prefix="/my/erase")
HERE = "/my/erase"
MOST_CONNECTIONS = 2_000
"""The most consents that one request names; more are for the bank's own staff."""


@router.get("")
def ask(desk: Customer) -> Response:
    """Step one: what would be gone, what would stay, who decides. Or the result of the request."""
    live = sum(one.is_live for one in desk.dealings.all_connections())
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    return desk.render("erase.html", live=live, fresh=fresh, wish=desk.office.store.inbox.erasure_of(desk.person))


@router.post("")
def file(sent: CustomersForm) -> Response:
    """Step two: the request is kept for two people of the operator. Raises IllegalTransition while anything is shared."""
    desk = sent.desk
    desk.require_fresh(HERE)
    inbox = desk.office.store.inbox
    known = inbox.erasure_of(desk.person)
    if known is not None and known.is_open:
        return desk.redirect(HERE)
    # The chain of the relationship stays while it also holds what another person keeps to herself; saying so would tell.
    chains = set() if desk.dealings.has_silent_others else {desk.person.chain, desk.person.history_chain}
    for connection in desk.dealings.all_connections():
        if connection.is_live:
            raise IllegalTransition("something is still shared: stop everything first, then ask again")
        chains.add(connection.chain)
        if len(chains) > MOST_CONNECTIONS:
            raise NotPermitted("this is more than can be asked for here; please call your bank")
    wish = ErasureWish(
        id=new_number(),
        holder=desk.person.holder,
        person=b64u(desk.person.key),
        chains=tuple(sorted(map(b64u, chains))),
        made_at=desk.now,
    )
    inbox.ask_erasure(desk.person, wish)
    return desk.redirect(HERE)


@router.post("/withdraw")
def withdraw(sent: CustomersForm) -> Response:
    """She withdraws the request, while that is possible."""
    withdraw_erasure(sent.desk)
    return sent.desk.redirect(HERE)


def withdraw_erasure(desk: Desk) -> None:
    """End an open request: she wants it so, or has agreed to share again."""
    inbox = desk.office.store.inbox
    known = inbox.erasure_of(desk.person)
    if known is not None and known.is_open:
        inbox.answer_erasure(known, state="withdrawn", answered_at=desk.now)
