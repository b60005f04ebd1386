"""A PostgreSQL connection that waits for a bounded time.

The server's own limits (on statements and locks) do not help when the server or its machine is gone, or when a commit
waits for a standby that is away.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import _WaitTimeout
from typing_extensions import override

WAIT_SECONDS: Final = 30.0
"""For any one answer of the server, that to a COMMIT included."""


class NoAnswer(psycopg.OperationalError):
    """The server took longer than a connection waits; nobody knows whether it did what it was asked."""

    def __init__(self, seconds: float) -> None:
        self.sentence = f"no answer from the database within {seconds:g} s"
        super().__init__(self.sentence)


class Patient(psycopg.Connection[Any]):
    """One connection of the log's, the key store's or the token store's."""

    seconds = WAIT_SECONDS

    @override
    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for one answer of the server. Raises NoAnswer when none comes; the connection is closed then, and
        what it was about to do has an unknown outcome."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.seconds)
        except _WaitTimeout:
            self.close()
            raise NoAnswer(self.seconds) from None
