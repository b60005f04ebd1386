"""openFinance 2: consents on account access, as rights by kind of account; and the same consent in version 1.3."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from api.standards.berlin.rights import KINDS, RIGHTS
from ledger.catalogue import LATEST
from tests.standards.berlin import IBAN, NEXT_YEAR, succeed
from tests.standards.berlin import call as call_1
from tests.standards.berlin import create as create_1
from tests.standards.kit import Stage
from tests.standards.served import REDIRECT

PATH = "/v2/consents/account-access"
ASKED: dict[str, Any] = {
    "access": {"payments": [{"account": IBAN | {"currency": "EUR"}, "rights": ["balances", "transactions"]}]},
    "consentType": "detailed",
    "recurringIndicator": True,
    "validTo": NEXT_YEAR,
    "frequencyPerDay": 4,
}


def call(played: Stage, method: str, path: str, **kwargs: Any) -> httpx2.Response:
    headers = {"x-request-id": str(uuid.uuid4()), "psu-ip-address": "192.168.8.78"} | kwargs.pop("headers", {})
    return played.call(method, PATH + path, headers=headers, **kwargs)


def create(played: Stage, **kwargs: Any) -> dict[str, Any]:
    change = {name: kwargs.pop(name) for name in list(kwargs) if name in ASKED}
    answer = call(played, "POST", "", json=ASKED | change, **kwargs)
    assert answer.status_code == 201, answer.text
    assert answer.headers["aspsp-sca-approach"] == "REDIRECT"
    return dict(answer.json())


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None]:
    [message] = answer.json()["tppMessages"]
    return answer.status_code, message["code"], message.get("path")


def test_a_consent_lives_its_life_in_version_2(played_on_each_engine: Stage) -> None:
    played = played_on_each_engine
    made = create(played)
    consent_id = made["consentId"]
    assert made["consentStatus"] == "received"
    assert made["_links"]["self"]["href"] == f"/holders/bank-a{PATH}/{consent_id}"
    assert len(consent_id) <= 70
    consent = played.authorise(consent_id)
    shown = call(played, "GET", f"/{consent_id}").json()
    same = {name: ASKED[name] for name in ("access", "consentType", "recurringIndicator", "validTo", "frequencyPerDay")}
    assert {name: shown[name] for name in same} == same
    assert shown["consentStatus"] == "valid"
    assert played.access(consent).outcome.decision == "allow"  # type: ignore[union-attr]
    assert call(played, "DELETE", f"/{consent_id}").status_code == 204
    assert call(played, "GET", f"/{consent_id}/status").json() == {"consentStatus": "terminatedByTpp"}
    assert played.access(consent).outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]
    assert refusal(call(played, "DELETE", f"/{consent_id}"))[0] == 401


def test_a_consent_of_one_version_is_shown_in_the_other(played: Stage) -> None:
    two = create(played, access={"payments": [{"account": IBAN, "rights": ["ais", "ownerName"]}]})["consentId"]
    one = create_1(played)["consentId"]
    seen = call_1(played, "GET", f"/v1/consents/{two}").json()
    assert set(seen["access"]) == {"accounts", "balances", "transactions", "additionalInformation"}
    assert (seen["validUntil"], seen["consentStatus"]) == (NEXT_YEAR, "received")
    told = call(played, "GET", f"/{one}").json()
    assert set(told["access"]["payments"][0]["rights"]) == {"accountDetails", "balances", "transactions"}
    assert (told["consentType"], told["validTo"]) == ("aspspManaged", NEXT_YEAR)


def test_a_newer_recurring_consent_replaces_the_former_one(played_on_each_engine: Stage) -> None:
    played = played_on_each_engine
    former = create(played)["consentId"]
    known = played.authorise(former)
    later = create(played)["consentId"]
    played.authorise(later, subject=known.subject, customer=known.customer)
    succeed(played)
    assert call(played, "GET", f"/{former}/status").json() == {"consentStatus": "replacedByTpp"}
    assert call_1(played, "GET", f"/v1/consents/{former}/status").json() == {"consentStatus": "expired"}


def test_an_authorisation_is_started_followed_and_leads_back_to_the_clients_own_address(played: Stage) -> None:
    ways = {"client-redirect-uri": REDIRECT, "client-explicit-authorisation-preferred": "true"}
    made = create(played, headers=ways)
    consent_id = made["consentId"]
    assert set(made["_links"]) == {"self", "startAuthorisation", "status"}
    started = call(played, "POST", f"/{consent_id}/authorisations", json={}, headers=ways).json()
    identifier = started["authorisationId"]
    assert started["_links"]["scaStatus"]["href"] == f"/holders/bank-a{PATH}/{consent_id}/authorisations/{identifier}"
    sent = played.service.http.get(started["_links"]["scaRedirect"]["href"])
    assert sent.status_code == 303
    assert parse_qs(urlsplit(sent.headers["location"]).query)["consent"] == [consent_id]
    assert call(played, "GET", f"/{consent_id}/authorisations").json() == {"authorisationIds": [identifier]}
    place = f"/{consent_id}/authorisations/{identifier}"
    assert call(played, "GET", place).json() == {"scaStatus": "received"}
    assert call(played, "PUT", place, json={}).status_code == 200
    played.authorise(consent_id)
    assert call(played, "GET", place).json() == {"scaStatus": "finalised"}


def test_addresses_are_named_by_the_headers_of_the_version(played: Stage) -> None:
    """`TPP-Redirect-URI` means nothing in version 2, `Client-Redirect-URI` nothing in version 1.3."""
    stranger = "https://thief.example/back"
    assert refusal(call(played, "POST", "", json=ASKED, headers={"client-redirect-uri": stranger})) == (
        400,
        "FORMAT_ERROR",
        "client-redirect-uri",
    )
    create(played, headers={"tpp-redirect-uri": stranger})
    create_1(played, headers={"client-redirect-uri": stranger})
    nok = {"client-nok-redirect-uri": REDIRECT}
    assert refusal(call(played, "POST", "", json=ASKED, headers=nok))[1] == "PARAMETER_NOT_CONSISTENT"


OPEN = {"payments": [{"rights": ["accountDetails"]}]}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no type": ({"consentType": "all"}, "FORMAT_ERROR", "consentType"),
    "no access": ({"access": {}}, "FORMAT_ERROR", "access"),
    "an unknown kind": ({"access": {"pensions": []}}, "FORMAT_ERROR", "access"),
    "no entry": ({"access": {"payments": []}}, "FORMAT_ERROR", "access.payments"),
    "no right": (
        {"access": {"payments": [{"account": IBAN, "rights": []}]}},
        "FORMAT_ERROR",
        "access.payments[0].rights",
    ),
    "a right that is not given": (
        {"access": {"payments": [{"account": IBAN, "rights": ["initiatePayments"]}]}},
        "PARAMETER_NOT_SUPPORTED",
        "access.payments[0].rights",
    ),
    "a right of another kind": (
        {"access": {"loans": [{"account": IBAN, "rights": ["ownerName"]}]}},
        "PARAMETER_NOT_SUPPORTED",
        "access.loans[0].rights",
    ),
    "an account too many": ({"consentType": "global"}, "PARAMETER_NOT_CONSISTENT", "access.payments[0]"),
    "an account too few": ({"access": OPEN}, "PARAMETER_NOT_CONSISTENT", "access.payments[0]"),
    "no account": (
        {"access": {"payments": [{"account": {"iban": "?"}, "rights": ["balances"]}]}},
        "FORMAT_ERROR",
        "access.payments[0].account.iban",
    ),
    "transactions of a list": (
        {"consentType": "accountList", "access": {"payments": [{"rights": ["transactions"]}]}},
        "PARAMETER_NOT_CONSISTENT",
        "access.payments[0].rights",
    ),
    "a day that is past": ({"validTo": "2020-01-01"}, "PERIOD_INVALID", "validTo"),
    "no day": ({"validTo": "soon"}, "FORMAT_ERROR", "validTo"),
    "once, often": ({"recurringIndicator": False}, "PARAMETER_NOT_CONSISTENT", "frequencyPerDay"),
    "never": ({"frequencyPerDay": 0}, "FORMAT_ERROR", "frequencyPerDay"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_is_not_good_is_refused_by_name_and_recorded_nowhere(played: Stage, name: str) -> None:
    change, code, path = BAD[name]
    before = played.recorded
    assert refusal(call(played, "POST", "", json=ASKED | change)) == (400, code, path)
    assert played.recorded == before


@pytest.mark.parametrize("member", ["access", "consentType", "recurringIndicator", "validTo", "frequencyPerDay"])
def test_each_member_is_needed(played: Stage, member: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != member}
    assert refusal(call(played, "POST", "", json=body)) == (400, "FORMAT_ERROR", member)


@pytest.mark.parametrize("consent_type", ["global", "aspspManaged", "accountList"])
def test_accounts_may_be_left_to_the_customer(played: Stage, consent_type: str) -> None:
    made = create(played, consentType=consent_type, access={kind: [{"rights": ["accountDetails"]}] for kind in KINDS})
    assert call(played, "GET", f"/{made['consentId']}").json()["consentType"] == consent_type


def test_a_right_leads_to_data_that_may_be_shared() -> None:
    assert {name.partition(".")[0] for name in RIGHTS} == set(KINDS)
    for codes in RIGHTS.values():
        grade = LATEST.highest_grade(codes)
        assert grade is not None
        assert grade <= LATEST.max_grade
