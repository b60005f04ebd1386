"""The load generator tells the truth: a server that stalls is charged for every request it kept waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.figures import latency_of
from tests.bench.load import Plan, Run, drive, request


@contextmanager
def server(*, stall_at: int = -1, stall: float = 0.0, cut_at: int = -1) -> Iterator[int]:
    """Answers 200 with the request's number; once it stalls everybody, once it hangs up. Gives its port."""
    loop, started, port = asyncio.new_event_loop(), threading.Event(), [0]
    served = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readline()) and not head.isspace():
            while (await reader.readline()) not in {b"\r\n", b""}:
                pass
            served[0] += 1
            if served[0] == cut_at:
                break
            if served[0] == stall_at:
                loop.call_soon(threading.Event().wait, stall)  # the whole loop stands still, as a stalled commit would
            body = head.split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def run() -> None:
        running = await asyncio.start_server(serve, "127.0.0.1", 0)
        port[0] = running.sockets[0].getsockname()[1]
        started.set()
        await stopped.wait()
        running.close()

    stopped = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    started.wait()
    yield port[0]
    loop.call_soon_threadsafe(stopped.set)
    thread.join()
    loop.close()


def load(port: int, folder: Path, *, clients: int, rate: float = 0.0, requests: int = 20_000) -> Run:
    paths = [request("GET", f"/{number}", "localhost") for number in range(requests)]
    return drive(Plan("127.0.0.1", port, paths, clients, rate, warm_up=0.1, seconds=1.0), folder)


def test_each_answer_is_kept_beside_its_own_request(tmp_path: Path) -> None:
    with server() as port:
        run = load(port, tmp_path, clients=4)
    assert run.bodies
    assert {(status, body) for number, status, body in run.bodies if body != b"/%d" % number} == set()
    assert run.statuses == {200: len(run.bodies)}
    assert run.sent == len(run.bodies)


def test_latency_counts_from_when_a_request_was_due(tmp_path: Path) -> None:
    with server(stall_at=60, stall=0.5) as port:
        run = load(port, tmp_path, clients=1, rate=200.0)
    # 100 requests fell due during the half second; a closed loop would have seen one slow answer
    assert sum(latency > 0.1 for latency in run.latencies) > 40
    assert latency_of(run.latencies).worst >= 450.0


def test_a_connection_that_is_cut_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    with server(cut_at=5) as port:
        run = load(port, tmp_path, clients=1)
    assert run.broken == 1
    assert len(run.bodies) == 4


def test_requests_that_run_out_are_told(tmp_path: Path) -> None:
    with server() as port:
        run = load(port, tmp_path, clients=2, requests=10)
    assert run.exhausted
    assert run.sent == 10


def test_latencies_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing was answered"):
        latency_of([])


def test_the_last_answer_of_a_slow_stream_is_waited_for(tmp_path: Path) -> None:
    """At a low rate nobody waits at times: that is not the end."""
    with server(stall_at=5, stall=0.5) as port:
        run = load(port, tmp_path, clients=2, rate=20.0, requests=5)
    assert run.statuses == {200: 5}
