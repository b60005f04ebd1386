"""Signed JWTs in compact form, read strictly: nothing is believed before the signature, no key comes from a header.

A small parser of our own and the verifiers of the core, instead of a JOSE library: the same Ed25519 gate as for statements,
one form only, and the algorithm fixed by the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.tokens.keys import ALGORITHMS, PublicKey
from ledger.canonical import unb64u
from ledger.errors import BadEncoding, BadSignature

LIMIT: Final = 8192
PAST_SECONDS: Final = 60
FUTURE_SECONDS: Final = 10
"""FAPI 2.0 §5.3.2.1: times up to 10 s ahead are accepted, more than 60 s are not."""


class BadToken(Exception):
    """A token is not acceptable; the sentence says why and holds nothing of the token."""


_objects: Final = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Jwt:
    """A JWT as received; only `verified` gives its claims."""

    header: dict[str, Any]
    _payload: bytes
    _signed: bytes
    _signature: bytes

    def verified(self, key: PublicKey) -> dict[str, Any]:
        """The claims. Raises BadToken unless the header's algorithm is the key's and the signature holds."""
        if self.header["alg"] != key.alg:
            raise BadToken("the algorithm is not that of the key")
        try:
            key.verify(self._signed, self._signature)
            return _objects.decode(self._payload)
        except BadSignature:
            raise BadToken("the signature does not verify") from None
        except (msgspec.DecodeError, RecursionError):
            raise BadToken("the claims are not a JSON object") from None


def read_jwt(text: str, *, typ: frozenset[str | None], members: frozenset[str], limit: int = LIMIT) -> Jwt:
    """Take a compact JWS of at most `limit` characters apart; `members` are the only header members accepted beside `alg`.

    Raises BadToken.
    """
    parts = text.split(".")
    if len(text) > limit or len(parts) != 3 or not text.isascii():
        raise BadToken(f"not a compact JWS of at most {limit} characters")
    try:
        raw_header, payload, signature = (unb64u(part) for part in parts)
        header = _objects.decode(raw_header)
    except (BadEncoding, msgspec.DecodeError, RecursionError):
        raise BadToken("not a compact JWS of base64url parts and a JSON header") from None
    if header.get("alg") not in ALGORITHMS:
        raise BadToken(f"the algorithm must be one of {', '.join(ALGORITHMS)}")
    found = header.get("typ")
    if (found.lower() if isinstance(found, str) else found) not in typ:
        raise BadToken("the header's typ is another")
    if not header.keys() <= members | {"alg", "typ"}:
        raise BadToken("the header has members that are not used here")
    return Jwt(header, payload, f"{parts[0]}.{parts[1]}".encode(), signature)


def text_claim(claims: dict[str, Any], name: str, *, longest: int = 256) -> str:
    """A claim that must be a text. Raises BadToken."""
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise BadToken(f"the claim {name} is missing or no text of at most {longest} characters")
    return value


def time_claim(claims: dict[str, Any], name: str) -> float:
    """A claim that must be a time, in seconds since 1970. Raises BadToken."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise BadToken(f"the claim {name} is missing or no time")
    return value


def check_times(claims: dict[str, Any], now: float, *, longest: float) -> float:
    """Check `exp`, and `iat` and `nbf` where present; the expiry. Raises BadToken.

    `longest` is how far ahead the expiry may lie, in seconds.
    """
    expires = time_claim(claims, "exp")
    if expires <= now:
        raise BadToken("it has expired")
    if expires > now + longest + FUTURE_SECONDS:
        raise BadToken(f"it expires more than {longest:.0f} s from now")
    for name in ("iat", "nbf"):
        if name in claims and time_claim(claims, name) > now + FUTURE_SECONDS:
            raise BadToken(f"its {name} lies in the future")
    return expires
