"""Figures of the HTTP layer and of the sequencer, as Prometheus reads them. No ids and no personal data as labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from api.http.bodies import Room
from ledger.app import Ledger

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS: Final = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})


class HttpFigures:
    """Requests by method, route template and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "consent_ledger_http_requests", "Answered requests", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "consent_ledger_http_seconds", "Time to answer", ("method", "route"), buckets=BUCKETS, registry=registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. An unknown method is counted as `other`: a label's values are bounded."""
        key = (method if method in METHODS else "other", route, status)
        children = self._children.get(key)
        if children is None:
            method = key[0]
            children = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._children[key] = children
        requests, took = children
        requests.inc()
        took.observe(seconds)


class LedgerFigures(Collector):
    """The sequencer's figures (ledger/sequencer/figures.py) at the time of the scrape."""

    def __init__(self, ledger: Ledger, room: Room) -> None:
        self._ledger = ledger
        self._room = room

    @override
    def collect(self) -> Iterator[Metric]:
        """All families."""
        figures = self._ledger.figures
        stopped = self._ledger.stopped_because is not None or self._ledger.paused_because is not None
        for name, help_text, value in (
            ("up", "1 while this node writes", float(not stopped)),
            ("ready", "1 while /health/ready says so", float(self._ledger.unready_because is None)),
            ("waiting", "Submissions that wait for the sequencer", figures.waiting()),
            (
                "clock_behind_seconds",
                "How far this machine's clock is behind the log's time",
                figures.clock_behind_ms / 1000,
            ),
            (
                "clock_ahead_seconds",
                "How far this machine's clock is ahead of the time; 0 within its bounds",
                figures.clock_ahead_ms / 1000,
            ),
            ("last_batch_entries", "Entries of the last commit", figures.last_batch_entries),
            ("last_batch_seconds", "Time of the last commit", figures.last_batch_seconds),
            ("http_in_work", "Requests in work", self._room.in_work),
            ("http_bodies_coming", "Requests whose body is not whole yet", self._room.coming),
            ("http_body_bytes", "Bytes of bodies that this process holds", self._room.held),
        ):
            yield GaugeMetricFamily(f"consent_ledger_{name}", help_text, value=value)
        for name, help_text, value in (
            ("batches", "Commits", figures.batches),
            ("entries", "Entries recorded by this node", figures.entries),
            ("repeats", "Statements that came again and got their first receipts", figures.repeats),
            ("refusals", "Submissions refused by the rules", figures.refusals),
            ("jti_reused", "Security events: a jti that came again with another payload", figures.jti_reused),
            ("pushed_back", "Submissions refused because too many waited", figures.pushed_back),
            ("commit_failures", "Commits that failed or whose outcome was unknown", figures.commit_failures),
            ("busy_seconds", "Time spent sequencing", figures.busy_seconds),
        ):
            yield CounterMetricFamily(f"consent_ledger_{name}", help_text, value=value)
        for name, label, counts in (
            ("acts", "act", figures.acts),
            ("decisions", "decision", figures.decisions),
            ("reasons", "reason", figures.reasons),
        ):
            family = CounterMetricFamily(f"consent_ledger_{name}", f"Entries by {label}", labels=[label])
            for key, count in sorted(counts.copy().items()):
                family.add_metric([key], count)
            yield family


class Metrics:
    """One process's metrics."""

    def __init__(self, ledger: Ledger, room: Room, *others: Collector) -> None:
        self._registry = CollectorRegistry()
        for other in others:
            self._registry.register(other)
        self.http = HttpFigures(self._registry)
        self._registry.register(LedgerFigures(ledger, room))

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)
