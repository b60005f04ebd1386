"""openFinance 2: access as rights by kind of account, in place of lists of accounts by kind of data. Pure."""

from __future__ import annotations

from typing import Any, Final

from api.office.configuration import HolderOptions
from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.berlin.access import MOST_ACCOUNTS, check_reference
from api.standards.berlin.dialect import TppMessage, format_error
from api.standards.berlin.headers import TWO
from api.standards.berlin.requests import REAUTHENTICATE_DAYS, STANDARD, end_of
from api.standards.days import offset_at
from api.standards.words import words

KINDS: Final = ("payments", "cards", "cardAccounts", "savings", "loans", "securities")
TYPES: Final = ("accountList", "aspspManaged", "detailed", "global")
RIGHTS: Final = {
    name.removeprefix("v2."): tuple(codes) for name, codes in words("berlin").permissions.items() if name[:3] == "v2."
}
"""Kind of account and right, with a dot between them, to codes of the catalogue."""
_MEMBERS: Final = ("access", "consentType", "recurringIndicator", "validTo", "frequencyPerDay")
_ENTRY: Final = frozenset({"account", "rights"})
_LISTED: Final = frozenset({"accountDetails", "balances", "ownerName"})
"""The rights that a list of accounts has."""


def read_consent_2(body: bytes, options: HolderOptions, now: int) -> Wish:
    """The wish of a consent request of version 2 at `now` (ms). Raises Message with the first thing that is wrong."""
    try:
        asked = read_object(body)
    except NotJson as error:
        raise format_error(str(error)) from None
    missing = [name for name in _MEMBERS if name not in asked]
    if missing:
        raise format_error(f"{missing[0]} is needed", missing[0])
    recurring, often = asked["recurringIndicator"], asked["frequencyPerDay"]
    if not isinstance(recurring, bool):
        raise format_error("must be true or false", "recurringIndicator")
    if type(often) is not int or often < 1:
        raise format_error("must be a whole number, at least 1", "frequencyPerDay")
    if not recurring and often != 1:
        raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", "a one-off access has the frequency 1", "frequencyPerDay")
    if asked["consentType"] not in TYPES:
        raise format_error(f"must be one of {', '.join(TYPES)}", "consentType")
    return Wish(
        permissions=permissions_of(asked["access"], asked["consentType"]),
        standard=STANDARD,
        standard_version=TWO.version,
        expires_at=end_of(asked["validTo"], options, now, "validTo"),
        frequency_per_day=min(often, options.frequency_per_day),
        once=not recurring,
        reauthenticate_days=(options.reauthenticate_days or REAUTHENTICATE_DAYS) if recurring else 0,
        utc_offset=offset_at(now, options.tz),
    )


def permissions_of(access: Any, consent_type: str) -> list[str]:
    """Codes of the catalogue. Raises Message for what the framework does not allow, or nobody here can give."""
    if not isinstance(access, dict) or not access:
        raise format_error("access is needed, and must ask for something", "access")
    foreign = sorted(set(access) - set(KINDS))
    if foreign:
        raise format_error(f"{foreign[0][:64]} is not a kind of account that the framework knows", "access")
    found: list[str] = []
    for kind, entries in access.items():
        if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ACCOUNTS:
            raise format_error(f"must be a list of 1 to {MOST_ACCOUNTS} entries", f"access.{kind}")
        for at, entry in enumerate(entries):
            found += _entry(kind, entry, consent_type, f"access.{kind}[{at}]")
    return found


def _entry(kind: str, entry: Any, consent_type: str, place: str) -> list[str]:
    if not isinstance(entry, dict) or not _ENTRY.issuperset(entry):
        raise format_error("holds account and rights only", place)
    if ("account" in entry) != (consent_type == "detailed"):
        raise TppMessage(
            400, "PARAMETER_NOT_CONSISTENT", "an account goes with the consentType detailed, and with no other", place
        )
    if "account" in entry:
        check_reference(entry["account"], f"{place}.account")
    rights = entry.get("rights")
    if not isinstance(rights, list) or not rights:
        raise format_error("must be a list of rights", f"{place}.rights")
    found: list[str] = []
    for right in rights:
        codes = RIGHTS.get(f"{kind}.{right}") if isinstance(right, str) else None
        if codes is None:
            said = f"{str(right)[:64]!r} is no right that is given for {kind} here"
            raise TppMessage(400, "PARAMETER_NOT_SUPPORTED", said, f"{place}.rights")
        if consent_type == "accountList" and right not in _LISTED:
            raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", f"a list of accounts has no {right}", f"{place}.rights")
        found += codes
    return found


def rights_from(permissions: tuple[str, ...]) -> dict[str, Any]:
    """The access of a consent that was made otherwise: the rights that its permissions cover whole, of any account."""
    held, found = set(permissions), dict[str, Any]()
    for name, codes in RIGHTS.items():
        kind, _, right = name.partition(".")
        if held.issuperset(codes) and right != "ais":
            found.setdefault(kind, [{"rights": []}])[0]["rights"].append(right)
    return found
