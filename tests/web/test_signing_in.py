"""The identity provider's answers: what is not exactly right signs nobody in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from api.client.signing import LocalSigner, sign_jwt
from api.web.oidc import RelyingParty, SignInFailed
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.errors import Unavailable
from tests.ports import loopback
from tests.web.site import serving
from tests.world import reference

CALLBACK = "http://localhost/sign-in/callback"


class Provider:
    """An identity provider whose every answer can be bent."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = LocalSigner.generate("idp", "ES256")
        self.stranger = LocalSigner.generate("idp", "ES256")
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.signer = self.key
        self.token: str | None = None
        self.challenge = self.nonce = ""
        self.keys_fetched = 0
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route("/.well-known/openid-configuration", self._discovery, response_model=None)
        self.app.add_api_route("/jwks", self._jwks, response_model=None)
        self.app.add_api_route("/token", self._token, methods=["POST"], response_model=None)

    def _discovery(self) -> Response:
        addresses = {
            name: f"{self.issuer}/{path}"
            for name, path in (
                ("authorization_endpoint", "authorize"),
                ("token_endpoint", "token"),
                ("jwks_uri", "jwks"),
            )
        }
        return JSONResponse({"issuer": self.issuer, **addresses, **self.discovery})

    def _jwks(self) -> Response:
        self.keys_fetched += 1
        return JSONResponse({"keys": [{**self.key.jwk, "kid": "idp", "alg": "ES256", "use": "sig"}]})

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        verifier = str(form["code_verifier"])
        assert b64u(sha256(verifier.encode()).digest()) == self.challenge, "PKCE"
        assert str(form["client_assertion"]).count(".") == 2
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "us",
            "sub": "mei",
            "nonce": self.nonce,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "acr": "strong",
            "amr": ["otp"],
            "holder": "bank-a",
            "subject": "s" * 24,
            "name": "Mei",
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.token or sign_jwt(self.signer, {"kid": "idp", "typ": "JWT", **self.header}, claims)
        return JSONResponse({"id_token": token, "access_token": "x", "token_type": "Bearer"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    with loopback() as listener:
        made = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with serving(made.app, listener):
            yield made


def client(provider: Provider, **more: Any) -> RelyingParty:
    return RelyingParty(provider.issuer, "us", LocalSigner.generate("us", "ES256"), CALLBACK, SystemClock(), **more)


def sign_in(provider: Provider, party: RelyingParty, *, fresh: bool = False, **answer: str) -> Any:
    attempt, address = party.begin("/my/connections", fresh=fresh)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    provider.challenge, provider.nonce = asked["code_challenge"], asked["nonce"]
    assert asked["code_challenge_method"] == "S256"
    said = {"state": attempt.state, "code": "c", "iss": provider.issuer} | answer
    return party.finish(attempt, **said)


def test_a_proper_answer_signs_in(provider: Provider) -> None:
    person, sca = sign_in(provider, client(provider), fresh=True)
    assert (person.sub, person.holder, person.subject, person.name) == ("mei", "bank-a", "s" * 24, "Mei")
    assert (sca.acr, sca.amr) == ("strong", ("otp",))


@dataclass(frozen=True)
class FromNow:
    """A moment `seconds` from when the test runs: names of tests hold no clock reading."""

    seconds: int
    kind: type = int


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "them"},
        {"aud": ["us", "them"]},
        {"azp": "them"},
        {"nonce": "other"},
        {"exp": FromNow(-3600)},
        {"iat": FromNow(3600), "exp": FromNow(3700)},
        {"exp": FromNow(86_400)},
        {"sub": ""},
        {"sub": None},
        {"holder": None},
        {"holder": "No Holder"},
        {"subject": "short"},
        {"subject": None},
        {"auth_time": None},
        {"exp": FromNow(60, str)},
        {"acr": "a b"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_signs_nobody_in(provider: Provider, claims: dict[str, Any]) -> None:
    now = int(time.time())
    provider.claims = {
        name: value.kind(now + value.seconds) if isinstance(value, FromNow) else value for name, value in claims.items()
    }
    with pytest.raises(SignInFailed):
        sign_in(provider, client(provider))


@pytest.mark.parametrize("answer", [{"state": "other"}, {"iss": "https://other.example"}, {"iss": ""}], ids=str)
def test_an_answer_to_another_question_signs_nobody_in(provider: Provider, answer: dict[str, str]) -> None:
    with pytest.raises(SignInFailed):
        sign_in(provider, client(provider), **answer)


def test_a_token_of_another_key_or_algorithm_signs_nobody_in(provider: Provider) -> None:
    party = client(provider)
    provider.signer = provider.stranger
    with pytest.raises(SignInFailed):
        sign_in(provider, party)
    provider.signer, provider.header = provider.stranger, {"jwk": dict(provider.stranger.jwk)}
    with pytest.raises(SignInFailed):
        sign_in(provider, party)
    claims = b64u(json.dumps({"iss": provider.issuer}).encode())
    for header in ({"alg": "none"}, {"alg": "HS256", "kid": "idp"}):
        provider.token = f"{b64u(json.dumps(header).encode())}.{claims}."
        with pytest.raises(SignInFailed):
            sign_in(provider, party)
    # Forged tokens do not make us fetch the keys again and again.
    assert provider.keys_fetched == 1


def test_a_fresh_sign_in_must_be_fresh_and_strong_enough(provider: Provider) -> None:
    provider.claims = {"auth_time": int(time.time()) - 400}
    sign_in(provider, client(provider))
    with pytest.raises(SignInFailed, match="fresh"):
        sign_in(provider, client(provider), fresh=True)
    provider.claims = {}
    sign_in(provider, client(provider, acr_values="strong stronger"))
    with pytest.raises(SignInFailed, match="strong enough"):
        sign_in(provider, client(provider, acr_values="stronger"))


@pytest.mark.parametrize(
    "bent", [{"issuer": "https://other.example"}, {"jwks_uri": "http://127.0.0.2:1/jwks"}], ids=str
)
def test_a_description_that_does_not_fit_is_refused(provider: Provider, bent: dict[str, str]) -> None:
    provider.discovery = bent
    with pytest.raises(SignInFailed):
        client(provider).begin("/", fresh=False)


def test_an_identity_provider_that_is_away_is_not_a_refusal() -> None:
    gone = RelyingParty(f"http://127.0.0.1:1/{reference()}", "us", LocalSigner.generate("us"), CALLBACK, SystemClock())
    with pytest.raises(Unavailable):
        gone.begin("/", fresh=False)
