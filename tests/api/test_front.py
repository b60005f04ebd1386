"""The HTTP front against strangers: who sends slowly, or too much, or stops, keeps nobody out and holds nothing for long."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from api.http.bodies import Room
from api.http.httpserver import HEAD_BYTES, BoundedConnection, HttpServer, bounded
from api.http.refusals import BadRequest
from api.http.wire import Receive, Reply, Scope, Send, read_all, visit_of
from api.node.metrics import HttpFigures
from api.server.observing import Observed
from tests.api.service import Service
from tests.ports import loopback

POST = "POST /accesses HTTP/1.1\r\nHost: ledger.example\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=60)


def answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One whole answer from a connection: status, headers, body; status 0 when it was cut without one."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = line.recv(65536)
        if not part:
            return 0, {}, data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in lines[1:])}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65536)
    return int(lines[0].split()[1]), headers, body


def address_of(service: Service) -> tuple[str, int]:
    url = httpx2.URL(service.base_url)
    return url.host, url.port or 80


# -------------------------------------------------------------------------------------------- the real application


def test_a_client_that_stops_in_the_middle_of_a_body_keeps_nobody_else_out(sqlite_service: Service) -> None:
    """More of them than there are places for requests; without a token."""
    service = sqlite_service
    most = service.node.settings.max_requests
    world = service.world
    app = world.recipient()
    consent = world.active_consent(app, world.holder())
    with ExitStack() as stack:
        for _ in range(most + 76):
            line = stack.enter_context(connect(address_of(service)))
            line.sendall(POST.format(1000).encode() + b'{"statement"')

        answered = service.post(app.access(consent))

        assert answered.status_code == 201, answered.text
        assert service.http.get("/health/ready").status_code == 200
        assert service.http.get("/checkpoint").status_code == 200


@pytest.mark.parametrize("hosts", [[], ["ledger.example", "ledger.example"], ["ledger.example", "evil.example"]])
def test_a_request_that_does_not_name_one_host_is_refused(sqlite_service: Service, hosts: list[str]) -> None:
    with connect(address_of(sqlite_service)) as line:
        named = "".join(f"Host: {host}\r\n" for host in hosts)
        line.sendall(f"GET /checkpoint HTTP/1.1\r\n{named}\r\n".encode())

        status, headers, body = answer(line)

    assert (status, headers["connection"]) == (400, "close")
    assert "Host" in json.loads(body)["detail"]


@pytest.mark.parametrize("at_once", [True, False])
def test_headers_above_their_bound_are_refused(sqlite_service: Service, *, at_once: bool) -> None:
    with connect(address_of(sqlite_service)) as line:
        many = "".join(f"X-{n}: {'a' * 4000}\r\n" for n in range(HEAD_BYTES // 4000 + 2))
        line.sendall(f"GET /checkpoint HTTP/1.1\r\nHost: a\r\n{many}".encode() + b"\r\n" * at_once)

        status, headers, body = answer(line)

    assert (status, headers["connection"]) == (431, "close")
    assert json.loads(body)["type"].endswith("/errors/headers-too-large")


def test_headers_within_their_bound_are_read(sqlite_service: Service) -> None:
    with connect(address_of(sqlite_service)) as line:
        line.sendall(f"GET /health/live HTTP/1.1\r\nHost: a\r\nX-A: {'a' * (HEAD_BYTES - 200)}\r\n\r\n".encode())

        assert answer(line)[0] == 200


def test_trailers_are_bounded_and_are_not_headers(sqlite_service: Service) -> None:
    head = b"POST /accesses HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(address_of(sqlite_service)) as line:
        line.sendall(head + b"2\r\n{}\r\n0\r\nHost: b\r\nContent-Encoding: gzip\r\n\r\n")
        assert json.loads(answer(line)[2])["type"].endswith("/errors/bad-request")
    with connect(address_of(sqlite_service)) as line:
        line.sendall(head + b"2\r\n{}\r\n0\r\nX: ")
        try:
            for _ in range(64):
                line.sendall(b"a" * 65536)
            cut = answer(line)[0] == 0
        except OSError:
            cut = True
        assert cut


def test_security_headers_are_said_once(sqlite_service: Service) -> None:
    for path in ("/checkpoint", "/", "/my/connections", "/verify", "/static/none", "/errors/none"):
        names = [name for name, _ in sqlite_service.http.get(path).headers.multi_items()]
        for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"):
            assert names.count(name) <= 1, path
        assert names.count("x-content-type-options") == 1, path


# -------------------------------------------------------------------------------------------- deadlines and the budget


class Quick(BoundedConnection):
    """With deadlines that a test can wait for."""

    head_seconds = body_seconds = 0.5
    rest_seconds = 60.0


class Place:
    """A small application behind the product's own layers: it reads a body, waits until it may answer, and answers."""

    def __init__(self, *, body_bytes: int = 2**26, seconds: float = 30.0, max_requests: int = 8) -> None:
        self.room = Room(max_requests=max_requests, body_bytes=body_bytes, seconds=seconds)
        self.app = Observed(self.serve, HttpFigures(CollectorRegistry()), self.room, base_url="")
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.address = ("", 0)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise BadRequest("only requests")
        data = await read_all(receive, 2**24) if scope["method"] == "POST" else b""
        while not self.may_answer.is_set():  # noqa: ASYNC110  (set by another thread)
            await asyncio.sleep(0.01)
        await Reply(200, str(len(data)).encode()).send(send)

    @contextmanager
    def running(self, protocol: type[BoundedConnection] = BoundedConnection) -> Iterator[HttpServer]:
        listening = loopback()
        self.address = listening.getsockname()
        options: dict[str, Any] = bounded(http=protocol, lifespan="off", timeout_graceful_shutdown=20)
        server = HttpServer(uvicorn.Config(self.app, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            self.may_answer.set()
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def test_headers_that_do_not_come_are_cut_and_told_so() -> None:
    place = Place()
    with place.running(Quick), connect(place.address) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ")

        status, headers, body = answer(line)

        assert (status, headers["connection"], line.recv(1)) == (408, "close", b"")
        assert json.loads(body)["type"].endswith("/errors/too-slow")


def test_a_body_that_does_not_come_is_told_so_and_holds_no_place() -> None:
    place = Place(seconds=0.5)
    with place.running(), connect(place.address) as line:
        line.sendall(POST.format(100).encode() + b"{")

        status, headers, body = answer(line)

        assert (status, headers["connection"], line.recv(1)) == (408, "close", b"")
        assert json.loads(body)["type"].endswith("/errors/too-slow")
    assert (place.room.in_work, place.room.coming, place.room.held) == (0, 0, 0)


def test_a_client_that_keeps_sending_after_the_answer_is_disconnected() -> None:
    """A connection that drips a body which nobody reads any more."""
    place = Place()

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(401, b"no").send(send)

    place.app = Observed(refuse, HttpFigures(CollectorRegistry()), place.room, base_url="")
    with place.running(Quick), connect(place.address) as line:
        line.sendall(POST.format(10**6).encode() + b"{")
        assert answer(line)[0] == 401

        assert line.recv(1) == b""


@pytest.mark.parametrize("size", [2**20, 11 * 2**20])
def test_an_answer_that_comes_before_the_body_is_whole_reaches_whoever_is_still_sending(size: int) -> None:
    """A connection that was closed under the rest of it would be reset, and the answer lost with it."""
    place = Place()

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await Reply(413, b"too much", headers=(("connection", "close"),)).send(send)

    place.app = Observed(refuse, HttpFigures(CollectorRegistry()), place.room, base_url="")
    with place.running():
        for _ in range(4):
            with connect(place.address) as line:
                line.sendall(POST.format(size).encode() + bytes(size))

                assert answer(line)[::2] == (413, b"too much")
                assert line.recv(1) == b""


def test_a_handler_that_ends_as_it_is_given_up_takes_no_answer_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many end in the turn in which they are given up: what holds them all up is the loop itself."""
    monkeypatch.setattr("api.server.observing.ANSWER_SECONDS", 0.01)
    place = Place()

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        while not visit_of(scope).given_up:  # noqa: ASYNC110  (that very turn is what matters)
            await asyncio.sleep(0)
        await Reply(200, b"late").send(send)

    place.app = Observed(late, HttpFigures(CollectorRegistry()), place.room, base_url="")
    with place.running(), connect(place.address) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        status, headers, body = answer(line)

        assert (status, headers["retry-after"]) == (503, "1")
        assert "there was no answer within" in json.loads(body)["detail"]
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer(line)[0] == 503  # nothing else was sent on this connection


def test_when_too_many_bodies_arrive_the_one_under_way_longest_is_dropped() -> None:
    place = Place(body_bytes=2**20)
    with place.running(), connect(place.address) as first, connect(place.address) as second:
        first.sendall(POST.format(900_001).encode() + b"a" * 900_000)  # its last byte never comes
        while place.room.held < 900_000:
            pass
        second.sendall(POST.format(500_000).encode() + b"b" * 500_000)

        assert answer(second)[::2] == (200, b"500000")
        status, headers, body = answer(first)

        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
        assert json.loads(body)["type"].endswith("/errors/overloaded")
    assert (place.room.in_work, place.room.coming, place.room.held) == (0, 0, 0)


def test_bodies_being_handled_count_and_the_newest_is_dropped() -> None:
    place = Place(body_bytes=2**20)
    place.may_answer.clear()
    with place.running(), connect(place.address) as first, connect(place.address) as second:
        first.sendall(POST.format(900_000).encode() + b"a" * 900_000)
        while not place.room.in_work:
            pass
        second.sendall(POST.format(500_000).encode() + b"b" * 400_000)

        assert answer(second)[0] == 503
        place.may_answer.set()
        assert answer(first)[::2] == (200, b"900000")


def test_requests_in_work_are_bounded_and_health_is_told_all_the_same() -> None:
    place = Place(max_requests=2)
    place.may_answer.clear()
    with place.running(), ExitStack() as stack:
        lines = [stack.enter_context(connect(place.address)) for _ in range(5)]
        for line in lines[:2]:
            line.sendall(POST.format(2).encode() + b"{}")
        while place.room.in_work < 2:
            pass
        lines[2].sendall(POST.format(2).encode() + b"{}")
        lines[3].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        lines[4].sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")

        assert [answer(line)[0] for line in lines[2:4]] == [503, 503]
        place.may_answer.set()
        assert [answer(line)[0] for line in (*lines[:2], lines[4])] == [200, 200, 200]


# --------------------------------------------------------------------------------------------------------------- end


def test_requests_that_are_on_their_way_when_a_server_is_told_to_end_are_answered() -> None:
    """On connections that stand idle at the signal, on new ones, and while others are being answered."""
    place = Place(max_requests=100)
    with place.running() as server, ExitStack() as stack:
        lines = [stack.enter_context(connect(place.address)) for _ in range(40)]
        for line in lines:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert answer(line)[1].get("connection") is None
        place.may_answer.clear()
        lines[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while not place.room.in_work:
            pass

        server.should_exit = True
        while not server.server_state.draining:
            pass
        late = [*lines[1:], *(stack.enter_context(connect(place.address)) for _ in range(10))]
        for line in late:
            line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        place.may_answer.set()

        for line in (lines[0], *late):
            status, headers, _ = answer(line)
            assert (status, headers.get("connection")) == (200, "close")
