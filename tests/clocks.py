"""Clocks that tests set: one that stands still, one that is some days late."""

from __future__ import annotations

from ledger.clock import Clock, SystemClock

NOW = 1_800_000_000_000
"""Where a clock begins that stands still: milliseconds, 2027-01-15 08:00 UTC."""


class HandClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def advance(self, *, seconds: float) -> None:
        self.time += int(seconds * 1000)


class LateClock:
    """A clock (the system's, if none is given), some days ago: `catch_up` lets the past go by."""

    def __init__(self, behind_days: int, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._behind = behind_days * 86_400_000

    def now(self) -> int:
        return self._clock.now() - self._behind

    def catch_up(self, days: float) -> None:
        self._behind = max(0, self._behind - int(days * 86_400_000))


class ClockAhead:
    """The system's clock, `ahead` milliseconds ahead."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return SystemClock().now() + self.ahead
