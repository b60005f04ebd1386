"""Finds the reports that are due: periods that are over and were not issued (docs/reports.md, «By themselves»)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from ledger.errors import InvalidInput
from ledger.queries.reports import definition_of
from ledger.reporting.periods import Defined, ReportPeriod, period_of
from ledger.storage.log import LogStore
from ledger.storage.operator import OnRecord, reports_on_record

MOST: Final = 100
"""How many reports one look finds at most; the next look goes on."""


class DueReport(NamedTuple):
    """A report that its definition promises."""

    report: str
    day: date
    """The first day of its period."""
    period: ReportPeriod


def due_reports(store: LogStore, now: int) -> list[DueReport]:
    """Periods that ended by `now` (ms) and were not issued, from the one in which a report was first defined on; oldest first.

    Reads the chain of reports only. Raises Corrupt, Unavailable.
    """
    with store.read() as connection:
        said: list[OnRecord[dict[str, Any]]] = reports_on_record(connection)
    defined: dict[str, list[Defined]] = defaultdict(list)
    issued = set[tuple[str, int]]()
    for _, time, says in said:
        if says["type"] == "report.defined":
            defined[says["report"]].append(Defined(time, definition_of(says)))
        else:
            issued.add((says["report"], says["from"]))
    found: list[DueReport] = []
    for report, definitions in defined.items():
        for day, period in _periods(definitions, now):
            if (report, period.first) not in issued:
                found.append(DueReport(report, day, period))
    return sorted(found, key=lambda one: (one.period.end, one.report))[:MOST]


def _periods(defined: list[Defined], now: int) -> Iterable[tuple[date, ReportPeriod]]:
    """The periods of a report that are over, from the one in which it was defined on."""
    first = defined[0]
    local = datetime.fromtimestamp(first.time / 1000, UTC) + timedelta(minutes=first.says.utc_offset)
    months = {"day": 0, "month": 1, "quarter": 3}[first.says.period]
    day = local.date() if not months else date(local.year, (local.month - 1) // months * months + 1, 1)
    while (day - date(1970, 1, 1)).days * 86_400_000 <= now + 86_400_000:
        try:
            _, period = period_of(defined, day)
        except InvalidInput:  # none begins on this day: another definition holds, with longer periods
            day += timedelta(days=1)
            continue
        if period.end * 1000 > now:
            return
        yield day, period
        day += timedelta(days=max(1, (period.end - period.first) // 86_400))
