"""Authorization details (RFC 9396) of type `account_information`: which data, in words of an API rather than of a scope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from api.http.refusals import BadRequest

TYPE: Final = "account_information"
ERROR: Final = "invalid_authorization_details"
ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "list_accounts": ("ReadAccountsBasic",),
    "read_account_details": ("ReadAccountsDetail",),
    "read_balances": ("ReadBalances",),
    "read_beneficiaries": ("ReadBeneficiariesDetail",),
    "read_cards": ("ReadCreditCardBills", "ReadCreditCardLimits", "ReadCreditCardTransactions", "ReadCreditCards"),
    "read_credit": ("ReadFinancings", "ReadInvoiceFinancings", "ReadLoans", "ReadOverdrafts"),
    "read_direct_debits": ("ReadDirectDebits",),
    "read_investments": ("ReadInvestments",),
    "read_party": ("ReadParty",),
    "read_scheduled_payments": ("ReadScheduledPaymentsDetail",),
    "read_standing_orders": ("ReadStandingOrdersDetail",),
    "read_statements": ("ReadStatementsDetail",),
    "read_transactions": ("ReadTransactionsCredits", "ReadTransactionsDebits", "ReadTransactionsDetail"),
}
"""Action to the permissions that it needs."""
_BASIC: Final = "Basic"

_Text = Annotated[str, Meta(min_length=1, max_length=256)]


class AccountInformation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One element. `consent_id` binds a token to a consent that exists; without it, a consent is asked for."""

    type: Literal["account_information"]
    actions: Annotated[tuple[_Text, ...], Meta(max_length=32)] = ()
    """Empty: all that the consent permits."""
    locations: Annotated[tuple[_Text, ...], Meta(max_length=8)] = ()
    """The holder's addresses that the token is meant for."""
    consent_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    expires_at: Annotated[int, Meta(ge=0, le=2**45)] = 0
    """In a request for a consent: when it ends, in seconds; 0 = open-ended."""


class _AnyDetail(Struct, frozen=True):
    type: str


_any_details: Final = msgspec.json.Decoder(Annotated[list[_AnyDetail], Meta(max_length=8)])
_details: Final = msgspec.json.Decoder(tuple[AccountInformation, ...])


def parse_details(text: str) -> AccountInformation:
    """The one element of `authorization_details`. Raises BadRequest with RFC 9396's own error code."""
    try:
        kinds = [detail.type for detail in _any_details.decode(text)]
        if any(kind != TYPE for kind in kinds):
            raise BadRequest(f"the only type here is {TYPE}", member="authorization_details", error=ERROR)
        details = _details.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadRequest(
            f"authorization_details is not a list of objects of type {TYPE}: {error}",
            member="authorization_details",
            error=ERROR,
        ) from None
    if len(details) != 1:
        raise BadRequest(
            "one element is understood: a token is for one consent", member="authorization_details", error=ERROR
        )
    unknown = sorted(set(details[0].actions) - ACTIONS.keys())
    if unknown:
        raise BadRequest(f"the actions are: {', '.join(sorted(ACTIONS))}", member="authorization_details", error=ERROR)
    return details[0]


def permissions_of(actions: Iterable[str]) -> tuple[str, ...]:
    """The permissions that actions need, sorted."""
    return tuple(sorted({permission for action in actions for permission in ACTIONS[action]}))


def actions_of(permissions: Iterable[str]) -> tuple[str, ...]:
    """The actions that permissions allow, sorted. Detail includes Basic; either direction alone allows to read transactions."""
    held = set(permissions)
    held |= {permission.removesuffix("Detail") + _BASIC for permission in held if permission.endswith("Detail")}
    allowed = {action for action, needed in ACTIONS.items() if held & set(needed) and action not in _STRICT}
    allowed |= {action for action in _STRICT if set(ACTIONS[action]) <= held}
    if held & {"ReadTransactionsCredits", "ReadTransactionsDebits"}:
        allowed.add("read_transactions")
    return tuple(sorted(allowed))


def all_of(permissions: Iterable[str]) -> tuple[str, ...]:
    """What a token is good for that was not narrowed to actions, sorted: all that its consent permits. Some of it (offers,
    Brazil's list of resources) has no action."""
    held = set(permissions) | set(permissions_of(actions_of(permissions)))
    held |= {permission.removesuffix("Detail") + _BASIC for permission in held if permission.endswith("Detail")}
    return tuple(sorted(held))


_STRICT: Final = frozenset({"read_transactions"})


def granted(asked: AccountInformation, permissions: Iterable[str], consent_id: str) -> dict[str, Any]:
    """The actions of a token: those asked for, or all there are. Raises BadRequest for more than the consent
    permits."""
    allowed = actions_of(permissions)
    actions = tuple(sorted(set(asked.actions))) or allowed
    beyond = sorted(set(actions) - set(allowed))
    if beyond:
        raise BadRequest(
            f"the consent does not permit: {', '.join(beyond)}", member="authorization_details", error=ERROR
        )
    said: dict[str, Any] = {"actions": list(actions), "consent_id": consent_id, "type": TYPE}
    return said | ({"locations": list(asked.locations)} if asked.locations else {})
