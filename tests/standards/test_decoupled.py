"""CIBA in poll mode: a client asks, no browser is sent anywhere, the customer agrees at her bank, and the log decides.

Where a test is a case of the OpenID Foundation's conformance suite (FAPI-CIBA), it names it: `fapi-ciba-id1-…`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.http.refusals import BadRequest
from api.tokens.backchannel import GRANT, INTERVAL_SECONDS, LATE_SECONDS
from api.tokens.codes import Redeemed
from ledger.canonical import b64u, unb64u
from tests.keys import KeyPair
from tests.standards.applicants import applying
from tests.standards.kit import Stage
from tests.standards.registers import open_register
from tests.standards.walk import APPROVE, DETAILS, Walk, code_stage

HINT = "customer 4711 of the bank"
WORDS = "PLUM 7-3-1"


class Decoupled(Walk):
    """One client's way with a customer whom it does not send anywhere."""

    def request(self, key: KeyPair | None = None, **claims: Any) -> str:
        now = self.stage.world.clock.now() // 1000
        chosen = key or self.app.client_key
        assert chosen is not None
        said = {
            "iss": self.app.id,
            "client_id": self.app.id,
            "aud": self.service.base_url,
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "jti": b64u(os.urandom(16)),
            "login_hint": HINT,
            "binding_message": WORDS,
            "authorization_details": json.loads(DETAILS),
        } | claims
        said = {name: value for name, value in said.items() if value is not None}
        return chosen.jws({"kid": chosen.kid, "typ": "oauth-authz-req+jwt"}, json.dumps(said).encode())

    def send(self, request: str | None, holder: str | None = None) -> httpx2.Response:
        form = self._client() | ({"request": request} if request is not None else {})
        place = f"/holders/{holder or self.holder}/oauth/bc-authorize"
        return self.service.http.post(place, data=form)

    def begin(self, **claims: Any) -> dict[str, Any]:
        answer = self.send(self.request(**claims))
        assert answer.status_code == 200, answer.text
        self.grant = answer.json()["grant_id"]
        return dict(answer.json())

    def poll(self, auth_req_id: str, **form: Any) -> httpx2.Response:
        return self.token(**{"grant_type": GRANT, "auth_req_id": auth_req_id, **form})

    def poll_at(self, auth_req_id: str, now: float, client: str = "tpp-1") -> Redeemed | str:
        """A poll at a moment of the test's own: what it gives, or the error."""
        try:
            return self.service.node.tokens.backchannel.redeemed({"auth_req_id": auth_req_id}, client, now)
        except BadRequest as error:
            return str(error.error)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """See `code_stage`; tpp-2 may not ask so."""
    with code_stage(tmp_path_factory.mktemp("decoupled"), decoupled=("tpp-1",)) as running:
        yield running


def now_of(played: Stage) -> float:
    return float(played.world.clock.now() // 1000)


def test_the_metadata_say_where_and_how(played: Stage) -> None:
    for place in ("", "/holders/bank-a/oauth"):
        said = played.service.http.get(f"{place}/.well-known/oauth-authorization-server").json()
        where = f"{played.service.base_url}{place or '/oauth'}/bc-authorize"
        assert said["backchannel_authentication_endpoint"] == where
        assert said["backchannel_token_delivery_modes_supported"] == ["poll"]
        assert said["backchannel_user_code_parameter_supported"] is False
        assert GRANT in said["grant_types_supported"]
        assert set(said["backchannel_authentication_request_signing_alg_values_supported"]) >= {"ES256", "PS256"}


def test_a_customer_agrees_at_her_bank_and_the_client_that_polls_has_tokens(played: Stage) -> None:
    walk = Decoupled(played)
    begun = walk.begin()
    assert (begun["interval"], begun["expires_in"]) == (INTERVAL_SECONDS, 600)
    assert begun["approve_at"] == f"{APPROVE}?consent={walk.grant}"
    played.authorise(walk.grant)
    given = walk.poll(begun["auth_req_id"])
    assert given.status_code == 200, given.text
    said = given.json()
    assert (said["token_type"], said["grant_id"]) == ("DPoP", walk.grant)
    assert walk.introspected(said["access_token"])["active"] is True
    assert walk.introspected(walk.refresh(said["refresh_token"]).json()["access_token"])["active"] is True
    consent = played.known(walk.grant)
    played.world.record(played.banks["bank-a"].step("revoke", consent))
    assert walk.introspected(said["access_token"]) == {"active": False}
    assert walk.refresh(said["refresh_token"]).json()["error"] == "invalid_grant"


def test_until_she_answers_the_client_is_told_to_wait_and_to_wait_longer(played: Stage) -> None:
    walk = Decoupled(played)
    asked, now = walk.begin()["auth_req_id"], now_of(played)
    begin = now - now % INTERVAL_SECONDS + INTERVAL_SECONDS
    assert walk.poll_at(asked, begin) == "authorization_pending"
    assert walk.poll_at(asked, begin + INTERVAL_SECONDS - 0.5) == "slow_down"
    assert walk.poll_at(asked, begin + INTERVAL_SECONDS) == "authorization_pending", "who keeps the distance is served"
    played.authorise(walk.grant)
    assert walk.poll_at(asked, begin + 2 * INTERVAL_SECONDS) == Redeemed(
        walk.grant, json.loads(unb64u(asked.split(".")[1]))["jti"]
    )


def test_a_customer_who_says_no(played: Stage) -> None:
    walk = Decoupled(played)
    asked = walk.begin()["auth_req_id"]
    played.world.record(played.banks["bank-a"].step("reject", played.known(walk.grant)))
    answer = walk.poll(asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


def test_a_request_is_over_when_its_time_is(played: Stage) -> None:
    walk = Decoupled(played)
    begun, now = walk.begin(requested_expiry=30), now_of(played)
    assert 28 <= begun["expires_in"] <= 30
    assert walk.poll_at(begun["auth_req_id"], now + 31) == "expired_token"
    played.authorise(walk.grant)
    assert walk.poll_at(begun["auth_req_id"], now + 41) == "expired_token", "she was late, and the client asks anew"
    assert walk.poll_at(begun["auth_req_id"], now + 32 + LATE_SECONDS) == "invalid_grant"
    assert walk.begin(requested_expiry="86400")["expires_in"] == 1800  # ensure-requested-expiry-as-string-succeeds


def test_an_auth_req_id_gives_tokens_once_and_to_its_own_client(played: Stage) -> None:
    walk, other = Decoupled(played), Decoupled(played, "tpp-2")
    asked = walk.begin()["auth_req_id"]
    played.authorise(walk.grant)
    for wrong in (other.poll(asked), walk.poll(asked[:-4] + "AAAA"), walk.poll(""), walk.poll("-")):
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant"), wrong.text
    unnamed = walk.poll(asked, client_assertion="-")  # ensure-without-client-assertion-in-token-endpoint-request
    assert (unnamed.status_code, unnamed.json()["error"]) == (401, "invalid_client")
    said = walk.poll(asked).json()
    again = walk.poll(asked)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert walk.introspected(said["access_token"]) == {"active": False}, "what came of it is over"
    code = walk.code()
    assert walk.poll(code).json()["error"] == "invalid_grant", "a code is no auth_req_id"


def test_an_unregistered_client_is_refused_and_nothing_is_recorded(played: Stage) -> None:
    walk, before = Decoupled(played, "tpp-2"), played.recorded
    answer = walk.send(walk.request())
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert played.recorded == before


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no hint": ({"login_hint": None}, "invalid_request"),
    "two hints": (
        {"login_hint_token": "x"},
        "invalid_request",
    ),  # ensure-authorization-request-with-multiple-hints-fails
    "a hint of an ID token": ({"login_hint": None, "id_token_hint": "a.b.c"}, "invalid_request"),
    "an empty hint": ({"login_hint": ""}, "invalid_request"),
    "a long message": ({"binding_message": "x" * 65}, "invalid_binding_message"),
    "a message that cannot be seen": ({"binding_message": "a\u202eb"}, "invalid_binding_message"),
    "no text": ({"binding_message": 7}, "invalid_binding_message"),
    "no time": ({"requested_expiry": 0}, "invalid_request"),
    "no number": ({"requested_expiry": "soon"}, "invalid_request"),
    "no aud": ({"aud": None}, "invalid_request"),
    "another aud": ({"aud": "https://elsewhere.example"}, "invalid_request"),
    "no iss": ({"iss": None}, "invalid_request"),
    "another iss": ({"iss": "tpp-2"}, "invalid_request"),
    "no exp": ({"exp": None}, "invalid_request"),
    "expired": ({"exp": 1}, "invalid_request"),
    "no iat": ({"iat": None}, "invalid_request"),  # ensure-request-object-missing-iat-fails
    "no nbf": ({"nbf": None}, "invalid_request"),  # ensure-request-object-missing-nbf-fails
    "old": ({"nbf": 1}, "invalid_request"),  # ensure-request-object-nbf-is-70-minutes-in-past-fails
    "no jti": ({"jti": None}, "invalid_request"),  # ensure-request-object-missing-jti-fails
    "a browser's": ({"redirect_uri": "https://app.example/back"}, "invalid_request"),
    "nothing asked for": ({"authorization_details": None}, "invalid_request"),
    "another's consent": ({"authorization_details": None, "scope": "consent:nobodys"}, "invalid_request"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_is_not_good_is_refused_and_nothing_is_recorded(played: Stage, name: str) -> None:
    claims, error = BAD[name]
    walk, before = Decoupled(played), played.recorded
    answer = walk.send(walk.request(**claims))
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert answer.json()["error_description"]
    assert played.recorded == before


def test_a_request_is_signed_by_the_client_itself_and_counts_once(played: Stage) -> None:
    walk, before = Decoupled(played), played.recorded
    assert walk.app.client_key is not None
    forged = walk.request(KeyPair.generate("ES256", walk.app.client_key.kid))
    for wrong in (None, forged, "a.b.c"):
        assert walk.send(wrong).json()["error"] == "invalid_request"
    assert played.recorded == before
    stolen = Decoupled(
        played, "tpp-2"
    ).request()  # ensure-different-client-id-and-issuer-in-backchannel-authorization-request
    assert walk.send(stolen).json()["error"] == "invalid_request"
    sent = walk.request()
    assert walk.send(sent).status_code == 200
    assert walk.send(sent).json()["error"] == "invalid_request"


def test_an_agreed_consent_is_not_asked_again_and_a_change_waits_for_its_own_answer(played: Stage) -> None:
    walk = Decoupled(played)
    walk.begin()
    first = played.authorise(walk.grant)
    named = [{"type": "account_information", "consent_id": walk.grant}]
    assert walk.send(walk.request(authorization_details=named)).json()["error"] == "invalid_request"
    more = [{"type": "account_information", "actions": ["read_transactions"]}]
    change = {"authorization_details": more, "grant_management_action": "merge", "grant_id": walk.grant}
    asked, now = walk.begin(**change)["auth_req_id"], now_of(played)
    assert walk.poll_at(asked, now) == "authorization_pending", "the version in force is not the one that was asked for"
    played.authorise(walk.grant, subject=first.subject, customer=first.customer)
    assert isinstance(walk.poll_at(asked, now + 10), Redeemed)


def test_the_bank_learns_whom_to_reach_and_nobody_else_does(played: Stage) -> None:
    walk = Decoupled(played)
    walk.begin(binding_message="PLUM 2-2-2", login_hint="+44 7700 900001")
    bank = played.service.as_(played.banks["bank-a"])
    place, rows, after = "/holders/bank-a/oauth/backchannel-requests", [], -1
    while True:
        page = bank.get(f"{place}?after={after}&limit=3").json()
        rows += page["requests"]
        if page["next"] == after:
            break
        after = page["next"]
    [mine] = [row for row in rows if row["consent_id"] == walk.grant]
    assert (mine["login_hint"], mine["binding_message"]) == ("+44 7700 900001", "PLUM 2-2-2")
    assert mine["client_id"] == "tpp-1"
    for other in (played.client(), played.service.as_(played.banks["bank-b"])):
        assert other.get(place).status_code == 400
    played.world.record(played.banks["bank-a"].step("reject", played.known(walk.grant)))
    assert bank.get(f"{place}?after={after - 1}").json()["requests"] == [], "answered: nobody is to be reached any more"
    stored = b"".join(
        path.read_bytes() for path in played.service.node.settings.state_dir.parent.glob("ledger.sqlite*")
    )
    assert b"7700 900001" not in stored


def test_a_holder_may_be_named_in_the_request(played: Stage) -> None:
    walk = Decoupled(played)
    form = walk._client()
    answer = played.service.http.post("/oauth/bc-authorize", data={**form, "request": walk.request(resource="bank-b")})
    assert answer.status_code == 200, answer.text
    assert answer.json()["approve_at"].startswith(f"{APPROVE}?b=1&consent=")
    unnamed = {**walk._client(), "request": walk.request()}
    assert played.service.http.post("/oauth/bc-authorize", data=unnamed).json()["error"] == "invalid_target"


def test_a_client_may_ask_so_once_it_has_registered_the_grant(tmp_path: Path) -> None:
    with open_register("uk") as register, applying(tmp_path / "ledger", register) as one:
        assert GRANT not in one.registered()["grant_types"], "nobody has it without naming it"
        walk = Decoupled(one.stage)
        assert walk.send(walk.request()).json()["error"] == "unauthorized_client"
        changed = one.change(grant_types=["authorization_code", GRANT])
        assert changed.json()["grant_types"] == ["authorization_code", GRANT]
        assert walk.send(walk.request()).status_code == 200
