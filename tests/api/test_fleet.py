"""A node of several processes: which of them opens what, seen from inside each by what Python audits."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest

from api.node.building import initialise
from api.node.settings import Settings
from tests.conformance import ROOT

PATIENCE = 120.0
LISTENER = """
import multiprocessing, os, sys
heard = os.open({heard!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def hear(event, said):
    if event == "open" and isinstance(said[0], (str, bytes, os.PathLike)):
        name = os.path.basename(os.fsdecode(said[0]))
        if name in {{"log.key", "kek", "token.key"}}:
            os.write(heard, f"{{multiprocessing.current_process().name}}|{{name}}\\n".encode())
sys.addaudithook(hear)
"""


@dataclass
class Fleet:
    """`consent-ledger serve` with several processes, and what they opened."""

    settings: Settings
    process: subprocess.Popen[str]
    heard: Path
    said: Path
    """Its log lines."""

    def opened(self) -> set[tuple[str, str]]:
        """(process, key file) for every key file that was opened."""
        return {
            (process, name)
            for process, _, name in (line.partition("|") for line in self.heard.read_text().splitlines())
        }

    def workers(self) -> list[psutil.Process]:
        """The processes that this node is made of, but for the one that keeps them."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in children if one.ppid() != self.process.pid]

    def behind(self, *, writes: bool) -> psutil.Process:
        """The sequencing process, or the one that keeps the key-encryption key and has no database open."""
        fronts = {one.pid for one in self.fronts()}
        [found] = [
            one
            for one in self.workers()
            if one.pid not in fronts and writes is any("ledger.sqlite" in file.path for file in one.open_files())
        ]
        return found

    def fronts(self) -> list[psutil.Process]:
        """Whoever listens on the node's address, but for the process that started all."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if any(
                    one.laddr.port == self.settings.port
                    for one in child.net_connections("tcp")
                    if one.status == "LISTEN"
                ):
                    found.append(child)
        return found


def is_ready(settings: Settings) -> bool:
    with suppress(httpx2.HTTPError):
        return httpx2.get(f"{settings.base_url}/health/ready", timeout=5).status_code == 200
    return False


def await_until(condition: object, what: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.05)
    pytest.fail(f"waited in vain: {what}")


@contextmanager
def fleet(settings: Settings, folder: Path) -> Iterator[Fleet]:
    folder.mkdir()
    heard = folder / "heard"
    (folder / "sitecustomize.py").write_text(LISTENER.format(heard=str(heard)))
    environment = {**os.environ, "PYTHONPATH": str(folder), "CONSENT_LEDGER_LOG_LEVEL": "warning"}
    command = ["serve", "--state", str(settings.state_dir), "--port", str(settings.port), "--workers", "2"]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", *command], cwd=ROOT, env=environment, stderr=said, text=True
        )
    try:
        await_until(lambda: process.poll() is not None or is_ready(settings), "the node is ready")
        assert process.poll() is None, (folder / "said").read_text()
        yield Fleet(settings, process, heard, folder / "said")
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(state_dir=tmp_path / "state", port=port)
    initialise(settings, "ledger.example/fleet")
    return settings


@pytest.mark.timeout(300)
def test_no_process_that_speaks_with_strangers_opens_the_logs_signing_key_or_the_kek(
    settings: Settings, tmp_path: Path
) -> None:
    """Review S26: whatever takes a front over finds no key in its memory that signs for the log, or opens all its bodies."""
    with fleet(settings, tmp_path / "heard") as running:
        await_until(lambda: len(running.fronts()) == 2, "two fronts listen")
        opened = running.opened()
        before = {one.pid for one in running.fronts()}
        for key in (settings.log_key_file, settings.kek_file):
            key.rename(key.with_name(f"{key.name}-away"))
        running.fronts()[0].kill()
        await_until(lambda: len({one.pid for one in running.fronts()} | before) == 3, "a front is started again")
        await_until(lambda: len(running.fronts()) == 2 and is_ready(settings), "it answers without the keys")
        opened |= running.opened()
    signing, wrapping = ({process for process, name in opened if name == key} for key in ("log.key", "kek"))
    fronts = {process for process, name in opened if name == "token.key" and process.startswith("front")}
    assert fronts == {"front 1", "front 2"}, "the fronts were heard"
    assert signing == {"MainProcess", "sequencer"}
    assert wrapping == {"MainProcess", "sequencer", "keeper"}


@pytest.mark.timeout(300)
def test_a_sequencing_process_that_may_not_sign_says_so_in_a_line_and_does_not_run_hot(
    settings: Settings, tmp_path: Path
) -> None:
    with fleet(settings, tmp_path / "heard") as running:
        (settings.highwater_dir / "refused").write_text("witness.example has seen another history\n")
        running.behind(writes=True).kill()
        await_until(lambda: running.said.read_text().count("this node has stopped signing") >= 2, "it is tried again")
        said = running.said.read_text()
        assert not is_ready(settings)
    assert "witness.example has seen another history" in said
    assert "sign-here --this-is-the-newest-copy" in said, "and what to do"
    assert "Traceback" not in said
    pauses = [float(found) for found in re.findall(r'"in_seconds": ?([0-9.]+)', said)]
    assert len(pauses) >= 2
    assert pauses == sorted(pauses)


@pytest.mark.timeout(300)
def test_a_keeper_of_the_kek_that_is_killed_is_started_again_and_asked_again(
    settings: Settings, tmp_path: Path
) -> None:
    with fleet(settings, tmp_path / "heard") as running:
        killed = running.behind(writes=False)
        killed.kill()
        await_until(lambda: "a process ended and is started again" in running.said.read_text(), "it is missed")
        await_until(lambda: killed not in running.workers() and len(running.workers()) == 4, "there is another")
        await_until(lambda: all(is_ready(settings) for _ in range(6)), "each front asks the new one")
        assert running.behind(writes=False) != killed
