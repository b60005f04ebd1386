"""Consents 2.2.0, 3.0.1 and 3.3.1, side by side: one consent, worded as each version has it.

Where the folder of official files holds a version, answers are held against its document.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api.office.gateway import delegate
from api.standards.brazil.answers import brazil_time
from api.standards.brazil.versions import VERSIONS, BrazilVersion
from api.standards.words import words
from tests.conformance import files
from tests.standards.kit import GATEWAY, Stage, stage
from tests.standards.served import HOLDERS_MORE
from tests.standards.validation import answer_of, conforms
from tests.standards.versions import SERVED, TITLES, is_titled, read
from tests.world import DAY

USER = {"document": {"identification": "11111111111", "rel": "CPF"}}
BALANCES = ["ACCOUNTS_READ", "ACCOUNTS_BALANCES_READ", "RESOURCES_READ"]
NEVER = "2300-01-01T00:00:00Z"
BY_NUMBER = {one.number: one for one in VERSIONS}
V2, V301, V331 = (BY_NUMBER[one] for one in ("2.2.0", "3.0.1", "3.3.1"))

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("brazil-versions")
    with stage(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state") as running:
        delegate(running.service.node.ledger, "bank-a", GATEWAY, HOLDERS_MORE)
        yield running


def document_of(version: BrazilVersion) -> dict[str, Any] | None:
    """The official document of a version, where the folder has it."""
    found = files("standards/**/*.y*ml", shape=lambda path: is_titled(path, TITLES["consents-"]))
    documents = [read(path) for path in found]
    return next((one for one in documents if one["info"]["version"] == version.number), None)


def ask(
    played: Stage, version: BrazilVersion, method: str, path: str = "", body: Any = None, **headers: str
) -> httpx2.Response:
    sent = {"x-fapi-interaction-id": str(uuid.uuid4()), "x-v": version.number} | headers
    extra: dict[str, Any] = {} if body is None else {"json": body}
    answer = played.call(method, f"{version.base}/consents{path}", headers=sent, **extra)
    assert answer.headers["x-v"] == version.number
    return answer


def said(version: BrazilVersion, answer: httpx2.Response, method: str, path: str = "/{consentId}") -> dict[str, Any]:
    """The answer, valid by the version's own document, if that has the operation."""
    told: dict[str, Any] = answer.json()
    document = document_of(version)
    schema = None if document is None else answer_of(document, method, f"/consents{path}", answer.status_code)
    if document is not None and schema is not None:
        conforms(told, document, schema)
    assert ("totalRecords" in told["meta"]) == version.totals or path.endswith("extensions")
    return told


def test_the_documents_at_hand_have_the_operations_that_answers_are_held_against() -> None:
    """Else nothing would be held against anything."""
    for document in filter(None, map(document_of, VERSIONS)):
        assert answer_of(document, "post", "/consents", 201)
        assert answer_of(document, "get", "/consents/{consentId}", 200)


def wanted(end: str | None = None, **members: Any) -> dict[str, Any]:
    data = {"loggedUser": USER, "permissions": BALANCES} | members
    return {"data": data | ({"expirationDateTime": end} if end else {})}


def soon(played: Stage, days: int) -> str:
    return brazil_time(played.world.clock.now() // 1000 + days * DAY)


def test_the_versions_of_the_page_are_the_served_ones() -> None:
    assert words("brazil").versions == [one.number for one in VERSIONS] == SERVED["brazil"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda one: one.number)
def test_a_consent_lives_and_ends_in_the_words_of_its_version(played: Stage, version: BrazilVersion) -> None:
    made = ask(played, version, "POST", body=wanted(soon(played, 90)))
    assert made.status_code == 201, made.text
    data = said(version, made, "post", "")["data"]
    consent_id = data["consentId"]
    native = consent_id.removeprefix("urn:consent-ledger:")
    assert played.known(native).terms["standard_version"] == version.number
    assert data["status"] == "AWAITING_AUTHORISATION"
    played.authorise(native)
    for other in VERSIONS:
        shown = said(other, ask(played, other, "GET", f"/{consent_id}"), "get")["data"]
        assert (shown["status"], shown["permissions"]) == ("AUTHORISED", BALANCES)
    customer = {"x-fapi-customer-ip-address": "192.0.2.7", "x-customer-user-agent": "Browser"}
    longer = {"data": {"loggedUser": USER, "expirationDateTime": soon(played, 120), "permissions": BALANCES}}
    renewed = ask(played, version, "POST", f"/{consent_id}/extends", longer, **customer)
    assert renewed.status_code == 201, renewed.text
    for other in VERSIONS:
        answer = ask(played, other, "GET", f"/{consent_id}/{other.renewals}")
        listed = said(other, answer, "get", f"/{{consentId}}/{other.renewals}")["data"]
        assert [one["expirationDateTime"] for one in listed] == [longer["data"]["expirationDateTime"]]
        assert ("xFapiCustomerIpAddress" in listed[0]) == other.pages
    assert ask(played, version, "DELETE", f"/{consent_id}").status_code == 204
    for other in VERSIONS:
        ended = said(other, ask(played, other, "GET", f"/{consent_id}"), "get")["data"]
        assert (ended["status"], ended["rejection"]["reason"]["code"]) == ("REJECTED", "CUSTOMER_MANUALLY_REVOKED")
    again = ask(played, version, "DELETE", f"/{consent_id}")
    assert again.status_code == (422 if version.refusals.get("delete") else 400)
    assert again.json()["errors"][0]["code"] == "CONSENTIMENTO_EM_STATUS_REJEITADO"


def test_an_open_end_is_a_date_of_its_own_in_2_2_and_left_out_in_3(played: Stage) -> None:
    assert ask(played, V2, "POST", body=wanted()).status_code == 400
    made = said(V2, ask(played, V2, "POST", body=wanted(NEVER)), "post", "")["data"]
    assert made["expirationDateTime"] == NEVER
    assert played.known(made["consentId"].removeprefix("urn:consent-ledger:")).terms["expires_at"] == 0
    for version in (V301, V331):
        shown = ask(played, version, "GET", f"/{made['consentId']}").json()["data"]
        assert "expirationDateTime" not in shown


def test_a_permission_that_a_version_does_not_have_is_refused_and_not_shown(played: Stage) -> None:
    exchanges = ["EXCHANGES_READ", *BALANCES]
    assert ask(played, V2, "POST", body=wanted(NEVER, permissions=exchanges)).status_code == 400
    made = ask(played, V331, "POST", body=wanted(permissions=exchanges)).json()["data"]
    assert made["permissions"] == exchanges
    shown = said(V2, ask(played, V2, "GET", f"/{made['consentId']}"), "get")["data"]
    assert shown["permissions"] == BALANCES


@pytest.mark.parametrize("version", VERSIONS, ids=lambda one: one.number)
def test_a_code_that_a_version_does_not_know_is_no_422_of_it(played: Stage, version: BrazilVersion) -> None:
    past = ask(played, version, "POST", body=wanted("2020-01-01T00:00:00Z"))
    assert past.json()["errors"][0]["code"] == "DATA_EXPIRACAO_INVALIDA"
    assert past.status_code == (422 if "DATA_EXPIRACAO_INVALIDA" in version.refusals["create"] else 400)
    half = ask(played, version, "POST", body=wanted(NEVER, permissions=["ACCOUNTS_READ", "RESOURCES_READ"]))
    assert (half.status_code, half.json()["errors"][0]["code"]) == (422, "COMBINACAO_PERMISSOES_INCORRETA")


def test_2_2_does_not_demand_an_interaction_id_but_for_renewals(played: Stage) -> None:
    address = f"{V2.base}/consents"
    made = played.call("POST", address, json=wanted(NEVER))
    assert made.status_code == 201, made.text
    assert uuid.UUID(made.headers["x-fapi-interaction-id"])
    consent = made.json()["data"]["consentId"]
    assert played.call("GET", f"{address}/{consent}").status_code == 200
    assert played.call("GET", f"{address}/{consent}/extends").status_code == 400
    assert played.call("GET", f"{V331.base}/consents/{consent}").status_code == 400
    bad = played.call("GET", f"{address}/{consent}", headers={"x-fapi-interaction-id": "7"})
    assert bad.status_code == 400


def test_the_newest_version_of_an_address_answers_unless_another_is_named(played: Stage) -> None:
    for path, named, expected in (
        (V331.base, None, "3.3.1"),
        (V331.base, "3.0.1", "3.0.1"),
        (V331.base, "2.2.0", "3.3.1"),
        (V331.base, "9", "3.3.1"),
        (V2.base, None, "2.2.0"),
        (V2.base, "3.3.1", "2.2.0"),
    ):
        headers = {"x-fapi-interaction-id": str(uuid.uuid4())} | ({"x-v": named} if named else {})
        answer = played.call("GET", f"{path}/consents/urn:bank:1", headers=headers)
        assert answer.headers["x-v"] == expected, (path, named)
