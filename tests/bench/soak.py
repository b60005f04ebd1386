"""A long run at 70 % of capacity in which a server process is killed every minute: `python -m tests.bench.soak`.

Clients behave as participants must: a submission without an answer is sent again, the same bytes, until it is answered. At
the end every acknowledged entry is in the log that `consent-verify` has verified whole, once; memory has not grown; and the
99th percentile is within three times that of a quiet run before. What is killed, by SIGKILL and in turn, are the processes that
do the work, the fronts and the sequencing process; the supervisor starts them anew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
import uvloop

from tests.bench.audit import Answer, Unsound, answers, audit
from tests.bench.figures import latency_of
from tests.bench.load import request
from tests.bench.places import ENGINES, ROOT, Place, Serving, machine, new_log, serving, site
from tests.bench.statements import Post

CONNECTIONS = 64
PATIENCE = 120.0
"""Seconds after which an unanswered submission counts as lost."""
FACTOR = 3.0
"""How much slower the 99th percentile may be than in the quiet run."""


@dataclass
class Book:
    """What the clients saw."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from when a submission was due until its receipt, tries and all."""
    again: int = 0
    """Submissions sent more than once."""
    acknowledged: list[tuple[Post, Answer]] = field(default_factory=list)
    rss: list[tuple[float, int]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


class Client:
    """One participant's connection, made again whenever it breaks."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def submit(self, data: bytes, book: Book) -> tuple[int, bytes]:
        """Send until answered with 200 or 201. Raises Unsound for a final no, or when patience ends."""
        end, pause, tries = time.monotonic() + PATIENCE, 0.02, 0
        while time.monotonic() < end:
            tries += 1
            try:
                status, body = await self._once(data)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.close()
                status, body = 0, b""
            if status in {200, 201}:
                book.again += tries > 1
                return status, body
            if status not in {0, 429, 502, 503, 504}:
                raise Unsound(f"a submission was refused with {status}: {body[:300]!r}")
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, 1.0)
        raise Unsound(f"no answer within {PATIENCE:.0f} s")

    async def _once(self, data: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._server.host, self._server.port)
        reader, writer = self._streams
        writer.write(data)
        async with asyncio.timeout(15):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"content-length:") + 15
            body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Forget the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass
class Soak:
    """One run."""

    log: Place
    server: Serving
    rate: float
    seconds: float
    kill_every: float

    async def run(self) -> Book:
        """Offer statements at a fixed rate, sign them as they are due, kill as told, watch memory."""
        book, begun = Book(), time.monotonic()
        turns: asyncio.Queue[tuple[float, Post]] = asyncio.Queue()
        clients = [Client(self.server) for _ in range(CONNECTIONS)]
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(book, begun))
            killing = group.create_task(self._kill(book))
            workers = [group.create_task(self._work(client, turns, book)) for client in clients]
            number = 0
            while (elapsed := time.monotonic() - begun) < self.seconds:
                while number / self.rate <= elapsed:
                    turns.put_nowait((begun + number / self.rate, self.log.crowd.access(number)))
                    number += 1
                await asyncio.sleep(0.005)
            killing.cancel()
            await turns.join()
            watching.cancel()
            for worker in workers:
                worker.cancel()
        for client in clients:
            client.close()
        return book

    async def _work(self, client: Client, turns: asyncio.Queue[tuple[float, Post]], book: Book) -> None:
        while True:
            due, post = await turns.get()
            status, body = await client.submit(request("POST", post.path, self.server.host, post.body), book)
            book.latencies.append(time.monotonic() - due)
            book.acknowledged += answers([post], [(0, status, body)])
            turns.task_done()

    async def _kill(self, book: Book) -> None:
        while self.kill_every:
            await asyncio.sleep(self.kill_every)
            victims = sorted(self.server.workers, key=lambda process: process.create_time())
            victims[0].send_signal(signal.SIGKILL)  # the eldest: each has its turn
            book.killed.append(f"process {victims[0].pid}")

    async def _watch(self, book: Book, begun: float) -> None:
        while True:
            with suppress(psutil.NoSuchProcess):  # killed between the list and the look
                book.rss.append((time.monotonic() - begun, self.server.rss()))
            await asyncio.sleep(max(1.0, self.seconds / 120))


async def capacity(log: Place, server: Serving, seconds: float) -> tuple[float, Book]:
    """Single accesses a second that these very clients get through, closed loop: signing and checking are part of them."""
    book, end = Book(), time.monotonic() + seconds
    begun = time.monotonic()

    async def work(number: int) -> None:
        client = Client(server)
        while time.monotonic() < end:
            post = log.crowd.access(number)
            status, body = await client.submit(request("POST", post.path, server.host, post.body), book)
            book.acknowledged += answers([post], [(0, status, body)])
        client.close()

    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(work(number))
    return len(book.acknowledged) / (time.monotonic() - begun), book


def soak(
    engine: str, seconds: float, kill_every: float, workers: int, share: float, say: Callable[[str], None]
) -> None:
    """Capacity, a quiet run, the run with kills, the audit. Raises Unsound."""
    with site() as place:
        log = new_log(place, engine, consents=200)
        with serving(log, workers=workers) as server:
            reached, first = uvloop.run(capacity(log, server, 30.0))
            rate = reached * share
            say(f"capacity {reached:,.0f}/s with {CONNECTIONS} clients; offered from here on: {rate:,.0f}/s")
            quiet = uvloop.run(Soak(log, server, rate, max(10.0, min(60.0, seconds / 4)), 0.0).run())
            calm = latency_of(quiet.latencies)
            say(f"quiet run: {len(quiet.latencies):,} receipts, p50 {calm.p50:.1f} ms, p99 {calm.p99:.1f} ms")
            book = uvloop.run(Soak(log, server, rate, seconds, kill_every).run())
        rough = latency_of(book.latencies)
        say(
            f"with {len(book.killed)} kills: {len(book.latencies):,} receipts, p50 {rough.p50:.1f} ms, p99 {rough.p99:.1f} ms, "
            f"p99.9 {rough.p999:.1f} ms, worst {rough.worst:.0f} ms; {book.again:,} submissions were sent again"
        )
        say(f"p99 is {rough.p99 / calm.p99:.2f} × that of the quiet run (asked for: at most {FACTOR:.0f})")
        half = len(book.rss) // 2
        peaks = [max(size for _, size in part) / 2**20 for part in (book.rss[:half], book.rss[half:])]
        sizes = " ".join(f"{size / 2**20:.0f}" for _, size in book.rss[:: max(1, len(book.rss) // 20)])
        say(
            f"memory of all server processes in MiB: {sizes}; peaks of the two halves: {peaks[0]:.0f} and {peaks[1]:.0f}"
        )
        done = audit(log, first.acknowledged + quiet.acknowledged + book.acknowledged, place.new_folder("audit"))
        say(
            f"consent-verify: {done.entries:,} entries verified whole; all {done.receipts:,} acknowledged are there, none twice"
        )


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 unless an acknowledged entry is missing or doubled, or a submission was never answered."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--kill-every", type=float, default=60.0, help="seconds (default: %(default)s); 0 = never")
    parser.add_argument("--engine", choices=ENGINES, default="sqlite")
    parser.add_argument("--workers", type=int, default=max(2, os.cpu_count() or 1))
    parser.add_argument("--share", type=float, default=0.7, help="of capacity (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help="keep what was said in docs/soak.md")
    given = parser.parse_args(arguments)
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        print(sentence, flush=True)

    about = machine()
    say(
        f"{given.minutes:g} minutes on {given.engine}, {given.workers} workers, a kill every {given.kill_every:g} s; "
        f"{about['processor']}, {about['python']}"
    )
    try:
        soak(given.engine, given.minutes * 60, given.kill_every, given.workers, given.share, say)
    except (Unsound, ExceptionGroup) as error:
        print(f"scripts/soak: NOT SOUND: {error!r}", file=sys.stderr)
        return 1
    if given.record:
        text = "# Soak\n\nWritten by `scripts/soak --record`; do not edit.\n\n" + "".join(
            f"- {line}\n" for line in said
        )
        (ROOT / "docs" / "soak.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
