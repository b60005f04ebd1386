"""DPoP proofs (RFC 9449): the caller holds the key that its token is bound to, and made this very request."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from api.http.wire import Scope
from api.tokens.jwt import FUTURE_SECONDS, PAST_SECONDS, BadToken, read_jwt, text_claim, time_claim
from api.tokens.keys import PublicKey
from ledger.canonical import b64u
from ledger.errors import InvalidInput

_TYP: Final = frozenset({"dpop+jwt"})
_MEMBERS: Final = frozenset({"jwk"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds; its one use is still to be noted."""

    thumbprint: str
    jti: str
    expires_at: float
    nonce: object = None
    """What it says of RFC 9449 §8; still to be checked."""


def check_proof(text: str, *, method: str, urls: tuple[str, ...], now: float, access_token: str | None = None) -> Proof:
    """Check a proof for one request (RFC 9449 §4.3). Raises BadToken.

    `urls` are the accepted spellings of the request's address, without query. With an access token, `ath` must be its hash.
    The key comes from the header here, as in any proof of possession; the token says which key it must be.
    """
    proof = read_jwt(text, typ=_TYP, members=_MEMBERS)
    jwk = proof.header.get("jwk")
    try:
        key = PublicKey.from_jwk(jwk if isinstance(jwk, dict) else {})
    except InvalidInput as error:
        raise BadToken(error.detail) from None
    claims = proof.verified(key)
    if claims.get("htm") != method:
        raise BadToken("htm is another method")
    if text_claim(claims, "htu", longest=2048).split("#")[0].split("?")[0] not in urls:
        raise BadToken("htu is another address")
    issued = time_claim(claims, "iat")
    if not now - PAST_SECONDS <= issued <= now + FUTURE_SECONDS:
        raise BadToken("iat is not within the last minute")
    if access_token is not None:
        expected = b64u(hashlib.sha256(access_token.encode()).digest())
        if not hmac.compare_digest(text_claim(claims, "ath").encode(), expected.encode()):
            raise BadToken("ath is not the hash of the access token")
    return Proof(key.thumbprint, text_claim(claims, "jti", longest=128), issued + PAST_SECONDS, claims.get("nonce"))


def urls_of(base_url: str, scope: Scope) -> tuple[str, ...]:
    """The spellings of a request's address: as sent, and with its percent-encoding undone."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    sent = raw.split(b"?")[0].decode("latin-1")
    return base_url + sent, base_url + str(scope["path"])
