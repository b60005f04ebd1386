"""Open Finance Brasil: every answer valid by the official document, every rule of its text with its own code."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.office.office import Change
from api.standards.brazil.answers import CONFIRM_SECONDS, brazil_time, rejection_of, status_of
from api.standards.brazil.permissions import BUSINESS, GROUPINGS, MEANING, codes_of, is_whole, meaning_of
from api.standards.brazil.requests import parse_time
from api.standards.dialects import DialectRefusal
from api.standards.words import words
from ledger.catalogue import CATALOGUES
from ledger.consent.state import Status
from tests.api.service import Service, TokenClient
from tests.standards.served import authorise, bank_and_app, found, official, served
from tests.standards.validation import conforms
from tests.world import DAY

PATTERN = "standards/brazil-of/consents-*.yml"
WHERE = "/holders/bank-a/open-banking/consents/v3/consents"
USER = {"document": {"identification": "11111111111", "rel": "CPF"}}
COMPANY = {"document": {"identification": "11111111111111", "rel": "CNPJ"}}
BALANCES = ["ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ", "RESOURCES_READ"]
CUSTOMER = {"x-fapi-customer-ip-address": "192.0.2.7", "x-customer-user-agent": "Browser"}


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(sqlite_url, tmp_path / "state") as running:
        yield running


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return official(PATTERN, "Open Finance Brasil")


def _ask(client: TokenClient, method: str, path: str = "", body: Any = None, **headers: str) -> httpx2.Response:
    sent = {"x-fapi-interaction-id": str(uuid.uuid4())} | headers
    extra: dict[str, Any] = {} if body is None else {"json": body}
    answer = client.request(method, WHERE + path, headers=sent, **extra)
    if "x-fapi-interaction-id" in headers or answer.status_code < 400:
        assert answer.headers["x-fapi-interaction-id"] == sent["x-fapi-interaction-id"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer.headers["x-v"])
    return answer


def _body(**data: Any) -> dict[str, Any]:
    said = {"loggedUser": USER, "permissions": BALANCES} | data
    return {"data": {name: value for name, value in said.items() if value is not None}}


def _created(client: TokenClient, **data: Any) -> tuple[str, dict[str, Any]]:
    answer = _ask(client, "POST", body=_body(**data))
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["consentId"], answer.json()


def _native(outward: str) -> str:
    return outward.removeprefix("urn:consent-ledger:")


def _soon(service: Service, days: int) -> str:
    return brazil_time(service.world.clock.now() // 1000 + days * DAY)


@pytest.mark.conformance
def test_a_consent_is_asked_for_shown_and_ended_as_the_document_says(
    service: Service, document: dict[str, Any]
) -> None:
    bank, app = bank_and_app(service)
    client = service.as_(app)
    outward, created = _created(client, expirationDateTime=_soon(service, 90))
    conforms(created, document, "#/components/schemas/ResponseConsent")
    assert created["data"]["permissions"] == BALANCES
    assert created["data"]["status"] == "AWAITING_AUTHORISATION"
    assert created["links"]["self"].endswith(f"{WHERE}/{outward}")
    authorise(service, bank, _native(outward))
    for status, step in (("AUTHORISED", None), ("REJECTED", "delete")):
        if step:
            assert _ask(client, "DELETE", f"/{outward}").status_code == 204
        read = _ask(client, "GET", f"/{outward}").json()
        conforms(read, document, "#/components/schemas/ResponseConsentRead")
        assert read["data"]["status"] == status
    assert read["data"]["rejection"] == {"rejectedBy": "USER", "reason": {"code": "CUSTOMER_MANUALLY_REVOKED"}}
    again = _ask(client, "DELETE", f"/{outward}")
    assert again.status_code == 422
    conforms(again.json(), document, "#/components/schemas/ResponseErrorUnprocessableEntityDelete")
    service.node.ledger.records.history("tpp-1", _native(outward))


@pytest.mark.conformance
def test_every_grouping_of_the_official_table_is_known_and_no_code_is_left_out(document: dict[str, Any]) -> None:
    table = document["info"]["description"]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_READ\b", table))
    assert named == set(MEANING)
    schema = document["components"]["schemas"]["CreateConsent"]["properties"]["data"]["properties"]["permissions"]
    assert set(schema["items"]["enum"]) == set(MEANING)
    # A line that runs under the columns of group and permission ends a grouping.
    blocks = re.split(r"\|-{20,}\|-{20,}\|-{20,}\|-{20,}\|", table)
    official_groups = {frozenset(re.findall(r"\b[A-Z_]+_READ\b", block)) - {"RESOURCES_READ"} for block in blocks[2:]}
    assert official_groups - {frozenset()} == set(GROUPINGS)


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no permissions": ({"permissions": []}, 400, ""),
    "no user": ({"loggedUser": None}, 400, ""),
    "a code nobody knows": ({"permissions": ["MINDS_READ"]}, 400, ""),
    "a CPF of ten digits": ({"loggedUser": {"document": {"identification": "1" * 10, "rel": "CPF"}}}, 400, ""),
    "a date that is none": ({"expirationDateTime": "2031-02-31T00:00:00Z"}, 400, ""),
    "a date with an offset": ({"expirationDateTime": "2031-02-01T00:00:00+00:00"}, 400, ""),
    "half a grouping": ({"permissions": ["ACCOUNTS_READ", "RESOURCES_READ"]}, 422, "COMBINACAO_PERMISSOES_INCORRETA"),
    "a grouping without resources": ({"permissions": BALANCES[:2]}, 422, "COMBINACAO_PERMISSOES_INCORRETA"),
    "resources alone": ({"permissions": ["RESOURCES_READ"]}, 422, "SEM_PERMISSOES_FUNCIONAIS_RESTANTES"),
    "in the past": ({"expirationDateTime": "2021-05-21T08:30:00Z"}, 422, "DATA_EXPIRACAO_INVALIDA"),
    "a person and a business": (
        {"permissions": sorted({"CUSTOMERS_PERSONAL_IDENTIFICATIONS_READ", "RESOURCES_READ"} | BUSINESS)},
        422,
        "PERMISSAO_PF_PJ_EM_CONJUNTO",
    ),
    "a business that is not named": (
        {"permissions": ["CUSTOMERS_BUSINESS_IDENTIFICATIONS_READ", "RESOURCES_READ"]},
        422,
        "INFORMACOES_PJ_NAO_INFORMADAS",
    ),
    "a business, and permissions of a person": (
        {"permissions": ["CUSTOMERS_PERSONAL_IDENTIFICATIONS_READ", "RESOURCES_READ"], "businessEntity": COMPANY},
        422,
        "PERMISSOES_PJ_INCORRETAS",
    ),
}


@pytest.mark.conformance
def test_a_refusal_by_the_rules_has_their_own_code(service: Service, document: dict[str, Any]) -> None:
    _, app = bank_and_app(service)
    client = service.as_(app)
    size = service.size
    for kind, (data, status, code) in REFUSED.items():
        answer = _ask(client, "POST", body=_body(**data))
        assert answer.status_code == status, (kind, answer.text)
        schema = "ResponseErrorUnprocessableEntity" if status == 422 else "ResponseError"
        conforms(answer.json(), document, f"#/components/schemas/{schema}")
        if code:
            assert [error["code"] for error in answer.json()["errors"]] == [code], kind
        assert "11111111111" not in answer.text
    assert service.size == size


@pytest.mark.conformance
def test_a_renewal_changes_the_end_at_once_and_is_listed(service: Service, document: dict[str, Any]) -> None:
    bank, app = bank_and_app(service)
    client = service.as_(app)
    outward, _ = _created(client, expirationDateTime=_soon(service, 30))
    path = f"/{outward}"
    body = {"data": {"loggedUser": USER, "expirationDateTime": _soon(service, 90)}}
    early = _ask(client, "POST", path + "/extends", body, **CUSTOMER)
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "ESTADO_CONSENTIMENTO_INVALIDO")
    conforms(early.json(), document, "#/components/schemas/422ResponseErrorCreateConsent")
    authorise(service, bank, _native(outward))
    renewed = _ask(client, "POST", path + "/extends", body, **CUSTOMER)
    assert renewed.status_code == 201, renewed.text
    conforms(renewed.json(), document, "#/components/schemas/ResponseConsentExtensions")
    assert renewed.json()["data"]["expirationDateTime"] == body["data"]["expirationDateTime"]
    assert renewed.json()["data"]["permissions"] == BALANCES
    state = service.node.ledger.records.consent(app.id, _native(outward))
    assert (state.version, state.status.value, state.pending) == (2, "ACTIVE", None)
    assert set(state.separate) == {"provision", "sensitive"}
    for when in (_soon(service, 60), "2021-05-21T08:30:00Z"):
        answer = _ask(
            client, "POST", path + "/extends", {"data": {"loggedUser": USER, "expirationDateTime": when}}, **CUSTOMER
        )
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "DATA_EXPIRACAO_INVALIDA")
    other = {"document": {"identification": "22222222222", "rel": "CPF"}}
    assert _ask(client, "POST", path + "/extends", {"data": {"loggedUser": other}}, **CUSTOMER).status_code == 403
    assert _ask(client, "POST", path + "/extends", {"data": {"loggedUser": USER}}).status_code == 400
    open_ended = _ask(client, "POST", path + "/extends", {"data": {"loggedUser": USER}}, **CUSTOMER)
    assert "expirationDateTime" not in open_ended.json()["data"]
    listed = _ask(client, "GET", path + "/extensions").json()
    conforms(listed, document, "#/components/schemas/ResponseConsentReadExtensions")
    assert [one.get("expirationDateTime") for one in listed["data"]] == [None, body["data"]["expirationDateTime"]]
    assert listed["data"][1]["xFapiCustomerIpAddress"] == "192.0.2.7"
    assert listed["meta"]["totalRecords"] == 2


def test_another_recipient_and_another_holder_find_nothing(service: Service) -> None:
    _, app = bank_and_app(service)
    stranger, other = service.world.recipient("tpp-2"), service.world.holder("bank-b")
    outward, _ = _created(service.as_(app))
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/extensions")):
        assert _ask(service.as_(stranger), method, f"/{outward}{path}").status_code == 404
    elsewhere = WHERE.replace("bank-a", other.id)
    answer = service.as_(app).get(f"{elsewhere}/{outward}", headers={"x-fapi-interaction-id": str(uuid.uuid4())})
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "NOT_FOUND"


def test_without_an_interaction_id_one_is_made(service: Service) -> None:
    _, app = bank_and_app(service)
    answer = service.as_(app).request("POST", WHERE, json=_body(), headers={"x-fapi-interaction-id": "no uuid"})
    assert answer.status_code == 400
    uuid.UUID(answer.headers["x-fapi-interaction-id"])


def test_a_consent_made_natively_is_shown_in_brazils_words_and_the_other_way_round(service: Service) -> None:
    bank, app = bank_and_app(service)
    client = service.as_(app)
    native = service.world.active_consent(
        app,
        bank,
        permissions=sorted(meaning_of(BALANCES)),
        standard="brazil-of",
        standard_version="3.3.1",
        separate_consents=["provision", "sensitive"],
    )
    read = _ask(client, "GET", f"/urn:consent-ledger:{native.consent_id}").json()["data"]
    assert (read["status"], sorted(read["permissions"])) == ("AUTHORISED", sorted(BALANCES))
    outward, _ = _created(client)
    shown = client.get(f"/consents/{_native(outward)}").json()
    assert shown["terms"]["permissions"] == sorted(meaning_of(BALANCES))
    assert shown["terms"]["standard"] == "brazil-of"
    assert found(service, bank, _native(outward)).terms["recipient"] == app.id


def test_every_state_is_told_with_its_reason() -> None:
    def change(by: str, reason: str = "x") -> Change:
        return Change(act="x", by=by, reason=reason, at=0, signed_by=None)

    said = {
        (Status.REJECTED, "customer", ""): ("USER", "CUSTOMER_MANUALLY_REJECTED"),
        (Status.REJECTED, "system", "consent-expired"): ("ASPSP", "CONSENT_EXPIRED"),
        (Status.REJECTED, "recipient", "consent-expired"): ("ASPSP", "CONSENT_EXPIRED"),
        (Status.REJECTED, "holder", "x"): ("ASPSP", "CONSENT_TECHNICAL_ISSUE"),
        (Status.EXPIRED, "system", ""): ("ASPSP", "CONSENT_MAX_DATE_REACHED"),
        (Status.REVOKED, "customer", ""): ("USER", "CUSTOMER_MANUALLY_REVOKED"),
        (Status.REVOKED, "court", ""): ("ASPSP", "INTERNAL_SECURITY_REASON"),
        (Status.TERMINATED, "recipient", ""): ("TPP", "CUSTOMER_MANUALLY_REVOKED"),
        (Status.TERMINATED, "holder", ""): ("ASPSP", "INTERNAL_SECURITY_REASON"),
    }
    for (status, by, reason), (rejected_by, code) in said.items():
        assert rejection_of(status, change(by, reason)) == {"rejectedBy": rejected_by, "reason": {"code": code}}
    assert {status.value: status_of(status) for status in Status} == {
        status: told["3.3.1"] for status, told in words("brazil").states.items()
    }
    assert {status_of(status) for status in Status} == {"AWAITING_AUTHORISATION", "AUTHORISED", "REJECTED"}
    assert CONFIRM_SECONDS == 3600


def test_permissions_are_all_in_the_catalogue_and_come_back() -> None:
    assert meaning_of(MEANING) <= set(CATALOGUES[2].grades)
    for group in GROUPINGS:
        assert is_whole(group | {"RESOURCES_READ"})
        assert group <= set(codes_of(meaning_of(group)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("2021-05-21T08:30:00Z", 1621585800), ("2021-5-1T00:00:00Z", 1619827200)]
)
def test_times_are_read_as_the_pattern_allows(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2021-13-01T00:00:00Z", "2021-05-21T24:00:00Z", "2021-05-21 08:30:00Z", "٢٠٢١-05-21T08:30:00Z"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(DialectRefusal):
        parse_time(text)
