"""Reconciliation reports by themselves, at least hourly while there is anything new (docs/spec/reconciliation.md).

Each serving process looks every few minutes; the first one to find an hour gone since the last report writes the next. Should
two do so at once, the log accepts one: a report begins where the last one ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from ledger.app import Ledger
from ledger.clock import Clock, SystemClock
from ledger.errors import LedgerError, NotPermitted, Refused, Unavailable
from ledger.planning.commands import Recorded
from ledger.queries.reconciliation import ReconciliationQueries

log = structlog.get_logger("api.node.reconciling")

LOOK_SECONDS: Final = 300.0
"""Accesses wait an hour for their legs; a report comes within five minutes after it is due."""
REPORT_MS: Final = 3_300_000
"""After 55 minutes the next report is due, so that with the looks between them an hour is never passed."""


class Reporter:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(self, ledger: Ledger, *, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._live, name="reporter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a report that is being written is finished."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self) -> Recorded | None:
        """Write the next report if it is due and there is something in it. Raises Unavailable, Corrupt."""
        now = self._clock.now()
        if now - self._ledger.reconciliation.last_report_time(self._ledger.registry.reconciled) < REPORT_MS:
            return None
        try:
            return self._ledger.reconcile(at=now)
        except NotPermitted:  # a log of ruleset 1 knows no reports
            return None
        except Refused as refusal:  # nothing to say, or said by another node at this moment
            log.debug("no report", reason=refusal.detail)
            return None

    def _live(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                recorded = self.turn()
            except LedgerError as error:
                log.warning("reconciliation waits", error=error.detail)
            else:
                if recorded is not None:
                    log.info("reconciled", index=recorded.index)


class ReconciliationFigures(Collector):
    """Findings that are open, read when they are asked for: every process shows the same ones."""

    def __init__(self, queries: ReconciliationQueries) -> None:
        self._queries = queries

    @override
    def collect(self) -> Iterator[Metric]:
        """One family; none when the database does not answer."""
        try:
            count = self._queries.open_count()
        except Unavailable:
            return
        yield GaugeMetricFamily(
            "consent_ledger_reconciliation_open_findings",
            "Accesses' legs that are missing, and figures that differ, as reported and not made good",
            value=count,
        )
