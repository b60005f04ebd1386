"""A tutorial as its reader does it: each command of the page in one folder, and what the page says that it prints.

What a reader puts in place of the examples' is put there here as well: the log's key and the key ids, as they were
printed; and another port. Installing is the one thing that is not done here: scripts/test-packages tries the wheels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.client.walk import DOCS, EXAMPLE_KEY, Walk

BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALL = "pipx install "
VKEY = re.compile(r"ledger\.example/1\+[0-9a-f]{8}\+[\w+/=]{20,}")
KID = re.compile(r"\b([a-z-]+-(?:statement|client))-[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Step:
    """One block of commands, and the lines that its page says they print; «…» stands for anything."""

    commands: list[str]
    told: list[str] = field(default_factory=list)


def steps(page: str) -> list[Step]:
    """What a page of docs/ tells its reader to do, in its order."""
    found: list[Step] = []
    for kind, text in BLOCK.findall((DOCS / page).read_text("utf-8")):
        if kind == "bash":
            found.append(Step(text.splitlines()))
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
    serves: bool = False

    def follow(self, page: str) -> None:
        """Do all that a page says. Raises AssertionError at the first command that fails or prints something else."""
        for step in steps(page):
            printed = _plain("\n".join(self._do(command) for command in step.commands))
            for line in step.told:
                expected = ".*?".join(re.escape(part) for part in _plain(line).split("…"))
                assert re.search(expected, printed), f"{page}: «{line}» is not in what was printed:\n{printed}"

    def _do(self, command: str) -> str:
        if command.startswith(INSTALL):
            return ""
        command = EXAMPLE_KEY.sub(lambda _: self.walk.key, command).replace("8000", str(self.walk.port))
        command = KID.sub(lambda kid: self.kids[kid[1]], command)
        if command.startswith("consent-ledger serve"):
            self.stack.enter_context(self.walk.serving(["bash", "-c", f"exec {command}"], self.walk.port, self._own()))
            self.serves = True
            return ""
        done = subprocess.run(
            ["bash", "-c", command], check=False, capture_output=True, text=True, cwd=self.walk.folder,
            env=os.environ | self._own(), timeout=170,
        )  # fmt: skip
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
        return {"PATH": programs, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **self.walk.environment}

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
