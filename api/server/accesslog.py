"""The line of each request: the same JSON as all other log lines (api/node/logs.py), written on a fast path of its own.

A line through a logging framework costs more than half the check of a signature. Lines are collected and written
together, at the latest after half a second; a crash loses at most those, never a record of the ledger.
"""

from __future__ import annotations

import atexit
import datetime as dt
import logging
import sys
import threading
from typing import Final

import msgspec

from api.http.wire import Visit

FLUSH_LINES: Final = 256
FLUSH_SECONDS: Final = 0.5

_level: Final = logging.getLogger("api.server.observing")


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    timestamp: str
    level: str
    logger: str
    event: str
    request_id: str
    method: str
    route: str
    status: int
    milliseconds: float
    client: str | None = None
    index: int | None = None
    problem: str | None = None


class AccessLog:
    """Collects lines and writes them to standard error. Thread-safe."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        atexit.register(self.flush)

    def note(self, method: str, visit: Visit, seconds: float) -> None:
        """Add the line of one answered request."""
        if not _level.isEnabledFor(logging.INFO):
            return
        now = dt.datetime.now(dt.UTC).isoformat()
        line = _Line(
            now,
            "info",
            "api.server.observing",
            "request",
            visit.request_id,
            method,
            visit.route,
            visit.status,
            round(seconds * 1000, 1),
            visit.client,
            visit.index,
            visit.problem,
        )
        with self._lock:
            self._lines.append(self._encode(line))
            full = len(self._lines) >= FLUSH_LINES
            if self._timer is None and not full:
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        with self._lock:
            lines, self._lines = self._lines, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if lines:
            sys.stderr.write(b"\n".join((*lines, b"")).decode())
            sys.stderr.flush()
