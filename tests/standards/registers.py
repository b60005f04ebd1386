"""A register of another ecosystem, in the shapes of the UK, Brazil and Australia: it signs software statements and publishes
keys, its own and those of the software."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, HTTPException

from api.office.configuration import RegisterOptions
from api.registers.statements import RegisterForm
from tests.api.service import serving
from tests.keys import KeyPair
from tests.ports import loopback
from tests.world import reference

SHAPES: tuple[RegisterForm, ...] = ("brazil", "cdr", "uk")
ISSUERS: dict[RegisterForm, str] = {
    "brazil": "Open Banking Brasil test SSA issuer",
    "cdr": "cdr-register",
    "uk": "OpenBanking Ltd",
}
BACK = "https://app.example/registered"
OTHER = "https://app.example/registered-too"


@lru_cache
def register_key() -> KeyPair:
    """One for all registers: such a key takes long to make."""
    return KeyPair.generate("PS256", "register-1")


def published(key: KeyPair, **members: str) -> dict[str, str]:
    """As a member of a key set."""
    return {**key.jwk, "kid": key.kid, **members}


@dataclass
class Register:
    """Its software is one app whose id is `software`."""

    form: RegisterForm
    url: str
    participant: str = "tpp-1"
    software: str = "740c368f-ecf9-4d29-a2ea-0514a66b0cde"
    key: KeyPair = field(default_factory=register_key)
    sets: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """By name: the key sets that are published here."""
    down: bool = False
    asked: int = 0
    status: str = "ACTIVE"
    """Of its software, as the Consumer Data Right's register lists it."""

    @property
    def issuer(self) -> str:
        return ISSUERS[self.form]

    @property
    def options(self) -> RegisterOptions:
        return RegisterOptions(
            issuer=self.issuer,
            form=self.form,
            jwks_uri=f"{self.url}/own",
            software={self.software: self.participant},
            statuses_uri=f"{self.url}/statuses" if self.form == "cdr" else "",
        )

    def answer(self, name: str) -> dict[str, Any]:
        self.asked += 1
        if self.down:
            raise HTTPException(503)
        if name == "statuses":
            return {"data": [{"softwareProductId": self.software, "status": self.status}]}
        own = [published(self.key, alg="PS256", use="sig")]
        return {"keys": own if name == "own" else self.sets.get(name, [])}

    def statement(self, *, key: KeyPair | None = None, **changed: Any) -> str:
        """A software statement, all as it should be but for what is changed; None leaves a member out."""
        now = int(time.time())
        uk = {
            "org_id": "0015800001HQQrZAAX",
            "org_name": "Plum Ltd",
            "org_status": "Active",
            "software_client_name": "Plum",
            "software_id": self.software,
            "software_jwks_endpoint": f"{self.url}/software",
            "software_mode": "Live",
            "software_redirect_uris": [BACK, OTHER],
            "software_roles": ["AISP", "PISP"],
        }
        brazil = uk | {
            "software_jwks_uri": f"{self.url}/software",
            "software_jwks_transport_uri": f"{self.url}/transport",
            "software_status": "Active",
            "software_statement_roles": [
                {"authorisation_domain": "Open Banking", "role": "DADOS", "status": "Active"},
                {"authorisation_domain": "Open Banking", "role": "PAGTO", "status": "Inactive"},
            ],
        }
        cdr = {
            "client_description": "A budget",
            "client_name": "Plum",
            "client_uri": "https://app.example",
            "exp": now + 600,
            "jwks_uri": f"{self.url}/software",
            "legal_entity_id": "3b0b0a7b",
            "legal_entity_name": "Plum Pty Ltd",
            "logo_uri": "https://app.example/logo.png",
            "org_id": "3b0b0a7c",
            "org_name": "Plum",
            "recipient_base_uri": "https://app.example",
            "redirect_uris": [BACK, OTHER],
            "revocation_uri": "https://app.example/revocation",
            "scope": "openid bank:accounts.basic:read cdr:registration",
            "software_id": self.software,
            "software_roles": "data-recipient-software-product",
        }
        said = {"uk": uk, "brazil": brazil, "cdr": cdr}[self.form] | {
            "iat": now,
            "iss": self.issuer,
            "jti": reference(),
        }
        said = {name: value for name, value in (said | changed).items() if value is not None}
        signer = key or self.key
        return signer.jws({"kid": self.key.kid, "typ": "JWT"}, json.dumps(said).encode())


def request_of(
    register: Register, key: KeyPair, issuer: str, *, statement: str = "", signs: KeyPair | None = None, **changed: Any
) -> str:
    """A signed registration request of the software, all as it should be but for what is changed."""
    now = int(time.time())
    said: dict[str, Any] = {
        "aud": issuer,
        "exp": now + 300,
        "grant_types": ["authorization_code", "client_credentials", "refresh_token"],
        "iat": now,
        "id_token_signed_response_alg": "PS256",
        "iss": register.software,
        "jti": reference(),
        "redirect_uris": [BACK],
        "request_object_signing_alg": "PS256",
        "response_types": ["code", "code id_token"],
        "software_statement": statement or register.statement(),
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "PS256",
    } | changed
    said = {name: value for name, value in said.items() if value is not None}
    return (signs or key).jws({"kid": key.kid, "typ": "JWT"}, json.dumps(said).encode())


@contextmanager
def open_register(form: RegisterForm, **members: Any) -> Iterator[Register]:
    """One that answers on this machine."""
    listening = loopback()
    register = Register(form, f"http://127.0.0.1:{listening.getsockname()[1]}", **members)
    app = FastAPI()
    app.add_api_route("/{name}", register.answer)
    with serving(app, listening):
        yield register
