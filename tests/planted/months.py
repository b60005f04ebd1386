"""A hundred ordinary days of a dozen recipients, as the rules see them: habits, growth, campaigns, nights, lost consents.

What is hard about ordinary days is in it on purpose: a recipient that refreshes every night from its first day on, a campaign
that brings a week's consents in one day, an end of the month at which everybody looks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.scoring.seen import DAY_MS, HOUR_MS, Seen, SeenAccess, SeenLeg, SeenRequest

DAYS: Final = 100
START: Final = 1_790_000_000_000 // DAY_MS * DAY_MS
PERMISSIONS: Final = tuple(f"Read{number:02d}" for number in range(12))
HOLDERS: Final = ("bank-a", "bank-b", "bank-c")
PURPOSES: Final = {"budgeting": 3, "lending": 4, "accounting": 5}
"""How many permissions are asked for, usually."""


@dataclass
class Granted:
    """A consent as its recipient uses it."""

    chain: str
    holder: str
    permissions: tuple[str, ...]
    ended_at: int | None = None
    told: bool = False
    """Whether the recipient has heard that it ended: an honest one reads it no more."""


@dataclass
class Habit:
    """How a recipient reads."""

    name: str
    purpose: str
    share: float
    """Of its consents that are read on a day."""
    times: int
    """Reads of such a consent on a day."""
    attended: float
    hours: tuple[int, int]
    joining: float
    """New consents a day."""
    consents: list[Granted] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """Something that happens: `seen.index` is given when the day is put in order."""

    seen: Seen
    attack: int | None = None
    """The attack that it belongs to."""


class Months:
    """Ordinary days from one seed; `day` gives one after the other, with whatever `planted` adds to them."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self._made = 0
        self.habits = [
            *(self._habit(f"app-{number}", "budgeting", (0.6, 0.9), (1, 3), 0.35, (7, 22)) for number in range(5)),
            *(self._habit(f"lender-{number}", "lending", (0.05, 0.2), (1, 4), 0.85, (8, 18)) for number in range(4)),
            *(self._habit(f"books-{number}", "accounting", (0.4, 0.7), (1, 2), 0.1, (5, 23)) for number in range(2)),
            # which is usual to it, and looks like an attack to a rule that knows only the clock
            self._habit("night-refresher", "budgeting", (0.8, 0.9), (1, 1), 0.05, (1, 5)),
        ]
        for habit in self.habits:
            habit.consents = [self._granted(habit) for _ in range(self.draw.randint(40, 120))]
        self.campaigns = {(self.draw.choice(self.habits).name, self.draw.randrange(10, DAYS)) for _ in range(4)}

    def _habit(
        self,
        name: str,
        purpose: str,
        share: tuple[float, float],
        times: tuple[int, int],
        attended: float,
        hours: tuple[int, int],
    ) -> Habit:
        draw = self.draw
        return Habit(name, purpose, draw.uniform(*share), draw.randint(*times), attended, hours, draw.uniform(0.2, 1.5))

    def _granted(self, habit: Habit) -> Granted:
        self._made += 1
        count = max(1, PURPOSES[habit.purpose] + self.draw.randint(-1, 1))
        return Granted(f"chain-{self._made}", self.draw.choice(HOLDERS), PERMISSIONS[:count])

    # -- one day --------------------------------------------------------------------------------------------------

    def day(self, number: int) -> Iterator[Step]:
        """The ordinary steps of a day, not yet in order."""
        start = START + number * DAY_MS
        busy = (1.6 if number % 30 == 29 else 1.0) * (0.5 if number % 7 in (5, 6) else 1.0)
        for habit in self.habits:
            joining = habit.joining * (20 if (habit.name, number) in self.campaigns else 1)
            yield from self._joining(habit, start, joining)
            for consent in habit.consents:
                if consent.ended_at is None and self.draw.random() < 0.002:
                    consent.ended_at = self._time(habit, start)
                if self.draw.random() < habit.share * busy:
                    for time in sorted(self._time(habit, start) for _ in range(habit.times)):
                        if not consent.told:
                            yield from self.read(habit, consent, time)
                        consent.told = consent.ended_at is not None and time >= consent.ended_at
            habit.consents = [each for each in habit.consents if not each.told]

    def _joining(self, habit: Habit, start: int, mean: float) -> Iterator[Step]:
        for _ in range(int(mean) + (self.draw.random() < mean % 1)):
            consent = self._granted(habit)
            habit.consents.append(consent)
            yield Step(SeenRequest(0, self._time(habit, start), habit.name, habit.purpose, len(consent.permissions)))

    def _time(self, habit: Habit, start: int) -> int:
        first, last = habit.hours
        return start + int(self.draw.uniform(first * HOUR_MS, last * HOUR_MS))

    def read(
        self,
        habit: Habit,
        consent: Granted,
        time: int,
        *,
        present: bool | None = None,
        permissions: tuple[str, ...] = (),
    ) -> Iterator[Step]:
        """An access, and for some of them what was delivered, as both sides tell it."""
        attended = self.draw.random() < habit.attended if present is None else present
        asked = permissions or consent.permissions[: self.draw.randint(1, len(consent.permissions))]
        ended = consent.ended_at is not None and time >= consent.ended_at
        refused = ended or self.draw.random() < 0.01
        yield Step(
            SeenAccess(
                0,
                time,
                habit.name,
                consent.chain,
                refused,
                not attended,
                0,
                asked,
                self.draw.randint(1, 2),
                consent.ended_at if ended else None,
            )
        )
        if not refused and self.draw.random() < 0.1:
            yield from self.legs(habit, consent, time, self.draw.randint(5, 120))

    def legs(self, habit: Habit, consent: Granted, time: int, rows: int, got: int | None = None) -> Iterator[Step]:
        """Release and receipt of one access."""
        self._made += 1
        for kind, count, later in (
            ("access.release", rows, 200),
            ("access.receive", rows if got is None else got, 900),
        ):
            yield Step(
                SeenLeg(0, time + later, kind, consent.holder, habit.name, self._made, count, 40 * count, "digest")  # type: ignore[arg-type]  # of the two
            )


def in_order(steps: Iterator[Step], first: int) -> list[Step]:
    """The steps of a day by time, with the indexes that they get in the log."""
    ordered = sorted(steps, key=lambda step: step.seen.time)
    return [replace(step, seen=replace(step.seen, index=first + place)) for place, step in enumerate(ordered)]
