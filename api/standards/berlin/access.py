"""`accountAccess`: what an account information consent is for. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from api.standards.berlin.dialect import TppMessage, format_error
from api.standards.words import words
from ledger.entries.terms import Filter

_DEDICATED: Final = ("accounts", "balances", "transactions")
_GLOBAL: Final = ("availableAccounts", "availableAccountsWithBalance", "allPsd2")
_ADDITIONAL: Final = ("ownerName", "trustedBeneficiaries")
_SCOPES: Final = {"allAccounts": (), "allAccountsWithOwnerName": ("ownerName",)}
MOST_ACCOUNTS: Final = 100
_NAMES: Final = {
    "iban": re.compile(r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}"),
    "bban": re.compile(r"[a-zA-Z0-9]{1,30}"),
    "pan": re.compile(r".{1,35}"),
    "maskedPan": re.compile(r".{1,35}"),
    "msisdn": re.compile(r".{1,35}"),
}
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_TYPE: Final = re.compile(r"[A-Z]{4}")


def permissions_of(access: Any) -> tuple[list[str], tuple[Filter, ...]]:
    """Codes of the catalogue, and filters. Raises Message for what the framework does not allow."""
    if not isinstance(access, dict):
        raise format_error("access is needed, and must be an object", "access")
    foreign = sorted(set(access) - {*_DEDICATED, *_GLOBAL, "additionalInformation", "restrictedTo"})
    if foreign:
        raise format_error(f"{foreign[0][:64]} is not an access that the framework knows", "access")
    dedicated = [name for name in _DEDICATED if name in access]
    every = [name for name in _GLOBAL if name in access]
    if len(every) > 1 or (every and dedicated):
        raise format_error("accounts, balances and transactions, or one of the global accesses, but not both", "access")
    if not every and not dedicated:
        raise format_error("access must ask for something", "access")
    asked = [*dedicated, *every]
    for name in dedicated:
        _references(access[name], f"access.{name}")
    for name in every:
        if not isinstance(access[name], str) or access[name] not in _SCOPES:
            raise format_error("must be allAccounts or allAccountsWithOwnerName", f"access.{name}")
        asked += _SCOPES[access[name]]
    asked += _additional(access, dedicated)
    known = words("berlin").permissions
    return [code for name in asked for code in known[name]], _restricted(access, every)


def _additional(access: dict[str, Any], dedicated: list[str]) -> list[str]:
    if "additionalInformation" not in access:
        return []
    place = "access.additionalInformation"
    wanted = access["additionalInformation"]
    if not isinstance(wanted, dict) or set(wanted) - set(_ADDITIONAL):
        raise format_error("holds ownerName and trustedBeneficiaries only", place)
    if not dedicated:
        raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", "goes with accounts, balances or transactions", place)
    for name in wanted:
        _references(wanted[name], f"{place}.{name}")
    return list(wanted)


def _restricted(access: dict[str, Any], every: list[str]) -> tuple[Filter, ...]:
    if "restrictedTo" not in access:
        return ()
    place, kinds = "access.restrictedTo", access["restrictedTo"]
    if not every:
        raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", "goes with a global access only", place)
    if not isinstance(kinds, list) or not 0 < len(kinds) <= 20 or not all(_matches(_TYPE, kind) for kind in kinds):
        raise format_error("must be a list of cash account types (ISO 20022)", place)
    return (Filter("cashAccountType", "in", ",".join(sorted(set(kinds)))),)


def _references(accounts: Any, place: str) -> None:
    """Raises Message unless this is a list of account references."""
    if not isinstance(accounts, list) or len(accounts) > MOST_ACCOUNTS:
        raise format_error(f"must be a list of at most {MOST_ACCOUNTS} account references", place)
    for at, account in enumerate(accounts):
        check_reference(account, f"{place}[{at}]")


def check_reference(account: Any, place: str) -> None:
    """Raises Message unless this is an account reference."""
    if not isinstance(account, dict):
        raise format_error("must be an account reference", place)
    names = [name for name in (*_NAMES, "other") if name in account]
    if len(names) != 1:
        raise format_error("must name one of iban, bban, pan, maskedPan, msisdn, other", place)
    [name] = names
    if name == "other":
        other = account["other"]
        if not isinstance(other, dict) or not isinstance(other.get("identification"), str):
            raise format_error("must have an identification", f"{place}.other")
    elif not _matches(_NAMES[name], account[name]):
        raise format_error(f"is no {name}", f"{place}.{name}")
    if "currency" in account and not _matches(_CURRENCY, account["currency"]):
        raise format_error("is not a currency code", f"{place}.currency")
    if "cashAccountType" in account and not _matches(_TYPE, account["cashAccountType"]):
        raise format_error("is not a cash account type", f"{place}.cashAccountType")


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def access_from(permissions: tuple[str, ...]) -> dict[str, Any]:
    """The access of a consent that was made otherwise: the part that the framework has words for, for all its
    accounts."""
    held, known = set(permissions), words("berlin").permissions
    shown: dict[str, Any] = {name: [] for name in _DEDICATED if held.issuperset(known[name])}
    more: dict[str, Any] = {name: [] for name in _ADDITIONAL if shown and held.issuperset(known[name])}
    return shown | ({"additionalInformation": more} if more else {})
