"""Others beside us in one run, with the same events: plain inserts (the ceiling), ledgerchain, pymerkle, `POST /add` logs.

Plain inserts write the very rows of this ledger into the same tables, and do nothing else: no signature, decision, chain,
tree, encryption or receipt. What they reach is what the engine gives at most.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url, select

import migrations
from ledger.engines.driver import ENTRY_COLUMNS
from ledger.engines.postgres import ENTRY_TYPES
from ledger.storage.tables import entries
from tests.bench.audit import Unsound
from tests.bench.figures import Figure, Latency, latency_of
from tests.bench.load import Plan, drive, request
from tests.bench.places import ORIGIN, Place, Site, program
from tests.bench.statements import Post

PEERS: Final = ("ledgerchain==0.1.0", "pymerkle==7.0.0", "psycopg[binary]")
Tell = Callable[[Figure], None]
Row = tuple[Any, ...]


# -- ceilings -------------------------------------------------------------------------------------------------------


def rows_of(log: Place, count: int) -> list[Row]:
    """Rows of accesses as the ledger stored them, numbered from 0 since the table takes them in order only."""
    with log.node() as ledger, ledger.store.read() as connection:
        query = select(*(entries.c[name] for name in ENTRY_COLUMNS)).where(entries.c.iss.is_not(None))
        newest = list(connection.execute(query.order_by(entries.c.idx.desc()).limit(count)))
    return [(number, *row[1:]) for number, row in enumerate(reversed(newest))]


def ceilings(place: Site, engine: str, rows: Sequence[Row], tell: Tell) -> None:
    """Plain inserts of these rows: a commit for each, a commit for 128, and on PostgreSQL one COPY of all."""

    def figure(name: str, count: int, seconds: float, note: str) -> None:
        tell(Figure(section="ceiling", engine=engine, name=name, value=count / seconds, unit="rows/s", note=note))

    each = rows[: max(200, len(rows) // 8)]
    insert = _inserter(place, engine)
    figure("INSERT, commit each", len(each), insert(each, 1), "the ceiling of a ledger without group commit")
    figure("INSERT, commit per 128", len(rows), _inserter(place, engine)(rows, 128), "the ceiling at 128 waiting")
    if engine == "postgresql":
        figure("COPY, one commit", len(rows), _inserter(place, engine)(rows, len(rows)), "the ceiling of the engine")


def _inserter(place: Site, engine: str) -> Callable[[Sequence[Row], int], float]:
    """Into a new database with our tables, indexes and triggers: (rows, rows a commit) to seconds."""
    url = place.database(engine)
    migrations.upgrade(url)
    return _into_sqlite(url) if engine == "sqlite" else _into_postgres(url)


def _into_sqlite(url: str) -> Callable[[Sequence[Row], int], float]:
    def run(rows: Sequence[Row], size: int) -> float:
        database = sqlite3.connect(str(make_url(url).database), isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        statement = f"INSERT INTO entries ({', '.join(ENTRY_COLUMNS)}) VALUES ({', '.join('?' * len(ENTRY_COLUMNS))})"
        begun = time.perf_counter()
        for at in range(0, len(rows), size):
            database.execute("BEGIN IMMEDIATE")
            database.executemany(statement, rows[at : at + size])
            database.execute("COMMIT")
        seconds = time.perf_counter() - begun
        database.close()
        return seconds

    return run


def _into_postgres(url: str) -> Callable[[Sequence[Row], int], float]:
    def run(rows: Sequence[Row], size: int) -> float:
        address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        columns = ", ".join(ENTRY_COLUMNS)
        insert = f"INSERT INTO entries ({columns}) VALUES ({', '.join(['%s'] * len(ENTRY_COLUMNS))})"
        with psycopg.connect(address) as database, database.cursor() as cursor:
            begun = time.perf_counter()
            for at in range(0, len(rows), size):
                if size == 1:
                    cursor.execute(insert, rows[at])
                else:
                    with cursor.copy(f"COPY entries ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                        copy.set_types(ENTRY_TYPES)
                        for row in rows[at : at + size]:
                            copy.write_row(row)
                database.commit()
            return time.perf_counter() - begun

    return run


# -- programs from the package index --------------------------------------------------------------------------------


@dataclass
class Strangers:
    """A throw-away environment with peers in it; None for `python` where they could not be had."""

    python: Path | None
    why_not: str = ""

    @classmethod
    def install(cls, folder: Path) -> Strangers:
        """Take them from whatever package index this machine uses; without one, say so."""
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, timeout=120)
            python = folder / "bin" / "python"
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS]
            subprocess.run(install, check=True, capture_output=True, text=True, timeout=180)
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            return cls(None, said[-1][:200] if said else type(error).__name__)
        return cls(python)

    def run(self, name: str, where: str, clients: int, events: Sequence[bytes]) -> dict[str, float]:
        """Have one do these events. Raises CalledProcessError."""
        command = [str(self.python), str(Path(__file__).with_name("peer_program.py")), name, where, str(clients)]
        done = subprocess.run(command, check=True, input=b"\n".join(events) + b"\n", capture_output=True, timeout=120)
        answer: dict[str, float] = json.loads(done.stdout)
        return answer


def payloads(posts: Sequence[Post]) -> list[bytes]:
    """What the statements say, as JSON objects: the same events without our signatures."""
    return [base64.urlsafe_b64decode(post.statement.split(".")[1] + "==") for post in posts]


def strangers(place: Site, engines: Sequence[str], posts: Sequence[Post], tell: Tell, *, clients: Sequence[int]) -> str:
    """Measure peers; why there are none, if so."""
    others = Strangers.install(place.new_folder("peers"))
    if others.python is None:
        return others.why_not
    events = payloads(posts)
    for engine in engines:
        for number in clients:
            said = others.run("ledgerchain", place.database(engine), number, events[:2000])
            tell(
                Figure(
                    section="peer",
                    engine=engine,
                    name="ledgerchain 0.1.0",
                    value=said["rate"],
                    unit="/s",
                    clients=number,
                    latency=Latency(said["p50"], said["p99"], 0.0, 0.0),
                    note="chain only: no signature check, decision, Merkle proof or encryption; no HTTP",
                )
            )
    said = others.run("pymerkle", str(place.new_folder("pymerkle") / "tree.sqlite"), 1, events[:2000])
    tell(
        Figure(
            section="peer",
            engine="sqlite",
            name="pymerkle 7.0.0 append",
            value=said["rate"],
            unit="/s",
            clients=1,
            note="tree only",
        )
    )
    tell(
        Figure(
            section="peer",
            engine="sqlite",
            name="pymerkle 7.0.0 inclusion proof",
            value=said["proofs"],
            unit="/s",
            clients=1,
            note="2,000 leaves",
        )
    )
    return ""


# -- servers that speak POST /add -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Foreign:
    """A server that takes an opaque entry and answers with its index in decimal: a tile log's personality."""

    name: str
    host: str
    port: int
    path: str = "/add"


def add_entries(server: Foreign, folder: Path, tell: Tell, *, clients: int, seconds: float, size: int = 300) -> None:
    """Add random entries, closed loop. Raises Unsound for a refusal, or when two entries were given one index."""
    chance = random.Random(os.urandom(16))
    entries = [
        request("POST", server.path, server.host, chance.randbytes(size)) for _ in range(int(9000 * (seconds + 0.5)))
    ]
    run = drive(Plan(server.host, server.port, entries, clients, warm_up=0.5, seconds=seconds), folder)
    told = [int(body) for _, status, body in run.bodies if status == 200]
    if run.broken or set(run.statuses) != {200} or len(set(told)) != len(told):
        raise Unsound(f"{server.name}: answers {run.statuses}, {len(told) - len(set(told))} indexes given twice")
    tell(
        Figure(
            section="peer",
            engine="files",
            name=f"POST /add of {size} bytes, {server.name}",
            clients=clients,
            value=run.answered / run.seconds,
            unit="/s",
            latency=latency_of(run.latencies),
            generator_cpu_us=run.cpu_seconds / max(1, run.answered) * 1e6,
        )
    )


def own_personality(place: Site, tell: Tell, *, clients: int, seconds: float) -> None:
    """Our own tree, notes, tiles and group commit without participants and rules."""
    folder = place.new_folder("scratch")
    command = [sys.executable, "-m", "tests.bench.personality", str(folder), "--origin", ORIGIN]
    with program(command, {}, folder, "/checkpoint") as server:
        ours = Foreign("our personality", server.host, server.port)
        add_entries(ours, folder, tell, clients=clients, seconds=seconds)
