"""When the next index-head is due (docs/spec/log.md, Completeness map), as one sequencer sees it.

Every leaf is covered at most one interval after it was recorded. Whoever recorded it sees to that; nodes that only learn of it
wait twice as long, so that of many nodes on one database the busy one writes, and another one only if that has died.
"""

from __future__ import annotations

from ledger.clock import Clock
from ledger.planning.commands import RecordIndexHead
from ledger.planning.world import Plan
from ledger.storage.chainmap import PORTION, MapState
from ledger.storage.log import BatchTransaction, Head


class Rhythm:
    """Counts down from the first leaf that no index-head covers. For the sequencer's thread only."""

    def __init__(self, interval: int, clock: Clock) -> None:
        """`interval`: milliseconds; 0: nothing is ever due."""
        self.interval = interval
        self._clock = clock
        self._covered = 0
        self._due: int | None = None

    def knows(self, state: MapState, size: int) -> None:
        """Take over where the map stands in a log of `size` leaves."""
        self._covered = state.head + 1
        self._due = None
        if self.interval and size > self._covered:
            self._due = max(self._clock.now(), state.head_time + self.interval)

    def saw(self, size: int, *, own: bool) -> None:
        """The log has `size` leaves; `own`: this node has just recorded the last of them."""
        if self.interval and self._due is None and size > self._covered:
            self._due = self._clock.now() + self.interval * (1 if own else 2)

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


def ready_map(
    transaction: BatchTransaction, head: Head, command: RecordIndexHead, now: int
) -> tuple[MapState, Plan | None]:
    """Bring the map up to the log, as far as one transaction may. The second is None when an index-head can be recorded over
    it; else it is the plan that records nothing: with the last index-head as its result, or with none while the map is still
    behind.

    Raises Corrupt: nothing is ever signed over a map that does not continue what the last index-head has signed.
    """
    state = transaction.map.state()
    young = 0 <= now - state.head_time < command.every and state.head >= 0
    if young or (state.signed and state.size == head.size):
        return state, Plan(results=[(state.head,)], repeated=[True])
    behind = head.size - state.size > PORTION
    state = transaction.map.advance(head.size)
    return state, Plan(results=[()], repeated=[False]) if behind else None
