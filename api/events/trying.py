"""A test of a participant's endpoint: one token that is about nothing, sent as all others are (docs/events.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from api.events.delivery import NotDelivered, Push
from api.events.tokens import EventTokens
from ledger.errors import Conflict


@dataclass(frozen=True, slots=True)
class EndpointTest:
    """How a test ended, after `milliseconds`; `error` is a code as in `last_error`, None if the token was acknowledged."""

    event_id: str
    error: str | None
    milliseconds: int


class EndpointTests:
    """Sends tests, one at a time to each participant. Use from one event loop."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()

    async def send(self, push: Push, url: str, tokens: EventTokens, participant: str, now: int) -> EndpointTest:
        """Within ten seconds; `now` in milliseconds. Raises Conflict while another test of this participant is under way."""
        if participant in self._under_way:
            raise Conflict("a test of this endpoint is under way: wait for its answer")
        self._under_way.add(participant)
        event_id, token = tokens.test_token(participant, now)
        begun, error = time.monotonic(), None
        try:
            await push(url, token)
        except NotDelivered as failed:
            error = failed.code
        finally:
            self._under_way.discard(participant)
        return EndpointTest(event_id, error, int((time.monotonic() - begun) * 1000))
