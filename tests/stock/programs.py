"""Programs beside this one: servers until the end of a block, and clients that answer line by line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 300.0
"""Seconds for a server to listen: machines that run this are busy."""


class Refused(Exception):
    """A client refused: what it was to send, or what was answered."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A program that listens on `port` when the block begins."""
    with (
        log.open("w") as to,
        subprocess.Popen(command, stdout=to, stderr=to, env=os.environ | dict(environment or {})) as process,
    ):
        try:
            until = time.monotonic() + PATIENCE
            while True:
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} does not listen: {log.read_text()[-4000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Told:
    """A client that takes one JSON object on a line and answers with one."""

    process: subprocess.Popen[str]

    def ask(self, **said: Any) -> dict[str, Any]:
        """Raises Refused for what the client itself refuses."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Refused(f"{self.process.args} has ended")
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise Refused(json.dumps(answer, indent=1).replace("\\n", "\n"))
        return answer


@contextmanager
def client(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Told]:
    """A client until the end of the block."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | dict(environment or {})
    ) as process:
        try:
            yield Told(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
