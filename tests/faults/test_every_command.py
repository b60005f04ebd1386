"""Every command, and the documented backup, beside a busy SQLite node that is then killed: nothing acknowledged is lost.

A command that opens and closes the database while a server has lost its own locks deletes the server's write-ahead log. So
after each one the log must be the same file, and after each kill the database must hold every acknowledged entry.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec
import pytest

from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.canonical import unb64u
from tests.conformance import ROOT
from tests.faults.commands import COMMANDS, ELSEWHERE, Place, Run, every_command, runs, words
from tests.faults.killed import stored
from tests.faults.nursery import Child, Nursery, nursery
from tests.ports import free_port
from tests.verdicts import verdict_on
from tests.world import ConsentInWorld, Party, World

WRITERS = 3
BUSY = 12
"""Entries that are acknowledged before and after each command."""
BESIDE_ONE = 4
"""Commands that run one after the other beside one server, until it is killed."""
PATIENCE = 120.0


@dataclass
class Told:
    """What the writers were told, by jti, and how many of it."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, jti: str, index: int) -> None:
        with self.changed:
            assert self.acknowledged.setdefault(jti, index) == index
            self.changed.notify_all()

    def await_more(self, count: int) -> None:
        """Until this many more are acknowledged."""
        with self.changed:
            wanted = len(self.acknowledged) + count
            assert self.changed.wait_for(lambda: len(self.acknowledged) >= wanted, PATIENCE), "nothing is acknowledged"


@contextmanager
def writing(base_url: str, recipient: Party, consents: list[ConsentInWorld]) -> Iterator[Told]:
    """Writers that never tire: who gets no answer sends the same statement again."""
    told, over = Told(), threading.Event()

    def write(consent: ConsentInWorld) -> None:
        with httpx2.Client(base_url=base_url, timeout=10, trust_env=False) as client:
            while not over.is_set():
                submission = recipient.access(consent)
                jti = msgspec.json.decode(unb64u(submission.statement.split(".")[1]))["jti"]
                while not over.is_set():
                    with suppress(httpx2.HTTPError):
                        reply = client.post(submission.path, json=submission.envelope)
                        if reply.status_code < 500:
                            told.take(jti, reply.json()["entries"][0]["index"])
                            break
                    over.wait(0.02)

    threads = [threading.Thread(target=write, args=(consent,), daemon=True) for consent in consents]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


@dataclass(frozen=True)
class Scene:
    """A log with writers, whose server is killed and started again and again."""

    settings: Settings
    place: Place
    nursery: Nursery
    told: Told

    @property
    def databases(self) -> tuple[Path, Path]:
        return self.settings.state_dir / "ledger.sqlite", self.settings.state_dir / "keys.sqlite"

    @contextmanager
    def busy_server(self) -> Iterator[Child]:
        """A server that is killed at the end."""
        server = self.nursery.start(
            ["serve", "--port", str(self.settings.port), "--state", str(self.settings.state_dir)]
        )
        ready(self.settings.base_url, server)
        try:
            self.told.await_more(BUSY)
            yield server
            self.told.await_more(BUSY)
        finally:
            with suppress(ProcessLookupError):
                server.signal(signal.SIGKILL)
            server.wait()

    def logs(self) -> list[int]:
        return [file.with_name(f"{file.name}-wal").stat().st_ino for file in self.databases]

    def lost(self) -> dict[str, int]:
        """What was acknowledged and is not in the log, at its place, once."""
        told = dict(self.told.acknowledged)
        rows = stored(self.settings.database_url)
        return {jti: index for jti, index in told.items() if rows.get(unb64u(jti)) != [index]}


def ready(base_url: str, server: Child) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not server.has_ended:
        with suppress(httpx2.HTTPError):
            if httpx2.get(f"{base_url}/health/ready", timeout=5, trust_env=False).status_code < 500:
                return  # 404: a witness, which has no such page, answers
        time.sleep(0.02)
    pytest.fail(f"the server did not become ready: {server.said}")


@contextmanager
def scene(tmp_path: Path) -> Iterator[Scene]:
    settings = Settings(state_dir=tmp_path / "state", port=free_port())
    initialise(settings, "ledger.example/every-command")
    with short_lived(settings) as node:
        world = World(node.ledger)
        recipient, holder = world.recipient(), world.holder()
        consents = [world.active_consent(recipient, holder, frequency_per_day=0) for _ in range(WRITERS)]
        vkey = node.ledger.vkey.format()
    place = Place(settings.state_dir, tmp_path / "out", settings.base_url, vkey, free_port())
    place.folder.mkdir()
    environment = {"CONSENT_LEDGER_LOG_LEVEL": "error", "CONSENT_LEDGER_WEB__ENVIRONMENT": "development"}
    with (
        nursery(tmp_path / "said", environment) as made,
        writing(settings.base_url, recipient, consents) as told,
    ):
        yield Scene(settings, place, made, told)


def run_to_its_end(here: Scene, command: tuple[str, ...], run: Run) -> None:
    child = here.nursery.start(words(command, run, here.place))
    if run.serves:
        if run.answers:
            ready(f"http://127.0.0.1:{here.place.port}", child)
        here.told.await_more(BUSY)
        child.signal(signal.SIGTERM)
    status = child.wait()
    ends = (-signal.SIGTERM,) if run.serves else run.ends
    assert status in ends, f"{' '.join(command)} ended with {status}: {child.said}"


# -- the list is whole ---------------------------------------------------------------------------------------------------


def test_each_command_is_listed_with_the_way_to_run_it_beside_a_server() -> None:
    assert every_command() == set(COMMANDS) | set(ELSEWHERE)


# -- one by one ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_command_beside_a_busy_server_costs_an_acknowledged_entry_when_the_server_is_killed(tmp_path: Path) -> None:
    with scene(tmp_path) as here:
        commands = runs()
        for first in range(0, len(commands), BESIDE_ONE):
            beside = commands[first : first + BESIDE_ONE]
            with here.busy_server():
                before = here.logs()
                for name, run, command in beside:
                    run_to_its_end(here, command, run)
                    here.told.await_more(BUSY)
                    assert here.logs() == before, f"«{name}» took the write-ahead log from under the server"
            assert here.lost() == {}, f"lost beside one of {[name for name, _, _ in beside]}"
        acknowledged = len(here.told.acknowledged)
    assert acknowledged >= BUSY * len(commands)
    assert here.lost() == {}
    assert here.nursery.heard.read_text() == "", "opened behind SQLite's back"
    verdict = verdict_on(here.settings, tmp_path / "verdict")
    assert verdict.returncode == 0, verdict.stdout


def documented_backups() -> list[list[str]]:
    """The commands that docs/operating.md gives for a backup of SQLite, word by word."""
    text = (ROOT / "docs" / "operating.md").read_text()
    found = re.findall(r"^(sqlite3 .*?)(?:\s+#.*)?$", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.mark.timeout(300)
def test_the_documented_backup_beside_a_busy_server_costs_nothing_and_is_whole(tmp_path: Path) -> None:
    commands = documented_backups()
    assert [command[0] for command in commands] == ["sqlite3", "sqlite3"]
    copies = []
    with scene(tmp_path) as here:
        for number, (_, file, words_) in enumerate(commands):
            copy = tmp_path / f"copy-{number}.sqlite"
            copies.append(copy)
            statement = re.sub(r"'[^']+'", f"'{copy}'", words_)
            with here.busy_server():
                before = here.logs()
                told = dict(here.told.acknowledged)
                back_up(here.settings.state_dir / file, statement)
                here.told.await_more(BUSY)
                assert here.logs() == before
            assert here.lost() == {}
            if number == 0:
                held = stored(f"sqlite:///{copy}")
                assert all(held[unb64u(jti)] == [index] for jti, index in told.items())
    assert here.nursery.heard.read_text() == ""
    assert verdict_on(here.settings, tmp_path / "verdict").returncode == 0
    restored = replace_databases(here.settings, copies)
    verdict = verdict_on(restored, tmp_path / "verdict-of-the-copy")
    assert verdict.returncode == 0, verdict.stdout


def back_up(file: Path, statement: str) -> None:
    """As documented, by `sqlite3` where it is installed; else by another process with the same library."""
    if program := shutil.which("sqlite3"):
        subprocess.run([program, str(file), statement], check=True, timeout=60)
    else:
        script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.close()"
        subprocess.run(["python3", "-c", script, str(file), statement], check=True, timeout=60)


def replace_databases(settings: Settings, copies: list[Path]) -> Settings:
    log, keys = copies
    return settings.model_copy(
        update={
            "database_url": f"sqlite:///{log}",
            "keystore_url": f"sqlite:///{keys}",
            "highwater_dir": log.parent / "of-the-copy",  # the original's say rightly that the copy is older
        }
    )
