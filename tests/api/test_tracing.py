"""Traces: every route, fast ones too, the sequencer and its commits; and nothing in them that says who, about whom, or what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.server.observing import Observed
from api.server.tracing import ENDPOINTS, RequestTraces, SequencerTraces, configure_tracing
from tests.api.service import Service, running_service

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exported() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


def everything(span: ReadableSpan) -> str:
    return str(span.to_json())


def test_all_routes_and_all_batches_have_spans_without_a_datum_of_anybody(
    sqlite_url: str,
    tmp_path: Path,
    exported: tuple[TracerProvider, InMemorySpanExporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider, exporter = exported
    traces, made = RequestTraces(provider), Observed.__init__
    monkeypatch.setattr(
        Observed, "__init__", lambda self, *given, **named: made(self, *given, **{**named, "traces": traces})
    )
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with running_service(sqlite_url, tmp_path / "state") as service:
        service.node.ledger.figures.told = SequencerTraces(provider)
        bank, app = service.world.holder(), service.world.recipient()
        consent, request = app.request(bank)
        for submission in (request, bank.authorise(consent), app.access(consent), bank.step("revoke", consent)):
            assert service.post(submission).status_code == 201
        client = service.as_(bank)
        assert client.get(f"/consents/{consent.consent_id}/history?limit=3").status_code == 200
        assert client.get("/receipts/9999").status_code == 404
        named = {"baggage": f"customer={consent.customer}", "tracestate": f"who={bank.id}", "traceparent": TRACE}
        assert service.http.get("/checkpoint", headers=named | {"user-agent": "spy-of-the-customer"}).status_code == 200
        token = client.token
    spans = exporter.get_finished_spans()
    names = {span.name for span in spans}
    assert {
        "POST /accesses",
        "GET /checkpoint",
        "GET /receipts/{name}",
        "GET /consents/{consent_id:path}/history",
        "POST /consents/{consent_id:path}/revoke",
        "sequence",
        "commit",
    } <= names

    text = "\n".join(map(everything, spans))
    for datum in (
        consent.consent_id,
        consent.subject,
        consent.customer,
        *consent.accounts,
        token,
        "limit=3",
        "9999",
        "eyJ",
        "budgeting",
        bank.id,
        app.id,
        "127.0.0.1",
        "spy-of-the-customer",
        "/history?",
        "baggage",
    ):
        assert datum not in text

    [missing] = [span for span in spans if span.name == "GET /receipts/{name}"]
    assert missing.attributes == {
        "http.request.method": "GET",
        "http.route": "/receipts/{name}",
        "http.response.status_code": 404,
        "consent_ledger.problem": "not-found",
    }
    [joined] = [span for span in spans if span.name == "GET /checkpoint"]
    assert f"{joined.context.trace_id:032x}" == TRACE.split("-")[1]
    assert not joined.context.trace_state


def test_a_commit_is_inside_its_batch(
    sqlite_service: Service, exported: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    provider, exporter = exported
    sqlite_service.node.ledger.figures.told = SequencerTraces(provider)
    try:
        bank, app = sqlite_service.world.holder("bank-traced"), sqlite_service.world.recipient("app-traced")
        assert sqlite_service.post(app.request(bank)[1]).status_code == 201
    finally:
        sqlite_service.node.ledger.figures.told = None
    spans = exporter.get_finished_spans()
    batch = next(
        span for span in spans if span.name == "sequence" and (span.attributes or {})["consent_ledger.entries"]
    )
    [commit] = [span for span in spans if span.parent is not None and span.parent.span_id == batch.context.span_id]
    assert commit.name == "commit"
    times: Any = (batch.start_time, commit.start_time, commit.end_time, batch.end_time)
    assert times == tuple(sorted(times))
    assert times[0] > 1_700_000_000_000_000_000


def test_without_an_address_nothing_is_sent_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert not configure_tracing()
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not configure_tracing()
