"""FaultLayer on request: an ASGI layer that answers as a ledger or a bank on a bad day does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct
from starlette.responses import PlainTextResponse

from api.http.wire import App, Receive, Scope, Send, Visit, problem_reply, read_all
from ledger.errors import Unavailable

FaultKind = Literal["unavailable", "lost", "slow", "fork", "rollback"]
CHECKPOINTS: Final = ("/checkpoint", "/checkpoint/newest", "/checkpoint/witnessed")
RECORDED: Final = ("/consents", "/accesses", "/partners")
MOST_SEEN: Final = 2_000
BODY_LIMIT: Final = 2 * 2**20


class PlannedFault(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong: `times` requests are answered so. `seconds`: how long a slow answer takes."""

    fault: FaultKind
    times: int = 1
    seconds: int = 3


@dataclass(frozen=True, slots=True)
class SentWrite:
    """A request that writes, as it came; `digest`: SHA-256 of its body."""

    path: str
    digest: bytes
    status: int


class FaultLayer:
    """The layer around one application. `forged` makes the checkpoint of a fault."""

    def __init__(self, app: App, base_url: str, forged: Callable[[FaultKind], str] | None = None) -> None:
        self._app = app
        self._base_url = base_url
        self._forged = forged
        self._armed: list[PlannedFault] = []
        self.seen: deque[SentWrite] = deque(maxlen=MOST_SEEN)

    def arm(self, fault: PlannedFault) -> None:
        """From now on."""
        self._armed += [fault] * fault.times

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._armed.clear()

    def _next(self, scope: Scope) -> PlannedFault | None:
        """What happens to this request. Checkpoints are forged where one is asked for; all else hits what a partner sends."""
        path = scope["path"]
        if path.startswith(("/health", "/console", "/static", "/sign-in", "/dev-idp")):
            return None
        writes = scope["method"] != "GET" and path.startswith(RECORDED)
        for number, fault in enumerate(self._armed):
            if fault.fault == "lost" and not writes:
                continue  # a lost answer is one to something that was recorded
            if (fault.fault in ("fork", "rollback")) == (path in CHECKPOINTS):
                return self._armed.pop(number)
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the application's lifespan."""
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self._app(scope, receive, send)
            return
        body = b"" if scope["method"] == "GET" else await read_all(receive, BODY_LIMIT)
        fault = self._next(scope)
        status = 0

        async def telling(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        if fault is None:
            await self._app(scope, _again(body), telling)
        elif fault.fault == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, _again(body), telling)
        elif fault.fault == "lost":  # it is done, and nobody hears of it
            await self._app(scope, _again(body), _nowhere)
            await self._unavailable(scope, receive, telling)
        elif fault.fault == "unavailable" or self._forged is None:
            await self._unavailable(scope, receive, telling)
        else:
            await PlainTextResponse(self._forged(fault.fault))(scope, receive, telling)
        if body:
            self.seen.append(SentWrite(scope["path"], sha256(body).digest(), status))

    async def _unavailable(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = Unavailable("the sandbox was asked to fail here: send the same request again")
        await problem_reply(error, Visit(), self._base_url).response()(scope, receive, send)


def _again(body: bytes) -> Receive:
    given = False

    async def receive() -> Any:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _nowhere(message: Any) -> None:
    """The answer is lost."""
