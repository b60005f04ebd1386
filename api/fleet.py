"""A node of several processes: fronts that speak HTTP and check signatures, and one process that sequences.

One writer is what a database likes best, and the fronts spread what costs most, the signatures, over the cores. A process
that ends is started again; what it had not acknowledged may be submitted again.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from api.app import create_app
from api.bootstrap import build_node, equip
from api.logs import configure_logging
from api.settings import Settings
from api.wire import App
from ledger.assembly import open_front
from ledger.errors import Unavailable
from ledger.sequencer.desk import Desk

log = structlog.get_logger("api.fleet")

SOCKET_PATH_LIMIT: Final = 100
"""Unix allows some 107 bytes."""
RESTART_SECONDS: Final = 0.2
START_SECONDS: Final = 60.0


def desk_path(settings: Settings) -> Path:
    """Where the fronts find the sequencing process: in the state folder, or in a private one if that name is too long."""
    path = settings.state_dir.resolve() / "desk.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"consent-ledger-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "desk.sock"


@dataclass(frozen=True)
class FrontFactory:
    """Builds a front's application in the process that serves it."""

    settings: Settings

    def __call__(self) -> App:
        configure_logging(self.settings.log_level)
        config = self.settings.node_config(self.settings.highwater_dir / "front")  # a front signs nothing
        return create_app(equip(self.settings, open_front(config, desk_path(self.settings))))


def sequence(settings: Settings) -> None:
    """The sequencing process: run until told to stop."""
    configure_logging(settings.log_level)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    node = build_node(settings, sends_events=True)
    node.start()
    desk = Desk(node.ledger.sequencer, desk_path(settings))
    parent = os.getppid()
    while not ended.wait(1.0) and os.getppid() == parent:
        pass
    desk.close()
    node.stop()


class SequencingProcess:
    """Keeps the sequencing process of this node running."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        """Raises Unavailable when it ends, or does not listen within a minute."""
        self._ended = threading.Event()
        self._process = self._start()
        self._await_desk()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Let it finish what it has, then end it."""
        self._ended.set()
        self._process.terminate()
        self._keeper.join()

    def _start(self) -> multiprocessing.process.BaseProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=sequence, args=(self._settings,), name="sequencer"
        )
        process.start()
        return process

    def _await_desk(self) -> None:
        """The fronts are started when there is somebody to hand commands to."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.is_alive():
            with socket.socket(socket.AF_UNIX) as line:
                if line.connect_ex(os.fsencode(desk_path(self._settings))) == 0:
                    return
            time.sleep(0.05)
        self._process.terminate()
        raise Unavailable("the sequencing process did not start; its own log lines say why")

    def _keep(self) -> None:
        while True:
            self._process.join()
            if self._ended.is_set():
                return
            log.warning("the sequencing process ended and is started again", exit_code=self._process.exitcode)
            if self._ended.wait(RESTART_SECONDS):
                return
            self._process = self._start()
