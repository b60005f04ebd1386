"""The outermost layer: bounds concurrency, names each request, logs and measures it, answers errors as problems."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from api.http.bodies import Body, Room
from api.http.refusals import (
    BadRequest,
    InsufficientScope,
    InternalError,
    InvalidClient,
    RateLimited,
    Unauthenticated,
)
from api.http.wire import UNKNOWN, App, Receive, Scope, Send, Visit, problem_reply, visit_of
from api.node.metrics import HttpFigures
from api.server.accesslog import AccessLog
from api.server.tracing import RequestTraces
from ledger.errors import BadSignature, JtiReused, LedgerError, NotPermitted, Unavailable

log = structlog.get_logger("api.request")
security_log = structlog.get_logger("api.security")

SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
ANSWER_SECONDS: Final = 55.0
"""For the beginning of an answer, from the end of the request's headers."""
QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Routes that machines ask every few seconds: logged only when they fail."""


SECURITY_EVENTS: Final[dict[type[LedgerError], str]] = {
    BadSignature: "bad-signature",
    InsufficientScope: "insufficient-scope",
    InvalidClient: "invalid-client",
    JtiReused: "jti-reused",
    NotPermitted: "not-permitted",
    RateLimited: "rate-limited",
    Unauthenticated: "unauthenticated",
}
"""Refusals that are counted for whoever watches for attacks (docs/observing.md), by the name of the event."""


class Observed:
    """ASGI application around another one."""

    def __init__(
        self, app: App, figures: HttpFigures, room: Room, *, base_url: str, traces: RequestTraces | None = None
    ) -> None:
        self._app = app
        self._figures = figures
        self._room = room
        self._base_url = base_url
        self._traces = traces
        self._access_log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._access_log.flush()  # the application has ended
            return
        visit = visit_of(scope)
        begun = time.perf_counter()
        request_id = visit.request_id.encode()

        body: Body | None = None

        async def observed_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                said = list(message.get("headers", ()))
                names = {name for name, _ in said}
                if b"x-request-id" not in names:  # a standard may say whose id it is
                    said.append((b"x-request-id", request_id))
                said += visit.headers
                said += [header for header in SECURITY_HEADERS if header[0] not in names]
                if b"cache-control" not in names:  # answers that may be kept say so; any other may hold evidence
                    said.append((b"cache-control", b"no-store"))
                if body is not None and body.refused is not None and not body.whole and b"connection" not in names:
                    said.append((b"connection", b"close"))  # the rest of the body would be taken for the next request
                message["headers"] = said
            await send(message)

        async def app_send(message: MutableMapping[str, Any]) -> None:
            if visit.given_up:  # it has been answered
                return
            timer.cancel()  # streams may take longer
            await observed_send(message)

        late: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._give_up, visit, observed_send, late)
        try:
            _require_one_host(scope)
            body = self._room.enter(scope, receive)
            await self._app(scope, body, app_send)
        except LedgerError as error:
            await self.answer_error(error, visit, app_send)
        except Exception as error:  # a defect: the caller learns nothing of it; the log says where it was
            log.exception(
                "unexpected error", request_id=visit.request_id, route=visit.route, error=type(error).__name__
            )
            await self.answer_error(InternalError("unexpected"), visit, app_send)
        finally:
            timer.cancel()
            if body is not None:
                body.leave()
            await _until_sent(late)
            self._note(scope, visit, time.perf_counter() - begun)

    def _give_up(self, visit: Visit, send: Send, answering: list[asyncio.Task[None]]) -> None:
        """Answer the caller in time, whatever holds the request up; the work continues, and keeps its place until it
        has ended."""
        late = Unavailable(
            f"there was no answer within {ANSWER_SECONDS:.0f} s; submitting the same statement again is safe"
        )
        visit.given_up = True
        answering.append(asyncio.get_running_loop().create_task(self.answer_error(late, visit, send)))

    async def answer_error(self, error: LedgerError, visit: Visit, send: Send) -> None:
        """Answer with the error's problem, unless an answer has begun."""
        if not visit.status:
            note_security_event(error, visit, self._figures)
            await problem_reply(error, visit, self._base_url).send(send)

    def _note(self, scope: Scope, visit: Visit, seconds: float) -> None:
        method: str = scope["method"]
        if visit.route == UNKNOWN:  # pages and standards say nothing of themselves; the framework knows what it chose
            visit.route = getattr(scope.get("route"), "path", UNKNOWN)
        if self._traces is not None:
            ended = time.time_ns()
            self._traces.note(scope, visit, ended - int(seconds * 1e9), ended)
        self._figures.observe(method, visit.route, visit.status, seconds)
        if visit.route in QUIET and visit.status < 400:
            return
        self._access_log.note(method, visit, seconds)


async def _until_sent(answers: list[asyncio.Task[None]]) -> None:
    """The server takes the end of a request's call for the end of its answer, and would send a 500 of its own."""
    if answers:
        await asyncio.wait(answers)


def _require_one_host(scope: Scope) -> None:
    """RFC 9112 §3.2: a request names one host. Of two, a proxy in front may have believed the other. Raises BadRequest."""
    if sum(name == b"host" for name, _ in scope["headers"]) != 1:
        raise BadRequest("a request has exactly one header Host", headers={"connection": "close"})


def note_security_event(error: LedgerError, visit: Visit, figures: HttpFigures) -> None:
    """Count refusals that an attack would cause too, with a log line of its own for those that should raise an
    alarm."""
    event = SECURITY_EVENTS.get(type(error))
    if event is not None:
        figures.security_event(event, visit.client)
    if isinstance(error, JtiReused):
        security_log.warning("jti reused", request_id=visit.request_id, route=visit.route, client=visit.client)
