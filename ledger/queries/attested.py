"""Recorded sheets of attested history (docs/spec/history.md): what one says, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.entries.evidence import decode_evidence
from ledger.entries.history_acts import HistorySheet
from ledger.entries.statement import payload_of
from ledger.planning.commands import Recorded


def sheet_of(recorded: Recorded) -> HistorySheet | None:
    """The sheet that an entry holds; None for another entry, and for a sheet that was erased or is not opened."""
    if recorded.evidence is None:
        return None
    statements = decode_evidence(recorded.evidence).statements
    says = payload_of(statements[0]) if statements else None
    return says if isinstance(says, HistorySheet) else None


def histories_of(entries: Iterable[Recorded]) -> set[int]:
    """The indexes of the `history.attest` entries that the sheets among these entries rest on."""
    return {says.history for entry in entries if (says := sheet_of(entry)) is not None}
