"""Which alerts participants with an endpoint are told of: those that they would see in their queue (docs/events.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.node.remits import seat_of
from ledger.app import Ledger
from ledger.queries.alerts import AlertNotice, AlertQueue
from ledger.queries.events import EventQueries
from ledger.queries.remit import Remit


@dataclass(frozen=True)
class AlertTeller:
    """See `api.events.sender.AlertTelling`."""

    ledger: Ledger
    queries: EventQueries
    remits: Mapping[str, Remit]

    def between(self, first: int, below: int) -> list[AlertNotice]:
        """The alerts of the entries from `first` to below `below`, each with its audience. Raises Unavailable."""
        queue = AlertQueue(self.ledger.store)
        if queue.newest() < first:
            return []  # nearly every look: most entries are accesses
        seats = [seat_of(self.remits, self.ledger.registry, one) for one in self.queries.listening()]
        return queue.notices(first, below, [seat for seat in seats if seat is not None])

    def at(self, index: int) -> AlertNotice | None:
        """The alert at one entry. Raises Unavailable."""
        return self.queries.alert(index)
