"""OBReadConsent1, read. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.forms import LATEST_SECOND, LATEST_YEAR
from api.standards.uk.dialect import Fault, Faults
from api.standards.words import words

STANDARD: Final = "uk-ob"
TIMES: Final = {
    "ExpirationDateTime": "expires_at",
    "TransactionFromDateTime": "history_from",
    "TransactionToDateTime": "history_to",
}
"""The standard's times, and the members of the terms that they become."""
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)  # RFC 3339; Python accepts much more
_ACCOUNTS: Final = {"ReadAccountsBasic", "ReadAccountsDetail"}
_LEVELS: Final = {"ReadTransactionsBasic", "ReadTransactionsDetail"}
_DIRECTIONS: Final = {"ReadTransactionsCredits", "ReadTransactionsDebits"}


def read_consent(body: bytes, version: str, now: int) -> Wish:
    """The wish of an OBReadConsent1 at `now` (ms). Raises Faults with everything that is wrong."""
    try:
        asked = read_object(body)
    except NotJson as error:
        raise Faults([Fault("U010", str(error))]) from None
    faults: list[Fault] = []
    if not isinstance(asked.get("Risk"), dict):
        faults.append(_absent_or_wrong(asked, "Risk", "Risk"))
    elif asked["Risk"]:
        faults.append(Fault("U005", "Risk has no members in this API", "Risk"))
    inner = asked.get("Data")
    if not isinstance(inner, dict):
        raise Faults([*faults, _absent_or_wrong(asked, "Data", "Data")])
    permissions = _permissions(inner, faults)
    times = {member: _time(inner, name, faults) for name, member in TIMES.items()}
    if times["expires_at"] and times["expires_at"] * 1000 <= now:
        faults.append(Fault("U003", "must be in the future", "Data.ExpirationDateTime"))
    if 0 < times["history_to"] < times["history_from"]:
        faults.append(Fault("U003", "must not lie before TransactionFromDateTime", "Data.TransactionToDateTime"))
    if faults:
        raise Faults(faults)
    codes = words("uk").permissions
    return Wish(
        permissions=[code for permission in permissions for code in codes[permission]],
        standard=STANDARD,
        standard_version=version,
        expires_at=times["expires_at"],
        history_from=times["history_from"],
        history_to=times["history_to"],
    )


def _permissions(inner: dict[str, Any], faults: list[Fault]) -> list[str]:
    path = "Data.Permissions"
    found = inner.get("Permissions")
    if not isinstance(found, list):
        faults.append(_absent_or_wrong(inner, "Permissions", path))
        return []
    if not found:
        faults.append(Fault("U002", "must name at least one permission", path))
        return []
    known = words("uk").permissions
    foreign = [str(one)[:64] for one in found if not isinstance(one, str) or one not in known]
    if foreign:
        faults.append(Fault("U002", f"{foreign[0]} is not a permission that is supported", path))
        return []
    given = set(found)
    if not given & _ACCOUNTS:
        faults.append(Fault("U001", "ReadAccountsBasic or ReadAccountsDetail is needed", path))
    if given & _LEVELS and not given & _DIRECTIONS:
        faults.append(Fault("U001", "transactions need ReadTransactionsCredits or ReadTransactionsDebits", path))
    if given & _DIRECTIONS and not given & _LEVELS:
        faults.append(Fault("U001", "transactions need ReadTransactionsBasic or ReadTransactionsDetail", path))
    return list(dict.fromkeys(found))


def _time(inner: dict[str, Any], name: str, faults: list[Fault]) -> int:
    """Seconds; 0 where the member is absent."""
    if name not in inner:
        return 0
    path, text = f"Data.{name}", inner[name]
    if not isinstance(text, str) or not _DATE_TIME.fullmatch(text):
        faults.append(Fault("U003", "must be a date-time with its offset from UTC", path))
        return 0
    try:
        seconds = int(datetime.fromisoformat(_six_digits(text.upper())).timestamp() // 1)
    except (ValueError, OverflowError):
        faults.append(Fault("U003", "is not a date-time that exists", path))
        return 0
    if not 0 < seconds <= LATEST_SECOND:
        faults.append(
            Fault("U003", f"must lie between the years 1970 and {LATEST_YEAR}; without it there is no end", path)
        )
        return 0
    return seconds


def _six_digits(text: str) -> str:
    return re.sub(r"\.(\d{1,9})", lambda found: "." + found[1][:6].ljust(6, "0"), text)


def _absent_or_wrong(where: dict[str, Any], name: str, path: str) -> Fault:
    if name in where:
        return Fault("U002", f"{name} is not of its type", path)
    return Fault("U004", f"{name} is needed", path)
