"""A permission as art. 43(2) demands that the customer sees it: to whom, which account, why, for how long, which data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from api.office.office import Standing
from api.office.subject import rfc3339
from api.standards.days import last_day
from api.standards.psr.requests import CATEGORIES, VERSION
from api.standards.words import words
from ledger.consent.state import LIVE

ENDED_YEARS: Final = 2
"""How long the dashboard shows what has ended (art. 43(2)(d))."""


def permission_of(standing: Standing, provider: str, zone: tzinfo, *, again: bool) -> dict[str, Any]:
    """One permission; `provider` is the recipient's name, `again` whether it can be re-established here."""
    terms, change = standing.terms, standing.change
    held = frozenset(terms.permissions)
    categories = [name for name, codes in CATEGORIES.items() if held & codes]
    told: dict[str, Any] = {
        "permissionId": standing.consent_id,
        "status": words("psr").states[standing.status.value][VERSION],
        "provider": {"id": terms.recipient, "name": provider},
        "accounts": list(standing.consent.accounts),
        "purpose": {"code": terms.purpose.code, "text": terms.purpose.text},
        "validFrom": rfc3339(standing.created_at // 1000),
        "validTo": last_day(terms.expires_at, zone) if terms.expires_at else None,
        "dataCategories": categories,
        "frequencyPerDay": terms.frequency_per_day,
        "once": terms.once,
        "standard": terms.standard,
        "changed": {"at": rfc3339(change.at // 1000), "by": change.by, "reason": change.reason},
        "canBeReestablished": again,
    }
    other = sorted(held.difference(*(CATEGORIES[name] for name in categories)))
    if other:
        told["otherData"] = other
    return told


def is_shown(standing: Standing, now: int) -> bool:
    """Whether it is ongoing, or ended within the last two years; `now` in milliseconds."""
    return standing.status in LIVE or standing.changed_at >= _years_before(now, ENDED_YEARS)


def _years_before(milliseconds: int, years: int) -> int:
    """The same day and time, years earlier; the 28th for a 29 February."""
    whole = datetime.fromtimestamp(milliseconds // 1000, UTC)
    day = whole if (whole.month, whole.day) != (2, 29) else whole - timedelta(days=1)
    return int(day.replace(year=day.year - years).timestamp()) * 1000
