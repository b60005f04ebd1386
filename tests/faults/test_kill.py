"""Processes that write and are killed: what was acknowledged stays, once, and the log stays whole (F01, F03)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from ledger.assembly import NodeConfig, open_ledger
from ledger.canonical import b64u, unb64u
from ledger.storage.tables import entries
from tests.conformance import ROOT
from tests.ledger.auditing import audit
from tests.ledger.kit import FINTECH, HandClock, Node, item, running

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
    with running(folder, url, clock=HandClock(time.time_ns() // 1_000_000), index_interval_ms=INTERVAL) as node:
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


@pytest.mark.parametrize("seed", [1])
def test_f01_nothing_acknowledged_is_lost_and_nothing_is_there_twice(
    engine_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    with prepared(tmp_path, engine_url) as (node, consent_id):
        statements = [node.say(node.fintech, "access.request", **item(consent_id)) for _ in range(150)]
        names = {jti_of(statement): statement for statement in statements}
        acknowledged: dict[str, int] = {}
        for _ in range(3):
            writer = Writer(node.config)
            writer.read(1)
            missing = [statement for name, statement in names.items() if name not in acknowledged]
            known = chance.sample(sorted(acknowledged), min(5, len(acknowledged)))
            writer.submit([*(names[name] for name in known), *missing[:50]])
            writer.read(chance.randrange(5, 50))
            writer.kill()
            assert writer.failed == []
            for name, index in writer.repeated.items():
                assert acknowledged.setdefault(name, index) == index
            for name, (index, decision) in writer.acknowledged.items():
                assert name not in acknowledged
                assert decision == "allow"
                acknowledged[name] = index
        assert acknowledged
        last = Writer(node.config)
        last.submit(statements)
        last.end()
        assert last.process.returncode == 0
        told = {**last.repeated, **{name: index for name, (index, _) in last.acknowledged.items()}}
        assert told.keys() == names.keys()
        assert {name: told[name] for name in acknowledged} == acknowledged
        in_log = whole(node)
        assert {name: in_log[name] for name in names} == told
        assert len(in_log) == len(names) + 1  # and the request of the consent


def test_f03_no_access_is_allowed_after_a_revocation_whoever_wrote_it(engine_url: str, tmp_path: Path) -> None:
    with prepared(tmp_path, engine_url) as (node, consent_id):
        writers = [
            Writer(replace(node.config, highwater_file=tmp_path / f"highwater-{number}", max_batch=8))
            for number in range(3)
        ]
        for writer in writers:
            writer.read(1)
        for writer in writers:
            writer.submit([node.say(node.fintech, "access.request", **item(consent_id)) for _ in range(40)])
        for writer in writers:
            writer.read(5)  # all are writing
        revocation = node.say(node.bank, "consent.revoke", consent_id=consent_id, reason="asked", by="customer")
        writers[0].submit([revocation])
        for writer in writers[1:]:
            writer.submit([node.say(node.fintech, "access.request", **item(consent_id)) for _ in range(20)])
        writers[2].kill()
        for writer in writers[:2]:
            writer.end()
            assert writer.process.returncode == 0
        told = {name: where for writer in writers for name, where in writer.acknowledged.items()}
        revoked = told.pop(jti_of(revocation))[0]
        assert all((decision == "allow") == (index < revoked) for index, decision in told.values())
        indexes = [index for index, _ in told.values()]
        assert min(indexes) < revoked
        assert len(set(indexes)) == len(indexes)
        in_log = whole(node)
        assert all(in_log[name] == index for name, (index, _) in told.items())


def test_a_killed_writer_leaves_no_lock_behind(engine_url: str, tmp_path: Path) -> None:
    with prepared(tmp_path, engine_url) as (node, consent_id):
        writer = Writer(node.config)
        writer.read(1)
        writer.submit([node.say(node.fintech, "access.request", **item(consent_id)) for _ in range(100)])
        writer.read(1)
        writer.kill()
        assert writer.process.returncode == -signal.SIGKILL
        node.ledger = open_ledger(node.config)
        node.ledger.start()
        assert node.access(consent_id).outcome.decision == "allow"  # type: ignore[union-attr]
