"""A ledger over HTTP for tests: the real application under a real server on loopback, and clients with and without tokens."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import UNSET

from api.http.httpserver import HttpServer, bounded
from api.node.building import build_node
from api.node.node import Node
from api.node.settings import Settings
from api.server.app import create_app
from api.tokens.keys import TokenSigner
from api.tokens.scopes import OPERATOR
from ledger.canonical import b64u, encode, unb64u
from ledger.documents import Disclosure, document_of
from tests.api.founding import initialised
from tests.keys import KeyPair
from tests.ports import loopback
from tests.world import ORIGIN, Party, Submission, World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def dpop_proof(key: KeyPair, method: str, url: str, *, token: str | None = None, **claims: Any) -> str:
    """A proof; claims that are given replace the right ones, `None` removes one."""
    said: dict[str, Any] = {
        "htm": method,
        "htu": url.split("?", maxsplit=1)[0],
        "iat": int(time.time()),
        "jti": b64u(os.urandom(16)),
    }
    if token is not None:
        said["ath"] = b64u(hashlib.sha256(token.encode()).digest())
    said = {name: value for name, value in (said | claims).items() if value is not None}
    return key.jws({"jwk": key.jwk, "typ": "dpop+jwt"}, encode(said))


def assertion(key: KeyPair, client: str, issuer: str, **claims: Any) -> str:
    """A client assertion; claims that are given replace the right ones, `None` removes one."""
    said: dict[str, Any] = {
        "aud": issuer,
        "exp": int(time.time()) + 50,
        "iss": client,
        "jti": b64u(os.urandom(16)),
        "sub": client,
    }
    said = {name: value for name, value in (said | claims).items() if value is not None}
    return key.jws({"kid": key.kid}, encode(said))


@dataclass
class TokenClient:
    """A client with a token: each request carries a fresh proof."""

    http: httpx2.Client
    base_url: str
    token: str
    key: KeyPair

    def headers(self, method: str, path: str, **claims: Any) -> dict[str, str]:
        proof = dpop_proof(self.key, method, self.base_url + path, token=self.token, **claims)
        return {"authorization": f"DPoP {self.token}", "dpop": proof}

    def request(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        more = kwargs.pop("headers", {})
        answer = self.http.request(method, path, headers=self.headers(method, path) | more, **kwargs)
        if "use_dpop_nonce" in answer.headers.get("www-authenticate", ""):
            proved = self.headers(method, path, nonce=answer.headers["dpop-nonce"])
            answer = self.http.request(method, path, headers=proved | more, **kwargs)
        return answer

    def get(self, path: str, **kwargs: Any) -> httpx2.Response:
        return self.request("GET", path, **kwargs)


@dataclass
class Service:
    """The running service."""

    node: Node
    base_url: str
    http: httpx2.Client
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.node.ledger)

    @property
    def size(self) -> int:
        return self.node.ledger.tree.size()

    def post(self, submission: Submission, **kwargs: Any) -> httpx2.Response:
        """Post a participant's submission."""
        headers = {"content-type": "application/json"}
        return self.http.post(submission.path, content=submission.body, headers=headers, **kwargs)

    def token_request(self, key: KeyPair, client: str, *, dpop: KeyPair | None, **form: str) -> httpx2.Response:
        """Ask for a token; form members that are given replace the right ones."""
        said = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(key, client, self.base_url),
        } | form
        if dpop is None:
            return self.http.post("/token", data=said)
        place = f"{self.base_url}/token"
        answer = self.http.post("/token", data=said, headers={"dpop": dpop_proof(dpop, "POST", place)})
        if answer.status_code == 400 and answer.json().get("error") == "use_dpop_nonce":
            proof = dpop_proof(dpop, "POST", place, nonce=answer.headers["dpop-nonce"])
            answer = self.http.post("/token", data=said, headers={"dpop": proof})
        return answer

    def as_client(self, client: str, key: KeyPair, **form: str) -> TokenClient:
        """A client with a fresh token."""
        possession = KeyPair.generate("ES256")
        answer = self.token_request(key, client, dpop=possession, **form)
        assert answer.status_code == 200, answer.text
        return TokenClient(self.http, self.base_url, answer.json()["access_token"], possession)

    def as_(self, party: Party, **form: str) -> TokenClient:
        """A participant with a fresh token."""
        assert party.client_key is not None
        return self.as_client(party.id, party.client_key, **form)

    def operator(self) -> TokenClient:
        """The operator with a fresh token."""
        return self.as_client(OPERATOR, self.operator_key)

    @property
    def operator_key(self) -> KeyPair:
        """The key that `init` made."""
        path = self.node.settings.state_dir / "operator.key"
        signer = TokenSigner.load(path)
        secret = int.from_bytes(unb64u(json.loads(path.read_text())["d"]))
        return KeyPair("ES256", signer.kid, ec.derive_private_key(secret, ec.SECP256R1()))


def opened_by_two(service: Service, regulator: str, **opening: Any) -> int:
    """What two people of a regulator do on the pages: the entry that says so."""
    people = ("officer-1", "officer-2") if service.node.ledger.registry.ruleset > 2 else UNSET
    document = document_of(Disclosure, participant=regulator, approved_by=people, **opening)
    return service.node.ledger.record_documents(document)[0].index


@contextmanager
def serving(app: Any, listening: socket.socket) -> Iterator[None]:
    """Run an application in a thread on a socket that listens already."""
    server = HttpServer(uvicorn.Config(app, **bounded(lifespan="on")))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@contextmanager
def running_service(database_url: str, folder: Path, **settings: Any) -> Iterator[Service]:
    """A new log in an empty database, served."""
    listening = loopback()
    settings = {"index_interval_ms": 0} | settings  # no entry that the test did not ask for
    chosen = Settings(state_dir=folder, database_url=database_url, port=listening.getsockname()[1], **settings)
    initialised(chosen, ORIGIN)
    node = build_node(chosen)
    with (
        serving(create_app(node), listening),
        httpx2.Client(base_url=chosen.base_url, timeout=30, trust_env=False) as http,
    ):
        http.get("/health/live").raise_for_status()
        yield Service(node, chosen.base_url, http)
