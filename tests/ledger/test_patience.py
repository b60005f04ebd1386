"""A database that does not answer, a lock that nobody lets go of: whoever waits is told in time, and the log goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from ledger.engines import postgres, sqlite
from ledger.engines.engine import reader_engine, writer_engine
from ledger.engines.patient import NoAnswer, Patient
from ledger.errors import Unavailable
from ledger.sequencer import loop
from tests.ledger.flaky import flaky_node
from tests.ledger.meddling import lock_held
from tests.world import Node, item, running

NETWORK = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

PAUSED = """
import os, signal, sys
from ledger.engines.engine import writer_engine
from ledger.engines.postgres import _HEAD
engine = writer_engine(sys.argv[1])
with engine.connect() as connection, connection.begin():
    driver = connection.connection.driver_connection
    with driver.pipeline():
        driver.execute(_HEAD)
        driver.pgconn.send_flush_request()
        driver.pgconn.flush()
        while driver.pgconn.is_busy():  # until the row is there, and with it the lock
            driver.pgconn.consume_input()
        print("paused", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    connection.rollback()
print("goes on", flush=True)
"""
"""A node that is stopped in the middle of a pipeline, below the log's lock."""


def test_a_database_that_vanishes_is_noticed_whatever_its_url_says(postgres_url: str) -> None:
    for make in (writer_engine, reader_engine):
        assert NETWORK.items() <= parameters(make(postgres_url)).items()

    told = make_url(postgres_url).update_query_dict({"keepalives_idle": "77", "tcp_user_timeout": "5000"})
    used = parameters(writer_engine(told.render_as_string(hide_password=False)))
    assert (used["keepalives_idle"], used["tcp_user_timeout"], used["connect_timeout"]) == ("77", "5000", "5")


def test_of_several_hosts_the_one_that_takes_writes_is_used(postgres_url: str) -> None:
    url = make_url(postgres_url)
    host, port = str(url.query["host"]), str(url.query["port"])
    spellings: list[dict[str, Any]] = [
        {"host": f"{host},{host}", "port": f"{port},{port}"},
        {"host": (f"{host}:{port}", f"{host}:{port}")},
    ]
    for spelling in spellings:
        several = url.set(query=spelling).render_as_string(hide_password=False)
        used = parameters(writer_engine(several))
        assert (used["target_session_attrs"], used["connect_timeout"]) == ("read-write", "2")
        chosen = make_url(several).update_query_dict({"target_session_attrs": "primary"})
        used = parameters(reader_engine(chosen.render_as_string(hide_password=False)))
        assert used["target_session_attrs"] == "primary", "what the URL says counts"
    assert "target_session_attrs" not in parameters(writer_engine(postgres_url)), "a single host is what it is"


def parameters(engine: Engine) -> dict[str, str]:
    """What a connection of this engine was opened with."""
    try:
        with engine.connect() as connection:
            used: dict[str, str] = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
            return used
    finally:
        engine.dispose()


def test_a_server_that_does_not_answer_is_given_up(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By readers and by the writer, in the middle of a pipeline too; both go on when it answers again."""
    with running(postgres_url, tmp_path) as node:
        consent_id = node.grant()
        with monkeypatch.context() as hurried:
            hurried.setattr(Patient, "seconds", 0.5)
            told = r"no answer from the database within 0\.5 s"
            with pytest.raises(Unavailable, match=told), node.ledger.store.read() as one:
                one.execute(text("SELECT pg_sleep(20)"))
            with (
                lock_held(postgres_url),
                pytest.raises(Unavailable, match="again is safe"),
            ):
                node.access(consent_id)

        assert node.access(consent_id).index == node.ledger.tree.size() - 1


@pytest.mark.parametrize("lasts", [False, True])
def test_the_submitter_is_answered_whichever_answer_does_not_come(
    lasts: bool, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer fails: the statement is recorded, by another try. All fail from there on: the submitter is told that again
    is safe, and the node goes on once there are answers."""
    give_up = Unanswered(lasts=lasts)
    own = Patient.wait

    def wait(connection: Patient, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is None and give_up.now():
            connection.close()
            raise NoAnswer(connection.seconds)
        return own(connection, gen, interval, timeout)

    monkeypatch.setattr(Patient, "wait", wait)
    with running(postgres_url, tmp_path) as node:
        consent_id = node.grant()
        while give_up.reached:
            command = node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id)))
            before = node.ledger.tree.size()
            give_up.next()
            told = node.ledger.submit_soon(command).exception(60)
            give_up.rest()

            assert told is None or (lasts and isinstance(told, Unavailable)), f"answer {give_up.place}"
            assert [one.index for one in node.ledger.submit_and_wait(command)] == [before]
            assert node.ledger.tree.size() == before + 1
        assert give_up.place > 5, "the way of a commit was seen"


@dataclass
class Unanswered:
    """Which answer of the database does not come: the first of a commit, then the second, and so on."""

    lasts: bool
    place: int = 0
    reached: bool = True
    _left: int = 0

    def next(self) -> None:
        self.place += 1
        self._left, self.reached = self.place, False

    def rest(self) -> None:
        self._left = 0

    def now(self) -> bool:
        if self._left == 0:
            return False
        if self._left > 1:
            self._left -= 1
            return False
        self.reached = True
        if not self.lasts:
            self._left = 0
        return True


def test_a_node_that_is_paused_in_its_transaction_is_taken_over_from(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STALLED_SECONDS", 1)
    monkeypatch.setitem(postgres.LIMITS, "lock_timeout", "1s")
    with running(postgres_url, tmp_path) as node:
        consent_id = node.grant()
        with subprocess.Popen(
            [sys.executable, "-c", PAUSED, postgres_url], stdout=subprocess.PIPE, text=True
        ) as paused:
            try:
                assert paused.stdout is not None
                assert paused.stdout.readline() == "paused\n"
                while psutil.Process(paused.pid).status() != psutil.STATUS_STOPPED:
                    pass

                recorded = node.access(consent_id)

                assert recorded.index == node.ledger.tree.size() - 1
                os.kill(paused.pid, signal.SIGCONT)
                assert paused.wait(60) != 0  # its session was ended: it cannot think that it has the lock
                assert node.access(consent_id).index == recorded.index + 1
            finally:
                paused.kill()


def test_a_node_at_work_is_never_taken_for_a_paused_one(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STALLED_SECONDS", 0)
    with (
        running(postgres_url, tmp_path) as node,
        psycopg.connect(postgres_url.replace("+psycopg", "")) as other,
        other.pipeline(),
    ):
        other.execute("SELECT 1 FROM log_head FOR UPDATE")
        other.execute("SELECT pg_sleep(2)")
        other.pgconn.send_flush_request()
        other.pgconn.flush()

        assert node.ledger.store.end_stalled() == 0


def test_submitters_behind_a_lock_are_answered_together(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch is tried; what came meanwhile does not try all of it again."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 200)
    with running(sqlite_url, tmp_path) as node:
        consent_id = node.grant()

        def command() -> Any:
            return node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id)))

        with lock_held(node.config.database_url):
            waiting = [node.ledger.submit_soon(command()) for _ in range(3 * 512)]
            failures = node.ledger.figures.commit_failures
            for future in waiting:
                assert isinstance(future.exception(60), Unavailable)
            assert node.ledger.figures.commit_failures - failures <= 2 * loop.COMMIT_TRIES

        assert node.access(consent_id)


def test_no_try_begins_when_the_time_for_an_answer_is_over(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    consent_id = node.grant()
    ledger, flaky = flaky_node(node)
    monkeypatch.setattr(loop, "COMMIT_SECONDS", 0.0)
    flaky.outcomes = ["lost"]

    with pytest.raises(Unavailable, match="again is safe"):
        ledger.submit_and_wait(ledger.prepare(node.fintech.sign("access.request", **item(consent_id))))

    assert ledger.figures.commit_failures == 1
