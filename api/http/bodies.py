"""Limits on requests: how many are in work, how many bytes of bodies a process holds, and how long a body may take.

A request is in work from the moment its body is whole. Before that it costs some bytes and no place, so a slow or
stalled sender keeps nobody else out. When all bodies together are more than the process holds, the one that has been
coming for the longest is given up: an honest one is there in milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final

from api.http.refusals import Overloaded, TooSlow
from api.http.wire import Receive, Scope
from ledger.errors import LedgerError

BODY_SECONDS: Final = 30.0
"""From the end of a request's headers to the end of its body."""
UNBOUNDED: Final = frozenset({"/health/live", "/health/ready"})
"""Answered however much is in work: the caller decides by it whether this process lives, or gets more requests."""


class Room:
    """The limits of one process; for one event loop."""

    def __init__(self, *, max_requests: int, body_bytes: int, seconds: float = BODY_SECONDS) -> None:
        """`body_bytes`: bound of all bodies together; `seconds`: time that a body has."""
        self.max_requests = max_requests
        self.body_bytes = body_bytes
        self.seconds = seconds
        self.in_work = 0
        self.held = 0
        """Bytes of bodies that are being read, or belong to requests in work."""
        self._coming: dict[Body, None] = {}

    @property
    def coming(self) -> int:
        """Requests whose body is not whole yet."""
        return len(self._coming)

    def enter(self, scope: Scope, receive: Receive) -> Body:
        """A request comes; `leave` its body when it has been answered. Raises Overloaded."""
        has_body = _has_body(scope)
        body = Body(self, receive, whole=not has_body)
        if has_body:
            self._coming[body] = None
        elif scope["path"] not in UNBOUNDED:
            body.begin_work()
        return body

    def arrived(self, body: Body) -> None:
        """The body is whole, or its request is over."""
        self._coming.pop(body, None)

    def make_room(self) -> None:
        """Give up what has been coming for the longest, until the rest is within the bound. Whole bodies stay: they are
        being worked on."""
        while self.held > self.body_bytes and self._coming:
            oldest = next(iter(self._coming))
            oldest.give_up(
                Overloaded("more is being sent than this process holds at a time; this request was given up unread")
            )


class Body:
    """One request's body: the `receive` of its application, bounded in time, and counted."""

    __slots__ = ("_receive", "_room", "_size", "_until", "_waiting", "_working", "refused", "whole")

    def __init__(self, room: Room, receive: Receive, *, whole: bool) -> None:
        self._room = room
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + room.seconds
        self._waiting: asyncio.Timeout | None = None
        self._size = 0
        self._working = False
        self.whole = whole
        self.refused: LedgerError | None = None
        """Why it was not read to its end; the connection is of no use any more then."""

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next part. Raises TooSlow, Overloaded."""
        if self.whole:
            return await self._receive()
        message = await self._next() if self.refused is None else {}
        if self.refused is None:  # it may be given up while the next part is on its way, or because of that part
            self._take(message)
        if self.refused is not None:
            raise self.refused
        return message

    async def _next(self) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout_at(self._until) as self._waiting:
                return await self._receive()
        except TimeoutError:
            self._waiting = None
            if self.refused is None:
                self.give_up(TooSlow(f"the body was not there within {self._room.seconds:g} s"))
            return {}
        finally:
            self._waiting = None

    def _take(self, message: MutableMapping[str, Any]) -> None:
        more = len(message.get("body", b""))
        self._size += more
        self._room.held += more
        if not message.get("more_body", False):
            self.whole = True
            self._room.arrived(self)
            if message["type"] == "http.request":
                self.begin_work()
        if self._room.held > self._room.body_bytes:
            self._room.make_room()

    def begin_work(self) -> None:
        """Take a place among the requests in work. Raises Overloaded when none is free."""
        room = self._room
        if room.in_work >= room.max_requests:
            self.refused = Overloaded(f"{room.max_requests} requests are being handled already; this one was not read")
            raise self.refused
        self._working = True
        room.in_work += 1

    def give_up(self, reason: LedgerError) -> None:
        """Read no more of it; whoever waits for the next part hears why."""
        self.refused = reason
        self._room.arrived(self)
        self._room.held -= self._size
        self._size = 0
        if self._waiting is not None:
            self._waiting.reschedule(0.0)

    def leave(self) -> None:
        """The request has been answered."""
        self._room.arrived(self)
        self._room.held -= self._size
        self._room.in_work -= self._working
        self._size, self._working = 0, False
        self.refused = None  # it holds the frames that read the body, and with them the body, which holds it


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
