"""The load generator: a process of its own that drives an HTTP server and writes down when each answer came.

Closed loop: N clients, each sends its next request when its last answer is there. Open loop: requests are due at a fixed
rate whatever the server does, and latency counts from when a request was *due*, not from when a free connection could send
it; so a server that stalls is charged for every request it kept waiting («coordinated omission»).

Nothing is parsed, signed or verified while the clock runs: requests are bytes made before, answers are kept and verified
after. What the generator itself costs is measured (`generator_cpu_us`, per request).
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from msgspec import Struct


class Plan(Struct):
    """What a generator process is told."""

    host: str
    port: int
    requests: list[bytes]
    """Whole HTTP/1.1 requests."""
    clients: int
    rate: float = 0.0
    """Requests a second; 0 = closed loop."""
    warm_up: float = 1.0
    """Seconds at the beginning that are not measured."""
    seconds: float = 4.0
    """Length of the measured window."""
    repeat: bool = False
    """Begin again with the first request after the last (reads); else stop there."""
    keep_every: int = 1
    """Keep every n-th answer's body; 0 = none."""


class Run(Struct):
    """What it saw. Latencies in seconds, of answers in the measured window only."""

    seconds: float
    sent: int
    answered: int
    """In the window."""
    latencies: list[float]
    statuses: dict[int, int]
    """Of all answers, also outside the window."""
    broken: int
    """Connections that the server closed with an answer outstanding."""
    cpu_seconds: float
    bodies: list[tuple[int, int, bytes]]
    """(number of the request, status, body) of the kept answers."""
    exhausted: bool
    """The requests ran out before the window ended: make more."""


def request(
    method: str, path: str, host: str, body: bytes | None = None, headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """An HTTP/1.1 request in full."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class _Client(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, crew: _Crew) -> None:
        self._crew = crew
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._wanted = 0  # bytes of the whole answer, once its header is read
        self._status = 0
        self.number = -1
        self.due = 0.0
        self.ended = False
        """The server has said that it closes this connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self, number: int, due: float, data: bytes) -> None:
        assert self._transport is not None
        self.number, self.due = number, due
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            if at < 0:
                raise ValueError("an answer without Content-Length")
            stop = head.find(b"\r\n", at)
            self._wanted = end + 4 + int(head[at + 15 : stop if stop > 0 else end])
            self._body = end + 4
            self._status = int(head[9:12])
            self.ended = b"\r\nconnection: close" in head
        if len(self._buffer) < self._wanted:
            return
        body, self._buffer, self._wanted = self._buffer[self._body : self._wanted], self._buffer[self._wanted :], 0
        number, self.number = self.number, -1
        self._crew.answered(self, number, self.due, self._status, body)

    def connection_lost(self, error: Exception | None) -> None:
        self._crew.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Crew:
    """All clients of one run, and the book they keep."""

    def __init__(self, plan: Plan, origins: Sequence[bytes]) -> None:
        self._plan = plan
        self._requests = origins
        self._numbers: Iterator[int] = iter(_numbers(len(origins), plan.repeat))
        self._idle: deque[_Client] = deque()
        self._late: deque[tuple[int, float]] = deque()
        self._at_work = 0
        self._closing = False
        self._replacing: set[asyncio.Task[None]] = set()
        self.dues, self.ends = array("d"), array("d")
        self.statuses: dict[int, int] = {}
        self.bodies: list[tuple[int, int, bytes]] = []
        self.sent = self.broken = 0
        self.exhausted = False
        self.finished = asyncio.Event()

    async def run(self) -> tuple[float, float, float]:
        """Drive; (begin, end of the measured window, CPU seconds in it)."""
        plan, loop = self._plan, asyncio.get_running_loop()
        self._clients = clients = [
            (await loop.create_connection(lambda: _Client(self), plan.host, plan.port))[1] for _ in range(plan.clients)
        ]
        begin = time.perf_counter()
        measured = begin + plan.warm_up
        self._end = measured + plan.seconds
        cpu: list[float] = []
        loop.call_later(plan.warm_up, lambda: cpu.append(time.process_time()))
        loop.call_later(plan.warm_up + plan.seconds, lambda: cpu.append(time.process_time()))
        if plan.rate:
            self._idle.extend(clients)
            await self._keep_pace(begin)
        else:
            for client in clients:
                self._next(client)
        loop.call_later(plan.warm_up + plan.seconds + 60, self.finished.set)
        if self._at_work:
            self.finished.clear()  # at a low rate there were moments before in which nobody waited
            await self.finished.wait()
        self._closing = True
        for client in clients:
            client.close()
        while len(cpu) < 2:  # the requests ran out early
            cpu.append(time.process_time())
        return measured, self._end, cpu[1] - cpu[0]

    async def _keep_pace(self, begin: float) -> None:
        number_of = 0
        while True:
            now = time.perf_counter()
            while (due := begin + number_of / self._plan.rate) <= now:
                if due >= self._end:
                    return
                number = next(self._numbers, None)
                if number is None:
                    self.exhausted = True
                    return
                number_of += 1
                self._at_work += 1
                if self._idle:
                    self._send(self._idle.popleft(), number, due)
                else:
                    self._late.append((number, due))
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _next(self, client: _Client) -> None:
        now = time.perf_counter()
        if now >= self._end:
            return
        number = next(self._numbers, None)
        if number is None:
            self.exhausted = True
            return
        self._at_work += 1
        self._send(client, number, now)

    def _send(self, client: _Client, number: int, due: float) -> None:
        self.sent += 1
        client.send(number, due, self._requests[number])

    def answered(self, client: _Client, number: int, due: float, status: int, body: bytes) -> None:
        self.dues.append(due)
        self.ends.append(time.perf_counter())
        self.statuses[status] = self.statuses.get(status, 0) + 1
        every = self._plan.keep_every
        if every and number % every == 0:
            self.bodies.append((number, status, body))
        if client.ended:
            self._replacing.add(asyncio.get_running_loop().create_task(self._replace()))
        else:
            self._go_on(client)

    async def _replace(self) -> None:
        """A new connection instead of one that the server has closed."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: _Client(self), self._plan.host, self._plan.port)
        self._clients.append(client)
        self._go_on(client)

    def _go_on(self, client: _Client) -> None:
        self._at_work -= 1
        if not self._plan.rate:
            self._next(client)
        elif self._late:
            self._send(client, *self._late.popleft())
        else:
            self._idle.append(client)
        if not self._at_work:
            self.finished.set()

    def lost(self, client: _Client) -> None:
        if client.number >= 0 and not self._closing:
            self.broken += 1
            self._at_work -= 1
            if not self._at_work:
                self.finished.set()


def _numbers(count: int, repeat: bool) -> Iterator[int]:
    while True:
        yield from range(count)
        if not repeat:
            return


async def _drive(plan: Plan) -> Run:
    crew = _Crew(plan, plan.requests)
    begin, end, cpu = await crew.run()
    last = max(crew.ends, default=end)
    end = min(end, last) if crew.exhausted else end
    inside = [(due, done) for due, done in zip(crew.dues, crew.ends, strict=True) if begin <= done <= end]
    return Run(
        end - begin,
        crew.sent,
        len(inside),
        [done - due for due, done in inside],
        crew.statuses,
        crew.broken,
        cpu,
        crew.bodies,
        crew.exhausted,
    )


def drive(plan: Plan, folder: Path) -> Run:
    """Run a generator in a process of its own."""
    import subprocess

    told, said = folder / "plan.msgpack", folder / "run.msgpack"
    told.write_bytes(msgspec.msgpack.encode(plan))
    command = [sys.executable, "-m", "tests.bench.load", str(told), str(said)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], timeout=plan.warm_up + plan.seconds + 180)
    return msgspec.msgpack.decode(said.read_bytes(), type=Run)


def main(arguments: list[str]) -> Any:
    """`load PLAN RUN`."""
    plan = msgspec.msgpack.decode(Path(arguments[0]).read_bytes(), type=Plan)
    import gc

    gc.freeze()
    gc.disable()  # what is kept is kept until the end: collecting would only stop the clients
    run = uvloop.run(_drive(plan))
    Path(arguments[1]).write_bytes(msgspec.msgpack.encode(run))


if __name__ == "__main__":
    main(sys.argv[1:])
