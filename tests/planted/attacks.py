"""Attacks of thirteen kinds, each planted among ordinary days; some are such as the rules are known not to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from ledger.scoring.seen import DAY_MS, HOUR_MS, SeenAccess, SeenForeign, SeenRequest
from tests.planted.months import PERMISSIONS, PURPOSES, START, Granted, Habit, Months, Step

FIRST_DAY: Final = 65
"""Before it all days are ordinary."""


@dataclass(frozen=True)
class Attack:
    """What was planted: about whom an alert counts as having found it, and when."""

    kind: str
    about: frozenset[str]
    start: int
    end: int
    """Milliseconds, with an hour to spare."""


Planted = tuple[Attack, list[Step]]
Kind = Callable[[Months, int], Planted]


def _attack(kind: str, about: set[str], steps: Iterator[Step]) -> Planted:
    listed = list(steps)
    times = [step.seen.time for step in listed]
    return Attack(kind, frozenset(about), min(times), max(times) + HOUR_MS), listed


def _some(months: Months, *prefixes: str) -> Habit:
    return months.draw.choice([habit for habit in months.habits if habit.name.startswith(prefixes)])


def _alive(habit: Habit) -> list[Granted]:
    return [consent for consent in habit.consents if consent.ended_at is None]


def _hour(months: Months, day: int, hour: int) -> int:
    return START + day * DAY_MS + hour * HOUR_MS + months.draw.randrange(HOUR_MS // 4)


def scraping(months: Months, day: int) -> Planted:
    """All that a recipient may read, several times within an hour."""
    habit, start = _some(months, "app", "lender", "books"), _hour(months, day, months.draw.randint(6, 22))
    count = months.draw.randint(200, 900)
    consents = list(islice(cycle(_alive(habit)), count))
    return _attack(
        "scraping",
        {habit.name},
        (
            step
            for place, consent in enumerate(consents)
            for step in months.read(habit, consent, start + place * HOUR_MS // (2 * count), present=False)
        ),
    )


def slow_scraping(months: Months, day: int) -> Planted:
    """Two reads more of every consent on each day, for a week, at ordinary hours."""
    habit = _some(months, "app", "lender", "books")
    first, last = habit.hours
    return _attack(
        "slow-scraping",
        {habit.name},
        (
            step
            for number in range(7)
            for consent in _alive(habit) * 2
            for step in months.read(
                habit, consent, START + (day + number) * DAY_MS + months.draw.randrange(first * HOUR_MS, last * HOUR_MS)
            )
        ),
    )


def many(months: Months, day: int) -> Planted:
    """Once each, but all of them within half an hour."""
    habit, start = _some(months, "lender", "books"), _hour(months, day, months.draw.randint(8, 18))
    chosen = _alive(habit)[: months.draw.randint(45, 110)]
    return _attack(
        "many-at-once",
        {habit.name},
        (
            step
            for place, consent in enumerate(chosen)
            for step in months.read(habit, consent, start + place * HOUR_MS // (2 * len(chosen)))
        ),
    )


def spread(months: Months, day: int) -> Planted:
    """A scraping that is spread over five recipients, twenty-five reads each within an hour."""
    habits, start = months.draw.sample(months.habits[:9], 5), _hour(months, day, 11)
    return _attack(
        "spread",
        {habit.name for habit in habits},
        (
            step
            for habit in habits
            for place, consent in enumerate(months.draw.sample(_alive(habit), 25))
            for step in months.read(habit, consent, start + place * 100_000, present=False)
        ),
    )


def night(months: Months, day: int) -> Planted:
    """A recipient of the day reads at night, without any customer."""
    habit, start = _some(months, "app", "lender"), _hour(months, day, months.draw.randint(1, 3))
    count = months.draw.randint(35, 110)
    return _attack(
        "night",
        {habit.name},
        (
            step
            for place, consent in enumerate(islice(cycle(_alive(habit)), count))
            for step in months.read(habit, consent, start + place * 30_000, present=False)
        ),
    )


def refusals(months: Months, day: int) -> Planted:
    """Consents that do not exist, or are another's, tried one after the other."""
    habit, start = _some(months, "app", "lender", "books"), _hour(months, day, 14)
    count = months.draw.randint(20, 80)
    return _attack(
        "refusals", {habit.name}, (Step(SeenForeign(0, start + place * 2_000, habit.name)) for place in range(count))
    )


def breadth(months: Months, day: int) -> Planted:
    """Far more is asked for than the purpose needs."""
    habit = _some(months, "app", "lender", "books")
    times = [_hour(months, day, 10 + place) for place in range(3)]
    count = min(len(PERMISSIONS), 2 * PURPOSES[habit.purpose] + months.draw.randint(0, 4))
    return _attack(
        "breadth", {habit.name}, (Step(SeenRequest(0, time, habit.name, habit.purpose, count)) for time in times)
    )


def new_permission(months: Months, day: int) -> Planted:
    """An old and busy consent is read for what it was never read for."""
    habit = _some(months, "app")
    consent = months.draw.choice(_alive(habit)[:40])
    time = _hour(months, day, 15)
    asked = (*consent.permissions[:1], *PERMISSIONS[-months.draw.randint(1, 3) :])
    return _attack("new-permission", {consent.chain}, iter([_allowed(habit, consent, time, asked)]))


def _allowed(habit: Habit, consent: Granted, time: int, asked: tuple[str, ...], *, unattended: bool = True) -> Step:
    return Step(SeenAccess(0, time, habit.name, consent.chain, False, unattended, 0, asked, 1))


def woken(months: Months, day: int) -> Planted:
    """A consent that nobody has used for long is used again. (It was read once, that long ago.)"""
    return _woken("woken", months, day, months.draw.randint(60, day))


def woken_early(months: Months, day: int) -> Planted:
    """The same after some weeks."""
    return _woken("woken-early", months, day, months.draw.randint(25, 50))


def _woken(kind: str, months: Months, day: int, slept: int) -> Planted:
    habit = _some(months, "app", "lender")
    consent = Granted(f"asleep-{kind}-{day}-{months.draw.randrange(10**9)}", "bank-a", PERMISSIONS[:3])
    time = _hour(months, day, 12)
    before = _allowed(habit, consent, time - slept * DAY_MS - HOUR_MS, PERMISSIONS[:2])
    attack, steps = _attack(kind, {consent.chain}, iter([_allowed(habit, consent, time, PERMISSIONS[:2])]))
    return attack, [before, *steps]


def legs(months: Months, day: int) -> Planted:
    """A bank tells other figures than the recipient."""
    habit = _some(months, "app", "books")
    consent = months.draw.choice(_alive(habit))
    rows = months.draw.randint(20, 100)
    found = months.legs(habit, consent, _hour(months, day, 16), rows, rows - months.draw.randint(1, 10))
    return _attack("legs-differ", {consent.holder}, found)


def rows(months: Months, day: int) -> Planted:
    """Far more is handed over than ever."""
    habit = _some(months, "app", "books")
    consent = months.draw.choice(_alive(habit))
    return _attack(
        "rows", {habit.name}, months.legs(habit, consent, _hour(months, day, 17), months.draw.randint(800, 20_000))
    )


def after_end(months: Months, day: int) -> Planted:
    """A consent is read on after it was withdrawn."""
    habit, start = _some(months, "app", "lender", "books"), _hour(months, day, 9)
    consent = Granted(f"ended-{day}-{months.draw.randrange(10**9)}", "bank-b", PERMISSIONS[:3], start - 2 * HOUR_MS)
    count = months.draw.randint(2, 12)
    found = (step for place in range(count) for step in months.read(habit, consent, start + place * 600_000))
    return _attack("after-end", {habit.name}, found)


def alone(months: Months, day: int) -> Planted:
    """A recipient whose customers are nearly always there reads without them for three days."""
    habit = _some(months, "lender")
    return _attack(
        "suddenly-alone",
        {habit.name},
        (
            step
            for number in range(3)
            for consent in islice(cycle(_alive(habit)), 60)
            for step in months.read(
                habit,
                consent,
                START + (day + number) * DAY_MS + months.draw.randrange(8 * HOUR_MS, 18 * HOUR_MS),
                present=False,
            )
        ),
    )


KINDS: Final[dict[str, Kind]] = {
    "scraping": scraping,
    "slow-scraping": slow_scraping,
    "spread": spread,
    "many-at-once": many,
    "night": night,
    "suddenly-alone": alone,
    "refusals": refusals,
    "after-end": after_end,
    "woken": woken,
    "woken-early": woken_early,
    "new-permission": new_permission,
    "breadth": breadth,
    "rows": rows,
    "legs-differ": legs,
}
"""In the order of the table in docs/risk.md."""
FORESEEN: Final = frozenset({"woken", "woken-early"})
"""Whose first step is long before: they are planned with the first day."""
