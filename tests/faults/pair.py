"""A primary and its synchronous standby, real servers: what the tests of failovers and of readers stand on."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg import sql

from tests.conformance import lacking
from tests.engines import Server, postgres_programs, start

PATIENCE = 60.0


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


@dataclass
class Pair:
    """A primary and its synchronous standby, on one port after the other."""

    primary: Server
    standby: Server

    @classmethod
    def make(cls, folder: Path) -> Pair:
        programs = postgres_programs()
        if programs is None or not (programs / "pg_basebackup").exists():
            lacking("no PostgreSQL with pg_basebackup: install Debian's postgresql, or set LEDGER_PG_BIN")
        (folder / "p").mkdir()
        (folder / "s").mkdir()
        folder.chmod(0o755)
        primary = start(programs, folder / "p")
        with primary.connect() as admin:
            admin.execute("CREATE DATABASE ledger")
        standby = replace(primary, folder=folder / "s")
        if primary.owner is not None:
            shutil.chown(standby.folder, primary.owner.pw_uid, primary.owner.pw_gid)
        cluster = str(standby.folder / "cluster")
        source = f"host={primary.folder} port={primary.port} user=postgres application_name=s1"
        standby.run("pg_basebackup", "-d", source, "-D", cluster, "-R", "-X", "stream", "-c", "fast")
        pair = cls(primary, standby)
        pair.up(standby)
        pair.waits_for("s1")
        return pair

    def up(self, server: Server) -> None:
        """Start a server that was stopped, on its own port and socket."""
        other = self.primary if server is self.standby else self.standby
        port = server.port if server is self.primary else server.port + 1 if server.port == other.port else server.port
        options = f"-k {server.folder} -c listen_addresses= -p {port}"
        log = str(server.folder / "log")
        server.run("pg_ctl", "start", "-w", "-D", str(server.folder / "cluster"), "-l", log, "-o", options)
        if server is self.standby:
            self.standby = replace(server, port=port)

    def down(self, server: Server) -> None:
        """It is gone at once, like a machine without power."""
        server.run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(server.folder / "cluster"))

    def demote(self, server: Server) -> None:
        """It is told to end, as whoever manages the servers ends one that no longer leads."""
        self.standby.run("pg_ctl", "stop", "-m", "fast", "-w", "-D", str(server.folder / "cluster"))

    def waits_for(self, names: str) -> None:
        with self.primary.connect() as admin:
            admin.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(names))
            admin.execute("SELECT pg_reload_conf()")
            if names:
                standing = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                until(lambda: admin.execute(standing).fetchone())

    def waiting(self) -> list[int]:
        """Sessions whose commit waits for the standby."""
        with self.primary.connect() as admin:
            rows = admin.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()
        return [int(str(pid)) for (pid,) in rows]

    def promote(self) -> None:
        """The standby becomes the only one there is, at the address of its own."""
        self.standby.run("pg_ctl", "promote", "-w", "-D", str(self.standby.folder / "cluster"))
        with self.standby.connect() as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            admin.execute("SELECT pg_reload_conf()")

    @property
    def url(self) -> str:
        """Whichever of the two takes writes."""
        hosts = f"host={self.primary.folder}:{self.primary.port}&host={self.standby.folder}:{self.standby.port}"
        return f"postgresql+psycopg://postgres@/ledger?{hosts}&target_session_attrs=read-write&connect_timeout=5"


@contextmanager
def made_pair() -> Iterator[Pair]:
    """Both, for one test."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-pair-"))
    pair = Pair.make(folder)
    try:
        yield pair
    finally:
        for server in (pair.standby, pair.primary):
            with suppress(RuntimeError):  # it was stopped by the test
                pair.down(server)
        shutil.rmtree(folder, ignore_errors=True)
