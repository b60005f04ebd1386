"""What must not happen beside a server is refused beside one, and a server that was killed leaves nothing that refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from api.node.slots import SERVING, serving_from, slots_in_use
from ledger.vault.kek import read_kek
from tests.conformance import ROOT
from tests.faults.restored import emptied
from tests.world import World

PATIENCE = 120.0


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A log with a consent in it, on each engine, and a backup of it."""
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    if engine_url.startswith("postgresql"):
        programs = request.getfixturevalue("postgres_server").programs
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, "ledger.example/lock")
    with short_lived(made) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    assert run(made, "backup", str(tmp_path / "copy")).exit_code == 0
    return made


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)])


def until(settings: Settings, *, held: bool) -> None:
    """Wait until a server's lock is held, or nobody's is."""
    end = time.monotonic() + PATIENCE
    while (SERVING.removesuffix(".lock") in slots_in_use(settings.highwater_dir)) is not held or (
        not held and slots_in_use(settings.highwater_dir)
    ):
        assert time.monotonic() < end, slots_in_use(settings.highwater_dir)
        time.sleep(0.05)


@contextmanager
def server(settings: Settings, workers: int) -> Iterator[subprocess.Popen[bytes]]:
    """`consent-ledger serve` in a process of its own."""
    command = [sys.executable, "-m", "api.cli.main", "serve", "--state", str(settings.state_dir), "--port", "0"]
    environment = os.environ | {"CONSENT_LEDGER_WORKERS": str(workers)}
    said = settings.state_dir / "said"
    with (
        said.open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            until(settings, held=True)
            yield process
        finally:
            process.kill()


def refused(settings: Settings, copy: Path) -> None:
    """Neither is done, and each says why."""
    for command in (("restore", str(copy), "--replace"), ("kek", "rotate")):
        done = run(settings, *command)
        assert done.exit_code == 1, done.output
        assert "stop all servers of this log" in done.stderr
    assert read_kek(settings.kek_file).epoch == 1


def test_the_processes_of_a_killed_server_end_with_it(settings: Settings) -> None:
    """Once everything runs: nobody would start or stop it any more, and its lock would keep out the next server."""
    with server(settings, 2) as process:
        end = time.monotonic() + PATIENCE
        while (settings.state_dir / "said").read_text().count("Application startup complete") < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert len(slots_in_use(settings.highwater_dir)) > 1, "the sequencing process has its own"
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        until(settings, held=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_beside_a_server_nothing_is_restored_and_its_kill_leaves_nothing_in_the_way(
    settings: Settings, tmp_path: Path, workers: int, request: pytest.FixtureRequest
) -> None:
    with server(settings, workers) as process:
        refused(settings, tmp_path / "copy")
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        until(settings, held=False)  # those that it had started see that it is gone, and end
        assert (settings.highwater_dir / SERVING).exists(), "the file stays, and means nothing"
    rotated, end = run(settings, "kek", "rotate"), time.monotonic() + PATIENCE
    while rotated.exit_code == 1 and "stop all servers" in rotated.stderr and time.monotonic() < end:
        until(settings, held=False)  # one that was still starting took its slot before it saw that
        rotated = run(settings, "kek", "rotate")
    assert rotated.exit_code == 0, rotated.output
    assert run(settings, "backup", str(tmp_path / "later")).exit_code == 0
    restored = run(settings, "restore", str(tmp_path / "later"), *emptied(settings, request))
    assert restored.exit_code == 0, restored.output


def test_a_server_whose_sequencing_process_is_away_still_refuses(settings: Settings, tmp_path: Path) -> None:
    with serving_from(settings.highwater_dir), serving_from(settings.highwater_dir):
        assert slots_in_use(settings.highwater_dir) == ["serving"], "no slot is held, and two servers share the lock"
        refused(settings, tmp_path / "copy")
    assert slots_in_use(settings.highwater_dir) == []
