"""Commits on PostgreSQL that fail when the server warns.

A session that waits for its synchronous standby can be told to wait no longer (`pg_cancel_backend`, an administrator's
command). PostgreSQL then answers COMMIT with success and a warning that the transaction may not have been replicated. A
client that ignores the warning acknowledges what a failover may lose.
"""

from __future__ import annotations

from typing import Any

import psycopg
from typing_extensions import override

from ledger.engines.patient import Patient


class UnsureCommit(psycopg.OperationalError):
    """COMMIT came back with a warning: the transaction may be lost by a failover. Its outcome is unknown."""

    sentence = "the server stopped waiting for its synchronous standby: the outcome is unknown"


class SureConnection(Patient):
    """A connection whose `commit` raises UnsureCommit when the server had to warn."""

    _warned = False

    @override
    def commit(self) -> None:
        """Commit. Raises UnsureCommit when the server did not wait for its standby to the end."""
        self._warned = False
        super().commit()
        if self._warned:
            raise UnsureCommit(UnsureCommit.sentence)

    def listen_for_warnings(self) -> None:
        """Begin to collect the server's notices."""
        self.add_notice_handler(self._hear)

    def _hear(self, notice: psycopg.errors.Diagnostic) -> None:
        # a cancelled wait has no SQLSTATE of its own, and nothing of ours warns in a commit: each warning counts
        self._warned = self._warned or notice.severity_nonlocalized == "WARNING"


def connect(*arguments: Any, **parameters: Any) -> SureConnection:
    """Connect as `psycopg.connect` does."""
    connection = SureConnection.connect(*arguments, **parameters)
    connection.listen_for_warnings()
    return connection
