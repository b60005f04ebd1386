"""Consent requests, read. Pure, but for the holder's zone."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from api.office.configuration import HolderOptions
from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.berlin.access import permissions_of
from api.standards.berlin.dialect import TppMessage, format_error
from api.standards.days import after_day, day_at, offset_at, read_day
from api.standards.forms import LATEST_YEAR

STANDARD: Final = "berlin-group"
VERSION: Final = "1.3"
REAUTHENTICATE_DAYS: Final = 180
"""How long an authentication is good (Delegated Regulation (EU) 2018/389, art. 10a, as amended by (EU) 2022/2360)."""
NEVER: Final = date(9999, 12, 31)
"""A recipient that wants the longest validity sends this date."""
_MEMBERS: Final = ("access", "recurringIndicator", "validUntil", "frequencyPerDay", "combinedServiceIndicator")


def read_consent(body: bytes, options: HolderOptions, now: int) -> Wish:
    """The wish of a consent request at `now` (ms). Raises Message with the first thing that is wrong."""
    try:
        asked = read_object(body)
    except NotJson as error:
        raise format_error(str(error)) from None
    missing = [name for name in _MEMBERS if name not in asked]
    if missing:
        raise format_error(f"{missing[0]} is needed", missing[0])
    recurring, often = asked["recurringIndicator"], asked["frequencyPerDay"]
    for name in ("recurringIndicator", "combinedServiceIndicator"):
        if not isinstance(asked[name], bool):
            raise format_error("must be true or false", name)
    if type(often) is not int or often < 1:
        raise format_error("must be a whole number, at least 1", "frequencyPerDay")
    if asked["combinedServiceIndicator"]:
        raise TppMessage(400, "SESSIONS_NOT_SUPPORTED", "payments are not combined here", "combinedServiceIndicator")
    if not recurring and often != 1:
        raise TppMessage(400, "PARAMETER_NOT_CONSISTENT", "a one-off access has the frequency 1", "frequencyPerDay")
    permissions, filters = permissions_of(asked["access"])
    return Wish(
        permissions=permissions,
        filters=filters,
        standard=STANDARD,
        standard_version=VERSION,
        expires_at=end_of(asked["validUntil"], options, now),
        frequency_per_day=min(often, options.frequency_per_day),
        once=not recurring,
        reauthenticate_days=(options.reauthenticate_days or REAUTHENTICATE_DAYS) if recurring else 0,
        utc_offset=offset_at(now, options.tz),
    )


def end_of(said: Any, options: HolderOptions, now: int, name: str = "validUntil") -> int:
    """The second at which a day is over in the holder's zone; 0 for the last day of all. Raises Message."""
    if not isinstance(said, str):
        raise format_error("must be a date", name)
    try:
        day = read_day(said)
    except ValueError:
        raise format_error("must be a valid date", name) from None
    if day < day_at(now, options.tz):
        raise TppMessage(400, "PERIOD_INVALID", "must not lie in the past", name)
    if day == NEVER:
        return 0
    if day.year >= LATEST_YEAR:
        raise TppMessage(400, "PERIOD_INVALID", f"must lie before {LATEST_YEAR}, or be {NEVER} for no end", name)
    return after_day(day, options.tz)
