"""Databases to measure on, logs in them, and servers in front of them. Everything lies in one folder and goes with it."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from psycopg import sql

from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.app import Ledger
from tests.bench.statements import Crowd
from tests.engines import Server, postgres_programs, start
from tests.ports import free_port

ROOT: Final = Path(__file__).parents[2]
ORIGIN: Final = "bench.example/1"
ENGINES: Final = ("sqlite", "postgresql")


@dataclass
class Site:
    """A folder for benchmarks and, once asked for, one PostgreSQL server."""

    folder: Path
    _stack: ExitStack
    _postgres: Server | None = None

    @property
    def postgres(self) -> Server:
        """The server, started at the first use. Raises RuntimeError where there are no binaries."""
        if self._postgres is None:
            programs = postgres_programs()
            if programs is None:
                raise RuntimeError("no PostgreSQL: run scripts/setup dev, or set LEDGER_PG_BIN")
            folder = Path(tempfile.mkdtemp(prefix="ledger-bench-pg-"))
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            server = self._postgres = start(programs, folder)
            self._stack.callback(server.run, "pg_ctl", "stop", "-m", "fast", "-w", "-D", str(folder / "cluster"))
        return self._postgres

    def database(self, engine: str) -> str:
        """URL of a new, empty database."""
        if engine == "sqlite":
            return f"sqlite:///{self.new_folder('db') / 'ledger.sqlite'}"
        name = f"bench_{uuid.uuid4().hex}"
        with self.postgres.connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.postgres.url(name)

    def new_folder(self, prefix: str) -> Path:
        """A new, empty folder."""
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.folder))

    def engine_version(self, engine: str) -> str:
        """What the engine calls itself."""
        if engine == "sqlite":
            return f"SQLite {sqlite3.sqlite_version}"
        with self.postgres.connect() as admin:
            row = admin.execute("SHOW server_version").fetchone()
        return f"PostgreSQL {row[0] if row else '?'}"


@contextmanager
def site(folder: Path | None = None) -> Iterator[Site]:
    """A place for benchmarks, by default a new folder below the system's temporary one; taken away at the end."""
    with ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="ledger-bench-", dir=folder))
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        yield Site(place, stack)


@dataclass
class Place:
    """One log: its settings and those who sign for it."""

    engine: str
    settings: Settings
    crowd: Crowd = field(default_factory=lambda: Crowd(ORIGIN))

    @contextmanager
    def node(self) -> Iterator[Ledger]:
        """The ledger in this process, running."""
        with short_lived(self.settings) as node:
            yield node.ledger


def new_log(place: Site, engine: str, *, consents: int = 200, doomed: int = 0, crowd: Crowd | None = None) -> Place:
    """A new log with participants and active consents, made as `consent-ledger init` makes it. `crowd`: nobody is there yet."""
    state = place.new_folder("state")
    made = Place(engine, Settings(state_dir=state, database_url=place.database(engine)), crowd or Crowd(ORIGIN))
    initialise(made.settings, made.crowd.origin)
    with made.node() as ledger:
        made.crowd.settle(ledger, consents, doomed=doomed)
    return made


@dataclass
class Serving:
    """A running server: its address, and its processes."""

    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[psutil.Process]:
        """The server's processes, the first one first."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    @property
    def workers(self) -> list[psutil.Process]:
        """Those of them that do the work: the fronts and the sequencing process."""
        first, *others = self.processes
        helpers = {other.ppid() for other in others} | {other.pid for other in others if "tracker" in _words(other)}
        return [other for other in others if other.pid not in helpers] or [first]

    def cpu_seconds(self) -> float:
        """CPU time used by all its processes so far."""
        return sum(used.user + used.system for used in (process.cpu_times() for process in self.processes))

    def rss(self) -> int:
        """Resident bytes of all its processes."""
        return sum(process.memory_info().rss for process in self.processes)


def _listens(process: psutil.Process) -> bool:
    return any(connection.status == psutil.CONN_LISTEN for connection in process.net_connections("tcp"))


def _words(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


@contextmanager
def serving(
    log: Place, *, workers: int = 1, extra: dict[str, str] | None = None, checkout: Path = ROOT
) -> Iterator[Serving]:
    """`consent-ledger serve` over a log, with the code and, if it has them, the packages of a checkout."""
    own = checkout / ".venv" / "bin" / "python"
    settings = {
        "DATABASE_URL": log.settings.database_url,
        "READS_PER_MINUTE": "100000000",  # one address stands for a crowd here
        "TOKEN_REQUESTS_PER_MINUTE": "100000000",
        "LOG_LEVEL": "warning",
    }
    command = [
        str(own) if own.exists() else sys.executable,
        "-m",
        "api.cli.main",
        "serve",
        "--state",
        str(log.settings.state_dir),
        "--workers",
        str(workers),
    ]
    environment = {f"CONSENT_LEDGER_{name}": value for name, value in (settings | (extra or {})).items()}
    with program(command, environment, log.settings.state_dir, "/health/ready", at=checkout) as server:
        # a crowd that came before all fronts listen would stay together; one front has answered already
        while workers > 1 and sum(map(_listens, server.workers)) < workers:
            time.sleep(0.02)
        yield server


@contextmanager
def program(
    command: Sequence[str], environment: dict[str, str], folder: Path, ready: str, *, at: Path = ROOT
) -> Iterator[Serving]:
    """A server program that takes `--port`, run in the folder `at`, until it answers 200 at `ready`; stopped at the end."""
    port = free_port()
    log = folder / "server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=at, env={**os.environ, **environment}, stdout=out, stderr=out
        )
    server = Serving("127.0.0.1", port, process)
    try:
        wait_until_ready(server, ready, log)
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a program in order, or by force when it does not go."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_ready(server: Serving, path: str, log: Path, patience: float = 180.0) -> None:
    """Ask until 200 comes. Raises RuntimeError with the end of the server's own words."""
    end = time.monotonic() + patience
    while time.monotonic() < end and server.process.poll() is None:
        if status_of(server, path) == 200:
            return
        time.sleep(0.02)
    raise RuntimeError(f"the server does not answer at {path}:\n{log.read_text(errors='replace')[-3000:]}")


def status_of(server: Serving, path: str) -> int:
    """The status of one GET; 0 when there is no answer."""
    try:
        with socket.create_connection((server.host, server.port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n".encode())
            return int(connection.recv(64)[9:12] or b"0")
    except (OSError, ValueError):
        return 0


def machine() -> dict[str, str]:
    """What the figures were taken on, without names of hosts."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    return {
        "processor": f"{os.cpu_count()} × {cpu}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def fsync_micros(folder: Path, times: int = 200) -> float:
    """Median microseconds to overwrite 4 KiB and make them durable: below this no commit can be."""
    path = folder / "fsync-probe"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            begun = time.perf_counter()
            file.seek(0)
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    path.unlink()
    return sorted(taken)[times // 2] * 1e6
