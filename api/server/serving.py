"""Running the application: one process, or fronts on one socket and a sequencing process behind them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import structlog
import uvicorn

from api.http.httpserver import HttpServer, bounded
from api.http.wire import App
from api.node.building import build_node, short_lived
from api.node.logs import configure_logging
from api.node.node import Node
from api.node.reading import build_reader, reading
from api.node.settings import Settings
from api.node.slots import serving_from
from api.server.app import create_app
from api.server.fleet import run_fleet
from api.server.listening import BACKLOG, bind
from api.server.tracing import RequestTraces, SequencerTraces, configure_tracing
from api.standards.served import OUTWARD
from ledger.errors import SequencerStopped

log = structlog.get_logger("api.server.serving")


@dataclass
class AppFactory:
    """Builds the node and its application in the process that serves it."""

    settings: Settings
    node: Node | None = field(default=None, init=False)
    stopped: str | None = field(default=None, init=False)
    """Why the node stopped writing by itself."""

    def __call__(self) -> App:
        configure_logging(self.settings.log_level)
        reads = self.settings.role == "reader"
        self.node = build_reader(self.settings) if reads else build_node(self.settings, serves=True, outward=OUTWARD)
        traced = configure_tracing()
        if traced:
            self.node.ledger.figures.told = SequencerTraces()
        return create_app(self.node, RequestTraces() if traced else None)

    def fails(self) -> bool:
        """Whether the running node has stopped writing."""
        if self.node is not None and self.node.running:
            self.stopped = self.node.ledger.stopped_because
        return self.stopped is not None


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises SequencerStopped when the node stops writing by itself, what starting a node raises, and
    OSError when the address is taken."""
    with serving_from(settings.highwater_dir) if settings.highwater_dir.is_dir() else nullcontext():
        _serve(settings)


def _serve(settings: Settings) -> None:
    opened = reading if settings.role == "reader" else short_lived
    with opened(settings) as node:  # an obstacle to starting is reported once, here, and not by every worker
        weaknesses, vkey = node.ledger.store.weaknesses(), node.ledger.vkey.format()
    listening = bind(settings, shared=settings.workers > 1)
    if settings.port == 0:
        settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    configure_logging(settings.log_level)
    for weakness in weaknesses:
        log.warning("weakness", reason=weakness)
    log.info("serving", address=settings.base_url, workers=settings.workers)
    options = _options(settings)
    if settings.workers == 1:
        listening.listen(BACKLOG)
        factory = AppFactory(settings)
        server = HttpServer(uvicorn.Config(factory, **options), factory.fails)
        server.run(sockets=[listening])
        if server.failed:  # the supervisor starts this process again, and the start reports the obstacle
            raise SequencerStopped(f"this node stopped writing and ends: {factory.stopped}")
    else:
        run_fleet(settings, vkey, options, listening)


def _options(settings: Settings) -> dict[str, Any]:
    return bounded(
        factory=True,
        lifespan="on",
        proxy_headers=settings.behind_tls_proxy,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=20,
    )
