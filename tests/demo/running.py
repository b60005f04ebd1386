"""A demo that has played and waits: what it printed, where it keeps what it made."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from api.demo.words import ENGLISH
from tests.conformance import ROOT

RUN = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
sys.argv[0] = "consent-ledger"
runpy.run_module("api.cli.main", run_name="__main__")
"""
CUSTOMERS = 24
LINE = re.compile(r"  (?P<who>.+): click «(?P<name>.+)» \(.+\)\n    (?P<address>http://localhost:\d+/\S+)\n")


@dataclass(frozen=True)
class RunningDemo:
    """Its folder, and what it has printed."""

    folder: Path
    said: str

    @property
    def doors(self) -> dict[str, tuple[str, str]]:
        """Who → the name to click and the address."""
        return {one["who"]: (one["name"], one["address"]) for one in LINE.finditer(self.said)}

    @property
    def url(self) -> str:
        """The base address of its ledger."""
        return self.doors["regulator"][1].partition("/dev-idp")[0]


@contextmanager
def running_demo(folder: Path) -> Iterator[RunningDemo]:
    """Play it in a new folder below this one, and stop it as a closing session does, which Ctrl-C equals: nothing is left."""
    kept = folder / "kept"
    command = [sys.executable, "-c", RUN, "demo", "--customers", str(CUSTOMERS), "--directory", str(kept)]
    environment = os.environ | {
        "CONFORMANCE_DIR": str(folder / "nothing-here"),
        "COLUMNS": "120",
        "PYTHONUNBUFFERED": "1",
    }
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if line.startswith(ENGLISH["end"]):
                break
        else:
            pytest.fail(f"the demo ended before it waited: {said}")
        try:
            demo = RunningDemo(kept, said)
            yield demo
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60)
    assert running.returncode == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(demo.url)
