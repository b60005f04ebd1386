"""When the next index-head is due (docs/spec/log.md, Completeness map), as one sequencer sees it.

Every leaf is covered at most one interval after it was recorded. The node that recorded it does so; nodes that only
learn of it wait twice as long, so that of many nodes on one database the busy one writes, and another one only if it
has died.
"""

from __future__ import annotations

from typing import Final

from ledger.clock import Clock
from ledger.storage.chainmap import MapState

PAUSE: Final = 3
"""A map that is far behind takes one turn, then leaves the log to its writers for so many times as long, or for one
interval if that is less."""


class Rhythm:
    """Counts down from the first leaf that no index-head covers. For the sequencer's thread only."""

    def __init__(self, interval: int, clock: Clock) -> None:
        """`interval`: milliseconds; 0: nothing is ever due."""
        self.interval = interval
        self._clock = clock
        self._covered = 0
        self._due: int | None = None

    def knows(self, state: MapState, size: int, spent: float = 0.0) -> None:
        """Take over where the map stands in a log of `size` leaves; `spent`: seconds that bringing it there took."""
        self._covered = state.head + 1
        self._due = None
        if self.interval and size > self._covered:
            pause = min(int(spent * 1000 * PAUSE), self.interval)
            self._due = max(self._clock.now() + pause, state.head_time + self.interval)

    def saw(self, size: int, *, own: bool) -> None:
        """The log has `size` leaves; `own`: this node has just recorded the last of them."""
        if self.interval and self._due is None and size > self._covered:
            self._due = self._clock.now() + self.interval * (1 if own else 2)

    def put_off(self) -> None:
        """Not now: look again in an interval."""
        if self._due is not None:
            self._due = self._clock.now() + self.interval

    def due(self) -> bool:
        """Whether it is time."""
        if self._due is None:
            return False
        left = self._due - self._clock.now()
        return left <= 0 or left > 2 * self.interval  # so far ahead: the machine's clock was set back

    def seconds_left(self) -> float | None:
        """How long to wait for other work at most; None: for ever."""
        if self._due is None:
            return None
        return min(max(self._due - self._clock.now(), 0), self.interval) / 1000
