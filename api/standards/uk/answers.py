"""OBReadConsentResponse1, worded. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from api.office.office import Standing
from api.standards.uk.dialect import V3, Fault, Faults
from api.standards.uk.requests import TIMES
from api.standards.words import words
from ledger.consent.state import Status

DELETED: Final = "recipient-delete"
"""The reason that a DELETE is recorded with: the resource is gone then."""


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
    for name, member in TIMES.items():
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
    """The same answer for a consent that does not exist and for another's."""
    return Faults([Fault("U011", "you have no such consent with this account provider", "ConsentId")])


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
    Status.SUPERSEDED: ("U042", "Another consent has replaced this one"),
}
_ACTORS: Final = {
    "customer": "the customer",
    "guardian": "the customer's guardian",
    "court": "a court",
    "holder": "the account provider",
    "recipient": "the recipient",
    "system": "the account provider's systems",
}


def _reason(standing: Standing) -> dict[str, str]:
    code, text = _REASONS[standing.status]
    change = standing.change
    if change.reason:
        text = f"{text} (by {_ACTORS.get(change.by, change.by)}: {change.reason})"
    return {"StatusReasonCode": code, "StatusReasonDescription": text[:500]}
