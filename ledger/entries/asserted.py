"""Asserted reasons: why an access is denied by facts outside the log (docs/spec/decisions.md, Asserted reasons)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

Asserted = Literal[
    "SOFTWARE_INACTIVE",
    "SOFTWARE_REMOVED",
    "CERT_MISSING",
    "CERT_INVALID",
    "CERT_EXPIRED",
    "CERT_REVOKED",
    "TOKEN_MISSING",
    "TOKEN_INVALID",
    "TOKEN_BINDING_MISMATCH",
    "TOKEN_EXPIRED",
    "TOKEN_REVOKED",
    "SCOPE_INSUFFICIENT",
    "TOKEN_CONSENT_MISMATCH",
    "RECIPIENT_NOT_NAMED",
    "REGION_NOT_CONSENTED",
    "ACCOUNT_CLOSED",
    "ACCOUNT_BLOCKED",
    "FILTER_EXCEEDED",
    "RATE_LIMITED",
    "LOW_VELOCITY_LIMIT",
    "RISK_BLOCKED",
    "HOLDER_UNAVAILABLE",
]
"""One of them; the order of the list is the order they stand in."""

ASSERTED: Final[tuple[Asserted, ...]] = get_args(Asserted)
_PLACE: Final = {reason: place for place, reason in enumerate(ASSERTED)}


def in_order(reasons: Iterable[Asserted]) -> tuple[Asserted, ...]:
    """These reasons in the order of the list, each once."""
    return tuple(sorted(set(reasons), key=_PLACE.__getitem__))
