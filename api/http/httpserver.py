"""The HTTP server: the limits of a connection before any route is asked, and how the server ends.

The parser below (httptools) keeps whatever it is sent, for as long as it takes. So the bounds are set here: the address
and the headers of a request have 10 seconds and 64 KiB, its body a time of its own (api/http/bodies.py tells the sender
why it was given up; here the connection of one who goes on sending is cut), and what is neither header nor body (chunk
sizes, trailers) is bounded by what it comes with. One look a second at all connections, instead of a timer for each
request.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.http.bodies import BODY_SECONDS
from api.http.problems import MEDIA_TYPE, problem_body, problem_of
from api.http.refusals import HeadersTooLarge, TooSlow
from api.http.wire import App
from ledger.errors import LedgerError

HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 10.0
SPARE_SECONDS: Final = 5.0
"""For the answer that a body came too late, before its connection is cut."""
REST_SECONDS: Final = 30.0
"""For a connection that sends nothing, or nothing that begins a request."""
LINGER_SECONDS: Final = 5.0
"""For the rest of a body that was answered before it was whole: nobody reads it, but a connection that is closed while
bytes are still coming takes the answer with it."""
DRAIN_SECONDS: Final = 0.5
"""After a signal to end, requests on their way are still answered, and each answer says that the connection ends with
it."""

_IDLE, _HEAD, _BODY = range(3)


class Draining(ServerState):
    """The state that connections share with their server."""

    draining = False


class LastingTransport:
    """A connection's transport, whose end waits for a sender: our side is closed, and what still comes is thrown away until he
    closes his, or has had his time."""

    def __init__(self, transport: asyncio.Transport, connection: BoundedConnection) -> None:
        self._transport, self._connection = transport, connection
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is answered here."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close it, at once where nothing is on its way."""
        if self.lingers or self._transport.is_closing() or not self._connection.receives:
            self._transport.close()
            return
        self.lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._connection.loop.call_later(self._connection.linger_seconds, self._transport.close)


class BoundedConnection(HttpToolsProtocol):
    """One connection, with bounds."""

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS + SPARE_SECONDS
    rest_seconds = REST_SECONDS
    linger_seconds = LINGER_SECONDS
    _phase = _IDLE
    _since = 0.0
    _beside = 0
    """Bytes of the present request that were neither body nor, once they are whole, headers."""
    _cut = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._lasting = LastingTransport(transport, self)  # type: ignore[arg-type]  # as in the class above
        super().connection_made(self._lasting)  # type: ignore[arg-type]  # it does what a transport does
        self._since = self.loop.time()

    @override
    def data_received(self, data: bytes) -> None:
        if self._cut or self._lasting.lingers:
            return
        self._beside += len(data)
        super().data_received(data)
        if self._phase == _HEAD and self._beside > HEAD_BYTES:
            self._refuse(HeadersTooLarge(f"the headers of a request have at most {HEAD_BYTES} bytes"))
        elif self._phase == _BODY and self._beside > HEAD_BYTES:
            self._end()

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._since = _HEAD, self.loop.time()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase == _HEAD:  # a trailer is never taken for a header
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        if self._cut:
            return
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            self._refuse(HeadersTooLarge(f"the headers of a request have at most {HEAD_BYTES} bytes"))
            return
        self._phase, self._since, self._beside = _BODY, self.loop.time(), 0
        super().on_headers_complete()
        if self._drains():
            self.cycle.keep_alive = False

    @override
    def on_body(self, body: bytes) -> None:
        if not self._cut:
            self._beside -= 2 * len(body)  # that of the chunks' sizes may be as much as is in them
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        if not self._cut:
            self._phase, self._beside = _IDLE, 0
            super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def look(self, now: float) -> None:
        """Close connections that have taken too long; called once a second."""
        waited = now - self._since
        if self.pipeline:  # the next request waits for us, not we for it
            self._since = now
        elif self._phase == _HEAD and waited > self.head_seconds:
            self._refuse(TooSlow(f"the headers were not there within {self.head_seconds:g} s"))
        elif (self._phase == _BODY and waited > self.body_seconds) or (
            self._phase == _IDLE and self._rests() and waited > self.rest_seconds
        ):
            self._end()

    def drain(self) -> None:
        """End the connection with the answer that is under way, or the next one."""
        if not self._rests():
            self.cycle.keep_alive = False

    @property
    def receives(self) -> bool:
        """Whether the present request is not whole yet, and not given up by us for its time."""
        return self._phase == _BODY and not self._cut

    def _rests(self) -> bool:
        """Whether no answer is under way."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # it begins as None

    def _drains(self) -> bool:
        return isinstance(self.server_state, Draining) and self.server_state.draining

    def _refuse(self, error: LedgerError) -> None:
        """Answer unless another answer is under way, and read no more."""
        if self._rests():
            self.transport.write(_answer(error))
        self._end()

    def _end(self) -> None:
        self._cut = True
        self.transport.close()


class HttpServer(uvicorn.Server):
    """uvicorn's server with these bounds. When it is told to end, it first drains."""

    def __init__(self, config: uvicorn.Config, fails: Callable[[], bool] = lambda: False) -> None:
        """`fails` says, once a second, whether what is served has failed for good: then the server ends by itself."""
        super().__init__(config)
        self._fails = fails
        self.failed = False
        self.server_state: Draining = Draining()

    @override
    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            self._look()
            if self._fails():
                self.failed = self.should_exit = True
        return await super().on_tick(counter)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept requests for a moment longer: those on their way when the signal came would get no answer
        otherwise."""
        self.server_state.draining = True
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_SECONDS
        for connection in self._connections():
            connection.drain()
        while self.server_state.connections and loop.time() < until:  # noqa: ASYNC110  (a set that tells nobody)
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.look(now)

    def _connections(self) -> list[BoundedConnection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, BoundedConnection)]


def bounded(**options: Any) -> dict[str, Any]:
    """Options of uvicorn for every server of ours: the bounded protocol on the fast loop, and no logging of its own."""
    ours: dict[str, Any] = {
        "loop": "uvloop",
        "http": BoundedConnection,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": int(REST_SECONDS),
    }
    return ours | options


def run(app: App, **options: Any) -> None:
    """Serve an application until told to stop."""
    with suppress(KeyboardInterrupt):  # raised again by uvicorn when it has ended
        HttpServer(uvicorn.Config(app, **bounded(**options))).run()


def _answer(error: LedgerError) -> bytes:
    """A whole answer, for a request that no application has seen."""
    problem = problem_of(error)
    body = problem_body(error, base_url="", instance=f"urn:uuid:{uuid.uuid4()}")
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\nx-content-type-options: nosniff\r\n\r\n"
    )
    return head.encode() + body
