"""A writing process that is killed, and where each statement stands in its log afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from sqlalchemy import create_engine, select

from ledger.assembly import NodeConfig, open_ledger
from ledger.canonical import b64u, unb64u
from ledger.storage.tables import entries
from tests.clocks import HandClock
from tests.conformance import ROOT
from tests.ledger.auditing import audit
from tests.world import FINTECH, Node, running

INTERVAL = 20
"""Milliseconds between index-heads: some of the kills fall into one."""


class Writer:
    """A writing process, and what it has said. `program` is what runs it, if it is not the plain one."""

    def __init__(
        self, config: NodeConfig, program: Sequence[str] = (sys.executable, "-m", "tests.faults.writer")
    ) -> None:
        given = json.dumps(
            {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
        )
        self.process = subprocess.Popen(
            [*program, given], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.repeated: dict[str, int] = {}
        self.failed: list[str] = []

    def submit(self, statements: list[str]) -> None:
        self.stdin.write("".join(f"{statement}\n" for statement in statements))
        self.stdin.flush()

    def read(self, count: int) -> None:
        """Read until `count` more lines of progress were seen, or the process has ended."""
        for _ in range(count):
            if not self.take(self.stdout.readline()):
                return

    def take(self, line: str) -> bool:
        word, *rest = line.split() or [""]
        if not line.endswith("\n") or word == "done":
            return False
        if word == "ack":
            self.acknowledged[rest[0]] = (int(rest[1]), rest[2])
        elif word == "again":
            self.repeated[rest[0]] = int(rest[1])
        elif word == "failed":
            self.failed.append(line)
        return True

    def kill(self) -> None:
        """SIGKILL; then what it had said before is read."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """No more statements: read the rest, until the process has ended."""
        with suppress(BrokenPipeError):
            self.stdin.close()
        while self.take(self.stdout.readline()):
            pass
        self.process.wait(30)
        self.stdout.close()


@contextmanager
def prepared(folder: Path, url: str) -> Iterator[tuple[Node, str]]:
    """A log of today with a consent in force; the node that made it is stopped."""
    with running(url, folder, clock=HandClock(time.time_ns() // 1_000_000), index_interval_ms=INTERVAL) as node:
        consent_id = node.grant()
        node.ledger.stop()
        yield node, consent_id


def jti_of(statement: str) -> str:
    return str(json.loads(unb64u(statement.split(".")[1]))["jti"])


def whole(node: Node) -> dict[str, int]:
    """Audit the log, its completeness maps too; where each statement of the recipient stands."""
    ledger = open_ledger(replace(node.config, index_interval_ms=0))  # nothing is recorded while it is read
    try:
        ledger.start()  # the high-water file agrees with the database
        audit(node.config.database_url, ledger)
    finally:
        ledger.stop()
    engine = create_engine(node.config.database_url)
    with engine.connect() as connection:
        rows = connection.execute(select(entries.c.jti, entries.c.idx).where(entries.c.iss == FINTECH)).all()
    engine.dispose()
    return {b64u(row.jti): row.idx for row in rows}


def stored(url: str) -> dict[bytes, list[int]]:
    """The indexes of each statement's entries, by jti."""
    found: dict[bytes, list[int]] = {}
    engine = create_engine(url)
    with engine.connect() as connection:
        for row in connection.execute(select(entries.c.jti, entries.c.idx).where(entries.c.jti.is_not(None))):
            found.setdefault(row.jti, []).append(row.idx)
    engine.dispose()
    return found
