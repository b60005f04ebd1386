"""Who may keep a copy of an answer: whoever fetched a public file of the log, and nobody who fetched evidence (review S16)."""

from __future__ import annotations

import re

import httpx2

from tests.api.doors import ALLOWED, routes_of
from tests.api.service import Service

KEPT_FOR_EVER = {"/tile/{path}"}
KEPT_SHORTLY = {
    "/checkpoint",
    "/checkpoint/newest",
    "/checkpoint/witnessed",
    "/witnesses",
    "/events/jwks",
    "/set",
    "/set/heads",
}


def is_kept(answer: httpx2.Response) -> bool:
    """Whether a cache may hand this answer out without asking again."""
    said = {part.strip().split("=")[0] for part in answer.headers["cache-control"].split(",")}
    return not said & {"no-store", "no-cache"}


def test_of_all_routes_only_public_files_of_the_log_are_kept(sqlite_service: Service) -> None:
    service = sqlite_service
    clients = [
        service.operator(),
        *(service.as_(service.world.join(f"x-{role}", role)) for role in ALLOWED if role != "operator"),
    ]
    size = service.size
    kept = set()
    for method, template, access in routes_of(service):
        path = template.replace("/tile/{path}", f"/tile/0/000.p/{size}").replace(
            "/proofs/inclusion", f"/proofs/inclusion?index=0&size={size}"
        )
        path = re.sub(r"\{\w+\}", "0", path)
        answers = [service.http.request(method, path)]
        if access != "open":
            answers += [client.request(method, path) for client in clients]
        for answer in answers:
            if is_kept(answer):
                assert access == "open", (method, template)
                kept.add(template)
                assert ("immutable" in answer.headers["cache-control"]) == (template in KEPT_FOR_EVER), template
    assert KEPT_FOR_EVER <= kept <= KEPT_FOR_EVER | KEPT_SHORTLY


def test_answers_that_hold_evidence_are_cached_nowhere(sqlite_service: Service) -> None:
    service, world = sqlite_service, sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    recorded = service.post(app.access(consent))
    index = recorded.json()["entries"][0]["index"]
    auditor = service.as_(world.join("auditor-1", "auditor"))
    answers = [recorded]
    for party in (bank, app):
        client = service.as_(party)
        answers += [
            client.get(path)
            for path in (
                f"/receipts/{index}",
                f"/receipts/{index}.tlog-proof",
                f"/receipts/{index}/explanation",
                f"/consents/{consent.consent_id}",
                f"/consents/{consent.consent_id}/history",
                "/consents",
            )
        ]
    answers.append(auditor.get("/bundle"))
    leaves = auditor.get(f"/tile/entries/000.p/{service.size}")
    for answer in answers:
        assert answer.status_code in {200, 201}, answer.request.url
        assert answer.headers["cache-control"] == "no-store", answer.request.url
    assert leaves.status_code == 200
    assert leaves.headers["cache-control"] == "private, no-cache"
    again = auditor.get(f"/tile/entries/000.p/{service.size}", headers={"if-none-match": leaves.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    anybody = service.http.get(f"/tile/entries/000.p/{service.size}", headers={"if-none-match": leaves.headers["etag"]})
    assert anybody.status_code == 401


def test_a_page_is_counted_under_its_own_route(sqlite_service: Service) -> None:
    """Review M9: figures of pages stood under one name, and a slow page could not be found."""
    for path in ("/verify", "/sign-in", "/my/connections", "/my/receipts/7", "/nothing/of/the/kind"):
        sqlite_service.http.get(path, headers={"accept": "text/html"})
    figures = sqlite_service.operator().get("/metrics").text
    counted = set(re.findall(r'consent_ledger_http_requests_total\{method="GET",route="([^"]+)"', figures))
    assert {"/verify", "/sign-in", "/my/connections", "/my/receipts/{index}", "unknown"} <= counted
    assert "/my/receipts/7" not in counted
    assert "/nothing/of/the/kind" not in counted
