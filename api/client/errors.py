"""The errors that a participant can meet.

ClientError
├── RefusedByLedger     the ledger understood and said no (a 4xx problem, RFC 9457): sending it again will not help
├── LedgerUnavailable   no answer after all tries: sending the same statement again is safe
├── ReceiptRefused      the answer does not prove what was asked: treat the server, or the way to it, as hostile
└── Misbehaviour        two signed checkpoints of the log that do not fit together
    ├── Equivocation        the log shows two histories
    └── RolledBack          the log shows less than it did before
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ClientError(Exception):
    """Base of all errors of the client; `detail` is a sentence for the reader."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RefusedByLedger(ClientError):
    """A problem document: nothing was recorded."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = problem.get("detail")
        title = problem.get("title")
        super().__init__(f"{status}: {detail if isinstance(detail, str) else title or 'no reason given'}")
        self.status = status
        self.problem = problem


class LedgerUnavailable(ClientError):
    """The ledger did not answer in time, or said that it cannot at present."""


class ReceiptRefused(ClientError):
    """A receipt, a document or a proof does not verify, or answers something else."""


class Misbehaviour(ClientError):
    """Two statements of the log that cannot both be honest. Keep them, and show them to others."""

    def __init__(self, detail: str, *, first: str, second: str, evidence: Path | None = None) -> None:
        super().__init__(f"{detail}; the evidence is in {evidence}" if evidence else detail)
        self.first = first
        """The checkpoint known before: a signed note."""
        self.second = second
        """The one that does not fit it."""
        self.evidence = evidence
        """Where both were written, if a folder for evidence was given."""


class Equivocation(Misbehaviour):
    """The log signed two histories, or cannot show that it did not."""


class RolledBack(Misbehaviour):
    """The log's newest checkpoint is smaller than one it gave out before."""
