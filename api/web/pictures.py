"""Pictures of a consent, as numbers for the templates to draw: its life as a line, its accesses by day."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from api.web.happened import Event

DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Life:
    """A consent's life from its start to its end; positions in per cent of the line."""

    start: int
    end: int | None
    """Its end in ms: past or future; None when none is set."""
    now: float
    """How much of the line has passed."""
    over: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One day's accesses; heights in per cent of the highest day."""

    date: dt.date
    allowed: int
    refused: int
    allowed_height: float
    refused_height: float


def life(start: int, end: int | None, now: int) -> Life:
    """The line from `start` to `end`; without an end it runs on, with today at two thirds."""
    if end is None:
        return Life(start, None, 66.0, over=False)
    span = max(end - start, 1)
    return Life(start, end, round(min(max((now - start) / span * 100, 0.0), 100.0), 1), over=now >= end)


def days(events: Sequence[Event], now: int, zone: str) -> list[Day]:
    """Accesses on each of the last DAYS days in a zone, oldest day first."""
    place = ZoneInfo(zone)
    counted: Counter[tuple[dt.date, bool]] = Counter(
        (dt.datetime.fromtimestamp(event.time / 1000, place).date(), event.allowed)
        for event in events
        if event.is_access
    )
    today = dt.datetime.fromtimestamp(now / 1000, place).date()
    dates = [today - dt.timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    highest = max([counted[date, True] + counted[date, False] for date in dates] + [1])
    return [
        Day(
            date,
            counted[date, True],
            counted[date, False],
            round(counted[date, True] / highest * 100, 1),
            round(counted[date, False] / highest * 100, 1),
        )
        for date in dates
    ]
