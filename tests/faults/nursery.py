"""Many short processes of `consent-ledger`, each a true process with locks of its own, at the price of a fork.

`python -m tests.faults.nursery` loads the command once and forks for each request: one JSON line in, the child's number out. It
opens nothing and starts no thread. A child tells each `open` of a database's file by anybody but SQLite: it adds a line to a
file, before the file is opened.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

from tests.conformance import ROOT

DATABASE = re.compile(r"\.sqlite(-wal|-shm|-journal)?$")


@dataclass
class Child:
    """One process."""

    nursery: Nursery
    pid: int
    said_to: Path

    def wait(self) -> int:
        """Its exit status; negative: the signal that ended it."""
        self.nursery.alive.discard(self.pid)
        return int(self.nursery.ask({"wait": self.pid}))

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @property
    def has_ended(self) -> bool:
        """Whether it has; nobody has waited for it yet."""
        return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE

    @property
    def said(self) -> str:
        """What it wrote to standard output and standard error."""
        return self.said_to.read_text(errors="replace") if self.said_to.exists() else ""


class Nursery:
    """The process that forks."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.heard = folder / "opened-behind-sqlite"
        self.heard.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", str(self.heard)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._number = 0
        self.alive: set[int] = set()

    def ask(self, request: object) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, "the nursery ended"
        return answer

    def start(self, arguments: Sequence[str]) -> Child:
        """Run `consent-ledger ARGUMENTS` in a process of its own."""
        self._number += 1
        said = self._folder / f"said-{self._number}"
        pid = self.ask({"run": list(arguments), "said": str(said)})
        self.alive.add(int(pid))
        return Child(self, int(pid), said)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for pid in self.alive:  # a test that failed did not wait for them
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def nursery(folder: Path, environment: Mapping[str, str]) -> Iterator[Nursery]:
    """A nursery whose children have these variables, and keep what they say in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Nursery(folder, environment)
    try:
        yield made
    finally:
        made.close()


def _tell(heard: int) -> None:
    """From here on each `open` of a database is written down; SQLite's own are not Python's and are not seen."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            name = os.fsdecode(arguments[0])
            if DATABASE.search(name):
                os.write(heard, f"{' '.join(sys.argv)}: {name}\n".encode())

    sys.addaudithook(hook)


def _live(arguments: list[str], said: str, heard: int) -> NoReturn:
    from api.cli.main import app

    status = 70
    try:
        for target in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), target)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["consent-ledger", *arguments]
        _tell(heard)
        app(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  (told to whoever asked for this process)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    from api.cli.main import PLACES, loaded

    for name in PLACES:
        loaded(name)  # once, for all children

    heard = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif (answer := os.fork()) == 0:
            _live(request["run"], request["said"], heard)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
