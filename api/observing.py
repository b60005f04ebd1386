"""The outermost layer: bounds concurrency, names each request, logs and measures it, answers errors as problems."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from api.accesslog import AccessLog
from api.metrics import HttpFigures
from api.refusals import InternalError, Overloaded
from api.wire import App, Receive, Scope, Send, Visit, problem_reply, visit_of
from ledger.errors import JtiReused, LedgerError

log = structlog.get_logger("api.request")
security_log = structlog.get_logger("api.security")

SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Routes that machines ask every few seconds: logged only when they fail."""


class Observed:
    """ASGI application around another one."""

    def __init__(self, app: App, figures: HttpFigures, *, base_url: str, max_requests: int) -> None:
        self._app = app
        self._figures = figures
        self._base_url = base_url
        self._max_requests = max_requests
        self._access_log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self._access_log.flush()  # the application has ended
            return
        visit = visit_of(scope)
        begun = time.perf_counter()
        request_id = visit.request_id.encode()

        async def observed_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                visit.status = message["status"]
                said = list(message.get("headers", ()))
                if not any(name == b"x-request-id" for name, _ in said):  # a standard may say whose id it is
                    said.append((b"x-request-id", request_id))
                message["headers"] = [*said, *SECURITY_HEADERS]
            await send(message)

        self._figures.in_work += 1
        try:
            self._require_room()
            await self._app(scope, receive, observed_send)
        except LedgerError as error:
            await self.answer_error(error, visit, observed_send)
        except Exception as error:  # a defect: the caller learns nothing of it, the log where it was
            log.exception(
                "unexpected error", request_id=visit.request_id, route=visit.route, error=type(error).__name__
            )
            if not visit.status:
                await self.answer_error(InternalError("unexpected"), visit, observed_send)
        finally:
            self._figures.in_work -= 1
            self._note(scope["method"], visit, time.perf_counter() - begun)

    def _require_room(self) -> None:
        if self._figures.in_work > self._max_requests:
            raise Overloaded(f"{self._max_requests} requests are in work already; this one was not read")

    async def answer_error(self, error: LedgerError, visit: Visit, send: Send) -> None:
        """Answer with the error's problem, unless an answer has begun."""
        if not visit.status:
            note_security_event(error, visit)
            await problem_reply(error, visit, self._base_url).send(send)

    def _note(self, method: str, visit: Visit, seconds: float) -> None:
        self._figures.observe(method, visit.route, visit.status, seconds)
        if visit.route in QUIET and visit.status < 400:
            return
        self._access_log.note(method, visit, seconds)


def note_security_event(error: LedgerError, visit: Visit) -> None:
    """A line of its own for what an operator's alarms should listen to."""
    if isinstance(error, JtiReused):
        security_log.warning("jti reused", request_id=visit.request_id, route=visit.route, client=visit.client)
