"""Where a participant is told: set, switched off, taken back, and tried with a token about nothing (docs/events.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.events.addresses import read_endpoint
from api.events.delivery import NotDelivered, Push
from api.events.tokens import EventTokens
from ledger.clock import Clock, SystemClock
from ledger.errors import Conflict, NotFound
from ledger.queries.events import Endpoint, EventQueries
from ledger.storage.events import Attempt, EventStore

TRIAL: Final = "trial"
"""The kind of an attempt that tells of nothing."""


@dataclass(frozen=True, slots=True)
class EndpointTest:
    """How a test of `url` ended, after `milliseconds`; `error` is a code as in `last_error`, None if it was acknowledged."""

    event_id: str
    url: str
    error: str | None
    milliseconds: int


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of all participants. `development` allows this machine's own addresses."""

    store: EventStore
    queries: EventQueries
    tokens: EventTokens
    development: bool
    clock: Clock = field(default_factory=SystemClock)
    _under_way: set[str] = field(default_factory=set, init=False)

    def of(self, participant: str) -> Endpoint | None:
        """The endpoint of a participant, if it has set one."""
        return self.queries.endpoint(participant)

    def put(self, participant: str, url: str, *, enabled: bool) -> None:
        """Set it; what waits for the participant is sent there at once. Raises InvalidInput, Unavailable."""
        read_endpoint(url, development=self.development)
        self.store.set_endpoint(participant, url, enabled=enabled, now=self.clock.now())

    def forget(self, participant: str) -> None:
        """Take it back; what the participant was not told of waits, to be polled. Raises Unavailable."""
        self.store.forget_endpoint(participant)

    async def test(self, participant: str) -> EndpointTest:
        """Send one token about nothing, signed and sent as all others are; not repeated, and noted among the attempts. Within
        ten seconds, from one event loop. Raises NotFound where there is no endpoint, Conflict while another test of this
        participant is under way, Unavailable."""
        endpoint = await run_in_threadpool(self.of, participant)
        if endpoint is None:
            raise NotFound("there is no endpoint: set one first", member="participant")
        if participant in self._under_way:
            raise Conflict("a test of this endpoint is under way: wait for its answer")
        self._under_way.add(participant)
        try:
            push = await run_in_threadpool(partial(Push, development=self.development))  # it reads certificates
            try:
                return await self._send(push, endpoint.url, participant)
            finally:
                await push.aclose()
        finally:
            self._under_way.discard(participant)

    async def _send(self, push: Push, url: str, participant: str) -> EndpointTest:
        now, error, status = self.clock.now(), None, None
        event_id, token = self.tokens.test_token(participant, now)
        begun = time.monotonic()
        try:
            status = await push(url, token)
        except NotDelivered as failed:
            error, status = failed.code, failed.status
        took = int((time.monotonic() - begun) * 1000)
        tried = Attempt(participant, now, event_id, None, TRIAL, 1, status, error, took)
        await run_in_threadpool(self.store.tried, tried)
        return EndpointTest(event_id, url, error, took)
