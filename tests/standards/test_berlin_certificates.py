"""A client of Berlin Group's that brings no token: its certificate says who it is, where the bank has decided so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api.office.configuration import HolderOptions
from ledger.documents import KeyRevoked, document_of, key_added
from tests.keys import KeyPair
from tests.standards.berlin import PATH, asked, call, create, refusal
from tests.standards.certificates import certificate, told
from tests.standards.kit import Stage, conforms, official, stage
from tests.standards.walk import SECRET

pytestmark = pytest.mark.conformance
QWAC = {"ORGANIZATION_IDENTIFIER": "PSDDE-BAFIN-123456", "ORGANIZATION_NAME": "App GmbH", "COUNTRY_NAME": "DE"}
DECIDED = {"berlin_identification": "certificate", "berlin_approach": "oauth"}
FILE = "**/psd2-api*.yaml"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Bank A takes certificates alone, and OAuth from who speaks it; bank B takes tokens only."""
    folder = tmp_path_factory.mktemp("certificates")
    secret = folder / "proxy.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with stage(
        f"sqlite:///{folder / 'ledger.sqlite'}",
        folder / "state",
        holders={"bank-a": HolderOptions(options=DECIDED)},
        client_certificate_header="Client-Cert",
        proxy_secret_file=secret,
    ) as running:
        yield running


def registered(played: Stage, owner: str, kid: str) -> KeyPair:
    key = KeyPair.generate("ES256", kid)
    played.service.node.ledger.record_documents(key_added(owner, kid, "ES256", "client", key.jwk))
    return key


@pytest.fixture(scope="module")
def shown(played: Stage) -> dict[str, str]:
    """What the proxy tells of tpp-1's connection."""
    return told(certificate(registered(played, "tpp-1", "qwac-1"), **QWAC))


def plain(
    played: Stage, method: str, path: str, headers: dict[str, str], holder: str = "bank-a", **more: Any
) -> httpx2.Response:
    """A request without a token."""
    said = {"x-request-id": "99391c7e-ad88-49ec-a2ad-99ddcb1f7721", "psu-ip-address": "192.168.8.78"} | headers
    return played.service.http.request(method, f"/holders/{holder}{path}", headers=said, **more)


def test_a_consent_lives_its_whole_life_by_a_certificate_alone(played: Stage, shown: dict[str, str]) -> None:
    answer = plain(played, "POST", PATH, shown, json=asked())
    assert answer.status_code == 201, answer.text
    conforms(official(FILE), "consentsResponse-201", answer.json())
    made, one = answer.json(), f"{PATH}/{answer.json()['consentId']}"
    assert "scaRedirect" in made["_links"], "who brings no token speaks no OAuth"
    assert "scaOAuth" in create(played)["_links"]
    [authorisation] = plain(played, "GET", f"{one}/authorisations", shown).json()["authorisationIds"]
    assert plain(played, "GET", f"{one}/authorisations/{authorisation}", shown).json() == {"scaStatus": "received"}
    consent = played.authorise(made["consentId"])
    assert played.access(consent).outcome.decision == "allow"  # type: ignore[union-attr]
    assert plain(played, "GET", f"{one}/status", shown).json() == {"consentStatus": "valid"}
    assert call(played, "GET", one).json() == plain(played, "GET", one, shown).json(), "as with a token"
    assert plain(played, "DELETE", one, shown).status_code == 204
    assert played.access(consent).outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]


def test_openfinance_2_takes_it_too(played: Stage, shown: dict[str, str]) -> None:
    body = {
        "access": {"payments": [{"rights": ["accountDetails", "balances"]}]},
        "consentType": "aspspManaged",
        "recurringIndicator": False,
        "validTo": "9999-12-31",
        "frequencyPerDay": 1,
    }
    made = plain(played, "POST", "/v2/consents/account-access", shown, json=body)
    assert made.status_code == 201, made.text


def test_each_fault_of_a_certificate_has_the_standards_own_code(played: Stage, shown: dict[str, str]) -> None:
    fresh = registered(played, "tpp-2", "qwac-2")
    revoked = registered(played, "tpp-2", "qwac-3")
    ledger = played.service.node.ledger
    ledger.record_documents(document_of(KeyRevoked, participant="tpp-2", kid="qwac-3", reason="lost"))
    before = played.recorded
    for headers, code in (
        ({}, "CERTIFICATE_MISSING"),
        ({"client-cert": "", "proxy-secret": SECRET}, "CERTIFICATE_MISSING"),
        (shown | {"proxy-secret": "guessed"}, "CERTIFICATE_INVALID"),
        ({"client-cert": shown["client-cert"]}, "CERTIFICATE_INVALID"),
        (shown | {"client-cert": "-----BEGIN"}, "CERTIFICATE_INVALID"),
        (told(certificate(KeyPair.generate("ES256"), **QWAC)), "CERTIFICATE_INVALID"),
        (told(certificate(fresh, days=-1, **QWAC)), "CERTIFICATE_EXPIRED"),
        (told(certificate(revoked, **QWAC)), "CERTIFICATE_REVOKE"),
    ):
        assert refusal(plain(played, "POST", PATH, headers, json=asked()))[:2] == (401, code), code
        assert refusal(plain(played, "GET", f"{PATH}/x", headers))[:2] == (401, code), code
    assert played.recorded == before


def test_the_consent_of_another_recipient_is_as_one_that_does_not_exist(played: Stage, shown: dict[str, str]) -> None:
    foreign = create(played, recipient="tpp-2")["consentId"]
    for method, below in (("GET", ""), ("GET", "/status"), ("DELETE", ""), ("GET", "/authorisations")):
        answer = plain(played, method, f"{PATH}/{foreign}{below}", shown)
        assert refusal(answer)[:2] == (403, "CONSENT_UNKNOWN"), method + below


def test_a_bank_that_has_not_decided_so_wants_a_token(played: Stage, shown: dict[str, str]) -> None:
    answer = plain(played, "POST", PATH, shown, holder="bank-b", json=asked())
    assert refusal(answer)[:2] == (401, "TOKEN_INVALID")
    assert plain(played, "GET", f"{PATH}/x/status", shown, holder="nobody").status_code == 401


def test_a_token_is_judged_by_itself_whatever_certificate_is_beside_it(played: Stage, shown: dict[str, str]) -> None:
    answer = plain(played, "POST", PATH, shown | {"authorization": "Bearer x"}, json=asked())
    assert refusal(answer)[:2] == (401, "TOKEN_INVALID")


def test_a_certificate_opens_nothing_but_these_consents(played: Stage, shown: dict[str, str]) -> None:
    for path in ("/consents", "/receipts/0", "/events/deliveries"):
        assert played.service.http.get(path, headers=shown).status_code == 401, path
    uk = played.service.http.get("/holders/bank-a/open-banking/v4.0/aisp/account-access-consents/x", headers=shown)
    assert uk.status_code == 401


def test_a_bank_is_no_recipient_whatever_certificate_it_has(played: Stage) -> None:
    own = told(certificate(registered(played, "bank-b", "qwac-4"), **QWAC))
    assert refusal(plain(played, "POST", PATH, own, json=asked()))[:2] == (403, "SERVICE_BLOCKED")
