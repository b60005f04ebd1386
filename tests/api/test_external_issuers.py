"""Tokens of other issuers: each speaks for the participants and scopes that the operator named for it, and for nobody else."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import Response

from api.http.bounded import DOCUMENT_BYTES
from api.tokens.scopes import OPERATOR
from ledger.canonical import encode
from tests.api.service import Service, TokenClient, running_service, serving
from tests.keys import KeyPair
from tests.ports import loopback
from tests.world import reference


class Issuer:
    """An identity provider that signs whatever it is asked to."""

    def __init__(self) -> None:
        self.key = KeyPair.generate("ES256", "idp-1")
        self.listening = loopback()
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.app = FastAPI()
        said = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.keys: Any = {"keys": [self.key.jwk | {"kid": self.key.kid, "alg": "ES256", "use": "sig"}]}
        self.app.add_api_route("/.well-known/openid-configuration", lambda: said)
        self.app.add_api_route("/keys", lambda: self.keys)

    def token(self, service: Service, client: str, scope: str) -> TokenClient:
        """A client with a token that says this."""
        possession, now = KeyPair.generate("ES256"), int(time.time())
        claims: dict[str, Any] = {
            "aud": service.base_url,
            "client_id": client,
            "cnf": {"jkt": possession.thumbprint},
            "exp": now + 300,
            "iat": now,
            "iss": self.url,
            "jti": reference(),
            "scope": scope,
            "sub": client,
        }
        token = self.key.jws({"kid": self.key.kid, "typ": "at+jwt"}, encode(claims))
        return TokenClient(service.http, service.base_url, token, possession)


NAMED, OTHER = "tpp-1", "tpp-2"


@pytest.fixture
def trusted(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[Service, Issuer]]:
    """A ledger that trusts an issuer for one recipient's consents, and two recipients."""
    issuer = Issuer()
    setting = [{"issuer": issuer.url, "participants": [NAMED], "scopes": ["consents:read"]}]
    with (
        serving(issuer.app, issuer.listening),
        running_service(sqlite_url, tmp_path / "state", external_issuers=setting) as service,
    ):
        service.world.recipient(NAMED)
        service.world.recipient(OTHER)
        yield service, issuer


def test_an_issuer_speaks_for_whom_and_what_it_is_configured_for(trusted: tuple[Service, Issuer]) -> None:
    service, issuer = trusted
    assert issuer.token(service, NAMED, "consents:read receipts:read").get("/consents").status_code == 200
    beyond = issuer.token(service, NAMED, "consents:read receipts:read").get("/receipts/0")
    assert (beyond.status_code, beyond.json()["type"].rsplit("/", 1)[1]) == (403, "insufficient-scope")
    stranger = issuer.token(service, OTHER, "consents:read").get("/consents")
    assert (stranger.status_code, stranger.json()["type"].rsplit("/", 1)[1]) == (401, "unauthenticated")


def test_no_other_issuer_acts_for_the_operator(trusted: tuple[Service, Issuer]) -> None:
    """Security review, S2: such a token registered participants."""
    service, issuer = trusted
    size = service.size
    forged = issuer.token(service, OPERATOR, "participants:write metrics:read events:manage")
    new = {"participant": "bank-evil", "name": "Evil", "roles": ["holder"]}
    answers = [
        forged.request("POST", "/participants", json=new),
        forged.request("POST", f"/participants/{NAMED}/suspend", json={"reason": "because"}),
        forged.get("/metrics"),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert service.size == size


def test_an_issuer_that_is_named_without_participants_speaks_for_nobody(sqlite_url: str, tmp_path: Path) -> None:
    issuer = Issuer()
    with (
        serving(issuer.app, issuer.listening),
        running_service(sqlite_url, tmp_path / "state", external_issuers=[{"issuer": issuer.url}]) as service,
    ):
        service.world.recipient(NAMED)
        assert issuer.token(service, NAMED, "consents:read").get("/consents").status_code == 401


KEY_SETS = {
    "none": Response(status_code=404),
    "one that does not read": Response(b"{"),
    "one that is nested without end": Response(b'{"keys":' + b"[" * 100_000),
    "one that is longer than a key set can be": Response(b" " * (DOCUMENT_BYTES + 1)),
    "an inflated one": Response(gzip.compress(b" " * 10_000_000), headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("what", KEY_SETS)
def test_a_key_set_that_cannot_be_read_is_no_fault_of_the_caller(trusted: tuple[Service, Issuer], what: str) -> None:
    service, issuer = trusted
    right, issuer.keys = issuer.keys, KEY_SETS[what]
    answer = issuer.token(service, NAMED, "consents:read").get("/consents")
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (503, "unavailable")
    issuer.keys = right
    assert issuer.token(service, NAMED, "consents:read").get("/consents").status_code == 200
