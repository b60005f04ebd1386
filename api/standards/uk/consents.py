"""OBReadConsent1 and OBReadConsentResponse1: reading the one, wording the other. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from api.office.office import Standing
from api.office.wish import Wish
from api.standards.json import NotJson, read_object
from api.standards.uk.dialect import V3, Fault, Faults
from api.standards.words import words
from ledger.consent.state import Status

STANDARD: Final = "uk-ob"
DELETED: Final = "recipient-delete"
"""The reason that a DELETE is recorded with: the resource is gone then."""
_TIMES: Final = {
    "ExpirationDateTime": "expires_at",
    "TransactionFromDateTime": "history_from",
    "TransactionToDateTime": "history_to",
}
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)  # RFC 3339; Python accepts much more
_ACCOUNTS: Final = {"ReadAccountsBasic", "ReadAccountsDetail"}
_LEVELS: Final = {"ReadTransactionsBasic", "ReadTransactionsDetail"}
_DIRECTIONS: Final = {"ReadTransactionsCredits", "ReadTransactionsDebits"}
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""


def read_consent(body: bytes, version: str, now: int) -> Wish:
    """What an OBReadConsent1 asks for at `now` (ms). Raises Faults with everything that is wrong."""
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
    times = {member: _time(inner, name, faults) for name, member in _TIMES.items()}
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
    """Seconds; 0 where nothing is said."""
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
    if not 0 < seconds <= _LATEST:
        faults.append(Fault("U003", "must lie between the years 1970 and 9999", path))
        return 0
    return seconds


def _six_digits(text: str) -> str:
    return re.sub(r"\.(\d{1,9})", lambda found: "." + found[1][:6].ljust(6, "0"), text)


def _absent_or_wrong(where: dict[str, Any], name: str, path: str) -> Fault:
    if name in where:
        return Fault("U002", f"{name} is not of its type", path)
    return Fault("U004", f"{name} is needed", path)


def word_consent(standing: Standing, version: str, self_link: str) -> dict[str, Any]:
    """The OBReadConsentResponse1. Raises Faults for a deleted consent, and for one that this standard has no word for."""
    if is_deleted(standing):
        raise not_found()
    terms = standing.terms
    permissions = shown_permissions(standing)
    if not permissions:
        raise Faults([Fault("U042", "the consent holds no permission that this standard has a word for")])
    inner: dict[str, Any] = {
        "ConsentId": standing.consent_id,
        "CreationDateTime": iso(standing.created_at),
        "Status": words("uk").states[standing.status.value][version],
        "StatusUpdateDateTime": iso(standing.changed_at),
        "Permissions": permissions,
    }
    for name, member in _TIMES.items():
        if seconds := getattr(terms, member):
            inner[name] = iso(seconds * 1000)
    if version != V3:
        inner["StatusReason"] = [_reason(standing)]
    return {"Data": inner, "Risk": {}, "Links": {"Self": self_link}, "Meta": {"TotalPages": 1}}


def shown_permissions(standing: Standing) -> list[str]:
    """The UK's permissions of a consent; those that the UK has no word for are left out."""
    held = set(standing.terms.permissions)
    return sorted(permission for permission, codes in words("uk").permissions.items() if held.issuperset(codes))


def is_deleted(standing: Standing) -> bool:
    """Whether the recipient ended it: in this standard the resource does not exist any more."""
    return standing.status is Status.TERMINATED and standing.change.by == "recipient"


def not_found() -> Faults:
    """The one answer for what does not exist and what is another's."""
    return Faults([Fault("U011", "there is no such consent of yours with this account provider", "ConsentId")])


def iso(milliseconds: int) -> str:
    """`2017-04-05T10:43:07+00:00`."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()


_REASONS: Final[dict[Status, tuple[str, str]]] = {
    Status.AWAITING: ("U036", "Waiting for completion of consent authorisation by the customer"),
    Status.PARTIAL: ("U040", "Awaiting further authorisation"),
    Status.ACTIVE: ("U038", "Consent has been completed successfully"),
    Status.PAUSED: ("U042", "The customer has paused the consent at the account provider"),
    Status.SUSPENDED: ("U028", "Reauthentication is required by PSU"),
    Status.REJECTED: ("U037", "Authorisation failed"),
    Status.EXPIRED: ("TKXP", "The consent has reached its expiry"),
    Status.REVOKED: ("U039", "Reinstate not allowed any more"),
    Status.TERMINATED: ("U039", "Reinstate not allowed any more"),
    Status.CONSUMED: ("U035", "Consent already consumed"),
    Status.SUPERSEDED: ("U042", "Another consent has taken the place of this one"),
}
_ACTORS: Final = {
    "customer": "the customer", "guardian": "the customer's guardian", "court": "a court", "holder": "the account provider",
    "recipient": "the recipient", "system": "the account provider's systems",
}  # fmt: skip


def _reason(standing: Standing) -> dict[str, str]:
    code, text = _REASONS[standing.status]
    change = standing.change
    if change.reason:
        text = f"{text} (by {_ACTORS.get(change.by, change.by)}: {change.reason})"
    return {"StatusReasonCode": code, "StatusReasonDescription": text[:500]}
