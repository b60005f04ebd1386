"""The processes of a node tell each other their figures: each answers at a Unix socket of its own, beside the desk.

Nothing is kept in shared files: a process that was killed leaves no figures that would be counted for ever, and one that
hangs is seen, for it does not answer.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import structlog

from api.node.metrics import Neighbours
from ledger.secrets import listen_privately

log = structlog.get_logger("api.server.figures")

ANSWER_SECONDS: Final = 2.0
"""For all processes together: a scrape waits for the slowest, and no longer."""
FIGURES_LIMIT: Final = 4 * 2**20
"""Bytes of one process's figures."""


def figures_path(desk: Path, process: str) -> Path:
    """Where a process tells its figures. `process`: its name, such as `front 1`."""
    return desk.with_name(f"fig-{process.replace('front ', 'f').replace('sequencer', 's')}.sock")


class FiguresDoor:
    """Tells figures to every connection; only this node's own user can connect. Ends with its process."""

    def __init__(self, path: Path, own: Callable[[], bytes]) -> None:
        """`path` is replaced if it exists: a dead process's socket."""
        self._own = own
        self._listening = listen_privately(path)
        threading.Thread(target=self._serve, name="figures", daemon=True).start()

    def close(self) -> None:
        """Stop. The socket's file stays: it may be the successor's already."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line:
                line.settimeout(ANSWER_SECONDS)
                try:
                    line.sendall(self._own())
                except OSError:  # the one who asked has gone
                    continue


def neighbours(paths: Mapping[str, Path]) -> Neighbours:
    """A function that fetches the figures of all these processes, by name."""

    def ask() -> Mapping[str, bytes | None]:
        until = time.monotonic() + ANSWER_SECONDS
        with ExitStack() as lines:  # asked all at once, then heard one after the other
            asked = {name: _call(lines, path) for name, path in paths.items()}
            return {name: None if line is None else _hear(line, until) for name, line in asked.items()}

    return ask


def _call(lines: ExitStack, path: Path) -> socket.socket | None:
    line = lines.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    line.settimeout(ANSWER_SECONDS)
    try:
        line.connect(str(path))
    except OSError:
        return None
    return line


def _hear(line: socket.socket, until: float) -> bytes | None:
    """Everything until the other end closes; None unless it does so in time, since half of the figures are worth
    nothing."""
    told = bytearray()
    while (left := until - time.monotonic()) > 0 and len(told) <= FIGURES_LIMIT:
        line.settimeout(left)
        try:
            part = line.recv(65_536)
        except OSError:
            return None
        if not part:
            return bytes(told) or None
        told += part
    return None
