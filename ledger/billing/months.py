"""Months under a UTC offset, in seconds (docs/spec/partners.md, 4). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from ledger.errors import InvalidInput

_NAME: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Month(NamedTuple):
    """Seconds: the first one, and the first one after it."""

    first: int
    end: int


def month_with(second: int, utc_offset: int) -> Month:
    """The month that holds this second, under an offset in minutes."""
    there = _EPOCH + timedelta(seconds=second + utc_offset * 60)
    return _month(there.year, there.month, utc_offset)


def month_named(name: str, utc_offset: int) -> Month:
    """The month `YYYY-MM`. Raises InvalidInput for another text, and for a month before 1970."""
    match = _NAME.match(name)
    if match is None or int(match[1]) < 1970:
        raise InvalidInput(f"{name[:20]!r} is not a month: write it as 2026-11", member="month")
    month = _month(int(match[1]), int(match[2]), utc_offset)
    if month.first < 0:
        raise InvalidInput(f"{name!r} begins before 1970", member="month")
    return month


def name_of(first: int, utc_offset: int) -> str:
    """`YYYY-MM` of the month that holds this second."""
    there = _EPOCH + timedelta(seconds=first + utc_offset * 60)
    return f"{there.year:04d}-{there.month:02d}"


def _month(year: int, month: int, utc_offset: int) -> Month:
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    first = datetime(year, month, 1, tzinfo=UTC)
    return Month(*(int((day - _EPOCH).total_seconds()) - utc_offset * 60 for day in (first, after)))
