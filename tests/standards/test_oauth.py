"""Tokens bound to consents: they live exactly as long as the consent does, and nobody else learns of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.standards.words import words
from api.tokens.details import ACTIONS, actions_of, parse_details
from ledger.canonical import unb64u
from ledger.documents import ParticipantSuspended, document_of
from tests.api.service import ASSERTION_TYPE, Service, TokenClient, assertion
from tests.conformance import files
from tests.keys import KeyPair
from tests.standards.kit import Stage, separate
from tests.world import ConsentInWorld, Party


def _details(consent: ConsentInWorld | None = None, **members: Any) -> str:
    said: dict[str, Any] = {"type": "account_information", "actions": ["read_balances"]}
    if consent is not None:
        said["consent_id"] = consent.consent_id
    return json.dumps([said | members])


def _ask(service: Service, party: Party, **form: str) -> httpx2.Response:
    assert party.client_key is not None
    return service.token_request(party.client_key, party.id, dpop=KeyPair.generate("ES256"), **form)


def _bound_token(service: Service, party: Party, consent: ConsentInWorld) -> str:
    answer = _ask(service, party, authorization_details=_details(consent))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def _post(service: Service, path: str, party: Party, token: str, **form: str) -> httpx2.Response:
    assert party.client_key is not None
    said = {
        "token": token,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(party.client_key, party.id, service.base_url),
    } | form
    return service.http.post(path, data=said)


def _introspect(service: Service, party: Party, token: str) -> dict[str, Any]:
    answer = _post(service, "/introspect", party, token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _world(service: Service, **terms: Any) -> tuple[Party, Party, ConsentInWorld]:
    bank, app = service.world.holder(), service.world.recipient()
    return bank, app, service.world.active_consent(app, bank, **terms)


def test_a_token_bound_to_a_consent_says_which_data_it_is_for(sqlite_service: Service) -> None:
    _bank, app, consent = _world(sqlite_service)
    answer = _ask(
        sqlite_service, app, authorization_details=_details(consent, locations=["https://bank.example/accounts"])
    )
    said = answer.json()
    assert said["grant_id"] == consent.consent_id
    assert said["authorization_details"] == [
        {
            "type": "account_information",
            "actions": ["read_balances"],
            "consent_id": consent.consent_id,
            "locations": ["https://bank.example/accounts"],
        }
    ]
    claims = json.loads(unb64u(said["access_token"].split(".")[1]))
    assert claims["aud"] == ["https://bank.example/accounts"]
    assert "scope" not in claims
    assert 0 < said["expires_in"] <= 300


def test_a_token_never_outlives_its_consent(sqlite_service: Service) -> None:
    expires = int(time.time()) + 40
    _, app, consent = _world(sqlite_service, expires_at=expires)
    token = _bound_token(sqlite_service, app, consent)
    assert json.loads(unb64u(token.split(".")[1]))["exp"] == expires


@pytest.mark.parametrize("step", ["revoke", "terminate", "suspend", "pause"])
def test_the_commit_that_ends_or_halts_a_consent_ends_its_tokens(sqlite_service: Service, step: str) -> None:
    bank, app, consent = _world(sqlite_service)
    token = _bound_token(sqlite_service, app, consent)
    assert _introspect(sqlite_service, bank, token)["active"] is True
    by = {"suspend": "holder", "terminate": "holder"}.get(step, "customer")
    [recorded] = sqlite_service.world.record(bank.step(step, consent, by=by))
    # No other process, cache or clock is asked: the very next answer knows of the entry.
    for party in (bank, app):
        assert _introspect(sqlite_service, party, token) == {"active": False}, recorded.index
    assert (
        _ask(sqlite_service, app, authorization_details=_details(consent)).json()["error"]
        == "invalid_authorization_details"
    )


def test_a_token_of_a_version_that_was_amended_is_over(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    token = _bound_token(sqlite_service, app, consent)
    amended, submission = app.amend(consent, frequency_per_day=2)
    sqlite_service.world.record(submission)
    assert _introspect(sqlite_service, bank, token)["active"] is True, "the version in force goes on"
    sqlite_service.world.record(bank.authorise(amended))
    assert _introspect(sqlite_service, bank, token) == {"active": False}
    assert _introspect(sqlite_service, bank, _bound_token(sqlite_service, app, amended))["active"] is True


def test_only_the_parties_of_a_consent_learn_of_its_tokens(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    other_bank, other_app = sqlite_service.world.holder("bank-b"), sqlite_service.world.recipient("tpp-2")
    token = _bound_token(sqlite_service, app, consent)
    for stranger in (other_bank, other_app):
        assert _introspect(sqlite_service, stranger, token) == {"active": False}
    said = _introspect(sqlite_service, bank, token)
    assert (said["client_id"], said["grant_id"], said["sub"]) == (app.id, consent.consent_id, consent.subject)
    assert set(said["cnf"]) == {"jkt"}
    assert _ask(sqlite_service, other_app, authorization_details=_details(consent)).status_code == 400
    assert _ask(sqlite_service, bank, authorization_details=_details(consent)).status_code == 400


def test_a_suspended_recipient_has_no_active_tokens(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    token = _bound_token(sqlite_service, app, consent)
    sqlite_service.node.ledger.record_documents(document_of(ParticipantSuspended, participant=app.id, reason="audit"))
    assert _introspect(sqlite_service, bank, token) == {"active": False}


def test_cdr_claims_are_told_of_cdr_consents(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service, standard="au-cds", standard_version="1.36.0")
    said = _introspect(sqlite_service, bank, _bound_token(sqlite_service, app, consent))
    assert said["cdr_arrangement_id"] == consent.consent_id
    assert said["sharing_expires_at"] == consent.terms["expires_at"]
    assert "username" not in said


def test_a_bound_token_opens_nothing_at_the_ledger(sqlite_service: Service) -> None:
    _, app, consent = _world(sqlite_service)
    possession = KeyPair.generate("ES256")
    assert app.client_key is not None
    answer = sqlite_service.token_request(
        app.client_key, app.id, dpop=possession, authorization_details=_details(consent)
    )
    client = TokenClient(sqlite_service.http, sqlite_service.base_url, answer.json()["access_token"], possession)
    assert client.get("/consents").status_code == 401


def test_a_token_that_was_given_back_is_over_everywhere(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    bound = _bound_token(sqlite_service, app, consent)
    assert _post(sqlite_service, "/revoke", bank, bound).status_code == 200
    assert _introspect(sqlite_service, bank, bound)["active"] is True, "only its own client can give it back"
    assert _post(sqlite_service, "/revoke", app, bound, token_type_hint="access_token").status_code == 200
    assert _introspect(sqlite_service, bank, bound) == {"active": False}
    client = sqlite_service.as_(app)
    assert client.get("/consents").status_code == 200
    for _ in range(2):
        assert _post(sqlite_service, "/revoke", app, client.token).status_code == 200
    refused = client.get("/consents")
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "x" * 9000])
def test_something_that_is_not_a_token_is_inactive_and_revoked_silently(sqlite_service: Service, token: str) -> None:
    app = sqlite_service.world.recipient()
    assert _introspect(sqlite_service, app, token) == {"active": False}
    assert _post(sqlite_service, "/revoke", app, token).status_code == 200


def test_nobody_asks_about_tokens_without_saying_who_they_are(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    token = _bound_token(sqlite_service, app, consent)
    for path in ("/introspect", "/revoke"):
        answer = sqlite_service.http.post(path, data={"token": token})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        answer = _post(
            sqlite_service, path, bank, token, client_assertion=assertion(KeyPair.generate("ES256", "x"), "x", "y")
        )
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


WRONG_DETAILS = {
    "unknown type": '[{"type":"payment_initiation"}]',
    "no list": '{"type":"account_information"}',
    "no type": "[{}]",
    "unknown member": '[{"type":"account_information","colour":"red"}]',
    "unknown action": '[{"type":"account_information","actions":["read_minds"]}]',
    "none": "[]",
    "two": '[{"type":"account_information"},{"type":"account_information"}]',
    "not JSON": "[{",
    "deep": "[" * 2000,
    "no consent": '[{"type":"account_information"}]',
    "a consent that is not": '[{"type":"account_information","consent_id":"nothing"}]',
}


@pytest.mark.parametrize("kind", WRONG_DETAILS)
def test_details_that_are_not_understood_have_the_rfcs_own_error(sqlite_service: Service, kind: str) -> None:
    app = sqlite_service.world.recipient()
    answer = _ask(sqlite_service, app, authorization_details=WRONG_DETAILS[kind])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


def test_a_token_is_never_for_more_than_the_consent(sqlite_service: Service) -> None:
    _, app, consent = _world(sqlite_service, permissions=["ReadAccountsBasic"], grade=2, separate_consents=[])
    answer = _ask(sqlite_service, app, authorization_details=_details(consent))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")
    answer = _ask(sqlite_service, app, authorization_details=_details(consent, actions=[]))
    assert answer.json()["authorization_details"][0]["actions"] == ["list_accounts"]


def test_scope_and_details_are_not_mixed(sqlite_service: Service) -> None:
    _, app, consent = _world(sqlite_service)
    answer = _ask(sqlite_service, app, authorization_details=_details(consent), scope="consents:read")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_grant_is_shown_to_its_client_while_it_is_active(sqlite_service: Service) -> None:
    bank, app, consent = _world(sqlite_service)
    stranger = sqlite_service.world.recipient("tpp-2")
    path = f"/grants/{consent.consent_id}"
    said = sqlite_service.as_(app).get(path).json()
    assert set(said) == {"scopes", "claims", "authorization_details"}
    assert said["authorization_details"][0]["actions"] == ["list_accounts", "read_balances", "read_transactions"]
    assert sqlite_service.as_(stranger).get(path).status_code == 404
    assert sqlite_service.as_(bank).get(path).status_code == 403
    sqlite_service.world.record(bank.step("revoke", consent))
    assert sqlite_service.as_(app).get(path).status_code == 404


def test_metadata_names_what_there_is(sqlite_service: Service) -> None:
    said = sqlite_service.http.get("/.well-known/oauth-authorization-server").json()
    for name in ("introspection", "revocation", "grant_management"):
        assert said[f"{name}_endpoint"].startswith(sqlite_service.base_url)
    assert said["authorization_details_types_supported"] == ["account_information"]
    assert said["grant_management_actions_supported"] == ["query", "revoke"]


def test_every_action_is_given_by_its_permissions() -> None:
    for action, permissions in ACTIONS.items():
        assert action in actions_of(permissions), action
    assert actions_of(["ReadTransactionsDetail"]) == (), "without a direction no row may be given"


def _shapes() -> list[dict[str, Any]]:
    """Each authorization detail of the collected message shapes."""

    def holds_them(path: Path) -> bool:
        return "rfc9396_authorization_details" in path.read_text()

    return [
        one
        for path in files("standards/own/*.json", shape=holds_them)
        for one in json.loads(path.read_text())["rfc9396_authorization_details"]
    ]


@pytest.mark.conformance
def test_the_collected_details_are_understood() -> None:
    for one in _shapes():
        assert parse_details(json.dumps([one])).actions == tuple(one["actions"])


@pytest.mark.conformance
def test_a_grant_has_the_collected_shape(sqlite_service: Service) -> None:
    _, app, consent = _world(sqlite_service)
    said = sqlite_service.as_(app).get(f"/grants/{consent.consent_id}").json()
    for path in files("standards/own/*.json", shape=lambda path: "grant_management_query_response" in path.read_text()):
        shape = json.loads(path.read_text())["grant_management_query_response"]
        assert set(said) == set(shape)
        assert set(shape["authorization_details"][0]) <= set(said["authorization_details"][0])


def _par(service: Service, party: Party, **form: str) -> httpx2.Response:
    assert party.client_key is not None
    said = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(party.client_key, party.id, service.base_url),
    }
    return service.http.post("/holders/bank-a/oauth/par", data=said | form)


@pytest.mark.conformance
def test_a_pushed_request_becomes_a_grant_and_its_end_ends_its_tokens(played: Stage) -> None:
    service, app, bank = played.service, played.recipients["tpp-1"], played.banks["bank-a"]
    [shape] = _shapes()
    answer = _par(service, app, authorization_details=json.dumps([shape]))
    assert answer.status_code == 201, answer.text
    assert answer.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert 10 <= answer.json()["expires_in"] <= 90
    grant = answer.json()["grant_id"]
    client = played.client()
    assert client.get(f"/grants/{grant}").status_code == 404, "nobody has agreed yet"
    consent = played.authorise(grant)
    said = client.get(f"/grants/{grant}").json()["authorization_details"][0]
    assert set(said["actions"]) == set(shape["actions"])
    token = _bound_token(service, app, consent)
    assert _introspect(service, bank, token)["active"] is True
    assert played.client("tpp-2").request("DELETE", f"/grants/{grant}").status_code == 404
    assert client.request("DELETE", f"/grants/{grant}").status_code == 204
    assert _introspect(service, bank, token) == {"active": False}
    assert played.last_statement(grant)["on_behalf_of"] == "tpp-1"
    assert client.request("DELETE", f"/grants/{grant}").status_code == 404


def test_a_grant_is_merged_and_replaced(played: Stage) -> None:
    service, app = played.service, played.recipients["tpp-1"]

    def push(action: str, actions: list[str], **form: str) -> httpx2.Response:
        details = json.dumps([{"type": "account_information", "actions": actions}])
        return _par(service, app, grant_management_action=action, authorization_details=details, **form)

    grant = push("create", ["list_accounts"]).json()["grant_id"]
    first = played.authorise(grant)
    for action, actions, now in (
        ("merge", ["read_balances"], ["list_accounts", "read_balances"]),
        ("replace", ["read_balances"], ["read_balances"]),
    ):
        assert push(action, actions, grant_id=grant).json()["grant_id"] == grant
        played.authorise(grant, subject=first.subject, customer=first.customer)
        assert played.client().get(f"/grants/{grant}").json()["authorization_details"][0]["actions"] == now
    for form, error in (({}, "invalid_request"), ({"grant_id": "nothing"}, "invalid_grant_id")):
        answer = push("merge", ["read_balances"], **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert _par(service, app).json()["error"] == "invalid_request"
    wrong = _par(service, app, authorization_details="[]")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_authorization_details")


def test_the_page_says_which_permissions_each_action_needs() -> None:
    assert {action: tuple(needed) for action, needed in words("oauth").permissions.items()} == ACTIONS


def test_on_each_engine_a_token_is_dead_as_soon_as_the_revocation_is_acknowledged(played_on_each_engine: Stage) -> None:
    played = played_on_each_engine
    bank, app = played.banks["bank-a"], played.recipients["tpp-1"]
    consent = played.world.requested_consent(app, bank, separate_consents=["provision", "sensitive"])
    played.world.record(bank.authorise(consent, **separate(consent, played.world)))
    for _ in range(3):
        token = _bound_token(played.service, app, consent)
        assert _introspect(played.service, bank, token)["active"] is True
        played.world.record(bank.step("suspend", consent, by="holder"))
        assert _introspect(played.service, bank, token) == {"active": False}
        played.world.record(bank.step("resume", consent, by="holder"))
        assert _introspect(played.service, bank, token)["active"] is True, "nothing was remembered"
    played.world.record(bank.step("revoke", consent))
    assert _introspect(played.service, bank, token) == {"active": False}
    denied = played.access(consent)
    assert denied.outcome is not None
    assert denied.outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
