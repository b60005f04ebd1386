"""Connections as lists of them show them: by app, with what was read of each lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.web.customer import Connection
from api.web.desk import Desk
from api.web.directory import Listing
from api.web.readings import LOOKED, WEEK_MS, Readings, readings_of

LEAST: Final = 12
"""The fewest entries of each consent that are looked at."""
MOST_LOOKED: Final = 40
"""The most consents of which one page looks at entries."""


@dataclass(frozen=True, slots=True)
class Card:
    """A connection in the list."""

    connection: Connection
    readings: Readings
    accounts: list[str]


@dataclass(frozen=True, slots=True)
class AppGroup:
    """An app, and her connections to it."""

    participant: str
    name: str
    listing: Listing
    cards: list[Card]


@dataclass(frozen=True, slots=True)
class WeekCount:
    """The last seven days over all that is shared."""

    apps: int
    reads: int
    is_least: bool
    """Whether there may be more than these reads: not everything was looked at."""


def newest_of(desk: Desk, one: Connection, limit: int = LEAST) -> Readings:
    """The newest entries of a connection."""
    return readings_of(desk.office.glances.newest(one.chain, limit))


def look(desk: Desk, live: list[Connection]) -> dict[int, Readings]:
    """The newest entries of what is shared, by connection key: a bounded number in all."""
    each = max(LEAST, LOOKED // max(1, len(live)))
    return {one.key: newest_of(desk, one, each) for one in live[:MOST_LOOKED]}


def week_of(desk: Desk, live: list[Connection], looked: dict[int, Readings]) -> WeekCount:
    """The last seven days over these connections."""
    since = desk.now - WEEK_MS
    reads = sum(one.allowed for each in looked.values() for one in each.within(since, desk.now + 1))
    known = len(looked) == len(live) and all(each.covers(since) for each in looked.values())
    return WeekCount(len({one.consent.terms.recipient for one in live}), reads, not known)


def grouped(desk: Desk, cards: list[Card]) -> list[AppGroup]:
    """By app, in the order in which each comes first."""
    groups: dict[str, AppGroup] = {}
    for card in cards:
        app = card.connection.consent.terms.recipient
        if app not in groups:
            groups[app] = AppGroup(app, card.connection.recipient, desk.office.directory.of(app), [])
        groups[app].cards.append(card)
    return list(groups.values())
