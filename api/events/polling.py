"""Polling (RFC 8936): a participant asks for its events and acknowledges them, in one request."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from msgspec import Meta, Struct

from api.events.tokens import ALERT, EventTokens
from ledger.clock import SystemClock
from ledger.queries.events import Delivery, EventQueries
from ledger.storage.events import EventStore

MOST: Final = 100
LONGEST: Final = 20.0
LOOK_SECONDS: Final = 0.5
WAITING: Final = asyncio.BoundedSemaphore(100)
"""Requests that may wait at the same time in one process; one above that is answered at once."""

EventId = Annotated[str, Meta(min_length=1, max_length=64)]


class Complaint(Struct, frozen=True):
    """A receiver's objection to a token."""

    err: Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,31}$")]
    """A code: those of RFC 8936, or of others such as the UK's `jwtIss`."""
    description: Annotated[str, Meta(max_length=1000)] = ""
    """Neither read nor kept here."""


class Poll(Struct, frozen=True, rename="camel"):
    """A poll request (RFC 8936 §2.2); members that others have added are ignored."""

    max_events: Annotated[int, Meta(ge=0)] | None = None
    """The most tokens the answer may hold; 0 only acknowledges."""
    return_immediately: bool = False
    """Whether an empty answer may come at once, instead of after a while."""
    ack: Annotated[tuple[EventId, ...], Meta(max_length=1000)] = ()
    """Events that were received, by `jti`."""
    set_errs: Annotated[dict[EventId, Complaint], Meta(max_length=1000)] = {}
    """Events that cannot be accepted, by `jti`. They stay open, and a person should look."""


class PolledEvents(Struct, frozen=True, rename="camel"):
    """A poll response (RFC 8936 §2.3)."""

    sets: dict[str, str]
    more_available: bool


async def poll(
    queries: EventQueries, store: EventStore, tokens: EventTokens, participant: str, asked: Poll
) -> PolledEvents:
    """Acknowledge, then give what is open for the participant, oldest first. Raises Unavailable."""
    await asyncio.to_thread(_note, store, participant, asked)
    most = MOST if asked.max_events is None else min(asked.max_events, MOST)
    if most == 0:
        waiting = await asyncio.to_thread(queries.open_for, participant, 1)
        return PolledEvents({}, bool(waiting))
    left = set(asked.set_errs)
    found = await asyncio.to_thread(_open, queries, store, tokens, participant, most, left)
    if found.sets or asked.return_immediately or WAITING.locked():
        return found
    async with WAITING:
        until = asyncio.get_running_loop().time() + LONGEST
        while not found.sets and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_SECONDS)
            found = await asyncio.to_thread(_open, queries, store, tokens, participant, most, left)
    return found


def _note(store: EventStore, participant: str, asked: Poll) -> None:
    if asked.ack:
        store.acknowledge(participant, asked.ack, SystemClock().now())
    for event_id, complaint in asked.set_errs.items():
        store.complain(participant, event_id, complaint.err.strip())


def _open(
    queries: EventQueries, store: EventStore, tokens: EventTokens, participant: str, most: int, left: set[str]
) -> PolledEvents:
    """What is open, except `left`: events refused in this very request are not in its answer."""
    waiting = [one for one in queries.open_for(participant, most + 1 + len(left)) if one.event_id not in left]
    sets: dict[str, str] = {}
    for one in waiting[:most]:
        told = _told(queries, tokens, one)
        if told is None:
            store.expire(participant, one.event_id, "erased")
        else:
            sets[one.event_id] = told
    return PolledEvents(sets, len(waiting) > most)


def _told(queries: EventQueries, tokens: EventTokens, one: Delivery) -> str | None:
    if one.kind == ALERT:
        alert = queries.alert(one.index)
        return None if alert is None else tokens.alert_token(alert, one.participant, one.first_at)
    notice = queries.notice(one.index)
    return None if notice is None else tokens.token(notice, one.participant, one.first_at)
