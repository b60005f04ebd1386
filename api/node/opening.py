"""Records it first when the operator takes evidence out of the ledger, like every disclosure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from ledger.app import Ledger
from ledger.documents import EvidenceOpened, document_of
from ledger.errors import InvalidInput
from ledger.participants import Registry
from ledger.planning.commands import Composer, RecordComposed, Recorded


class EvidenceOpening(Composer):
    """Writes «the operator opened the evidence of these entries», as of the very index it gets. For one use."""

    def __init__(self, by: str, reason: str, first: int, last: int | None) -> None:
        """`by`: who, a code of the operator's own. `last`: None for all entries there are."""
        self._by, self._reason = by, reason
        self._first, self._last = first, last

    @override
    def compose(self, connection: Any, registry: Registry, size: int, time: int) -> Sequence[Mapping[str, Any]]:
        """Up to the last entry below this one. Raises InvalidInput when there is none in the range."""
        last = size - 1 if self._last is None else min(self._last, size - 1)
        if last < self._first:
            raise InvalidInput(f"the log has {size} entries: there is none from {self._first} on", member="evidence")
        return [document_of(EvidenceOpened, by=self._by, case=self._reason, from_index=self._first, to_index=last)]

    @override
    def recorded(self, connection: Any, index: int) -> None:
        """Nothing else belongs to it."""


def put_on_record(ledger: Ledger, opening: EvidenceOpening) -> Recorded:
    """Record it. A log taken as of its checkpoint holds no evidence that it does not name."""
    return ledger.submit_and_wait(RecordComposed(opening))[0]
