"""Reports by themselves, when their periods end (docs/reports.md, «By themselves»).

Each serving process looks every few minutes. What is due follows from the log alone, so a restart forgets nothing; should two
processes issue one report at once, the log accepts one. In between it keeps the count book, where somebody will ask for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from ledger.app import Ledger
from ledger.billing.bill import needs_release
from ledger.clock import Clock, SystemClock
from ledger.errors import LedgerError, Refused
from ledger.queries.counting import Counting
from ledger.queries.issued import issue_of, keep_file
from ledger.queries.reports import report_from_book
from ledger.queries.schedule import due_reports
from ledger.storage.counted import BOOK_NAME

log = structlog.get_logger("api.node.issuing")

LOOK_SECONDS: Final = 120.0
"""A report comes within two minutes after the end of its period, and the time it takes to count."""
PAUSE_SECONDS: Final = 5.0
"""Between two pages that are read into the count book: a thousand entries take a tenth of a second, which requests wait for."""


class ReportIssuer:
    """`start` and `stop` for a server; `turn` for whoever wants to see one step."""

    def __init__(self, ledger: Ledger, state_dir: Path, *, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self._state_dir = state_dir
        self._clock = clock or SystemClock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread = threading.Thread(target=self._live, name="reports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a report that is being issued is finished."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def turn(self, *, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
        """Issue what is due; the entries. `meanwhile` is called between counting and recording. Raises LedgerError, OSError."""
        ledger, recorded = self._ledger, []
        due = due_reports(ledger.store, self._clock.now())
        if not due:
            return []
        with closing(Counting.beside(ledger.store, ledger.keystore, self._state_dir)) as counting:
            for one in due:
                if self._ended.is_set():
                    break
                prepared = report_from_book(counting, one.report, one.day)
                meanwhile()
                try:
                    [entry] = ledger.submit_and_wait(issue_of(prepared, once=True))
                except Refused as refusal:  # another node was first, or entries of the period are still being written
                    log.debug("no report", reason=refusal.detail)
                    continue
                keep_file(self._state_dir, prepared)
                recorded.append(entry.index)
                if prepared.unread:
                    log.warning("a report was issued without entries that were erased", index=entry.index)
        return recorded

    def keep_book(self) -> bool:
        """Read some new entries into the count book, if there is one, or a tariff that is counted from it; whether it is now as
        long as the log. Raises LedgerError."""
        ledger = self._ledger
        tariffs = ledger.registry.partners.tariffs.values()
        if not ((self._state_dir / BOOK_NAME).exists() or any(needs_release(tariff.says.lines) for tariff in tariffs)):
            return True
        with closing(Counting.beside(ledger.store, ledger.keystore, self._state_dir)) as counting:
            return counting.catch_up(seconds=0).is_whole

    def _live(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                for index in self.turn():
                    log.info("report issued", index=index)
                until = time.monotonic() + LOOK_SECONDS
                while not self.keep_book() and time.monotonic() < until:
                    if self._ended.wait(PAUSE_SECONDS):
                        return
            except LedgerError as error:
                log.warning("reports wait", error=error.detail)
            except OSError as error:
                log.warning("reports wait", error=error.strerror)
