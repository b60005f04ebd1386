"""A node of several processes: fronts that speak HTTP and check signatures, one process that sequences, and one that keeps
the key-encryption key.

A database is fastest with one writer, and the fronts spread the signatures, which cost most, over the cores. A process
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from api.http.httpserver import HttpServer
from api.http.wire import App
from api.node.building import build_node, equip
from api.node.logs import configure_logging
from api.node.metrics import process_figures
from api.node.settings import Settings
from api.server.app import assemble, create_framework
from api.server.figures import FiguresDoor, figures_path, neighbours
from api.server.listening import DealtOut, listen
from api.server.loading import begin_preloading
from api.server.supervising import FAILED, KeptProcess, Supervisor, when_orphaned
from api.server.tracing import RequestTraces, SequencerTraces, configure_tracing
from api.standards.served import OUTWARD
from ledger.assembly import open_front
from ledger.errors import LedgerError, SequencerStopped, Unavailable
from ledger.notes.keys import parse_vkey
from ledger.sequencer.desk import PlanningDesk
from ledger.vault.keeper import AskedKek, Keeper
from ledger.vault.kek import read_kek

log = structlog.get_logger("api.server.fleet")

SOCKET_PATH_LIMIT: Final = 100
"""Unix allows some 107 bytes."""
START_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 25.0
"""A little more than the HTTP server takes at the most to finish its requests."""


def desk_path(settings: Settings) -> Path:
    """Where the fronts find the sequencing process: in the state folder, or in a private one if that name is too long."""
    path = settings.state_dir.resolve() / "desk.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"consent-ledger-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "desk.sock"


SEQUENCER: Final = "sequencer"
KEEPER: Final = "keeper"


def keeper_path(settings: Settings) -> Path:
    """Where the fronts find the process that keeps the key-encryption key: beside the desk."""
    return desk_path(settings).with_name("kek.sock")


def front_names(settings: Settings) -> list[str]:
    """The front processes of a node."""
    return [f"front {number + 1}" for number in range(settings.workers)]


@dataclass(frozen=True)
class FrontFactory:
    """Builds a front's application in the process that serves it."""

    settings: Settings
    name: str
    vkey: str
    """The log's public key; the signing key is opened by the sequencing process alone."""

    def __call__(self) -> App:
        configure_logging(self.settings.log_level)
        config = self.settings.node_config(self.settings.highwater_dir / "front")  # a front signs nothing
        desk = desk_path(self.settings)
        node = equip(
            self.settings, open_front(config, desk, parse_vkey(self.vkey), AskedKek(keeper_path(self.settings)))
        )
        framework = create_framework(node)
        metrics = framework.state.metrics
        metrics.neighbours = neighbours(
            {name: figures_path(desk, name) for name in (*front_names(self.settings), SEQUENCER, KEEPER)}
        )
        FiguresDoor(figures_path(desk, self.name), metrics.own)
        return DealtOut(assemble(node, framework, RequestTraces() if configure_tracing() else None))


@contextmanager
def _told_in_a_line() -> Iterator[None]:
    """The reason not to continue, in a line of the log instead of a stack; the next try waits longer."""
    try:
        yield
    except LedgerError as error:
        log.error("a process cannot continue", process=multiprocessing.current_process().name, reason=error.detail)  # noqa: TRY400
        raise SystemExit(FAILED) from None


def front(settings: Settings, vkey: str, options: dict[str, Any], bound: socket.socket, name: str) -> None:
    """A front process: serve until told to stop."""
    configure_logging(settings.log_level)
    server = HttpServer(uvicorn.Config(FrontFactory(settings, name, vkey), **options))

    def end() -> None:
        server.should_exit = True

    when_orphaned(end)
    with _told_in_a_line():
        server.run(sockets=[listen(settings, bound)])


def keep(settings: Settings) -> None:
    """The process that keeps the key-encryption key: it opens no database and speaks with no stranger."""
    ended = _until_told(settings)
    with _told_in_a_line():
        kek = read_kek(settings.kek_file)
        keeper = Keeper(kek.wrapping(), kek.epoch, keeper_path(settings))
        FiguresDoor(figures_path(desk_path(settings), KEEPER), process_figures)
        ended.wait()
        keeper.close()


def sequence(settings: Settings) -> None:
    """The sequencing process: run until told to stop."""
    ended = _until_told(settings)
    with _told_in_a_line():
        _sequence(settings, ended)


def _until_told(settings: Settings) -> threading.Event:
    """Set when this process is to end."""
    configure_logging(settings.log_level)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    when_orphaned(ended.set)
    return ended


def _sequence(settings: Settings, ended: threading.Event) -> None:
    node = build_node(settings, serves=True, outward=OUTWARD)
    if configure_tracing():
        node.ledger.figures.told = SequencerTraces()
    node.start()
    desk = PlanningDesk(node.ledger.sequencer, desk_path(settings), node.ledger.store.horizon)
    FiguresDoor(figures_path(desk_path(settings), SEQUENCER), process_figures)
    while not ended.wait(1.0):
        if (why := node.ledger.stopped_because) is not None:
            desk.close()
            node.stop()
            raise SequencerStopped(f"this node stopped writing; its sequencing process ends and is started anew: {why}")
    desk.await_leave(PATIENCE_SECONDS - 5)
    desk.close()
    node.stop()


def run_fleet(settings: Settings, vkey: str, options: dict[str, Any], bound: socket.socket) -> None:
    """A sequencing process, one that keeps the key-encryption key, and `settings.workers` fronts on one address, until told
    to stop.

    `vkey` is the log's public key, `options` are those of the HTTP server. Raises Unavailable when one of the first two
    does not start.
    """
    begin_preloading()
    supervisor = Supervisor(patience=PATIENCE_SECONDS)
    try:
        behind = {
            keeper_path(settings): KeptProcess(KEEPER, keep, (settings,)),
            desk_path(settings): KeptProcess(SEQUENCER, sequence, (settings,)),
        }
        supervisor.add([*behind.values()])
        for path, kept in behind.items():
            _await(path, kept)
        supervisor.add(
            [KeptProcess(name, front, (settings, vkey, options, bound, name)) for name in front_names(settings)]
        )
        supervisor.run()
    finally:
        supervisor.stop()  # the fronts first: the sequencer still finishes what they have accepted


def _await(path: Path, kept: KeptProcess) -> None:
    """The fronts are started once there are processes to hand commands and data keys to."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and kept.process.is_alive():
        with socket.socket(socket.AF_UNIX) as line:
            if line.connect_ex(os.fsencode(path)) == 0:
                return
        time.sleep(0.05)
    raise Unavailable(f"the process «{kept.name}» did not start; its own log lines say why")
