"""What the service says about itself: problems and their pages, the OpenAPI document, settings, figures, logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.http.problems import PROBLEMS, pages
from api.node.logs import configure_logging
from api.node.settings import Settings
from ledger.errors import LedgerError
from tests.api.service import Service, running_service

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors"


def _all_kinds(kind: type[LedgerError] = LedgerError) -> Iterator[type[LedgerError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all_kinds(below)


def test_every_error_has_its_row_and_every_row_its_page() -> None:
    served = [kind for kind in _all_kinds() if kind.__module__ in {"ledger.errors", "api.http.refusals"}]
    assert [kind.__name__ for kind in served if kind not in PROBLEMS] == []
    assert {path.name: path.read_text() for path in ERRORS.glob("*.md")} == pages(), (
        "python -m api.http.problems docs/errors"
    )


def test_the_type_of_a_problem_leads_to_its_page(sqlite_service: Service) -> None:
    problem = sqlite_service.http.get("/nowhere").json()
    page = sqlite_service.http.get(problem["type"])
    assert page.headers["content-type"] == "text/markdown; charset=utf-8"
    assert page.text == (ERRORS / "no-such-route.md").read_text()
    assert sqlite_service.http.get("/errors/never-heard-of").status_code == 404
    assert sqlite_service.http.put("/log").json()["type"].endswith("/errors/method-not-allowed")


WITHOUT_BODY = {"/participants/{participant}/endpoint/test"}
"""What the address says is all that is said."""


def test_the_openapi_document_is_whole(sqlite_service: Service) -> None:
    document = sqlite_service.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    assert "x-access" not in text
    schemas = document["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert used <= schemas.keys()
    taken = [f"{name}{suffix}" for name in schemas for suffix in ("Test", "Api") if f"{name}{suffix}" in schemas]
    assert not taken, f"{taken}: names that generators give to what they make of another schema"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            assert operation["description"], place
            assert {"500", "503"} <= operation["responses"].keys(), place
            named = {part["name"] for part in operation.get("parameters", ()) if part["in"] == "path"}
            assert named == {part.split("}")[0] for part in path.split("{")[1:]}, place
            if path in WITHOUT_BODY:
                assert "requestBody" not in operation, place
            elif method == "post":
                accepted = {"application/json", "application/x-www-form-urlencoded"}
                assert accepted & operation["requestBody"]["content"].keys(), place
    identifiers = [one["operationId"] for operations in document["paths"].values() for one in operations.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_the_reference_page_needs_nothing_from_elsewhere(sqlite_service: Service) -> None:
    page = sqlite_service.http.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "https://" not in page.text.replace("https://keys.example", "")
    assert "consent_authorise" in page.text


def test_figures_and_logs_hold_no_datum_of_a_person(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logging("info")
        with running_service(sqlite_url, tmp_path / "state") as service:
            world = service.world
            bank, app = world.holder(), world.recipient()
            consent, request = app.request(bank)
            for submission in (request, bank.authorise(consent), app.access(consent), bank.step("revoke", consent)):
                assert service.post(submission).status_code == 201
            client = service.as_(bank)
            for path in (f"/consents/{consent.consent_id}", f"/consents/{consent.consent_id}/history?limit=3"):
                assert client.get(path).status_code == 200
            refused = service.post(app.access(consent, purpose="", jti="A" * 22))
            assert refused.status_code == 400
            figures = service.operator().get("/metrics").text
        logged = capsys.readouterr().err
    finally:
        root.handlers, root.level = before
    personal = [
        consent.consent_id,
        consent.subject,
        consent.customer,
        *consent.accounts,
        "limit=3",
        client.token,
        "127.0.0.1:",
        "eyJ",
        "budgeting",
    ]
    for datum in personal:
        assert datum not in figures
        assert datum not in logged.replace(service.base_url, "")
    lines = [json.loads(line) for line in logged.splitlines() if '"api.request"' in line or '"request"' in line]
    assert {"/consents", "/accesses", "/consents/{consent_id:path}/revoke"} <= {line.get("route") for line in lines}
    assert 'consent_ledger_decisions_total{decision="allow"} 1.0' in figures
    assert 'route="/consents/{consent_id:path}",status="200"' in figures


def test_figures_are_for_the_operator_unless_opened(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state", metrics_open=True) as service:
        assert service.http.get("/metrics").status_code == 200
        assert service.http.get("/consents").status_code == 401


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "given",
    [
        {"host": "::"},
        {"host": "ledger.example"},
        {"port": 70_000},
        {"public_url": "http://ledger.example"},
        {"public_url": "https://ledger.example/path"},
        {"access_token_seconds": 601},
        {"external_issuers": [{"issuer": "http://idp.example"}]},
        {"external_issuers": ["https://idp.example"]},
        {"external_issuers": [{"issuer": "https://idp.example", "participants": ["urn:consent-ledger:operator"]}]},
        {"external_issuers": [{"issuer": "https://idp.example", "scopes": ["participants:write"]}]},
        {"unknown": 1},
    ],
)
def test_unsafe_settings_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)  # type: ignore[arg-type]


def test_a_public_address_needs_somebody_who_ends_tls() -> None:
    assert (
        Settings(host="::", behind_tls_proxy=True, public_url="https://ledger.example").base_url
        == "https://ledger.example"
    )
    assert Settings(host="::1", port=1).base_url == "http://[::1]:1"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", "postgresql+psycopg://ledger@/ledger")
    settings = Settings()
    assert settings.log_key_file == tmp_path / "log.key"
    assert settings.token_store_url == settings.database_url
    assert settings.keystore_url == "postgresql+psycopg://ledger@/ledger_keys", "every node of a log must reach it"
