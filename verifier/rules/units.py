"""The unit of an access under ruleset 3: per account and resource, in periods of the calendar (docs/spec/ruleset-3.md, 5)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from verifier.records.terms import Terms
from verifier.rules.calendar import civil_month
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.consents import Consent

MINUTE_MS, HOUR_MINUTES, DAY_MINUTES = 60_000, 60, 1_440


def period_number(terms: Terms, time: int) -> int:
    """The number of the terms' period that `time` (ms) falls into."""
    minutes = time // MINUTE_MS + terms.utc_offset
    if terms.frequency_period == "hour":
        return minutes // HOUR_MINUTES
    day = minutes // DAY_MINUTES
    if terms.frequency_period == "day":
        return day
    year, month = civil_month(day)
    return year if terms.frequency_period == "year" else 12 * year + month - 1


@lru_cache(maxsize=8192)
def units_of(accounts: tuple[str, ...], permissions: tuple[str, ...]) -> tuple[str, ...]:
    """The units of an access to these accounts: account and resource, parted by a blank."""
    catalogue = CATALOGUES[3]
    named = {catalogue.resources.get(code, code) for code in permissions}
    resources = sorted(named - {""}) or [""]
    return tuple(f"{account} {resource}" for account in accounts or ("",) for resource in resources)


def count_of(consent: Consent, units: tuple[str, ...], time: int) -> int:
    """The highest count of these units in the present period, before this access."""
    used = consent.used
    if not used:
        return 0
    number = period_number(consent.terms, time)
    return max(count if at == number else 0 for at, count in (used.get(unit, (number, 0)) for unit in units))


def with_count(consent: Consent, units: tuple[str, ...], count: int, time: int) -> Consent:
    """The consent when each of these units has this count."""
    number = period_number(consent.terms, time)
    return replace(consent, used={**consent.used, **dict.fromkeys(units, (number, count))})


def after_units(consent: Consent, units: tuple[str, ...], counted: bool, time: int) -> Consent:
    """The consent after an allowed access to these units. `counted`: the customer was not present."""
    if consent.terms.once:
        until = consent.once_until or time // 1000 + consent.terms.once_seconds
        consent = replace(consent, once_until=until, taken=tuple(sorted({*consent.taken, *units})))
    if not counted:
        return consent
    number, used = period_number(consent.terms, time), {**consent.used}
    for unit in units:
        at, count = used.get(unit, (number, 0))
        used[unit] = (number, count + 1 if at == number else 1)
    c = consent  # written out: `replace` takes several times as long, and this is often
    return Consent(
        c.version,
        c.status,
        c.terms,
        c.terms_hash,
        c.basis,
        c.given,
        c.accounts,
        c.withdrawn,
        c.subject,
        c.pending,
        c.authenticated_at,
        c.confirmed_at,
        c.used_day,
        c.used_today,
        used,
        c.once_until,
        c.taken,
    )
