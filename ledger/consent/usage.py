"""The unit of an access, and the periods it is counted in (docs/spec/ruleset-3.md, The unit of an access). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from ledger.catalogue import CATALOGUES

Used = Mapping[str, tuple[int, int]]
"""By unit: the number of the period that was counted last, and how many accesses were allowed in it."""

_MINUTE_MS: Final = 60_000
_HOUR_MINUTES: Final = 60
_DAY_MINUTES: Final = 1_440


@lru_cache(maxsize=4096)
def resources(ruleset: int, permissions: tuple[str, ...]) -> tuple[str, ...]:
    """What these permissions read, sorted, each once."""
    return CATALOGUES[ruleset].resources_of(permissions)


def units(ruleset: int, accounts: tuple[str, ...], permissions: tuple[str, ...]) -> tuple[str, ...]:
    """All pairs of account and resource, each as one text; an account and a resource hold no slash."""
    read = resources(ruleset, permissions)
    return tuple([f"{account}/{resource}" for account in accounts or ("",) for resource in read])


def period_number(time: int, offset: int, period: str) -> int:
    """The number of the period that a time (ms) falls in, where clocks are `offset` minutes ahead of UTC."""
    minutes = time // _MINUTE_MS + offset
    if period == "day":
        return minutes // _DAY_MINUTES
    if period == "hour":
        return minutes // _HOUR_MINUTES
    year, month = _year_and_month(minutes // _DAY_MINUTES)
    return 12 * year + month - 1 if period == "month" else year


@lru_cache(maxsize=512)
def _year_and_month(day: int) -> tuple[int, int]:
    """Year and month of a day since 1970-01-01 in the proleptic Gregorian calendar, for any number of days.

    Counted in years that begin in March, whose leap day is the last: then each month but the last begins at the same place.
    """
    era, day_of_era = divmod(day + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month < 3), month


def most_used(used: Used, wanted: Iterable[str], number: int) -> int:
    """The highest count of these units in the period of this number."""
    if not used:
        return 0
    most = 0
    for unit in wanted:
        counted = used.get(unit)
        if counted is not None and counted[0] == number and counted[1] > most:
            most = counted[1]
    return most


def counted(used: Used, wanted: Iterable[str], number: int) -> Used:
    """The counts after one more access of these units in the period of this number."""
    after = dict(used)
    for unit in wanted:
        before = after.get(unit)
        after[unit] = (number, before[1] + 1) if before is not None and before[0] == number else (number, 1)
    return after
