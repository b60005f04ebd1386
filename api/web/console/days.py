"""Days that somebody chose in a form, as places in the log: an entry's index stands for its moment."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

from api.web.desk import Desk
from ledger.queries.overview import OverviewQueries

Day = dt.date | Literal[""]
"""A day of the reader's own zone; empty: not chosen."""


def days_as_indexes(desk: Desk, since: Day, until: Day) -> tuple[int | None, int | None]:
    """The first index of the day `since`, and the first one after the whole day `until`; None for a day that was not chosen, or
    that no clock knows."""
    overview, zone = OverviewQueries(desk.office.ledger.store), ZoneInfo(desk.words.zone)

    def index_of(day: Day, *, after: int) -> int | None:
        if not isinstance(day, dt.date):
            return None
        try:
            start = dt.datetime.combine(day + dt.timedelta(days=after), dt.time(), zone)
            return overview.first_at(int(start.timestamp() * 1000))
        except (OverflowError, ValueError):
            return None

    return index_of(since, after=0), index_of(until, after=1)
