"""Days as a holder counts them: in its zone."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def read_day(text: str) -> date:
    """A date in the one spelling of ISO 8601 with hyphens. Raises ValueError."""
    if not _DATE.fullmatch(text):
        raise ValueError(text[:64])
    return date.fromisoformat(text)


def after_day(day: date, zone: tzinfo) -> int:
    """The first second after a day."""
    return int(datetime.combine(day + timedelta(days=1), time(), zone).timestamp())


def last_day(seconds: int, zone: tzinfo) -> str:
    """The last day before this second, as `after_day` takes it."""
    return datetime.fromtimestamp(seconds - 1, zone).date().isoformat()


def day_at(milliseconds: int, zone: tzinfo) -> date:
    """The day of a moment."""
    return datetime.fromtimestamp(milliseconds / 1000, zone).date()


def offset_at(milliseconds: int, zone: tzinfo) -> int:
    """Minutes from UTC to the zone's day at a moment."""
    ahead = datetime.fromtimestamp(milliseconds / 1000, zone).utcoffset()
    return 0 if ahead is None else int(ahead.total_seconds() // 60)
