"""NextGenPSD2 consents over HTTP: accesses, days, authorisations, succession, errors, and the native view."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.documents import activation
from ledger.entries.leaf import consent_chain
from tests.standards.berlin import FILE, IBAN, NEXT_YEAR, PATH, asked, call, create, refusal, succeed
from tests.standards.kit import Stage, conforms, official
from tests.world import reference

TWO_ACCOUNTS = (reference(), reference())

pytestmark = pytest.mark.conformance


def test_a_consent_made_in_the_frameworks_words_lives_and_ends_in_the_ledger(played_on_each_engine: Stage) -> None:
    played = played_on_each_engine
    made = create(played)
    consent_id = made["consentId"]
    assert made["consentStatus"] == "received"
    reached = played.service.http.get(made["_links"]["scaRedirect"]["href"])
    assert (reached.status_code, reached.headers["location"]) == (303, f"/my/approve?consent={consent_id}")
    said = played.last_statement(consent_id)
    assert (said["iss"], said["on_behalf_of"]) == ("gateway", "tpp-1")
    status = made["_links"]["status"]["href"].removeprefix("/holders/bank-a")
    sca = made["_links"]["scaStatus"]["href"].removeprefix("/holders/bank-a")
    assert call(played, "GET", status).json() == {"consentStatus": "received"}
    assert call(played, "GET", sca).json() == {"scaStatus": "received"}

    consent = played.authorise(consent_id)
    assert call(played, "GET", status).json() == {"consentStatus": "valid"}
    assert call(played, "GET", sca).json() == {"scaStatus": "finalised"}
    assert played.access(consent, customer_present=False).outcome.decision == "allow"  # type: ignore[union-attr]
    shown = call(played, "GET", f"{PATH}/{consent_id}").json()
    conforms(official(FILE), "consentInformationResponse-200_json", shown)
    assert shown["access"] == asked()["access"]
    assert (shown["validUntil"], shown["frequencyPerDay"], shown["recurringIndicator"]) == (NEXT_YEAR, 4, True)

    played.world.record(played.banks["bank-a"].step("revoke", consent))
    assert call(played, "GET", status).json() == {"consentStatus": "revokedByPsu"}
    assert played.access(consent).outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
    assert refusal(call(played, "DELETE", f"{PATH}/{consent_id}")) == (401, "CONSENT_INVALID", "consentId")


def test_deleting_is_told_as_the_recipients_end(played: Stage) -> None:
    consent_id = create(played)["consentId"]
    consent = played.authorise(consent_id)
    assert call(played, "DELETE", f"{PATH}/{consent_id}").status_code == 204
    assert call(played, "GET", f"{PATH}/{consent_id}/status").json() == {"consentStatus": "terminatedByTpp"}
    assert played.access(consent).outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]
    uk = played.call("GET", f"/open-banking/v4.0/aisp/account-access-consents/{consent_id}")
    assert uk.json()["Errors"][0]["ErrorCode"] == "U011"


def test_a_newer_recurring_consent_ends_the_older_one_of_the_same_customer(played: Stage) -> None:
    customer = {"customer": reference(), "subject": reference()}
    older, once, other, newer = (
        create(played)["consentId"],
        create(played, asked(recurringIndicator=False, frequencyPerDay=1))["consentId"],
        create(played)["consentId"],
        create(played)["consentId"],
    )
    played.authorise(older, **customer)
    played.authorise(once, **customer)
    played.authorise(other)  # another customer's
    played.authorise(newer, **customer)
    succeed(played)
    status = {
        one: call(played, "GET", f"{PATH}/{one}/status").json()["consentStatus"] for one in (older, once, other, newer)
    }
    assert status == {older: "expired", once: "valid", other: "valid", newer: "valid"}
    said = played.last_statement(older)
    assert (said["act"], said["iss"], said["on_behalf_of"]) == ("consent.supersede", "gateway", "bank-a")
    assert said["superseded_by"] == newer
    before = played.recorded
    succeed(played)
    assert played.recorded == before


def test_the_day_of_validity_is_the_holders_day_and_counts_whole(played: Stage) -> None:
    consent_id = create(played, holder="bank-b", body=asked(validUntil="2030-07-01"))["consentId"]
    terms = played.known(consent_id, "bank-b").terms
    assert datetime.fromtimestamp(terms["expires_at"], UTC).isoformat() == "2030-07-01T22:00:00+00:00"
    assert terms["utc_offset"] in (60, 120)
    shown = call(played, "GET", f"{PATH}/{consent_id}", holder="bank-b").json()
    assert shown["validUntil"] == "2030-07-01"
    forever = create(played, asked(validUntil="9999-12-31"))["consentId"]
    assert played.known(forever).terms["expires_at"] == 0
    assert call(played, "GET", f"{PATH}/{forever}").json()["validUntil"] == "9999-12-31"


def test_frequency_is_what_the_holder_allows_at_most(played: Stage) -> None:
    consent_id = create(played, asked(frequencyPerDay=1_000_000))["consentId"]
    assert played.known(consent_id).terms["frequency_per_day"] == 4
    assert call(played, "GET", f"{PATH}/{consent_id}").json()["frequencyPerDay"] == 4


@pytest.mark.parametrize(
    ("access", "permissions"),
    [
        ({"accounts": []}, {"ReadAccountsDetail"}),
        ({"balances": [{"maskedPan": "123456xxxxxx1234"}]}, {"ReadAccountsDetail", "ReadBalances"}),
        ({"availableAccounts": "allAccountsWithOwnerName"}, {"ReadAccountsDetail", "ReadParty"}),
        ({"availableAccountsWithBalance": "allAccounts"}, {"ReadAccountsDetail", "ReadBalances"}),
        (
            {"accounts": [], "additionalInformation": {"trustedBeneficiaries": [], "ownerName": [IBAN]}},
            {"ReadAccountsDetail", "ReadParty", "ReadTrustedBeneficiaries"},
        ),
        (
            {"allPsd2": "allAccounts", "restrictedTo": ["CACC", "SVGS"]},
            {
                "ReadAccountsDetail",
                "ReadBalances",
                "ReadTransactionsCredits",
                "ReadTransactionsDebits",
                "ReadTransactionsDetail",
            },
        ),
    ],
)
def test_every_kind_of_access_becomes_permissions(played: Stage, access: Any, permissions: set[str]) -> None:
    consent_id = create(played, asked(access=access))["consentId"]
    terms = played.known(consent_id).terms
    assert set(terms["permissions"]) == permissions
    assert call(played, "GET", f"{PATH}/{consent_id}").json()["access"] == access
    if "restrictedTo" in access:
        assert list(terms["filters"]) == [{"field": "cashAccountType", "op": "in", "value": "CACC,SVGS"}]


@pytest.mark.parametrize(
    ("members", "code", "path"),
    [
        ({"access": {}}, "FORMAT_ERROR", "access"),
        ({"access": []}, "FORMAT_ERROR", "access"),
        ({"access": {"payments": []}}, "FORMAT_ERROR", "access"),
        ({"access": {"accounts": [], "allPsd2": "allAccounts"}}, "FORMAT_ERROR", "access"),
        ({"access": {"allPsd2": "everything"}}, "FORMAT_ERROR", "access.allPsd2"),
        ({"access": {"balances": [{}]}}, "FORMAT_ERROR", "access.balances[0]"),
        ({"access": {"balances": [IBAN | {"bban": "1"}]}}, "FORMAT_ERROR", "access.balances[0]"),
        ({"access": {"balances": [{"iban": "de40"}]}}, "FORMAT_ERROR", "access.balances[0].iban"),
        ({"access": {"balances": "all"}}, "FORMAT_ERROR", "access.balances"),
        (
            {"access": {"allPsd2": "allAccounts", "additionalInformation": {}}},
            "PARAMETER_NOT_CONSISTENT",
            "access.additionalInformation",
        ),
        ({"access": {"accounts": [], "restrictedTo": ["CACC"]}}, "PARAMETER_NOT_CONSISTENT", "access.restrictedTo"),
        ({"recurringIndicator": "true"}, "FORMAT_ERROR", "recurringIndicator"),
        ({"recurringIndicator": False}, "PARAMETER_NOT_CONSISTENT", "frequencyPerDay"),
        ({"frequencyPerDay": 0}, "FORMAT_ERROR", "frequencyPerDay"),
        ({"frequencyPerDay": True}, "FORMAT_ERROR", "frequencyPerDay"),
        ({"combinedServiceIndicator": True}, "SESSIONS_NOT_SUPPORTED", "combinedServiceIndicator"),
        ({"validUntil": "2020-01-01"}, "PERIOD_INVALID", "validUntil"),
        ({"validUntil": "20300101"}, "FORMAT_ERROR", "validUntil"),
        ({"validUntil": "2030-02-30"}, "FORMAT_ERROR", "validUntil"),
    ],
)
def test_a_consent_outside_the_framework_is_refused(
    played: Stage, members: dict[str, Any], code: str, path: str
) -> None:
    before = played.recorded
    assert refusal(call(played, "POST", PATH, json=asked(**members))) == (400, code, path)
    assert played.recorded == before


@pytest.mark.parametrize("member", sorted(asked()))
def test_no_member_may_be_missing(played: Stage, member: str) -> None:
    body = {name: value for name, value in asked().items() if name != member}
    assert refusal(call(played, "POST", PATH, json=body)) == (400, "FORMAT_ERROR", member)


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"x-request-id": None}, "X-Request-ID"),
        ({"x-request-id": "7"}, "X-Request-ID"),
        ({"psu-ip-address": None}, "PSU-IP-Address"),
        ({"psu-ip-address": "here"}, "PSU-IP-Address"),
        ({"psu-device-id": "mine"}, "PSU-Device-ID"),
        ({"tpp-redirect-uri": "http://tpp.example"}, "tpp-redirect-uri"),
        ({"tpp-explicit-authorisation-preferred": "yes"}, "tpp-explicit-authorisation-preferred"),
    ],
)
def test_headers_are_demanded_and_of_their_form(played: Stage, headers: dict[str, Any], path: str) -> None:
    assert refusal(call(played, "POST", PATH, json=asked(), headers=headers)) == (400, "FORMAT_ERROR", path)


def test_the_requests_id_comes_back_whatever_happens(played: Stage) -> None:
    said = {"x-request-id": str(uuid.uuid4())}
    answers = [
        call(played, "POST", PATH, json=asked(), headers=said),
        call(played, "GET", f"{PATH}/{uuid.uuid4()}", headers=said),
        call(played, "PUT", PATH, json={}, headers=said),
        call(played, "GET", "/v1/nothing", headers=said),
        call(played, "POST", PATH, json=asked(), headers=said | {"accept": "text/html"}),
        call(played, "POST", PATH, content=b"x", headers=said | {"content-type": "text/plain"}),
        played.service.http.get(f"/holders/bank-a{PATH}/x", headers=said),
    ]
    assert [answer.status_code for answer in answers] == [201, 403, 405, 404, 406, 415, 401]
    assert {answer.headers["x-request-id"] for answer in answers} == set(said.values())
    assert [refusal(answer)[1] for answer in answers if answer.status_code not in (201, 415)] == [
        "CONSENT_UNKNOWN",
        "SERVICE_INVALID",
        "RESOURCE_UNKNOWN",
        "REQUESTED_FORMATS_INVALID",
        "TOKEN_INVALID",
    ]


def test_others_consents_are_as_unknown_ones(played: Stage) -> None:
    made = create(played)
    consent_id = made["consentId"]
    authorisation = made["_links"]["scaStatus"]["href"].rpartition("/")[2]
    below = ("", "/status", "/authorisations", f"/authorisations/{authorisation}")
    answers = [
        call(played, "GET", f"{PATH}/{wanted}{path}", recipient=recipient, holder=holder)
        for path in below
        for wanted, recipient, holder in (
            (consent_id, "tpp-2", "bank-a"),
            (consent_id, "tpp-1", "bank-b"),
            (str(uuid.uuid4()), "tpp-1", "bank-a"),
        )
    ]
    answers += [
        call(played, "DELETE", f"{PATH}/{consent_id}", recipient="tpp-2"),
        call(played, "POST", f"{PATH}/{consent_id}/authorisations", recipient="tpp-2"),
        call(played, "PUT", f"{PATH}/{consent_id}/authorisations/{authorisation}", recipient="tpp-2", json={}),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(403, answers[0].content)}
    assert call(played, "GET", f"{PATH}/{consent_id}/status").json() == {"consentStatus": "received"}


def test_authorisations_are_started_listed_and_told_apart(played: Stage) -> None:
    document = official(FILE)
    made = create(played, headers={"tpp-explicit-authorisation-preferred": "true"})
    consent_id = made["consentId"]
    path = f"{PATH}/{consent_id}/authorisations"
    assert set(made["_links"]) == {"self", "status", "startAuthorisation"}
    assert call(played, "GET", path).json() == {"authorisationIds": []}
    started = [call(played, "POST", path), call(played, "POST", path, json={})]
    for answer in started:
        assert (answer.status_code, answer.headers["aspsp-sca-approach"]) == (201, "REDIRECT")
        conforms(document, "startScaprocessResponse", answer.json())
    first, second = (answer.json()["authorisationId"] for answer in started)
    listed = call(played, "GET", path).json()
    conforms(document, "authorisations", listed)
    assert listed == {"authorisationIds": [first, second]}
    assert refusal(call(played, "PUT", f"{path}/{first}", json={"scaAuthenticationData": "123456"}))[:2] == (
        400,
        "PARAMETER_NOT_SUPPORTED",
    )
    named = call(played, "PUT", f"{path}/{first}", json={}, headers={"psu-id": "somebody"})
    assert named.status_code == 200
    conforms(document, "updatePsuIdenticationResponse", named.json())
    assert refusal(call(played, "GET", f"{path}/{uuid.uuid4()}"))[:2] == (403, "RESOURCE_UNKNOWN")
    played.authorise(consent_id)
    assert [call(played, "GET", f"{path}/{one}").json()["scaStatus"] for one in (first, second)] == [
        "finalised",
        "failed",
    ]
    assert refusal(call(played, "POST", path)) == (409, "STATUS_INVALID", "consentId")
    assert refusal(call(played, "PUT", f"{path}/{first}", json={})) == (409, "STATUS_INVALID", "authorisationId")


def test_a_native_and_a_uk_consent_are_shown_in_the_frameworks_words(played: Stage) -> None:
    uk = played.call(
        "POST",
        "/open-banking/v4.0/aisp/account-access-consents",
        json={"Data": {"Permissions": ["ReadAccountsDetail", "ReadBalances", "ReadOffers"]}, "Risk": {}},
    )
    consent_id = uk.json()["Data"]["ConsentId"]
    shown = call(played, "GET", f"{PATH}/{consent_id}").json()
    conforms(official(FILE), "consentInformationResponse-200_json", shown)
    assert shown["access"] == {"accounts": [], "balances": []}
    assert shown["validUntil"] == "9999-12-31"
    back = played.call("GET", f"/open-banking/v4.0/aisp/account-access-consents/{create(played)['consentId']}").json()
    assert back["Data"]["Permissions"] == [
        "ReadAccountsDetail",
        "ReadBalances",
        "ReadTransactionsCredits",
        "ReadTransactionsDebits",
        "ReadTransactionsDetail",
    ]


def test_erasing_a_consent_destroys_the_request_as_it_was_worded(played: Stage) -> None:
    consent_id = create(played)["consentId"]
    consent = played.authorise(consent_id)
    ledger, office = played.service.node.ledger, played.service.node.office
    assert office is not None
    digest = consent.terms["details_hash"]
    assert b"DE40100100103307118608" in (office.notes.read(consent_id, f"facts:{digest}") or b"")
    chain = consent_chain(consent_id)
    ledger.keystore.destroy([chain])
    assert office.notes.read(consent_id, f"facts:{digest}") is None


def refreshed(played: Stage, consent_id: str, **members: Any) -> list[str]:
    """Accounts, balances and transactions of both accounts, each read by itself: the decisions."""
    known = played.known(consent_id)
    wanted = ("ReadAccountsBasic", "ReadBalances", "ReadTransactionsDetail")
    return [
        played.access(known, accounts=[account], permissions=[permission], **members).outcome.decision  # type: ignore[union-attr]
        for account in TWO_ACCOUNTS
        for permission in wanted
    ]


def test_four_a_day_are_four_whole_refreshes_and_one_off_collects_everything_once(played_on_each_engine: Stage) -> None:
    """Under ruleset 3: frequency counts each resource of each account, and so does «one-off» (docs/spec/ruleset-3.md, 5)."""
    played = played_on_each_engine
    ledger = played.service.node.ledger
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    access = {"accounts": [IBAN], "balances": [IBAN], "transactions": [IBAN]}
    recurring = create(played, asked(access=access))["consentId"]
    once = create(played, asked(access=access, recurringIndicator=False, frequencyPerDay=1))["consentId"]
    for consent_id in (recurring, once):
        played.authorise(consent_id, accounts=sorted(TWO_ACCOUNTS))
    assert [set(refreshed(played, recurring, customer_present=False)) for _ in range(4)] == [{"allow"}] * 4
    assert set(refreshed(played, recurring, customer_present=False)) == {"deny"}
    assert set(refreshed(played, once, customer_present=True)) == {"allow"}
    assert set(refreshed(played, once, customer_present=True)) == {"deny"}
