"""Alerts by themselves, while scoring is in force (docs/spec/risk.md, docs/risk.md).

Each serving process reads the log for the rules; whichever is first to find an alert records it, and the others read that it is
there. Reading runs behind the writing, on a thread of its own: no answer waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from ledger.app import Ledger
from ledger.errors import LedgerError, Refused
from ledger.queries.scoring import AlertReader

log = structlog.get_logger("api.node.scoring")

LOOK_SECONDS: Final = 0.5
"""How long an entry waits at most until the rules read it, when they are not behind."""
WAIT_SECONDS: Final = 30.0
"""After an error."""


class AlertRaiser:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(self, ledger: Ledger, reader: Callable[[], AlertReader]) -> None:
        self._ledger = ledger
        self._new_reader = reader
        self._reader = reader()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.raised = 0
        """Alerts that this process has recorded."""
        self.failing = False
        """Whether the last look ended with an error: alerts may be owed."""

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._live, name="alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; what is being recorded is finished."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self) -> int:
        """Read what is new and record what the rules found in it; how many alerts. Raises LedgerError."""
        count = 0
        while not self._ended.is_set():
            at_end = self._reader.read()
            command = self._reader.command()
            if command is not None:
                try:
                    count += len(self._ledger.submit_and_wait(command))
                except Refused as refusal:  # another node was first; what it wrote is read next
                    log.debug("no alert", reason=refusal.detail)
            elif at_end:
                break
        self.raised += count
        return count

    def _live(self) -> None:
        wait = LOOK_SECONDS
        while not self._ended.wait(wait):
            begun = time.thread_time()
            try:
                count = self.turn()
            except LedgerError as error:
                log.warning("alerts wait", error=error.detail)
                self._reader = self._new_reader()
                self.failing, wait = True, WAIT_SECONDS
                continue
            self.failing = False
            if count:
                log.info("alerts raised", alerts=count)
            wait = max(LOOK_SECONDS, 2 * (time.thread_time() - begun))
        try:
            self._reader.shelve()
        except LedgerError as error:
            log.info("the next start reads the log from further back", error=error.detail)


class AlertFigures(Collector):
    """What an AlertRaiser has done, for the metrics of its process."""

    def __init__(self, raiser: AlertRaiser) -> None:
        self._raiser = raiser

    @override
    def collect(self) -> Iterator[Metric]:
        """Two families."""
        raised = CounterMetricFamily("consent_ledger_alerts_raised", "Alerts that this process has put on record")
        raised.add_metric([], self._raiser.raised)
        yield raised
        yield GaugeMetricFamily(
            "consent_ledger_alerts_failing",
            "1 while this process cannot read the log for the rules of risk: alerts may be owed",
            value=int(self._raiser.failing),
        )
