"""What a client of the UK's account access consents asks and signs, and how it is answered."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from api.standards.uk.signatures import IAT, ISS, TAN
from ledger.canonical import b64u
from tests.keys import KeyPair
from tests.world import ORIGIN

V4 = "/open-banking/v4.0/aisp/account-access-consents"
WANTED = ["ReadAccountsDetail", "ReadBalances", "ReadTransactionsDetail", "ReadTransactionsCredits"]


def later(days: int = 90) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0).isoformat()


def asked(**members: Any) -> dict[str, Any]:
    return {"Data": {"Permissions": WANTED, "ExpirationDateTime": later()} | members, "Risk": {}}


def errors_of(answer: Any) -> list[tuple[str, str | None]]:
    conforms_as_v4 = answer.json()
    return [(one["ErrorCode"], one.get("Path")) for one in conforms_as_v4["Errors"]]


def signature(key: KeyPair, body: bytes, *, plain: bool = False, **claims: Any) -> str:
    """A detached JWS over the body; claims that are given replace the right ones, None removes one."""
    said: dict[str, Any] = {
        "alg": "PS256",
        "kid": key.kid,
        "typ": "JOSE",
        "cty": "application/json",
        IAT: int(time.time()) - 1,
        ISS: "tpp-1",
        TAN: ORIGIN,
        "crit": [IAT, ISS, TAN],
    }
    if plain:
        said |= {"b64": False, "crit": ["b64", IAT, ISS, TAN]}
    said = {name: value for name, value in (said | claims).items() if value is not None}
    header = b64u(json.dumps(said).encode())
    message = header.encode() + b"." + (body if plain else b64u(body).encode())
    return f"{header}..{b64u(key.sign(message))}"
