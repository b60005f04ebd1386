"""Request objects: what a client asks for, signed by one of its client keys (RFC 9101, FAPI 2.0 Message Signing §5.3.1)."""

from __future__ import annotations

from typing import Any, Final

from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim, time_claim
from api.tokens.keys import PublicKey
from ledger.participants import Registry

LIFE: Final = 3600.0
"""Seconds from `nbf` to `exp`, at most."""
_TYP: Final = frozenset({None, "jwt", "oauth-authz-req+jwt"})
_MEMBERS: Final = frozenset({"kid"})


def signed_by_client(text: str, owner: str, registry: Registry, now: float, longest: float) -> dict[str, Any]:
    """The claims of a JWT that a client key of `owner` has signed, and that ends within `longest` seconds. Raises BadToken."""
    jwt = read_jwt(text, typ=_TYP, members=_MEMBERS)
    key = registry.keys.get(text_claim(jwt.header, "kid", longest=64))
    if key is None or key.use != "client" or key.revoked_at is not None or key.participant != owner:
        raise BadToken("its kid is not that of a client key of the client")
    claims = jwt.verified(PublicKey(key.alg, dict(key.jwk), key.verify))
    check_times(claims, now, longest=longest)
    return claims


def read_request_object(text: str, client: str, registry: Registry, issuer: str, now: float) -> dict[str, Any]:
    """The claims of a request object of this client for this issuer. Raises BadToken."""
    claims = signed_by_client(text, client, registry, now, LIFE)
    if claims.get("iss") != client or claims.get("client_id") != client:
        raise BadToken("iss and client_id are not the client")
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise BadToken("aud is not this issuer")
    begins = time_claim(claims, "nbf")
    if begins < now - LIFE or claims["exp"] - begins > LIFE:
        raise BadToken("nbf is more than an hour before now, or before exp")
    return claims
