"""A witness as a service (C2SP tlog-witness v1.0.0).

    POST /add-checkpoint                              → a cosignature line, or 409 with the size known here
    GET  /<lower-case hex SHA-256 of the origin>/checkpoint    the checkpoint last cosigned, with both lines
    GET  /key                                         this witness's verifier key, to be compared out of band

It knows only the logs that it was told of. It is for participants, regulators and consumer bodies: a witness run by the
operator of the log proves nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from api.http.refusals import BadRequest, TooLarge
from api.http.wire import Receive, Reply, Scope, Send, read_all
from api.witness.store import WitnessStore
from ledger.clock import Clock
from ledger.notes.keys import Cosigner, VerifierKey
from ledger.witnessing import REQUEST_LIMIT, TEXT, Verdict, cosign, judge, parse_request, with_cosignatures

log = structlog.get_logger("api.witness")

CLOCK_SKEW_SECONDS: Final = 60
"""A clock that has gone back this far gives dates that nobody should rely on."""


class WitnessService:
    """The ASGI application of one witness. Requests are judged one after the other."""

    def __init__(
        self, cosigner: Cosigner, logs: Mapping[str, Sequence[VerifierKey]], store: WitnessStore, clock: Clock
    ) -> None:
        """`logs`: each log's verifier keys, by its origin."""
        self._cosigner = cosigner
        self._logs = dict(logs)
        self._places = {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in logs}
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await self._answer(scope, receive)).send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path: str = scope["path"]
        match scope["method"], path.strip("/").split("/"):
            case "POST", ["add-checkpoint"]:
                return await self._add_checkpoint(receive)
            case "GET", ["key"]:
                return Reply(200, f"{self._cosigner.vkey.format()}\n".encode(), TEXT)
            case "GET", [place, "checkpoint"] if place in self._places:
                return await self._newest(self._places[place])
            case _:
                return Reply(404, b"nothing is served here\n", TEXT)

    async def _add_checkpoint(self, receive: Receive) -> Reply:
        try:
            body = await read_all(receive, REQUEST_LIMIT)
        except (TooLarge, BadRequest) as error:
            return Reply(413 if isinstance(error, TooLarge) else 400, f"{error.detail}\n".encode(), TEXT)
        async with self._turn:
            return await asyncio.to_thread(self.add_checkpoint, body)

    async def _newest(self, origin: str) -> Reply:
        async with self._turn:
            note = await asyncio.to_thread(self._store.note, origin)
        if note is None:
            return Reply(404, b"not cosigned yet\n", TEXT)
        return Reply(200, note.encode(), TEXT, (("cache-control", "max-age=10"),))

    def add_checkpoint(self, body: bytes) -> Reply:
        """Judge one request; remember, durably, and only then cosign."""
        verdict = judge(self._logs, self._store.seen, body)
        checkpoint = verdict.checkpoint
        if checkpoint is None:
            if verdict.status == 422:
                log.warning("a signed checkpoint does not follow from the one before", log_size=parse_request(body).old)
            return _reply(verdict)
        time = self._clock.now() // 1000
        if time + CLOCK_SKEW_SECONDS < self._store.last_time():
            return Reply(503, b"this witness's clock was set back; it dates nothing now\n", TEXT)
        line = cosign(verdict.note, self._cosigner, time)
        kept = with_cosignatures(verdict.note, [line])
        if not self._store.advance(self._store.seen(checkpoint.origin), checkpoint, kept, time):
            return Reply(503, b"another request was faster; ask again\n", TEXT, (("retry-after", "1"),))
        return Reply(200, line.encode(), TEXT)


def _reply(verdict: Verdict) -> Reply:
    return Reply(verdict.status, verdict.body.encode(), verdict.media_type)
