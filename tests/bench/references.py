"""Fixed references, measured beside the figures: what a machine gives in one minute it does not give in the next.

Three things that this project cannot make faster: one Ed25519 check by libsodium, one row made durable in a file of its own,
and one empty HTTP answer by the server that the ledger runs under. A figure is told with those of its own minute, and goals
are multiples of them.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
from msgspec import Struct
from nacl.signing import SigningKey

from tests.bench.load import Plan, drive, request
from tests.bench.places import Site, program

FRESH_SECONDS: Final = 60.0
"""Older references are measured again."""
CLIENTS: Final = 64


class Reference(Struct, frozen=True):
    """One minute of this machine, in microseconds."""

    check: float
    """Processor time of one Ed25519 check of 700 bytes by libsodium."""
    commit: float
    """Median time until one row of 1 kB is committed and durable, SQLite."""
    answer: float
    """Processor time of the server for one empty HTTP answer, 64 clients."""


def bare_check(times: int = 400) -> float:
    """Microseconds of processor time of one Ed25519 check by libsodium."""
    key = SigningKey.generate()
    signed = key.sign(bytes(700))
    begun = time.process_time()
    for _ in range(times):
        key.verify_key.verify(signed)
    return (time.process_time() - begun) / times * 1e6


def bare_commit(folder: Path, times: int = 100) -> float:
    """Median microseconds of one row's INSERT with its durable commit."""
    taken = []
    path = folder / "reference.sqlite"
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=WAL").close()
        database.execute("PRAGMA synchronous=FULL").close()
        database.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB)").close()
        for _ in range(times):
            begun = time.perf_counter()
            database.execute("INSERT INTO rows (body) VALUES (?)", (bytes(1000),)).close()
            taken.append(time.perf_counter() - begun)
    finally:
        database.close()
    return statistics.median(taken) * 1e6


def empty_answer(place: Site, requests: int = 3000) -> float:
    """Microseconds of processor time of one empty answer: uvicorn and nothing behind it, one process."""
    folder = place.new_folder("empty")
    with program([sys.executable, "-m", __spec__.name], {}, folder, "/") as server:
        plan = Plan(
            server.host,
            server.port,
            [request("GET", "/", server.host)] * requests,
            CLIENTS,
            warm_up=0.0,
            seconds=60.0,
            keep_every=0,
        )
        before = server.cpu_seconds()
        run = drive(plan, folder)
        return (server.cpu_seconds() - before) / run.sent * 1e6


@dataclass
class References:
    """The references of the present minute."""

    place: Site
    _now: Reference = field(default_factory=lambda: Reference(0.0, 0.0, 0.0))
    _until: float = 0.0

    def now(self) -> Reference:
        """Those of this minute; measured when the last ones are older."""
        if time.monotonic() >= self._until:
            self._now = Reference(bare_check(), bare_commit(self.place.folder), empty_answer(self.place))
            self._until = time.monotonic() + FRESH_SECONDS
        return self._now


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An empty answer to whatever is asked."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve empty answers on loopback."""
    parser = argparse.ArgumentParser(prog=__spec__.name, description="An empty HTTP answer to everything.")
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(_nothing, host="127.0.0.1", port=parser.parse_args().port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
