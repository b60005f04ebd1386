"""A tutorial as its reader does it: each command of the page in one folder, and what the page says that it prints.

What a reader puts in place of the examples' is put there here as well: the log's key and the key ids, as they were
printed; and other ports. Installing is the one thing that is not done here: scripts/test-packages tries the wheels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.client.walk import DOCS, EXAMPLE_KEY, Walk

BLOCK = re.compile(r"^```(bash|text|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALL = "pipx install "
LIBRARY = "env/bin/pip install "
ENVIRONMENT = "python3 -m venv env"
STOP = "# Ctrl-C in the terminal of consent-ledger"
SERVERS = {"consent-ledger serve": "port", "env/bin/uvicorn ": "bank_port"}
VKEY = re.compile(r"ledger\.example/1\+[0-9a-f]{8}\+[\w+/=]{20,}")
KID = re.compile(r"\b([a-z-]+-(?:statement|client))-[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Step:
    """One block of commands, and the lines that its page says they print; «…» stands for anything. Or a program, with the
    name of its file in its first line."""

    commands: list[str]
    told: list[str] = field(default_factory=list)
    program: str = ""


def steps(page: str) -> list[Step]:
    """What a page of docs/ tells its reader to do, in its order."""
    found: list[Step] = []
    for kind, text in BLOCK.findall((DOCS / page).read_text("utf-8")):
        if kind == "bash":
            found.append(Step(text.splitlines()))
        elif kind == "python":
            found.append(Step([], program=text))
        else:
            assert found, f"{page}: what is printed stands before what is done"
            found[-1].told.extend(text.splitlines())
    return found


@dataclass
class Reader:
    """Somebody who follows tutorials in one folder."""

    walk: Walk
    stack: ExitStack
    kids: dict[str, str] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)
    serving: ExitStack = field(default_factory=ExitStack)
    """The ledger that the reader has started, in a terminal of its own."""
    serves: bool = False

    def __post_init__(self) -> None:
        self.stack.enter_context(self.serving)

    def follow(self, page: str) -> None:
        """Do all that a page says. Raises AssertionError at the first command that fails or prints something else."""
        for step in steps(page):
            if step.program:
                name = re.match(r"# (\w+\.py)\b", step.program)
                assert name, f"{page}: a program that does not say which file it is"
                (self.walk.folder / name[1]).write_text(self._with_own(step.program))
            printed = _plain("\n".join(self._do(command) for command in step.commands))
            for line in step.told:
                expected = ".*?".join(re.escape(part) for part in _plain(self._with_own(line)).split("…"))
                assert re.search(expected, printed), f"{page}: «{line}» is not in what was printed:\n{printed}"

    def _with_own(self, text: str) -> str:
        """What stands on the page, with this reader's key, key ids and ports."""
        text = EXAMPLE_KEY.sub(lambda _: self.walk.key, text)
        text = text.replace("8000", str(self.walk.port)).replace("8001", str(self.walk.bank_port))
        return KID.sub(lambda kid: self.kids[kid[1]], text)

    def _do(self, command: str) -> str:
        if command.startswith((INSTALL, LIBRARY)):
            return ""
        if command == ENVIRONMENT:  # the one that runs the tests has what would be installed
            (self.walk.folder / "env").symlink_to(sys.prefix)
            return ""
        if command == STOP:
            assert self.serves, "nothing serves that could be stopped"
            self.serving.close()
            self.serves = False
            return ""
        command = self._with_own(command)
        if named := re.fullmatch(r"export (\w+)=(\S+)", command):
            self.exported[named[1]] = named[2]
            return ""
        for server, port in SERVERS.items():
            if command.startswith(server):
                ours = server == "consent-ledger serve"
                stack = self.serving if ours else self.stack
                stack.enter_context(
                    self.walk.serving(["bash", "-c", f"exec {command}"], getattr(self.walk, port), self._own())
                )
                self.serves = self.serves or ours
                return ""
        done = subprocess.run(
            ["bash", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.walk.folder,
            env=os.environ | self._own(),
            timeout=170,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{printed}"
        for found in VKEY.findall(done.stdout)[:1]:
            self.walk.key = found
        self.kids |= {found[1]: found[0] for found in KID.finditer(done.stdout)}
        recorded = re.findall(r"^key\.added: entry (\d+)", done.stdout, re.MULTILINE)
        if self.serves and recorded:
            self._until_known(max(map(int, recorded)))
        return printed

    def _own(self) -> dict[str, str]:
        """No settings of whoever runs the tests; the programs beside the one that is tried."""
        programs = f"{self.walk.ledger.parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": programs, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **self.walk.environment, **self.exported}

    def _keys(self, participant: str) -> list[Any]:
        """The keys of a participant as the server knows them, with the entries that added them; none of who is unknown."""
        address = f"http://127.0.0.1:{self.walk.port}/participants/{participant}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                found: list[Any] = json.loads(answer.read())["keys"]
        except urllib.error.HTTPError:
            return []
        return found

    def _until_known(self, entry: int) -> None:
        """The page says that a server knows a new key within a second; here, as long as that takes on a busy machine."""
        until = time.monotonic() + 60
        while True:
            keys = [key for name in ("app-one", "first-bank") for key in self._keys(name)]
            if re.search(rf": ?{entry}\b", json.dumps(keys)):
                return
            assert time.monotonic() < until, f"the server has not heard of entry {entry}"
            time.sleep(0.1)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
