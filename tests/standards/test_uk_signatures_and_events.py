"""Message signatures of the UK, its events, and recipients that sign for themselves."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from typing import Any

import httpx2
import pytest

from api.standards.uk.signatures import HEADER, IAT, ISS, TAN
from api.tokens.keys import PublicKey
from ledger.canonical import b64u, unb64u
from tests.keys import KeyPair
from tests.standards.kit import Stage, conforms, message_key, official
from tests.standards.uk import V4, asked, errors_of, signature
from tests.world import ORIGIN

pytestmark = pytest.mark.conformance
EVENTS = "/open-banking/v4.0/events"
SUBSCRIPTIONS = "/open-banking/v4.0/event-subscriptions"
EVENTS_FILE = "**/events-openapi.yaml"


@pytest.fixture(scope="module")
def key(played: Stage) -> KeyPair:
    return message_key(played.service, "tpp-1")


def post(played: Stage, body: bytes, signed: str | None, **kwargs: Any) -> httpx2.Response:
    headers = {"content-type": "application/json"} | ({} if signed is None else {HEADER: signed})
    return played.call("POST", V4, content=body, headers=headers, **kwargs)


@pytest.mark.parametrize("plain", [False, True])
def test_a_signed_request_is_verified_and_its_answer_signed(played: Stage, key: KeyPair, plain: bool) -> None:
    body = json.dumps(asked()).encode()
    answer = post(played, body, signature(key, body, plain=plain))
    assert answer.status_code == 201, answer.text
    header, nothing, signed = answer.headers[HEADER].split(".")
    assert nothing == ""
    said = json.loads(unb64u(header))
    assert (said["alg"], said[ISS], said[TAN], said["crit"]) == ("PS256", "gateway", ORIGIN, [IAT, ISS, TAN])
    keys = played.service.http.get("/participants/gateway").json()["keys"]
    [jwk] = [one["jwk"] | {"kid": one["kid"], "alg": one["alg"]} for one in keys if one["kid"] == said["kid"]]
    PublicKey.from_jwk(jwk).verify(f"{header}.{b64u(answer.content)}".encode(), unb64u(signed))


def test_a_signature_over_another_body_is_refused(played: Stage, key: KeyPair) -> None:
    body = json.dumps(asked()).encode()
    before = played.recorded
    assert errors_of(post(played, body + b" ", signature(key, body))) == [("U015", HEADER)]
    assert played.recorded == before


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"alg": "RS256"}, "U016"),
        ({"alg": "none"}, "U016"),
        ({"kid": "tpp-1-1"}, "U016"),
        ({"kid": "tpp-2-client"}, "U016"),
        ({ISS: "tpp-2"}, "U016"),
        ({TAN: "elsewhere.example"}, "U016"),
        ({IAT: 4_000_000_000}, "U016"),
        ({IAT: "1"}, "U016"),
        ({"crit": [IAT, ISS]}, "U016"),
        ({"crit": "iat"}, "U016"),
        ({"b64": False}, "U016"),
        ({"jwk": {}}, "U016"),
        ({IAT: None}, "U017"),
        ({ISS: None}, "U017"),
        ({TAN: None}, "U017"),
        ({"kid": None}, "U017"),
        ({"crit": None}, "U017"),
        ({"cty": "text/html"}, "U016"),
        ({"typ": "JWT"}, "U016"),
    ],
)
def test_claims_that_are_missing_or_wrong_are_told_apart(
    played: Stage, key: KeyPair, claims: dict[str, Any], code: str
) -> None:
    body = json.dumps(asked()).encode()
    answer = post(played, body, signature(key, body, **claims))
    assert answer.status_code == 400
    assert errors_of(answer) == [(code, HEADER)]


@pytest.mark.parametrize("text", ["", "a.b.c", "..", "e30..", "e30..AA", "bm90IGpzb24..AA", "x" * 9_000])
def test_anything_but_a_detached_jws_is_refused(played: Stage, text: str) -> None:
    answer = post(played, json.dumps(asked()).encode(), text)
    assert errors_of(answer)[0][0] in ("U018", "U017")


def test_a_holder_may_demand_signatures(played: Stage, key: KeyPair) -> None:
    body = json.dumps(asked()).encode()
    assert errors_of(post(played, body, None, holder="bank-b")) == [("U019", HEADER)]
    assert post(played, body, signature(key, body), holder="bank-b").status_code == 201


# -- recipients that sign for themselves ------------------------------------------------------------------------------


def own_request(played: Stage, body: bytes, **changed: Any) -> tuple[str, str]:
    """A consent id, and the recipient's own `consent.request` that says what the body asks for."""
    app, bank = played.recipients["tpp-1"], played.banks["bank-a"]
    terms = played.world.terms(
        app,
        bank,
        permissions=sorted(json.loads(body)["Data"]["Permissions"]),
        expires_at=0,
        frequency_per_day=0,
        details_hash=b64u(hashlib.sha256(body).digest()),
        separate_consents=["provision", "sensitive"],
    )
    consent_id = str(uuid.uuid4())
    return consent_id, app.sign("consent.request", consent_id=consent_id, terms=terms | changed)


def body_without_end() -> bytes:
    return json.dumps({"Data": {"Permissions": asked()["Data"]["Permissions"]}, "Risk": {}}).encode()


def send_own(played: Stage, body: bytes, statement: str, **kwargs: Any) -> httpx2.Response:
    headers = {"content-type": "application/json", "consent-statement": statement}
    return played.call("POST", V4, content=body, headers=headers, **kwargs)


def test_a_recipients_own_statement_is_recorded_in_place_of_the_gateways(played: Stage) -> None:
    body = body_without_end()
    consent_id, statement = own_request(played, body)
    answer = send_own(played, body, statement)
    assert answer.status_code == 201, answer.text
    assert answer.json()["Data"]["ConsentId"] == consent_id
    said = played.last_statement(consent_id)
    assert (said["iss"], said.get("on_behalf_of"), said["terms"]["purpose"]["code"]) == ("tpp-1", None, "budgeting")
    office = played.service.node.office
    assert office is not None
    assert office.notes.read(consent_id, f"facts:{said['terms']['details_hash']}") == body


@pytest.mark.parametrize(
    "changed",
    [
        {"permissions": ["ReadAccountsDetail", "ReadBalances", "ReadPAN"]},
        {"expires_at": 4_000_000_000},
        {"holder": "bank-b"},
        {"history_from": 1},
        {"once": True},
        {"details_hash": b64u(bytes(32))},
        {"standard": "own"},
        {"frequency_per_day": 9},
    ],
)
def test_an_own_statement_that_says_something_else_is_refused(played: Stage, changed: dict[str, Any]) -> None:
    body = body_without_end()
    consent_id, statement = own_request(played, body, **changed)
    before = played.recorded
    answer = send_own(played, body, statement)
    assert (answer.status_code, errors_of(answer)) == (400, [("U002", f"terms.{next(iter(changed))}")])
    assert played.recorded == before
    office = played.service.node.office
    assert office is not None
    assert office.notes.names(consent_id, "") == []


def test_an_own_statement_must_be_the_callers_of_this_act_and_with_a_fresh_id(played: Stage) -> None:
    body = body_without_end()
    consent_id, statement = own_request(played, body)
    assert errors_of(send_own(played, body, statement, recipient="tpp-2"))[0][0] == "U002"
    assert errors_of(send_own(played, body, statement + "A"))[0][0] in ("U010", "U015")
    assert send_own(played, body, statement).status_code == 201
    again = send_own(played, body, statement)
    assert (again.status_code, errors_of(again)[0][0]) == (409, "U029")
    office = played.service.node.office
    assert office is not None
    assert office.notes.names(consent_id, "facts:") != []
    wrong = played.recipients["tpp-1"].sign("consent.revoke", consent_id=consent_id, by="recipient", reason="over")
    answer = played.call("DELETE", f"{V4}/{consent_id}", headers={"consent-statement": wrong})
    assert errors_of(answer) == [("U002", "act")]
    right = played.recipients["tpp-1"].sign("consent.terminate", consent_id=consent_id, by="recipient", reason="over")
    assert played.call("DELETE", f"{V4}/{consent_id}", headers={"consent-statement": right}).status_code == 204
    assert played.last_statement(consent_id)["iss"] == "tpp-1"


# -- events -----------------------------------------------------------------------------------------------------------


def test_a_subscription_is_made_shown_changed_and_deleted(played: Stage) -> None:
    document = official(EVENTS_FILE)
    body = {"Data": {"CallbackUrl": "https://tpp.example/events", "Version": "4.0"}}
    assert played.call("GET", SUBSCRIPTIONS, recipient="tpp-2").json()["Data"] == {"EventSubscription": []}
    made = played.call("POST", SUBSCRIPTIONS, json=body, recipient="tpp-2")
    assert made.status_code == 201, made.text
    conforms(document, "OBEventSubscriptionResponse1", made.json())
    identifier = made.json()["Data"]["EventSubscriptionId"]
    assert errors_of(played.call("POST", SUBSCRIPTIONS, json=body, recipient="tpp-2"))[0][0] == "U029"
    listed = played.call("GET", SUBSCRIPTIONS, recipient="tpp-2", holder="bank-b")
    conforms(document, "OBEventSubscriptionsResponse1", listed.json())
    assert [one["EventSubscriptionId"] for one in listed.json()["Data"]["EventSubscription"]] == [identifier]
    other = made.json() | {"Data": made.json()["Data"] | {"CallbackUrl": "https://tpp.example/other"}}
    for recipient, status in (("tpp-1", 400), ("tpp-2", 200)):
        changed = played.call("PUT", f"{SUBSCRIPTIONS}/{identifier}", json=other, recipient=recipient)
        assert changed.status_code == status
    assert changed.json()["Data"]["CallbackUrl"] == "https://tpp.example/other"
    assert errors_of(played.call("DELETE", f"{SUBSCRIPTIONS}/{identifier}"))[0][0] == "U011"
    assert played.call("DELETE", f"{SUBSCRIPTIONS}/{identifier}", recipient="tpp-2").status_code == 204
    assert errors_of(played.call("DELETE", f"{SUBSCRIPTIONS}/{identifier}", recipient="tpp-2"))[0][0] == "U011"


def test_a_subscription_without_a_callback_is_one_to_poll(played: Stage) -> None:
    document = official(EVENTS_FILE)
    body = {"Data": {"Version": "4.0", "EventTypes": ["urn:uk:org:openbanking:events:consent-authorization-revoked"]}}
    made = played.call("POST", SUBSCRIPTIONS, json=body, recipient="tpp-2")
    assert made.status_code == 201, made.text
    conforms(document, "OBEventSubscriptionResponse1", made.json())
    assert "CallbackUrl" not in made.json()["Data"]
    assert played.service.node.events.queries.listening() == []
    [listed] = played.call("GET", SUBSCRIPTIONS, recipient="tpp-2").json()["Data"]["EventSubscription"]
    assert listed == made.json()["Data"]
    assert errors_of(played.call("POST", SUBSCRIPTIONS, json=body, recipient="tpp-2"))[0][0] == "U029"
    place = f"{SUBSCRIPTIONS}/{listed['EventSubscriptionId']}"
    pushed = {"Data": listed | {"CallbackUrl": "https://tpp.example/events"}}
    assert played.call("PUT", place, json=pushed, recipient="tpp-2").status_code == 200
    assert played.service.node.events.queries.listening() == ["tpp-2"]
    assert played.call("PUT", place, json={"Data": listed}, recipient="tpp-2").status_code == 200
    assert played.service.node.events.queries.listening() == []
    assert played.call("DELETE", place, recipient="tpp-2").status_code == 204
    assert played.call("GET", SUBSCRIPTIONS, recipient="tpp-2").json()["Data"] == {"EventSubscription": []}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"CallbackUrl": "http://tpp.example/"}, "U002"),
        ({"CallbackUrl": "https://tpp.example/#x"}, "U002"),
        ({"CallbackUrl": None}, "U002"),
        ({"CallbackUrl": ""}, "U002"),
        ({"Version": "3.1"}, "U002"),
        ({"EventTypes": ["urn:other"]}, "U024"),
    ],
)
def test_subscriptions_that_cannot_be_served_are_refused(played: Stage, members: dict[str, Any], code: str) -> None:
    body = {"Data": {"CallbackUrl": "https://tpp.example/events", "Version": "4.0"} | members}
    assert errors_of(played.call("POST", SUBSCRIPTIONS, json=body))[0][0] == code


def test_events_are_polled_and_acknowledged_in_the_uks_words(played: Stage) -> None:
    document = official(EVENTS_FILE)
    consent_id = played.call("POST", V4, json=asked()).json()["Data"]["ConsentId"]
    played.world.record(played.banks["bank-a"].step("revoke", played.authorise(consent_id)))

    async def turn() -> None:
        sender = played.service.node.events.sender(development=False)
        await sender.turn()
        await sender.aclose()

    asyncio.run(turn())
    found = played.call("POST", EVENTS, json={"maxEvents": 100, "returnImmediately": True})
    assert found.status_code == 200
    conforms(document, "OBEventPollingResponse1", found.json())
    claims = [json.loads(unb64u(token.split(".")[1])) for token in found.json()["sets"].values()]
    revoked = "urn:uk:org:openbanking:events:consent-authorization-revoked"
    [mine] = [one for one in claims if one["sub"].endswith(consent_id) and revoked in one["events"]]
    [told] = mine["events"][revoked]["subject"]["http://openbanking.org.uk/rlk"]
    assert told["link"] == mine["sub"]
    assert played.client().request("GET", told["link"].removeprefix(played.service.base_url)).status_code == 200
    acknowledged = played.call(
        "POST", EVENTS, json={"ack": list(found.json()["sets"]), "returnImmediately": True, "maxEvents": 0}
    )
    assert acknowledged.json() == {"sets": {}, "moreAvailable": False}
    assert errors_of(played.call("POST", EVENTS, json={"maxEvents": -1}))[0][0] == "U002"
    no_object = played.call("POST", EVENTS, content=b"[]", headers={"content-type": "application/json"})
    assert errors_of(no_object)[0][0] == "U010"
