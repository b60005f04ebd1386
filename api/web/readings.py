"""How often an app read her data, and when: the newest entries of a consent, counted; what is usual, and what is not.

A count rests on the entries that were looked at. Where these do not reach back to the beginning of what is counted, it says
from when on it counts (`Readings.since`): a number that could not be known is never given.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from api.web.happened import reasons_of
from ledger.entries.acts import AccessItem, AccessRequest
from ledger.entries.evidence import AccessOutcome, decode_evidence
from ledger.entries.statement import parse_item, payload_of
from ledger.queries.glances import Glance

DAYS: Final = 14
LOOKED: Final = 200
"""How many of a consent's newest entries one page looks at."""
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS
WEEKS: Final = 4
"""What is usual is the middle of this many weeks before the last seven days."""
Change = Literal["more", "less", "same"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody asked to read data. `time` is in ms."""

    index: int
    time: int
    allowed: bool
    present: bool
    """Whether the app says that the customer was using it; else it read in the background."""
    reasons: tuple[str, ...]
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """The accesses among a consent's newest entries, oldest first."""

    accesses: tuple[Reading, ...]
    steps: tuple[int, ...]
    """Indexes of the acts about the consent itself, among the same entries."""
    since: int | None
    """From when on (ms) nothing is missing here; None: nothing is missing at all."""

    @property
    def last(self) -> Reading | None:
        """The newest."""
        return self.accesses[-1] if self.accesses else None

    def within(self, since: int, until: int) -> list[Reading]:
        """Those from `since` to below `until` (ms)."""
        return [one for one in self.accesses if since <= one.time < until]

    def covers(self, since: int) -> bool:
        """Whether nothing is missing from `since` (ms) on."""
        return self.since is None or self.since <= since


class Usual(Struct, frozen=True):
    """What is usual in a week, and the last seven days beside it."""

    usual: int
    now: int

    @property
    def change(self) -> Change:
        """Whether the last days stand out. Few reads more or less do not."""
        if self.now > self.usual * 1.5 and self.now - self.usual >= 3:
            return "more"
        return "less" if self.now * 1.5 < self.usual and self.usual - self.now >= 3 else "same"


@dataclass(frozen=True, slots=True)
class Day:
    """One day's accesses."""

    date: dt.date
    present: int = 0
    background: int = 0
    refused: int = 0
    known: bool = True
    """Whether all of that day's entries were looked at."""

    @property
    def allowed(self) -> int:
        """How often data was read."""
        return self.present + self.background


@dataclass(frozen=True, slots=True)
class HowOften:
    """The last DAYS days in numbers."""

    days: tuple[Day, ...]
    """Oldest first, today last."""
    usual: Usual | None
    """None: too early to say."""
    since: int | None
    """Counted from this time (ms) on; None: all of these days."""

    @property
    def reads(self) -> int:
        """How often data was read."""
        return sum(day.allowed for day in self.days)

    @property
    def background(self) -> int:
        """How often of these while she was away."""
        return sum(day.background for day in self.days)

    @property
    def refused(self) -> int:
        """How often it was refused."""
        return sum(day.refused for day in self.days)

    @property
    def highest(self) -> int:
        """The most that happened on one day; at least 1."""
        return max(1, *(day.allowed + day.refused for day in self.days))


def readings_of(glances: Sequence[Glance]) -> Readings:
    """What the newest entries of a consent say, oldest first."""
    accesses: list[Reading] = []
    steps: list[int] = []
    for one in glances:
        if one.evidence is None:
            continue
        evidence = decode_evidence(one.evidence)
        if evidence.act.startswith("consent."):
            steps.append(one.index)
        if not isinstance(evidence.outcome, AccessOutcome):
            continue
        item = parse_item(evidence.item.body.encode()) if evidence.item else payload_of(evidence.statements[0])
        if isinstance(item, AccessItem | AccessRequest):
            accesses.append(
                Reading(
                    one.index,
                    one.time,
                    evidence.outcome.decision == "allow",
                    item.customer_present,
                    reasons_of(evidence.outcome),
                    item.permissions,
                )
            )
    whole = not glances or glances[0].seq == 0
    return Readings(tuple(accesses), tuple(steps), None if whole else glances[0].time)


def how_often(readings: Readings, now: int, zone: str, started: int) -> HowOften:
    """The last DAYS days in a zone; `started`: since when (ms) the app could read."""
    place = ZoneInfo(zone)

    def day_of(time: int) -> dt.date:
        return dt.datetime.fromtimestamp(time / 1000, place).date()

    kinds = Counter(
        (day_of(one.time), "refused" if not one.allowed else "present" if one.present else "background")
        for one in readings.accesses
    )
    today = day_of(now)
    dates = [today - dt.timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    first = dt.datetime.combine(dates[0], dt.time(), place).timestamp() * 1000
    known_from = None if readings.since is None or readings.since <= first else day_of(readings.since)
    days = tuple(
        Day(
            date,
            kinds[date, "present"],
            kinds[date, "background"],
            kinds[date, "refused"],
            known_from is None or date > known_from,
        )
        for date in dates
    )
    return HowOften(days, usual(readings, now, started), None if known_from is None else readings.since)


def usual(readings: Readings, now: int, started: int) -> Usual | None:
    """What is usual in a week; None while no whole week before the last seven days is known."""

    def reads(back: int) -> int:
        return sum(one.allowed for one in readings.within(now - (back + 1) * WEEK_MS, now - back * WEEK_MS))

    beginnings = [now - (back + 1) * WEEK_MS for back in range(1, WEEKS + 1)]
    known = [back + 1 for back, since in enumerate(beginnings) if since >= started and readings.covers(since)]
    return Usual(round(median(reads(back) for back in known)), reads(0)) if known else None
