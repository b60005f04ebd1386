"""A node of several processes, as `consent-ledger serve` starts it, and the key files that each of them opens."""

from __future__ import annotations

import os
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
