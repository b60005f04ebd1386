"""A recipient of another ecosystem that registers itself as a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from api.office.configuration import HolderOptions
from tests.api.service import ASSERTION_TYPE, TokenClient, assertion, dpop_proof
from tests.keys import KeyPair
from tests.standards.kit import Stage, stage
from tests.standards.registers import BACK, Register, published, request_of
from tests.standards.walk import APPROVE, SECRET, Walk

SIGNED = {"content-type": "application/jwt"}


@dataclass
class Applicant:
    """The app that comes with its register's word."""

    stage: Stage
    register: Register
    key: KeyPair
    said: dict[str, Any] | None = None
    """What it was told when it registered."""

    @property
    def issuer(self) -> str:
        return self.stage.service.base_url

    @property
    def http(self) -> httpx2.Client:
        return self.stage.service.http

    def new_key(self, name: str) -> KeyPair:
        """Published, and no other beside it."""
        self.key = KeyPair.generate("ES256", name)
        self.register.sets["software"] = [published(self.key, alg="ES256", use="sig")]
        return self.key

    def ask(self, *, key: KeyPair | None = None, **changed: Any) -> httpx2.Response:
        text = request_of(self.register, key or self.key, self.issuer, **changed)
        return self.http.post("/oauth/register", content=text, headers=SIGNED)

    def registered(self, **changed: Any) -> dict[str, Any]:
        answer = self.ask(**changed)
        assert answer.status_code == 201, answer.text
        said: dict[str, Any] = answer.json()
        self.said = said
        return said

    def own(self, method: str, *, token: str = "", client: str = "", **kwargs: Any) -> httpx2.Response:
        """A request for its registration, with the token that came with it."""
        assert self.said is not None
        bearer = {"authorization": f"Bearer {token or self.said['registration_access_token']}"}
        headers = bearer | kwargs.pop("headers", {})
        place = f"/oauth/register/{client or self.said['client_id']}"
        return self.http.request(method, place, headers=headers, **kwargs)

    def change(self, **changed: Any) -> httpx2.Response:
        text = request_of(self.register, self.key, self.issuer, **changed)
        return self.own("PUT", content=text, headers=SIGNED)

    def token(self, key: KeyPair | None = None, **form: str) -> httpx2.Response:
        """A token request under the registered key."""
        said = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(key or self.key, self.register.participant, self.issuer),
            "grant_type": "client_credentials",
        } | form
        self.dpop = KeyPair.generate("ES256")
        proof = {"dpop": dpop_proof(self.dpop, "POST", f"{self.issuer}/token")}
        return self.http.post("/token", data=said, headers=proof)

    def client(self, **form: str) -> TokenClient:
        answer = self.token(**form)
        assert answer.status_code == 200, answer.text
        return TokenClient(self.http, self.issuer, answer.json()["access_token"], self.dpop)

    def walk(self) -> Walk:
        """Its way through the code flow, under the registered key and back to the registered address."""
        walk = Walk(self.stage)
        walk.app.client_key, walk.redirect = self.key, BACK
        return walk


@contextmanager
def applying(folder: Path, register: Register, url: str = "") -> Iterator[Applicant]:
    """An app of the register's, at a ledger that believes it."""
    folder.mkdir(exist_ok=True)
    secret = folder / "proxy.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with stage(
        url or f"sqlite:///{folder / 'ledger.sqlite'}",
        folder / "state",
        registers=(register.options,),
        holders={"bank-a": HolderOptions(approve_at=APPROVE)},
        web={"environment": "development"},  # keys on this machine
        client_certificate_header="Client-Cert",
        proxy_secret_file=secret,
        token_requests_per_minute=100_000,
    ) as running:
        applicant = Applicant(running, register, KeyPair.generate("ES256", "unused"))
        applicant.new_key("app-signing-1")
        yield applicant
