"""The documents' own programs, walked from an empty folder: a ledger, two participants, a receipt, a guarded route.

What stands in docs/client.md and docs/guard.md is run as it stands. Two things only are put in place of the examples': the
addresses, and the log's key. Run by a test, and by scripts/test-packages with what is installed from wheels:

    python -m tests.client.walk LEDGER-BIN CLIENT-PYTHON FOLDER
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.ports import free_port

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLE_KEY = re.compile(r"ledger\.example/1\+d2b1a0f3\+Ab…")


def programs(page: str) -> dict[str, str]:
    """The Python programs of a page by the file name in their first line. Each block has one."""
    found = {}
    for language, text in BLOCK.findall((DOCS / page).read_text()):
        if language == "python":
            name = re.match(r"# (\w+\.py)\b", text)
            assert name, f"{page}: a block of Python that does not say which file it is: {text[:60]}"
            found[name[1]] = text
    return found


def commands(page: str, program: str) -> list[list[str]]:
    """The command lines of a page that call a program, without it."""
    blocks = [text for language, text in BLOCK.findall((DOCS / page).read_text()) if language == "text"]
    lines = [line for text in blocks for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(program + " ")]


def replaced(text: str, words: Mapping[str, str]) -> str:
    """A text with some words in place of others."""
    return re.sub("|".join(words), lambda match: words[match[0]], text) if words else text


@dataclass
class Walk:
    """Two programs, and the folder that they share."""

    ledger: Path
    """`consent-ledger`."""
    python: list[str]
    """The interpreter that has the client, with its options."""
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    bank_port: int = field(default_factory=free_port)
    key: str = ""

    def operator(self, *arguments: str) -> str:
        """A command of the operator's."""
        return self._run([str(self.ledger), *arguments, "--state", str(self.folder / "state")], {})

    def write(self, page: str, words: Mapping[str, str] = MappingProxyType({})) -> None:
        """Write a page's programs, with this walk's addresses and key."""
        for name, text in programs(page).items():
            told = EXAMPLE_KEY.sub(lambda _: self.key, replaced(text, words))
            told = told.replace("https://ledger.example", f"http://127.0.0.1:{self.port}")
            (self.folder / name).write_text(told.replace("https://bank.example", f"http://127.0.0.1:{self.bank_port}"))

    def program(self, name: str) -> str:
        """Run a written program as a participant."""
        return self._run([*self.python, name], self.environment)

    def _run(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=600,
            env=os.environ | environment,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self, command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
        """A server until the end of the block; it answers on `port` when the block begins."""
        log = (self.folder / f"server-{port}.log").open("w")
        with (
            log,
            subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=os.environ | environment) as server,
        ):
            try:
                until = time.monotonic() + 600
                while True:
                    with socket.socket() as knock:
                        if knock.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    told = (self.folder / f"server-{port}.log").read_text()
                    assert server.poll() is None, told
                    assert time.monotonic() < until, told
                    time.sleep(0.1)
                yield
            finally:
                server.terminate()
                server.wait(30)


def receipt(walk: Walk, stack: ExitStack) -> str:
    """From nothing to a first receipt, after docs/client.md; what the last program prints. The ledger goes on serving."""
    told = walk.operator("init", "--origin", "ledger.example/1")
    [walk.key] = re.findall(r"ledger\.example/1\+[0-9a-f]{8}\+\S+", told)
    bank = {"app-1": "bank-a", "recipient": "holder", "App One": "First Bank"}
    for words in (bank, {}):  # the page's words; the bank does the same first, with its own
        walk.write("client.md", words)
        walk.program("make_keys.py")
        for arguments in commands("client.md", "consent-ledger"):
            walk.operator(*[replaced(each, words) for each in arguments])
    serve = [str(walk.ledger), "serve", "--state", str(walk.folder / "state"), "--port", str(walk.port)]
    stack.enter_context(walk.serving(serve, walk.port, {}))
    return walk.program("first_receipt.py")


def guarded(walk: Walk, stack: ExitStack) -> str:
    """The bank's guarded route, after docs/guard.md; what the recipient's program prints."""
    (walk.folder / "bank-a.references").write_bytes(secrets.token_bytes(32))
    walk.write("guard.md")
    walk.program("agree.py")
    command = [*walk.python, "-m", "uvicorn", "bank:app", "--port", str(walk.bank_port)]
    stack.enter_context(walk.serving(command, walk.bank_port, walk.environment))
    return walk.program("fetch.py")


def main(arguments: list[str]) -> int:
    """Walk with what is installed elsewhere."""
    ledger, python, folder = arguments
    walk = Walk(Path(ledger), [python], Path(folder))
    with ExitStack() as stack:
        sys.stdout.write(receipt(walk, stack))
        sys.stdout.write(guarded(walk, stack))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
