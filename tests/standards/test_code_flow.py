"""A production client's way: pushed request, the customer's answer, a code, tokens that die with the consent.

Where a test is a case of the OpenID Foundation's conformance suite (FAPI 2.0, final), it names it: `FAPI2SPFinal…`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest

from api.office.configuration import RecipientOptions
from ledger.canonical import b64u, unb64u
from tests.api.service import ASSERTION_TYPE, assertion
from tests.keys import KeyPair
from tests.standards.kit import Stage
from tests.standards.served import CODE, REDIRECT
from tests.standards.walk import APPROVE, DETAILS, VERIFIER, Walk, code_stage


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """See `code_stage`."""
    with code_stage(tmp_path_factory.mktemp("code-flow")) as running:
        yield running


def test_a_code_flow_from_metadata_to_tokens(played: Stage) -> None:
    """HappyFlow, RefreshToken, DiscoveryEndpointVerification."""
    walk = Walk(played)
    metadata = played.service.http.get("/holders/bank-a/oauth/.well-known/oauth-authorization-server").json()
    assert metadata["pushed_authorization_request_endpoint"].endswith("/holders/bank-a/oauth/par")
    assert metadata["authorization_endpoint"] == f"{played.service.base_url}/authorize"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["require_pushed_authorization_requests"] is True
    assert metadata["tls_client_certificate_bound_access_tokens"] is True
    ticket = walk.ticket(state="af0ifjsldkj")
    played.authorise(walk.grant)
    back = walk.back(ticket)
    assert (back["state"], back["iss"]) == ("af0ifjsldkj", metadata["issuer"])
    said = walk.redeem(back["code"]).json()
    assert said["token_type"] == "DPoP"
    assert said["grant_id"] == walk.grant
    assert said["authorization_details"][0]["actions"] == ["list_accounts", "read_balances"]
    seen = walk.introspected(said["access_token"])
    assert seen["active"] is True
    assert seen["cnf"] == {"jkt": walk.dpop.thumbprint}
    again = walk.refresh(said["refresh_token"]).json()
    assert "refresh_token" not in again, "refresh tokens are not rotated"
    assert walk.introspected(again["access_token"])["active"] is True


def test_the_commit_that_ends_the_consent_ends_code_refresh_and_access_tokens(played: Stage) -> None:
    walk = Walk(played)
    said = walk.redeem(walk.code()).json()
    other = Walk(played)
    unused = other.code()
    for one in (walk, other):
        consent = played.known(one.grant)
        played.world.record(played.banks["bank-a"].step("revoke", consent, reason="customer-request"))
    assert walk.introspected(said["access_token"]) == {"active": False}
    for answer in (walk.refresh(said["refresh_token"]), other.redeem(unused)):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"response_type": "code id_token"}, "unsupported_response_type"),  # EnsureResponseTypeCodeIdTokenFails
        ({"response_type": "-"}, "unsupported_response_type"),
        ({"code_challenge": "-", "code_challenge_method": "-"}, "invalid_request"),  # PAREnsurePKCERequired
        ({"code_challenge_method": "plain"}, "invalid_request"),  # PAREnsurePlainPKCERejected
        ({"redirect_uri": "https://app.example/back/"}, "invalid_request"),
        ({"redirect_uri": "https://thief.example/back"}, "invalid_request"),  # EnsureRegisteredRedirectUri
        ({"redirect_uri": "-"}, "invalid_request"),  # EnsureRedirectUriInAuthorizationRequest
        ({"request_uri": "urn:example:x"}, "invalid_request"),  # PARRejectRequestUriInParAuthorizationFormParams
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"state": "s" * 513}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"scope": "consent:nobody-knows-it", "authorization_details": "-"}, "invalid_request"),
        ({"scope": "consent:a AIS:b", "authorization_details": "-"}, "invalid_request"),
        ({"claims": "[", "authorization_details": "-"}, "invalid_request"),
    ],
)
def test_a_pushed_request_that_is_not_good_is_refused_and_nothing_is_recorded(
    played: Stage, form: dict[str, str], error: str
) -> None:
    before = played.recorded
    answer = Walk(played).push(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert played.recorded == before


def test_the_browser_is_sent_on_with_a_good_request_of_this_client_only(played: Stage) -> None:
    walk = Walk(played)
    pushed = walk.push()
    other = walk.authorize(pushed, client="tpp-2")  # PAREnsureRequestUriIsBoundToClient
    assert other.status_code == 404
    assert "location" not in other.headers
    uri = pushed.json()["request_uri"]
    for wrong in (uri[:-4] + "AAAA", "urn:ietf:params:oauth:request_uri:x", REDIRECT, ""):
        answer = played.service.http.get("/authorize", params={"client_id": "tpp-1", "request_uri": wrong})
        assert answer.status_code == 404
        assert "location" not in answer.headers
    plain = {
        "client_id": "tpp-1",
        "redirect_uri": REDIRECT,
        "response_type": "code",
    }  # EnsureUnsignedAuthorizationRequestWithoutUsingParFails
    assert played.service.http.get("/authorize", params=plain).status_code == 404
    sent = walk.authorize(pushed)
    assert sent.headers["location"].startswith(f"{APPROVE}?consent=")
    assert (
        Walk(played, holder="bank-b")
        .authorize(Walk(played, holder="bank-b").push())
        .headers["location"]
        .startswith(f"{APPROVE}?b=1&consent=")
    )


def test_a_customer_who_says_no_goes_back_without_a_code(played: Stage) -> None:
    walk = Walk(played)  # UserRejectsAuthentication
    ticket = walk.ticket(state="x")
    back = walk.back(ticket, agreed=False)
    assert back == {"error": "access_denied", "state": "x", "iss": played.service.base_url}
    assert walk.answer(ticket).status_code == 400, "she has answered"


def test_the_banks_word_alone_gives_no_code(played: Stage) -> None:
    """What the log does not say, did not happen."""
    walk = Walk(played)
    assert walk.back(walk.ticket())["error"] == "access_denied"


def test_only_the_holder_answers_for_its_customers(played: Stage) -> None:
    walk = Walk(played)
    ticket = walk.ticket()
    played.authorise(walk.grant)
    assert walk.answer(ticket, holder="bank-b").status_code == 400
    bank = played.service.as_(played.banks["bank-b"])
    said = {"request": ticket, "agreed": True}
    assert bank.request("POST", "/holders/bank-b/oauth/answers", json=said).status_code == 400
    assert played.client().request("POST", "/holders/bank-a/oauth/answers", json=said).status_code == 400
    assert "code" in walk.back(ticket)


@pytest.mark.parametrize(
    "bend",
    [
        {"code_verifier": "A" * 43},  # PARIncorrectPKCECodeVerifierRejected
        {"code_verifier": "-"},
        {"code_verifier": VERIFIER[:42]},
        {"redirect_uri": "https://app.example/other"},
        {"redirect_uri": "-"},
        {"code": "not-a-code"},
        {"grant_type": "refresh_token", "refresh_token": "code"},
    ],
)
def test_a_code_is_good_with_what_belongs_to_it_only(played: Stage, bend: dict[str, str]) -> None:
    walk = Walk(played)
    code = walk.code()
    if bend.get("refresh_token") == "code":
        bend = {**bend, "refresh_token": code}
    answer = walk.redeem(code, **bend)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


def test_another_client_cannot_use_a_code(played: Stage) -> None:
    code = Walk(played).code()  # EnsureAuthorizationCodeIsBoundToClient
    answer = Walk(played, "tpp-2").redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_code_that_comes_twice_ends_what_came_of_it(played: Stage) -> None:
    walk = Walk(played)  # AttemptReuseAuthorizationCodeAfterOneSecond
    code = walk.code()
    said = walk.redeem(code).json()
    assert walk.introspected(said["access_token"])["active"] is True
    assert walk.redeem(code).json()["error"] == "invalid_grant"
    assert walk.introspected(said["access_token"]) == {"active": False}
    assert walk.refresh(said["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_code_can_be_bound_to_a_key_from_the_beginning(played: Stage) -> None:
    walk = Walk(played)  # EnsureTokenEndpointFailsWithMismatchedDpopJkt
    code = walk.code(dpop_jkt=walk.dpop.thumbprint)
    other = walk.redeem(code, dpop=KeyPair.generate("ES256"))
    assert other.json()["error"] == "invalid_grant"
    assert walk.redeem(code).status_code == 200, "it was not used up by somebody who could not use it"


def test_a_proof_at_the_pushed_request_binds_the_code_too(played: Stage) -> None:
    """EnsureDpopProofAtParEndpointBindingSuccess, EnsureMismatchedDpopJktFails."""
    walk = Walk(played)
    sent = walk.authorize(walk.push(proof=walk.dpop))
    played.authorise(walk.grant)
    code = walk.back(parse_qs(urlsplit(sent.headers["location"]).query)["request"][0])["code"]
    assert walk.redeem(code, dpop=KeyPair.generate("ES256")).json()["error"] == "invalid_grant"
    assert walk.redeem(code).status_code == 200
    other = walk.push(proof=walk.dpop, dpop_jkt=KeyPair.generate("ES256").thumbprint)
    assert (other.status_code, other.json()["error"]) == (400, "invalid_dpop_proof")


def test_a_pushed_request_may_be_opened_again_until_it_is_answered(played: Stage) -> None:
    """PAREnsureServerAcceptsReusedRequestUriBeforeAuthenticationCompletion, PARAttemptReuseRequestUri."""
    walk = Walk(played)
    pushed = walk.push()
    first, second = walk.authorize(pushed), walk.authorize(pushed)
    assert (first.status_code, second.status_code) == (303, 303)
    played.authorise(walk.grant)
    tickets = [parse_qs(urlsplit(sent.headers["location"]).query)["request"][0] for sent in (first, second)]
    assert "code" in walk.back(tickets[1])
    assert walk.answer(tickets[0]).status_code == 400, "one request has one answer"
    assert walk.authorize(pushed).status_code == 404


def test_a_token_is_given_to_a_bound_key_only(played: Stage) -> None:
    walk = Walk(played)  # EnsureHolderOfKeyRequired
    answer = walk.redeem(walk.code(), headers={})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


def test_giving_back_a_refresh_token_ends_all_that_stems_from_it(played: Stage) -> None:
    walk = Walk(played)
    said = walk.redeem(walk.code()).json()
    form = {**walk._client(), "token": said["refresh_token"]}
    assert played.service.http.post("/revoke", data=form).status_code == 200
    assert walk.refresh(said["refresh_token"]).json()["error"] == "invalid_grant"
    assert walk.introspected(said["access_token"]) == {"active": False}
    assert played.service.node.ledger.records.consent("tpp-1", walk.grant).status.value == "ACTIVE"


def test_a_signed_answer(played: Stage) -> None:
    """JARM: the answer is a JWT of the issuer's for this client."""
    walk = Walk(played)
    ticket = walk.ticket(response_mode="jwt", state="s-1")
    played.authorise(walk.grant)
    [response] = walk.back(ticket).values()
    head, body, _ = response.split(".")
    keys = {key["kid"] for key in played.service.http.get("/jwks").json()["keys"]}
    assert json.loads(unb64u(head))["kid"] in keys
    said = json.loads(unb64u(body))
    assert (said["iss"], said["aud"], said["state"]) == (played.service.base_url, "tpp-1", "s-1")
    assert walk.redeem(said["code"]).status_code == 200


def test_a_signed_request(played: Stage) -> None:
    """FAPI 2.0 Message Signing: what is asked stands in a request object, and nothing beside it counts."""
    walk = Walk(played)
    assert walk.app.client_key is not None
    now = played.world.clock.now() // 1000

    def signed(key: KeyPair | None = None, **claims: Any) -> str:
        said = {
            "iss": "tpp-1",
            "client_id": "tpp-1",
            "aud": played.service.base_url,
            "nbf": now,
            "exp": now + 60,
            **CODE,
            "authorization_details": json.loads(DETAILS),
            "state": "in the object",
        } | claims
        chosen = key or walk.app.client_key
        assert chosen is not None
        said = {name: value for name, value in said.items() if value is not None}
        return chosen.jws({"kid": chosen.kid, "typ": "oauth-authz-req+jwt"}, json.dumps(said).encode())

    def unsigned(request: str) -> str:
        head = b64u(json.dumps({"alg": "none", "typ": "oauth-authz-req+jwt"}).encode())
        return f"{head}.{request.split('.')[1]}."

    def push(request: str) -> httpx2.Response:
        form = {**walk._client(), "request": request, "state": "beside it"}
        return played.service.http.post("/holders/bank-a/oauth/par", data=form)

    sent = walk.authorize(push(signed()))
    ticket = parse_qs(urlsplit(sent.headers["location"]).query)["request"][0]
    played.authorise(walk.grant)
    assert walk.back(ticket)["state"] == "in the object"  # EnsureDifferentStateInsideAndOutsideRequestObject
    assert push(signed(state=None)).status_code == 201  # StateOnlyOutsideRequestObjectNotUsed
    several = ["https://elsewhere.example", played.service.base_url]
    assert push(signed(aud=several)).status_code == 201  # EnsureServerAcceptsRequestObjectWithMultipleAud
    assert push(signed(nbf=now + 8)).status_code == 201  # …WithNbf8SecondsInTheFutureIsAccepted
    for wrong in (
        signed(aud="https://elsewhere.example"),  # EnsureRequestObjectWithBadAudFails
        signed(exp=now - 1),  # EnsureExpiredRequestObjectFails
        signed(nbf=now - 4000),  # EnsureRequestObjectWithNbfOver60Fails
        signed(exp=now + 3700),  # EnsureRequestObjectWithExpOver60Fails
        signed(exp=None),  # EnsureRequestObjectWithoutExpFails
        signed(nbf=None),  # EnsureRequestObjectWithoutNbfFails
        unsigned(signed()),  # EnsureRequestObjectSignatureAlgorithmIsNotNone
        signed(iss="tpp-2"),
        signed(KeyPair.generate("ES256", walk.app.client_key.kid)),  # EnsureRequestObjectWithInvalidSignatureFails
        "a.b.c",
    ):
        assert push(wrong).json()["error"] == "invalid_request_object"


# --- consents that were asked for in a standard's own words ---------------------------------------------------------


def test_a_consent_of_another_standard_is_agreed_to_by_its_own_parameter(played: Stage) -> None:
    """Brazil: `consent:` and the URN in the scope; Berlin: `AIS:ID`; UK: the claim `openbanking_intent_id`."""
    walk = Walk(played)
    intent = {"id_token": {"openbanking_intent_id": {"value": "@", "essential": True}}}
    scopes = ("openid consent:urn:consent-ledger:@", "openid consent:@", "AIS:@")
    for form in (*({"scope": scope} for scope in scopes), {"claims": json.dumps(intent)}):
        asked = walk.push(response_type="-", redirect_uri="-", code_challenge="-", code_challenge_method="-")
        grant = asked.json()["grant_id"]
        named = {name: value.replace("@", grant) for name, value in form.items()}
        code = walk.code(authorization_details="-", **named)
        assert walk.grant == grant
        assert walk.redeem(code).json()["grant_id"] == grant


def test_a_token_that_was_not_narrowed_is_good_for_all_that_its_consent_permits(played: Stage) -> None:
    """Some data has no action in authorization details: offers of the UK, the list of resources of Brazil."""
    walk = Walk(played)
    asked = {"Data": {"Permissions": ["ReadAccountsDetail", "ReadOffers"]}, "Risk": {}}
    posted = played.call("POST", "/open-banking/v4.0/aisp/account-access-consents", json=asked)
    consent = posted.json()["Data"]["ConsentId"]
    given = walk.redeem(walk.code(authorization_details="-", scope=f"openid consent:{consent}")).json()
    permissions = walk.introspected(given["access_token"])["permissions"]
    assert permissions == ["ReadAccountsBasic", "ReadAccountsDetail", "ReadOffers"]
    narrowed = json.dumps([{"type": "account_information", "actions": ["list_accounts"]}])
    less = walk.refresh(given["refresh_token"], authorization_details=narrowed).json()
    assert walk.introspected(less["access_token"])["permissions"] == ["ReadAccountsBasic"]


def test_signed_introspection(played: Stage) -> None:
    """RFC 9701."""
    walk = Walk(played)
    said = walk.redeem(walk.code()).json()
    bank = played.banks["bank-a"]
    assert bank.client_key is not None
    form = {
        "token": said["access_token"],
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(bank.client_key, bank.id, played.service.base_url),
    }
    accept = {"accept": "application/token-introspection+jwt"}
    answer = played.service.http.post("/introspect", data=form, headers=accept)
    assert answer.headers["content-type"].startswith("application/token-introspection+jwt")
    head, body, _ = answer.text.split(".")
    assert json.loads(unb64u(head))["typ"] == "token-introspection+jwt"
    told_to = json.loads(unb64u(body))
    assert (told_to["aud"], told_to["iss"]) == ("bank-a", played.service.base_url)
    assert told_to["token_introspection"]["active"] is True


def test_redirect_addresses_are_read_strictly() -> None:
    for wrong in ("http://app.example/back", "https://app.example/back#x", "javascript:alert(1)", "https://a b"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"redirect_uris": [wrong]}, RecipientOptions)
    fine = msgspec.convert({"redirect_uris": [REDIRECT, "http://127.0.0.1:8080/back"]}, RecipientOptions)
    assert len(fine.redirect_uris) == 2


def test_a_stock_client_reads_refusals_of_the_token_endpoint(played: Stage) -> None:
    """RFC 6749 §5.2: who asks for JSON gets JSON; others a problem that carries the same `error`."""
    for accept, kind in (("application/json", "application/json"), ("*/*", "application/problem+json")):
        answer = played.service.http.post("/token", data={"grant_type": "password"}, headers={"accept": accept})
        assert answer.headers["content-type"] == kind
        assert answer.json()["error"] == "unsupported_grant_type"


def test_a_client_that_knows_the_issuer_alone_names_the_holder(played: Stage) -> None:
    """RFC 8707, with the address of pushed requests in the issuer's own metadata."""
    walk = Walk(played)
    address = played.service.http.get("/.well-known/oauth-authorization-server").json()[
        "pushed_authorization_request_endpoint"
    ]
    for resource, status in (("bank-a", 201), ("bank-z", 400), ("tpp-1", 400), ("", 400)):
        form = {**walk._client(), **CODE, "authorization_details": DETAILS} | (
            {"resource": resource} if resource else {}
        )
        answer = played.service.http.post(address, data=form)
        assert answer.status_code == status, answer.text
        assert status == 201 or answer.json()["error"] == "invalid_target"
