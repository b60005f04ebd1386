"""Figures of events, read from the database when they are asked for: every process shows the same ones."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from ledger.errors import Unavailable
from ledger.queries.events import EventQueries


class EventFigures(Collector):
    """Deliveries that are not acknowledged. Alarm on `escalated` and on `behind`."""

    def __init__(self, queries: EventQueries) -> None:
        self._queries = queries

    @override
    def collect(self) -> Iterator[Metric]:
        """All families; none when the database does not answer."""
        try:
            counts = self._queries.counts()
            first, size = self._queries.position()
        except Unavailable:
            return
        deliveries = GaugeMetricFamily(
            "consent_ledger_event_deliveries", "Deliveries of events that are not acknowledged", labels=["state"]
        )
        for state, count in counts.items():
            deliveries.add_metric([state.value], count)
        yield deliveries
        yield GaugeMetricFamily(
            "consent_ledger_events_behind", "Entries that the sender has not looked at yet", value=max(0, size - first)
        )
