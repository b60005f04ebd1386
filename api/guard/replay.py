"""Each decision lets data out once: what has been used is remembered until it would be too old anyway."""

from __future__ import annotations

import heapq
from typing import Final, Protocol

DEFAULT_ROOM: Final = 1_000_000


class AlreadyUsed(Exception):
    """The decision was used before."""


class NoRoom(Exception):
    """The memory is full; no further decision can be accepted safely."""


class MemoryUnavailable(Exception):
    """Nobody can tell at present whether a decision was used before; none is accepted until it is known."""


class UsedDecisions(Protocol):
    """Where used decisions are remembered. A bank with several processes gives all of them one store."""

    async def use(self, index: int, *, now: int, until: int) -> None:
        """Mark entry `index` as used; it may be forgotten at `until`. Times in ms. Raises AlreadyUsed, NoRoom,
        MemoryUnavailable."""
        ...


class UsedInMemory:
    """For one process. Bounded: when full of decisions that are not too old yet, it refuses new ones."""

    def __init__(self, room: int = DEFAULT_ROOM) -> None:
        self._room = room
        self._used: set[int] = set()
        self._ends: list[tuple[int, int]] = []

    async def use(self, index: int, *, now: int, until: int) -> None:
        """See UsedDecisions. No await inside: two requests of one event loop cannot come between look and mark."""
        while self._ends and self._ends[0][0] < now:
            self._used.discard(heapq.heappop(self._ends)[1])
        if index in self._used:
            raise AlreadyUsed
        if len(self._used) >= self._room:
            raise NoRoom
        self._used.add(index)
        heapq.heappush(self._ends, (until, index))
