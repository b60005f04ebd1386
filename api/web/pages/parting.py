"""Withdrawing a part: one account, one separate consent, one's own approval of a joint one; and confirming with the
bank again.

Each is two steps, works without scripts and at once. Withdrawing needs no fresh sign-in; confirming does.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.web.agent import HolderStatement, Withdrawal
from api.web.customer import Connection
from api.web.desk import Customer, Desk
from api.web.forms import CustomersForm
from ledger.consent.state import Status
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False, prefix="/my/connections/{key}")
REASON: Final = "customer-request"
RENEWED: Final = frozenset({Status.ACTIVE, Status.SUSPENDED})


def _ask(desk: Desk, one: Connection, part: str, action: str, **shown: Any) -> Response:
    return desk.render("part.html", one=one, part=part, action=f"/my/connections/{one.key}/{action}", **shown)


def _take_back(desk: Desk, one: Connection, **what: Any) -> Response:
    wish = Withdrawal(consent_id=one.consent.consent_id, reason=REASON, **what)
    return _record(desk, one, desk.agent.withdraw(desk.person, wish))


def _record(desk: Desk, one: Connection, signed: HolderStatement) -> Response:
    entry = desk.record(signed)
    return desk.redirect(f"/my/connections/{one.key}/changed/{entry.index}")


@router.get("/changed/{index}")
def changed(desk: Customer, key: int, index: int) -> Response:
    """The change, since when, whether the partner knows, and the receipt."""
    one, event = desk.dealings.connection(key), desk.dealings.receipt(index)
    if event.recorded.consent_id != one.consent.consent_id or event.is_access:
        raise NotFound("there is no such change of this connection")
    return desk.render("changed.html", one=one, event=event, told=desk.dealings.told_at(one, event))


# -- one account --------------------------------------------------------------------------------------------------------


def _account(desk: Desk, key: int, account: str) -> tuple[Connection, bool]:
    """The connection that holds this account, and whether it holds no other. Raises NotFound."""
    one = desk.dealings.connection(key)
    there = {*one.consent.accounts, *one.consent.waiting}
    own = desk.own_accounts(one.consent.consent_id)
    if (
        not one.is_live or account not in there or (own and account not in own)
    ):  # the other holder's is not hers to stop
        raise NotFound("there is no such account in this connection")
    return one, len(there) == 1


@router.get("/accounts")
def ask_account(desk: Customer, key: int, account: str = Query(max_length=128)) -> Response:
    """Step one for one account. For the last one, stopping the connection is the way."""
    one, is_last = _account(desk, key, account)
    if is_last:
        return desk.redirect(f"/my/connections/{key}/stop")
    label = desk.account_label(account, desk.labels(one.consent))
    return _ask(desk, one, "accounts", "accounts", field=("account", account), account=label, kind="")


@router.post("/accounts")
def stop_account(sent: CustomersForm, key: int) -> Response:
    """Step two for one account: it works at once."""
    account = sent.text("account", 128)
    one, is_last = _account(sent.desk, key, account)
    if is_last:
        return sent.desk.redirect(f"/my/connections/{key}/stop")
    return _take_back(sent.desk, one, accounts=(account,))


# -- one separate consent -----------------------------------------------------------------------------------------------


def _given(desk: Desk, key: int, kind: str) -> Connection:
    one = desk.dealings.connection(key)
    if not one.is_live or kind not in one.consent.separate:
        raise NotFound("there is no such separate consent in this connection")
    return one


@router.get("/separate")
def ask_separate(desk: Customer, key: int, kind: str = Query(max_length=64)) -> Response:
    """Step one for a separate consent."""
    one = _given(desk, key, kind)
    said = desk.words.code("separate", kind)
    return _ask(desk, one, "separate", "separate", field=("kind", kind), account="", kind=said)


@router.post("/separate")
def take_back_separate(sent: CustomersForm, key: int) -> Response:
    """Step two for a separate consent."""
    kind = sent.text("kind", 64)
    return _take_back(sent.desk, _given(sent.desk, key, kind), separate=kind)


# -- her own yes --------------------------------------------------------------------------------------------------------


def _approved(desk: Desk, key: int) -> Connection:
    one = desk.dealings.connection(key)
    if not one.has_agreed:
        raise NotFound("you have not approved this connection beside others")
    return one


@router.get("/approval")
def ask_approval(desk: Customer, key: int) -> Response:
    """Step one for her yes beside others'."""
    return _ask(desk, _approved(desk, key), "approval", "approval", field=None, account="", kind="")


@router.post("/approval")
def take_back_approval(sent: CustomersForm, key: int) -> Response:
    """Step two for her yes."""
    return _take_back(sent.desk, _approved(sent.desk, key), own_approval=True)


# -- confirming again ---------------------------------------------------------------------------------------------------


def _renewable(desk: Desk, key: int) -> Connection:
    one = desk.dealings.connection(key)
    if one.status not in RENEWED or one.reauthenticate_by is None:
        raise NotFound("there is nothing to confirm for this connection")
    return one


@router.get("/renew")
def ask_renewal(desk: Customer, key: int) -> Response:
    """Step one of confirming: what it means. Its button leads to the bank when the sign-in is not fresh."""
    return _ask(desk, _renewable(desk, key), "renew", "renew", field=None, account="", kind="")


@router.post("/renew")
def renew(sent: CustomersForm, key: int) -> Response:
    """Step two: the bank states that it has authenticated her. Raises StepUpNeeded."""
    desk = sent.desk
    one = _renewable(desk, key)
    desk.require_fresh(f"/my/connections/{key}/renew")
    return _record(desk, one, desk.agent.reauthenticate(desk.person, one.consent.consent_id, desk.sca))
