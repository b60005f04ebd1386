"""A synchronous standby that is away: nothing that a failover could take back is acknowledged, and none of it is shown."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from psycopg import sql

from ledger.app import Ledger
from ledger.errors import Unavailable
from ledger.notes.checkpoint import open_checkpoint
from ledger.planning.commands import Recorded, SubmitStatement
from ledger.sequencer.answers import Repeated
from tests.conformance import lacking
from tests.engines import Server, postgres_programs, start
from tests.ledger.auditing import audit
from tests.ledger.kit import Node, item, running

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
def _pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="ledger-pair-"))
    pair = Pair.make(folder)
    try:
        yield pair
    finally:
        for server in (pair.standby, pair.primary):
            with suppress(RuntimeError):  # it was stopped by the test
                pair.down(server)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with _pair() as made:
        yield made


def shown(ledger: Ledger) -> tuple[int, bytes]:
    checkpoint = open_checkpoint(ledger.tree.checkpoint(), ledger.vkey)
    return checkpoint.size, checkpoint.root


@contextmanager
def node_on(pair: Pair, folder: Path) -> Iterator[Node]:
    with running(folder, pair.url) as node:
        try:
            yield node
        except BaseException:
            pair.down(pair.primary)  # a commit that waits for ever would keep the failure from being told
            raise


def submitted_again(node: Node, command: SubmitStatement) -> Recorded:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return node.ledger.submit_and_wait(command)[0]
        except Unavailable:
            assert time.monotonic() < end


def access(node: Node, consent_id: str) -> SubmitStatement:
    return node.ledger.prepare(node.say(node.fintech, "access.request", **item(consent_id)))


@pytest.mark.postgres
def test_a_size_that_recovery_made_visible_is_not_shown_and_the_standby_continues_another_way(
    pair: Pair, tmp_path: Path
) -> None:
    with node_on(pair, tmp_path) as node:
        consent_id = node.grant()
        node.access(consent_id)
        seen = shown(node.ledger)
        pair.down(pair.standby)
        command = access(node, consent_id)
        lost = node.ledger.submit_soon(command)
        until(pair.waiting)
        assert shown(node.ledger) == seen
        pair.down(pair.primary)
        pair.up(pair.primary)
        with pair.primary.connect("ledger") as outside:
            assert outside.execute("SELECT size FROM log_head").fetchone() == (seen[0] + 1,), (
                "recovery shows the commit"
            )
        assert shown(node.ledger) == seen, "and this node shows it to nobody"
        assert not lost.done() or isinstance(lost.exception(), Unavailable)
        pair.down(pair.primary)
        pair.up(pair.standby)
        pair.promote()
        recorded = submitted_again(node, command)
        size, _ = shown(node.ledger)
        assert size > seen[0]
        assert recorded.index >= seen[0]
        node.ledger.tree.consistency(seen[0], size)
        audit(pair.url, node.ledger)


@pytest.mark.postgres
def test_a_wait_for_the_standby_that_somebody_cancels_is_not_an_acknowledgement(pair: Pair, tmp_path: Path) -> None:
    with node_on(pair, tmp_path) as node:
        consent_id = node.grant()
        seen = shown(node.ledger)
        pair.down(pair.standby)
        waiting = node.ledger.submit_soon(access(node, consent_id))
        until(pair.waiting)
        with pair.primary.connect() as admin:
            admin.execute("SELECT pg_cancel_backend(%s)", (pair.waiting()[0],))
        until(pair.waiting)  # it looks again for what it may have written, and that look waits too
        assert not waiting.done()
        assert shown(node.ledger) == seen
        pair.up(pair.standby)
        answer = waiting.result(PATIENCE)
        assert not isinstance(answer, Repeated)
        pair.down(pair.primary)
        pair.promote()
        audit(pair.url, node.ledger)
        assert shown(node.ledger)[0] > answer[0].index
