"""The guard in the OpenAPI document of the bank's own application."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.testclient import TestClient

from api.client import Directory, LedgerClient, LocalSigner, Trust
from api.guard import REFUSALS, ConsentGuard, GuardedAccess
from ledger.notes.keys import Ed25519NoteSigner


class NoConsents:
    async def accounts(self, consent_id: str) -> None:
        return None


def a_guard(*, strict: bool = False) -> ConsentGuard:
    trust = Trust(Ed25519NoteSigner("ledger.example", bytes(32)).vkey)
    bank = LedgerClient("http://ledger.example", "bank-a", LocalSigner.generate("bank-a-1"), trust)
    return ConsentGuard(bank, Directory(bank), NoConsents(), strict=strict)


def application(*, strict: bool = False) -> FastAPI:
    guard = a_guard(strict=strict)
    may_read = Depends(guard("ReadBalances", account="account"))
    app = FastAPI(telemetry=None)
    routes = APIRouter()

    @routes.get("/accounts/{account}/balances", responses={429: {"description": "Ours."}})
    async def balances(account: str, access: GuardedAccess = may_read) -> dict[str, str]:
        return {"account": access.account}

    @app.get("/branches")
    async def branches() -> list[str]:
        return []

    app.include_router(routes, prefix="/v1")
    guard.install(app)
    return app


def operation(document: dict[str, Any], path: str = "/v1/accounts/{account}/balances") -> dict[str, Any]:
    return cast("dict[str, Any]", document["paths"][path]["get"])


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    with TestClient(application()) as http:
        first: dict[str, Any] = http.get("/openapi.json").json()
        assert http.get("/openapi.json").json() == first
        return first


def test_a_guarded_route_says_which_headers_it_takes_and_for_what(document: dict[str, Any]) -> None:
    told = {each["name"]: each for each in operation(document)["parameters"] if each["in"] == "header"}
    assert set(told) == {"Consent-Statement", "Consent-Receipt"}
    for header in told.values():
        assert header["required"] is False
        assert "ReadBalances" in header["description"]


def test_it_says_how_it_refuses_with_every_reason(document: dict[str, Any]) -> None:
    answers = operation(document)["responses"]
    for reason, kind in REFUSALS.items():
        said = answers[str(kind.status)]
        assert said["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ConsentRefusal"}
        assert kind.status == 429 or reason in said["description"]
    assert answers["429"]["description"] == "Ours.", "what the bank has written itself stays"
    refusal = document["components"]["schemas"]["ConsentRefusal"]
    assert set(refusal["required"]) == {"type", "title", "status", "detail", "reason"}


def test_it_says_that_the_receipt_comes_with_the_answer(document: dict[str, Any]) -> None:
    assert "Consent-Receipt" in operation(document)["responses"]["200"]["headers"]


def test_refusals_have_the_documented_shape(document: dict[str, Any]) -> None:
    with TestClient(application()) as http:
        answer = http.get("/v1/accounts/some/balances")
    assert (answer.status_code, answer.json()["reason"]) == (401, "HEADER_MISSING")
    described = document["components"]["schemas"]["ConsentRefusal"]
    assert set(answer.json()) == set(described["properties"])


def test_a_route_without_a_guard_is_described_as_before(document: dict[str, Any]) -> None:
    assert set(operation(document, "/branches")["responses"]) == {"200"}
    assert "parameters" not in operation(document, "/branches")


def test_a_strict_guard_takes_receipts_only() -> None:
    headers = [
        each["name"] for each in operation(application(strict=True).openapi())["parameters"] if each["in"] == "header"
    ]
    assert headers == ["Consent-Receipt"]


def test_an_application_that_describes_nothing_is_guarded_all_the_same() -> None:
    app = Starlette()
    a_guard().install(app)
    assert not hasattr(app, "openapi")
