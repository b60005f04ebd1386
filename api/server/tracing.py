"""Traces of requests and of the sequencer, for OpenTelemetry; nothing leaves the process unless its SDK is installed (the extra
`otel`) and an exporter is configured by its own environment variables.

A span says which route, which method, which status, which problem, how long; never an address, a query, a body, a header, or
an id of a person, a consent or a participant. Of a caller's headers only the ids of its own trace are used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api.http.wire import Scope, Visit
from ledger.sequencer.figures import BatchTimes

log = structlog.get_logger("api.server.tracing")

NAME: Final = "consent-ledger"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_parent: Final = TraceContextTextMapPropagator()


def configure_tracing() -> bool:
    """Send traces to where the environment says (OTLP over HTTP), once for each process; without an address, nowhere.

    Whether there are any.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("traces are asked for, and the extra `otel` is not installed: there are none")
        return False
    provider = TracerProvider(resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", NAME)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True


class RequestTraces:
    """One span for each request, made when it has been answered and its route is known."""

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        """`provider`: None for the process's own."""
        self._tracer = trace.get_tracer(NAME, tracer_provider=provider)

    def note(self, scope: Scope, visit: Visit, begun_ns: int, ended_ns: int) -> None:
        """Times in nanoseconds since 1970."""
        method = scope["method"] if scope["method"].isalpha() and len(scope["method"]) <= 7 else "OTHER"
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": visit.route,
            "http.response.status_code": visit.status,
        }
        if visit.problem is not None:
            attributes["consent_ledger.problem"] = visit.problem
        span = self._tracer.start_span(
            f"{method} {visit.route}",
            context=_parent.extract(_trace_parent(scope)),
            kind=SpanKind.SERVER,
            attributes=attributes,
            start_time=begun_ns,
        )
        if visit.status >= 500 or not visit.status:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_ns)


def _trace_parent(scope: Scope) -> dict[str, str]:
    """The caller's trace, if it says one. Its `tracestate` and baggage are left alone: they may hold anything."""
    said: Sequence[bytes] = [value for name, value in scope["headers"] if name == b"traceparent"]
    return {"traceparent": said[0].decode("latin-1")} if len(said) == 1 else {}


class SequencerTraces:
    """A span for each batch, and one inside it for its commit."""

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        """`provider`: None for the process's own."""
        self._tracer = trace.get_tracer(NAME, tracer_provider=provider)

    def __call__(self, times: BatchTimes) -> None:
        """Note one batch. On the sequencer's thread."""
        ahead = time.time_ns() - time.perf_counter_ns()
        begun, committed, answered = (int(at * 1e9) + ahead for at in (times.begun, times.committed, times.answered))
        attributes = {"consent_ledger.submissions": times.submissions, "consent_ledger.entries": times.entries}
        batch = self._tracer.start_span("sequence", start_time=begun, attributes=attributes)
        commit = self._tracer.start_span(
            "commit", context=trace.set_span_in_context(batch), start_time=begun, attributes=attributes
        )
        commit.end(committed)
        batch.end(answered)
