"""UK account access consents over HTTP: rules, states, errors, and that both versions and the native API show one consent."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.standards.kit import Stage, conforms, official
from tests.standards.uk import V4, WANTED, asked, errors_of

V3 = "/open-banking/v3.1/aisp/account-access-consents"
FILE = "**/account-info-openapi.yaml"

pytestmark = pytest.mark.conformance


def of_the_file() -> str:
    """Where the version is served that the official file is of."""
    return V4 if official(FILE)["info"]["version"].lstrip("v").startswith("4") else V3


def create(played: Stage, path: str = V4, body: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
    answer = played.call("POST", path, json=body or asked(), **kwargs)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_consent_made_in_the_uks_words_lives_and_ends_in_the_ledger(played_on_each_engine: Stage) -> None:
    played = played_on_each_engine
    body = asked(TransactionFromDateTime="2025-01-01T00:00:00+01:00", TransactionToDateTime="2025-12-31T00:00:00Z")
    made = create(played, body=body)
    consent_id = made["Data"]["ConsentId"]
    assert made["Data"]["Status"] == "AWAU"
    assert made["Data"]["TransactionFromDateTime"] == "2024-12-31T23:00:00+00:00"
    said = played.last_statement(consent_id)
    assert (said["iss"], said["on_behalf_of"]) == ("gateway", "tpp-1")
    native = played.client().get(f"/consents/{consent_id}").json()
    assert native["status"] == "AWAITING"
    assert native["terms"]["permissions"] == sorted(WANTED)

    consent = played.authorise(consent_id)
    assert played.access(consent).outcome.decision == "allow"  # type: ignore[union-attr]
    for path, status in ((V4, "AUTH"), (V3, "Authorised")):
        shown = played.call("GET", f"{path}/{consent_id}")
        assert shown.json()["Data"]["Status"] == status
        if path == of_the_file():
            conforms(official(FILE), "OBReadConsentResponse1", shown.json())

    played.world.record(played.banks["bank-a"].step("revoke", consent))
    shown = played.call("GET", f"{V4}/{consent_id}").json()["Data"]
    assert shown["Status"] == "CANC"
    assert shown["StatusReason"][0]["StatusReasonCode"] == "U039"
    assert "the customer: customer-request" in shown["StatusReason"][0]["StatusReasonDescription"]
    assert played.call("GET", f"{V3}/{consent_id}").json()["Data"]["Status"] == "Revoked"
    assert played.access(consent).outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]


def test_deleting_ends_the_consent_and_takes_the_resource_away(played: Stage) -> None:
    consent_id = create(played)["Data"]["ConsentId"]
    consent = played.authorise(consent_id)
    assert played.call("DELETE", f"{V4}/{consent_id}").status_code == 204
    assert played.access(consent).outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]
    for method in ("GET", "DELETE"):
        answer = played.call(method, f"{V4}/{consent_id}")
        assert answer.status_code == 400
        assert errors_of(answer) == [("U011", "ConsentId")]
    native = played.client().get(f"/consents/{consent_id}").json()
    assert native["status"] == "TERMINATED"
    said = played.last_statement(consent_id)
    assert (said["by"], said["reason"], said["on_behalf_of"]) == ("recipient", "recipient-delete", "tpp-1")


def test_an_ended_consent_cannot_be_deleted(played: Stage) -> None:
    consent_id = create(played)["Data"]["ConsentId"]
    played.world.record(played.banks["bank-a"].step("reject", played.known(consent_id)))
    answer = played.call("DELETE", f"{V4}/{consent_id}")
    assert answer.status_code == 400
    assert errors_of(answer) == [("U009", "ConsentId")]
    assert played.call("DELETE", f"{V3}/{consent_id}").json()["Errors"][0]["ErrorCode"] == (
        "UK.OBIE.Resource.InvalidConsentStatus"
    )
    assert played.call("GET", f"{V4}/{consent_id}").json()["Data"]["Status"] == "RJCT"


def test_others_consents_are_as_unknown_ones(played: Stage) -> None:
    consent_id = create(played)["Data"]["ConsentId"]
    before = played.recorded
    answers = [
        played.call(method, f"{V4}/{wanted}", recipient=recipient, holder=holder)
        for method in ("GET", "DELETE")
        for wanted, recipient, holder in (
            (consent_id, "tpp-2", "bank-a"),  # another recipient's
            (consent_id, "tpp-1", "bank-b"),  # of another holder
            (str(uuid.uuid4()), "tpp-1", "bank-a"),
            ("urn:not-a-uuid", "tpp-1", "bank-a"),
        )
    ]
    assert {answer.status_code for answer in answers} == {400}
    worded = [{name: said for name, said in answer.json().items() if name != "Id"} for answer in answers]
    assert worded.count(worded[0]) == len(worded)
    assert played.recorded == before


@pytest.mark.parametrize(
    ("permissions", "fault"),
    [
        ([], "U002"),
        (["ReadBalances"], "U001"),
        (["ReadAccountsBasic", "ReadTransactionsBasic"], "U001"),
        (["ReadAccountsBasic", "ReadTransactionsCredits"], "U001"),
        (["ReadAccountsBasic", "ReadEverything"], "U002"),
        (["ReadAccountsBasic", 7], "U002"),
        (["ReadAccountsBasic", "ReadLoans"], "U002"),
        ("ReadAccountsBasic", "U002"),
        (None, "U002"),
    ],
)
def test_permissions_that_do_not_fit_together_are_refused(played: Stage, permissions: Any, fault: str) -> None:
    answer = played.call("POST", V4, json={"Data": {"Permissions": permissions}, "Risk": {}})
    assert answer.status_code == 400
    conforms(official(FILE), "OBErrorResponse1", answer.json())
    assert (fault, "Data.Permissions") in errors_of(answer)


def test_a_basic_permission_beside_its_detail_is_allowed(played: Stage) -> None:
    twice = ["ReadAccountsBasic", "ReadAccountsDetail", "ReadAccountsBasic"]
    made = create(played, body=asked(Permissions=twice))
    assert made["Data"]["Permissions"] == ["ReadAccountsBasic", "ReadAccountsDetail"]


@pytest.mark.parametrize(
    ("member", "value", "fault"),
    [
        ("ExpirationDateTime", "2020-01-01T00:00:00Z", "U003"),
        ("ExpirationDateTime", "2099-01-01T00:00:00", "U003"),
        ("ExpirationDateTime", "2099-02-30T00:00:00Z", "U003"),
        ("ExpirationDateTime", 4_070_908_800, "U003"),
        ("TransactionFromDateTime", "yesterday", "U003"),
        ("TransactionToDateTime", "1969-12-31T00:00:00Z", "U003"),
        ("TransactionToDateTime", "1970-01-01T00:00:00Z", "U003"),
        ("TransactionFromDateTime", "20250101T000000Z", "U003"),
        ("ExpirationDateTime", "0001-01-01T00:00:00+14:00", "U003"),
    ],
)
def test_times_that_are_none_are_refused(played: Stage, member: str, value: Any, fault: str) -> None:
    answer = played.call("POST", V4, json=asked(**{member: value}))
    assert answer.status_code == 400
    assert (fault, f"Data.{member}") in errors_of(answer)


def test_everything_that_is_wrong_is_told_at_once(played: Stage) -> None:
    body = {
        "Data": {
            "ExpirationDateTime": "2020-01-01T00:00:00Z",
            "TransactionFromDateTime": "2025-02-01T00:00:00Z",
            "TransactionToDateTime": "2025-01-01T00:00:00Z",
        }
    }
    answer = played.call("POST", V4, json=body)
    assert errors_of(answer) == [
        ("U004", "Risk"),
        ("U004", "Data.Permissions"),
        ("U003", "Data.ExpirationDateTime"),
        ("U003", "Data.TransactionToDateTime"),
    ]
    named = played.call("POST", V3, json=body).json()["Errors"][0]
    assert named["ErrorCode"] == "UK.OBIE.Field.Missing"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"Data":{},"Data":{}}',
        b'{"Risk":NaN}',
        b"\xff",
        b"[" * 5_000,
        b'{"a":"' + b"x" * 70_000 + b'"}',
    ],
)
def test_anything_but_an_object_is_refused(played: Stage, body: bytes) -> None:
    answer = played.call("POST", V4, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert errors_of(answer)[0][0] == "U010"


@pytest.mark.parametrize(
    ("headers", "status", "place"),
    [
        ({"x-fapi-interaction-id": "no-uuid"}, 400, "x-fapi-interaction-id"),
        ({"x-fapi-auth-date": "2017-09-10"}, 400, "x-fapi-auth-date"),
        ({"x-fapi-customer-ip-address": "not an address"}, 400, "x-fapi-customer-ip-address"),
        ({"accept": "application/xml"}, 406, None),
        ({"content-type": "application/jose+jwe"}, 415, None),
    ],
)
def test_headers_of_another_form_are_refused(
    played: Stage, headers: dict[str, str], status: int, place: str | None
) -> None:
    answer = played.call(
        "POST", V4, content=json.dumps(asked()).encode(), headers={"content-type": "application/json"} | headers
    )
    assert answer.status_code == status
    uuid.UUID(answer.headers["x-fapi-interaction-id"])
    if place is None:
        assert answer.content == b""
    else:
        assert errors_of(answer) == [("U006", place)]


def test_the_interaction_id_comes_back(played: Stage) -> None:
    said = str(uuid.uuid4())
    answers = [
        played.call("POST", V4, json=asked(), headers={"x-fapi-interaction-id": said}),
        played.call("GET", f"{V4}/{uuid.uuid4()}", headers={"x-fapi-interaction-id": said}),
        played.service.http.get(f"/holders/bank-a{V4}/x", headers={"x-fapi-interaction-id": said}),
        played.call("PUT", V4, json={}, headers={"x-fapi-interaction-id": said}),
        played.call("GET", "/open-banking/v4.0/aisp/nothing", headers={"x-fapi-interaction-id": said}),
    ]
    assert [answer.status_code for answer in answers] == [201, 400, 401, 405, 404]
    assert {answer.headers["x-fapi-interaction-id"] for answer in answers} == {said}
    assert [bool(answer.content) for answer in answers] == [True, True, False, False, False]


def test_a_native_consent_is_shown_without_what_the_uk_has_no_word_for(played: Stage) -> None:
    bank, app = played.banks["bank-a"], played.recipients["tpp-1"]
    mixed = sorted(["ReadAccountsBasic", "ReadBalances", "ReadLoans"])
    separate = ["provision", "sensitive"]
    consent = played.world.requested_consent(app, bank, permissions=mixed, separate_consents=separate, standard="own")
    shown = played.call("GET", f"{of_the_file()}/{consent.consent_id}").json()
    conforms(official(FILE), "OBReadConsentResponse1", shown)
    assert shown["Data"]["Permissions"] == ["ReadAccountsBasic", "ReadBalances"]
    only = played.world.requested_consent(app, bank, permissions=["ReadLoans"], separate_consents=separate)
    answer = played.call("GET", f"{V4}/{only.consent_id}")
    assert (answer.status_code, errors_of(answer)) == (400, [("U042", None)])


def test_without_a_delegation_the_gateway_may_say_nothing(played: Stage) -> None:
    stranger = played.world.recipient("tpp-without-delegation")
    token = played.service.as_(stranger)
    before = played.recorded
    answer = token.request("POST", f"/holders/bank-a{V4}", json=asked())
    assert answer.status_code == 403
    assert errors_of(answer)[0][0] == "U042"
    assert played.recorded == before


def test_an_unknown_holder_is_not_found(played: Stage) -> None:
    for holder in ("bank-z", "tpp-2", "gateway"):
        answer = played.call("POST", V4, json=asked(), holder=holder)
        assert (answer.status_code, errors_of(answer)[0][0]) == (400, "U011")


def test_scopes_and_roles_are_demanded(played: Stage) -> None:
    reader = played.service.as_(played.recipients["tpp-1"], scope="consents:read")
    answer = reader.request("POST", f"/holders/bank-a{V4}", json=asked())
    assert (answer.status_code, errors_of(answer)) == (403, [("U042", None)])
    bank = played.service.as_(played.banks["bank-a"])
    assert bank.get(f"/holders/bank-a{V4}/{uuid.uuid4()}").status_code == 403
    assert played.service.http.post(f"/holders/bank-a{V4}", json=asked()).status_code == 401
