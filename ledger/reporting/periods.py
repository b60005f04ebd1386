"""Which period a report is of, and which definition it belongs to (docs/spec/reports.md, `report.defined`). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from ledger.errors import InvalidInput, NotFound
from ledger.orders import ReportDefined

_MONTHS: Final = {"month": 1, "quarter": 3}


class Defined(NamedTuple):
    """A definition, and when it was recorded (ms)."""

    time: int
    says: ReportDefined


class ReportPeriod(NamedTuple):
    """Seconds: the first one, and the first one after it."""

    first: int
    end: int


def period_of(defined: Sequence[Defined], day: date) -> tuple[ReportDefined, ReportPeriod]:
    """The definition in force for the period that begins on `day`, and this period. `defined`: those of one report, in order.

    Raises NotFound without a definition, InvalidInput when no period begins on this day.
    """
    if not defined:
        raise NotFound("no such report is defined in this log", member="report")
    for candidate in reversed(defined):
        period = _beginning(candidate.says, day)
        if period is not None and _in_force(defined, period.first) is candidate:
            return candidate.says, period
    raise InvalidInput(
        f"no period of this report begins on {day.isoformat()}: a month begins on its first day, a quarter in January, "
        "April, July or October",
        member="from",
    )


def _in_force(defined: Sequence[Defined], first: int) -> Defined:
    before = [one for one in defined if one.time <= first * 1000]
    return before[-1] if before else defined[0]


def _beginning(says: ReportDefined, day: date) -> ReportPeriod | None:
    if says.period == "day":
        after = day + timedelta(days=1)
    else:
        months = _MONTHS[says.period]
        if day.day != 1 or (day.month - 1) % months:
            return None
        month = day.month - 1 + months
        after = date(day.year + month // 12, month % 12 + 1, 1)
    first, end = (_second(each, says.utc_offset) for each in (day, after))
    return ReportPeriod(first, end) if first >= 0 else None


def _second(day: date, offset: int) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - offset * 60
