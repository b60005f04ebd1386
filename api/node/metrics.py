"""Figures of the HTTP layer and of the sequencer, as Prometheus reads them. No ids and no personal data as labels.

A node of several processes answers for all of them, whichever front is asked: figures that each process counts by
itself have the label `process`, and are fetched from it (api/server/figures.py). So a process that was killed and
started anew begins at zero under its own label, which is what Prometheus takes for a restart; nothing is added up here
that could seem to shrink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from typing_extensions import override

from api.http.bodies import Room
from ledger.app import Ledger

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
METHODS: Final = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})
NOBODY: Final = "unknown"
"""The participant of an event whose sender has not proved who it is."""

Neighbours = Callable[[], Mapping[str, bytes | None]]
"""Fetches the figures of every process of this node, by its name; None for one that did not answer."""


class HttpFigures:
    """Requests by method, route template and status; security events by participant."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "consent_ledger_http_requests", "Answered requests", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "consent_ledger_http_seconds", "Time to answer", ("method", "route"), buckets=BUCKETS, registry=registry
        )
        self._security = Counter(
            "consent_ledger_security_events",
            "Refusals that an attack would make too, by the participant who proved to be their sender",
            ("event", "participant"),
            registry=registry,
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

    def security_event(self, event: str, participant: str | None) -> None:
        """Count one. `participant`: who has proved to have sent it, by a token or a signature; None if nobody did."""
        self._security.labels(event, participant or NOBODY).inc()


class RoomFigures(Collector):
    """The resources that requests hold in this process at the time of the scrape."""

    def __init__(self, ledger: Ledger, room: Room) -> None:
        self._ledger = ledger
        self._room = room

    @override
    def collect(self) -> Iterator[Metric]:
        """All families."""
        for name, help_text, value in (
            ("http_in_work", "Requests in work", self._room.in_work),
            ("http_bodies_coming", "Requests whose body is not whole yet", self._room.coming),
            ("http_body_bytes", "Bytes of bodies that this process holds", self._room.held),
        ):
            yield GaugeMetricFamily(f"consent_ledger_{name}", help_text, value=value)
        yield CounterMetricFamily(
            "consent_ledger_pushed_back_early",
            "Submissions refused in a front process because too many waited",
            value=self._ledger.figures.pushed_back_here,
        )


class LedgerFigures(Collector):
    """The sequencer's figures (ledger/sequencer/figures.py) at the time of the scrape: one set for a node."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @override
    def collect(self) -> Iterator[Metric]:
        """All families."""
        figures = self._ledger.figures
        stopped = self._ledger.stopped_because is not None or self._ledger.paused_because is not None
        for name, help_text, value in (
            ("up", "1 while this node writes", float(not stopped)),
            ("ready", "1 while /health/ready says so", float(self._ledger.unready_because is None)),
            (
                "size",
                "Entries of the log, as far as this node knows them to be confirmed",
                self._ledger.store.horizon.size,
            ),
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
    """The figures of a node, as one of its processes tells them."""

    def __init__(self, ledger: Ledger, room: Room, *others: Collector) -> None:
        self._own = CollectorRegistry()
        self._shared = CollectorRegistry()
        for other in others:
            self._shared.register(other)
        self.http = HttpFigures(self._own)
        self._own.register(RoomFigures(ledger, room))
        self._shared.register(LedgerFigures(ledger))
        self.neighbours: Neighbours | None = None
        """Set in a node of several processes; they include this one."""

    def own(self) -> bytes:
        """The figures that this process counts by itself: its neighbours fetch them."""
        return process_figures(self._own)

    def text(self) -> bytes:
        """The exposition text of the whole node. Blocking: neighbours are asked."""
        if self.neighbours is None:
            return self.own() + generate_latest(self._shared)
        gathered = CollectorRegistry()
        gathered.register(GatheredFigures(self.neighbours()))
        return generate_latest(gathered) + generate_latest(self._shared)


def process_figures(registry: CollectorRegistry | None = None) -> bytes:
    """A registry's figures, and the process's own: memory, processor time, files."""
    process = CollectorRegistry()
    ProcessCollector(registry=process)
    return (b"" if registry is None else generate_latest(registry)) + generate_latest(process)


class GatheredFigures(Collector):
    """Figures of several processes, each under its name. A process that did not answer is marked so."""

    def __init__(self, told: Mapping[str, bytes | None]) -> None:
        self._told = told

    @override
    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        up = GaugeMetricFamily(
            "consent_ledger_process_up", "1 for a process of this node that told its figures", labels=["process"]
        )
        for process, text in sorted(self._told.items()):
            up.add_metric([process], float(text is not None))
            for family in text_string_to_metric_families((text or b"").decode()):
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                merged.samples += [
                    sample._replace(labels={**sample.labels, "process": process}) for sample in family.samples
                ]
        return [up, *families.values()]
