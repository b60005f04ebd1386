"""Access tokens: who gets one, what it is bound to, and every way in which one must not be accepted."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import pytest

from api.tokens.keys import PublicKey
from ledger.canonical import encode, unb64u
from ledger.documents import KeyRevoked, ParticipantSuspended, document_of
from tests.api.service import Service, TokenClient, assertion, dpop_proof
from tests.keys import ALGORITHMS, KeyPair


def _claims(token: str) -> dict[str, Any]:
    return dict(json.loads(unb64u(token.split(".")[1])))


def _refused(answer: httpx2.Response, status: int, slug: str, error: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].rsplit("/", 1)[1] == slug
    if error is not None:
        assert answer.json()["error"] == error


def test_a_token_says_what_rfc_9068_asks_and_verifies_under_the_published_keys(service: Service) -> None:
    bank = service.world.holder()
    token = service.as_(bank).token
    header, claims = json.loads(unb64u(token.split(".")[0])), _claims(token)
    [published] = service.http.get("/jwks").json()["keys"]
    assert (header["typ"], header["alg"], header["kid"]) == ("at+jwt", "ES256", published["kid"])
    signed, _, signature = token.rpartition(".")
    PublicKey.from_jwk(published).verify(signed.encode(), unb64u(signature))
    assert (claims["iss"], claims["aud"], claims["sub"], claims["client_id"]) == (
        service.base_url,
        service.base_url,
        "bank-a",
        "bank-a",
    )
    assert claims["scope"] == (
        "admin:metrics.basic:read consents:read consents:write events:manage events:read partners:read partners:write "
        "receipts:read reconciliation:read supervision:read"
    )
    assert 0 < claims["exp"] - claims["iat"] <= 600
    assert set(claims["cnf"]) == {"jkt"}


def test_metadata_names_the_endpoints_and_algorithms(sqlite_service: Service) -> None:
    said = sqlite_service.http.get("/.well-known/oauth-authorization-server").json()
    assert said["issuer"] == sqlite_service.base_url
    assert said["token_endpoint"] == f"{sqlite_service.base_url}/token"
    assert set(said["dpop_signing_alg_values_supported"]) == set(ALGORITHMS)
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_clients_and_proofs_may_use_each_algorithm(sqlite_service: Service, alg: str) -> None:
    world = sqlite_service.world
    bank = world.holder(client=False)
    key, possession = KeyPair.generate(alg, "bank-a-c"), KeyPair.generate(alg, "dpop")
    world.ledger.record_documents(world.key_added("bank-a", key, "client"))
    answer = sqlite_service.token_request(key, bank.id, dpop=possession)
    client = TokenClient(sqlite_service.http, sqlite_service.base_url, answer.json()["access_token"], possession)
    assert client.get("/consents").json() == {"consents": []}


BAD_ASSERTIONS: dict[str, dict[str, Any]] = {
    "aud is the token endpoint": {"aud": "http://127.0.0.1/token"},
    "aud is a list": {"aud": ["http://127.0.0.1"]},
    "expired": {"exp": 1_700_000_000},
    "expires in an hour": {"exp": int(time.time()) + 3600},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "issued in the future": {"iat": int(time.time()) + 3600},
    "iss of another": {"iss": "tpp-1"},
    "sub of another": {"sub": "tpp-1"},
    "exp is a text": {"exp": "soon"},
    "exp is infinite": {"exp": 10**15},
}


@pytest.mark.parametrize("kind", BAD_ASSERTIONS)
def test_a_client_that_does_not_authenticate_gets_nothing(sqlite_service: Service, kind: str) -> None:
    bank = sqlite_service.world.holder()
    sqlite_service.world.recipient()
    assert bank.client_key is not None
    text = assertion(bank.client_key, bank.id, sqlite_service.base_url, **BAD_ASSERTIONS[kind])
    answer = sqlite_service.token_request(
        bank.client_key, bank.id, dpop=KeyPair.generate("ES256"), client_assertion=text
    )
    _refused(answer, 401, "invalid-client", "invalid_client")


def test_statement_keys_revoked_keys_and_strangers_get_no_token(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, possession = world.holder(), KeyPair.generate("ES256")
    assert bank.client_key is not None
    _refused(sqlite_service.token_request(bank.key, bank.id, dpop=possession), 401, "invalid-client")
    stranger = KeyPair.generate("ES256", "nobody-1")
    _refused(sqlite_service.token_request(stranger, bank.id, dpop=possession), 401, "invalid-client")
    impostor = KeyPair.generate("ES256", bank.client_key.kid)
    _refused(sqlite_service.token_request(impostor, bank.id, dpop=possession), 401, "invalid-client")
    world.ledger.record_documents(
        document_of(KeyRevoked, participant=bank.id, kid=bank.client_key.kid, reason="compromised")
    )
    _refused(sqlite_service.token_request(bank.client_key, bank.id, dpop=possession), 401, "invalid-client")


def test_an_assertion_is_good_once(service: Service) -> None:
    bank = service.world.holder()
    assert bank.client_key is not None
    text = assertion(bank.client_key, bank.id, service.base_url)
    possession = KeyPair.generate("ES256")
    answers = [
        service.token_request(bank.client_key, bank.id, dpop=possession, client_assertion=text) for _ in range(2)
    ]
    assert answers[0].status_code == 200
    _refused(answers[1], 401, "invalid-client", "invalid_client")


def test_token_requests_of_another_kind_are_refused_in_oauths_words(sqlite_service: Service) -> None:
    bank, possession = sqlite_service.world.holder(), KeyPair.generate("ES256")
    key = bank.client_key
    assert key is not None
    ask = sqlite_service.token_request
    _refused(ask(key, bank.id, dpop=possession, grant_type="password"), 400, "bad-request", "unsupported_grant_type")
    _refused(ask(key, bank.id, dpop=possession, scope="log:read"), 400, "bad-request", "invalid_scope")
    _refused(ask(key, bank.id, dpop=possession, client_assertion_type="x"), 401, "invalid-client", "invalid_client")
    _refused(ask(key, bank.id, dpop=None), 400, "bad-request", "invalid_dpop_proof")
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = sqlite_service.http.post("/token", content=b"grant_type=a&grant_type=b", headers=form)
    _refused(twice, 400, "bad-request", "invalid_request")
    assert ask(key, bank.id, dpop=possession, scope="receipts:read").json()["scope"] == "receipts:read"


@pytest.mark.parametrize("worded", ["accounts", "consents", "accounts receipts:read"])
def test_a_scope_in_the_words_of_an_outward_standard_is_given_in_ours(sqlite_service: Service, worded: str) -> None:
    """A client of the UK asks for `accounts`, one of Brazil for `consents`: their official files name no other."""
    possession = KeyPair.generate("ES256")
    tpp = sqlite_service.world.recipient("tpp-1")
    assert tpp.client_key is not None
    answer = sqlite_service.token_request(tpp.client_key, tpp.id, dpop=possession, scope=worded)
    further = worded.split()[1:]
    assert answer.json()["scope"] == " ".join(["consents:read", "consents:write", *further])
    client = TokenClient(sqlite_service.http, sqlite_service.base_url, answer.json()["access_token"], possession)
    assert _get(client, **client.headers("GET", "/consents")).status_code == 200
    assert "accounts" in sqlite_service.http.get("/.well-known/oauth-authorization-server").json()["scopes_supported"]


def _get(client: TokenClient, path: str = "/consents", **headers: str) -> httpx2.Response:
    return client.http.get(path, headers=headers)


def test_a_proof_is_good_for_one_request_only(service: Service) -> None:
    """A04."""
    client = service.as_(service.world.holder())
    headers = client.headers("GET", "/consents")
    assert _get(client, **headers).status_code == 200
    replayed = _get(client, **headers)
    _refused(replayed, 401, "unauthenticated")
    assert replayed.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')


BAD_PROOFS: dict[str, dict[str, Any]] = {
    "another address": {"htu": "http://127.0.0.1/receipts/0"},
    "another method": {"htm": "POST"},
    "another host": {"htu": "https://ledger.example/consents"},
    "an hour old": {"iat": int(time.time()) - 3600},
    "an hour ahead": {"iat": int(time.time()) + 3600},
    "without iat": {"iat": None},
    "without jti": {"jti": None},
    "without ath": {"ath": None},
    "for another token": {"ath": "A" * 43},
}


@pytest.mark.parametrize("kind", BAD_PROOFS)
def test_a_proof_for_something_else_is_refused(sqlite_service: Service, kind: str) -> None:
    """A04."""
    client = sqlite_service.as_(sqlite_service.world.holder())
    _refused(_get(client, **client.headers("GET", "/consents", **BAD_PROOFS[kind])), 401, "unauthenticated")


def test_a_token_is_worth_nothing_without_its_key(sqlite_service: Service) -> None:
    client = sqlite_service.as_(sqlite_service.world.holder())
    thief = TokenClient(client.http, client.base_url, client.token, KeyPair.generate("ES256"))
    _refused(thief.get("/consents"), 401, "unauthenticated")
    _refused(_get(client, authorization=f"Bearer {client.token}"), 401, "unauthenticated")
    _refused(_get(client, authorization=f"DPoP {client.token}"), 401, "unauthenticated")
    silent = _get(client)
    _refused(silent, 401, "unauthenticated")
    assert silent.headers["www-authenticate"] == 'DPoP algs="ES256 EdDSA PS256"'


def test_a_proof_does_not_carry_a_private_or_a_symmetric_key(sqlite_service: Service) -> None:
    client = sqlite_service.as_(sqlite_service.world.holder())
    good = client.headers("GET", "/consents")
    claims = unb64u(good["dpop"].split(".")[1])
    for jwk in ({**client.key.jwk, "d": "A" * 43}, {"kty": "oct", "k": "AAAA"}, None):
        header = {"typ": "dpop+jwt"} | ({} if jwk is None else {"jwk": jwk})
        _refused(_get(client, **(good | {"dpop": client.key.jws(header, claims)})), 401, "unauthenticated")


def test_forged_tokens_are_refused(sqlite_service: Service) -> None:
    world, http = sqlite_service.world, sqlite_service.http
    client = sqlite_service.as_(world.holder())
    [published] = http.get("/jwks").json()["keys"]
    claims = _claims(client.token)
    forger = KeyPair.generate("ES256")
    header = {"kid": published["kid"], "typ": "at+jwt"}
    forged = {
        "signed by another": forger.jws(header, encode(claims)),
        "another issuer": forger.jws(header | {"kid": "k"}, encode(claims | {"iss": "https://elsewhere.example"})),
        "alg none": forger.jws(header | {"alg": "none"}, encode(claims)).rsplit(".", 1)[0] + ".",
        "typ JWT": forger.jws(header | {"typ": "JWT"}, encode(claims)),
        "its own jwk": forger.jws(header | {"jwk": forger.jwk}, encode(claims)),
        "cut off": client.token[:-4],
        "longer": client.token + "." + client.token,
        "not a token": "x",
    }
    for kind, token in forged.items():
        answer = TokenClient(http, client.base_url, token, client.key).get("/consents")
        _refused(answer, 401, "unauthenticated")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], kind


def test_losing_a_role_or_a_suspension_takes_the_scopes_at_once(sqlite_service: Service) -> None:
    world = sqlite_service.world
    regulator = world.join("fca", "regulator")
    client = sqlite_service.as_(regulator)
    assert client.get("/tile/entries/000.p/1").status_code == 200
    world.ledger.record_documents(document_of(ParticipantSuspended, participant="fca", reason="left"))
    _refused(client.get("/tile/entries/000.p/1"), 403, "insufficient-scope")


def test_token_requests_of_one_address_are_limited(sqlite_url: str, tmp_path: Any) -> None:
    from tests.api.service import running_service

    with running_service(sqlite_url, tmp_path / "state", token_requests_per_minute=2, reads_per_minute=5) as service:
        answers = [service.http.post("/token", content=b"") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [415, 415, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60
        assert [service.http.get("/log").status_code for _ in range(6)][-1] == 429
        assert service.post(_any_submission(service)).status_code == 201  # writing is bounded by the queue alone


def _any_submission(service: Service) -> Any:
    _, submission = service.world.recipient().request(service.world.holder())
    return submission


def test_proofs_with_percent_signs_match_either_spelling(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.requested_consent(
        app,
        bank,
    )
    client = sqlite_service.as_(bank)
    path = f"/consents/{consent.consent_id}"
    encoded = path.replace("-", "%2D")
    proof = dpop_proof(client.key, "GET", client.base_url + path, token=client.token)
    assert _get(client, encoded, authorization=f"DPoP {client.token}", dpop=proof).status_code == 200
