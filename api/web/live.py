"""Live updates (server-sent events): an access appears while she looks.

It polls one chain's length slowly; the number of streams, their life and the reads of each poll are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.web.customer import Connection
from api.web.desk import Customer, Desk
from api.web.happened import Event
from ledger.errors import Unavailable

router = APIRouter(include_in_schema=False)
POLL_SECONDS: Final = 1.0
LIFETIME_POLLS: Final = 600
PIECE: Final = 20
MAX_STREAMS: Final = 200


class Stream:
    """One of the streams that are open in this process: they are bounded together."""

    count = 0

    @classmethod
    def require_room(cls) -> None:
        """Raises Unavailable when too many look."""
        if cls.count >= MAX_STREAMS:
            raise Unavailable("too many pages are watching; this page can be loaded again instead")

    def __enter__(self) -> None:
        Stream.count += 1

    def __exit__(self, *_: object) -> None:
        Stream.count -= 1


@router.get("/my/connections/{key}/live")
def live(desk: Customer, request: Request, key: int, after: int = -1) -> Response:
    """Events of one connection from above `seq` = `after`, as they come. Raises Unavailable when too many look."""
    found = desk.dealings.connection(key)
    Stream.require_room()
    start = max(after + 1, desk.dealings.length(found) - PIECE)
    stream = _stream(desk, request, found, start)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _stream(desk: Desk, request: Request, found: Connection, seq: int) -> AsyncIterator[bytes]:
    with Stream():
        yield b"retry: 5000\n\n"
        for _ in range(LIFETIME_POLLS):
            if await request.is_disconnected() or not await run_in_threadpool(is_still_in, desk):
                return
            # One indexed read a second; events are read only when there are new ones.
            if await run_in_threadpool(desk.dealings.length, found) > seq:
                for event in await run_in_threadpool(desk.dealings.events_from, found, seq, PIECE):
                    seq = event.seq + 1
                    yield b"event: entry\nid: %d\ndata: %s\n\n" % (event.seq, _told(desk, event))
            else:
                yield b": still here\n\n"
            await asyncio.sleep(POLL_SECONDS)


def is_still_in(desk: Desk) -> bool:
    """Signing out anywhere ends the stream; watching does not keep a session alive."""
    session = desk.office.store.session(desk.token)
    somebody = session is not None and (session.person is not None or session.staff is not None)
    return session is not None and somebody and not session.is_over(desk.office.clock.now())


def _told(desk: Desk, event: Event) -> bytes:
    words = desk.words
    kind = ("allowed" if event.allowed else "refused") if event.is_access else "step"
    item = event.item
    about = [words.t(f"cluster.{name}") for name, _ in words.clusters(item.permissions)] if item else []
    says = {
        "kind": kind,
        "title": words.t(f"live.{kind}", partner=desk.acts.participant(event), what=desk.acts.title(event)),
        "detail": words.t("list.comma").join([*about, *(words.code("reason", reason) for reason in event.reasons)]),
        "time": words.time(event.time),
        "link": f"/my/receipts/{event.index}",
    }
    return msgspec.json.encode(says)
