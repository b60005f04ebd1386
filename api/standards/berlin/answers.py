"""A consent in the framework's words. Pure, but for the holder's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from msgspec import UNSET

from api.office.configuration import HolderOptions
from api.office.json import read_object
from api.office.office import Standing
from api.standards.berlin.access import access_from
from api.standards.berlin.requests import NEVER, STANDARD, VERSION
from api.standards.words import words
from ledger.consent.state import BEFORE, Status
from ledger.entries.terms import Terms


def status_of(standing: Standing, version: str = VERSION) -> str:
    """`consentStatus`. An end is told as its author's where the framework has a word for the author."""
    if standing.status in (Status.REVOKED, Status.TERMINATED):
        return _ENDED_BY.get(standing.change.by, "expired")
    return words("berlin").states[standing.status.value][version]


_ENDED_BY: Final = {"customer": "revokedByPsu", "guardian": "revokedByPsu", "recipient": "terminatedByTpp"}


def word_consent(standing: Standing, options: HolderOptions) -> dict[str, Any]:
    """The consent's information."""
    terms = standing.terms
    own = standing.facts is not None and terms.standard == STANDARD
    own = own and terms.standard_version == VERSION
    return {
        "access": read_object(standing.facts)["access"] if own and standing.facts else access_from(terms.permissions),
        "validUntil": last_day_of(terms, options),
        **common_of(standing, options),
        "consentStatus": status_of(standing),
    }


def last_day_of(terms: Terms, options: HolderOptions) -> str:
    """The last day on which the consent holds."""
    return (NEVER if not terms.expires_at else _day((terms.expires_at - 1) * 1000, options)).isoformat()


def common_of(standing: Standing, options: HolderOptions) -> dict[str, Any]:
    """The members that both versions have under the same names."""
    return {
        "recurringIndicator": not standing.terms.once,
        "frequencyPerDay": _per_day(standing.terms) or options.frequency_per_day,
        "lastActionDate": _day(standing.changed_at, options).isoformat(),
    }


def _day(milliseconds: int, options: HolderOptions) -> date:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone(options.tz).date()


def sca_status(standing: Standing, place: int) -> str:
    """`scaStatus` of the authorisation that is the `place`-th of its consent (from 0): one for each customer who agreed."""
    consent = standing.consent
    agreed = consent.pending.authorisers if consent.pending is not None else consent.authorisers
    if place < len(agreed):
        return "finalised"
    waits = consent.pending is not None or standing.status in BEFORE
    return "received" if waits and standing.status not in _OVER else "failed"


def may_be_authorised(standing: Standing) -> bool:
    """Whether somebody may still agree to it."""
    return standing.status in BEFORE or (standing.consent.pending is not None and standing.status not in _OVER)


_OVER: Final = frozenset(
    {Status.REJECTED, Status.EXPIRED, Status.REVOKED, Status.TERMINATED, Status.CONSUMED, Status.SUPERSEDED}
)


def _per_day(terms: Terms) -> int:
    """In days, which is all that this standard counts: by the hour a day's worth, by the month or year one."""
    if terms.frequency_period is UNSET or not terms.frequency_per_day:
        return terms.frequency_per_day
    return {"day": terms.frequency_per_day, "hour": terms.frequency_per_day * 24}.get(terms.frequency_period, 1)
