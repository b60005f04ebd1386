"""The embedded token service: client credentials, authenticated by a signed assertion, bound to a key.

RFC 6749 §4.4, RFC 7523 (private_key_jwt), RFC 9068 (tokens), RFC 9449 (DPoP), RFC 8414 (metadata), as FAPI 2.0 narrows them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from api.refusals import BadRequest, InvalidClient
from api.tokens.dpop import check_proof
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import ALGORITHMS, PublicKey, TokenSigner
from api.tokens.once import Once
from api.tokens.scopes import OPERATOR, SCOPES, scopes_of
from ledger.canonical import b64u
from ledger.participants import Registry

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT: Final = 16 * 1024
_TYP: Final = frozenset({None, "jwt", "client-authentication+jwt"})
_MEMBERS: Final = frozenset({"kid"})
_LONGEST: Final = 60.0


class TokenService:
    """Issues access tokens to participants and to the operator."""

    def __init__(
        self,
        issuer: str,
        signer: TokenSigner,
        once: Once,
        registry: Callable[[], Registry],
        operator_keys: Mapping[str, PublicKey],
        *,
        lifetime: int,
    ) -> None:
        """`issuer` is this ledger's base address; `lifetime` of tokens in seconds."""
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._registry = registry
        self._operator_keys = operator_keys
        self._lifetime = lifetime

    @property
    def key_set(self) -> dict[str, Any]:
        """The JWK set that access tokens are verified with."""
        return {"keys": [self._signer.published]}

    @property
    def metadata(self) -> dict[str, Any]:
        """RFC 8414."""
        return {
            "issuer": self._issuer,
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/jwks",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": sorted(SCOPES),
            "service_documentation": f"{self._issuer}/docs",
        }

    def issue(self, form: bytes, proof: str | None) -> tuple[str, dict[str, Any]]:
        """Answer a token request: the client's id and the answer's JSON. Blocking. Raises BadRequest, InvalidClient."""
        asked = _read_form(form)
        if asked.get("grant_type") != "client_credentials":
            raise BadRequest("the only grant here is client_credentials", error="unsupported_grant_type")
        now = time.time()
        client = self._client(asked, now)
        allowed = scopes_of(client, self._registry())
        wanted = frozenset(asked["scope"].split()) if "scope" in asked else allowed
        if not wanted or not wanted <= allowed:
            raise BadRequest(
                f"the scopes of this client are: {' '.join(sorted(allowed)) or 'none'}",
                error="invalid_scope",
                member="scope",
            )
        thumbprint = self._proven_key(proof, now)
        token = self._signer.jws(
            {"kid": self._signer.kid, "typ": "at+jwt"},
            {
                "aud": self._issuer, "client_id": client, "cnf": {"jkt": thumbprint}, "exp": int(now) + self._lifetime,
                "iat": int(now), "iss": self._issuer, "jti": b64u(os.urandom(16)), "scope": " ".join(sorted(wanted)),
                "sub": client,
            },
        )  # fmt: skip
        return client, {
            "access_token": token, "token_type": "DPoP", "expires_in": self._lifetime, "scope": " ".join(sorted(wanted))
        }  # fmt: skip

    def _client(self, asked: Mapping[str, str], now: float) -> str:
        """Who asks, by a signed assertion (RFC 7523 §3). Raises InvalidClient."""
        if asked.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in asked:
            raise InvalidClient("authenticate with private_key_jwt: client_assertion_type and client_assertion")
        try:
            assertion = read_jwt(asked["client_assertion"], typ=_TYP, members=_MEMBERS)
            owner, key = self._client_key(text_claim(assertion.header, "kid", longest=64))
            claims = assertion.verified(key)
            self._check_names(claims, owner, asked.get("client_id", owner))
            expires = check_times(claims, now, longest=_LONGEST)
            self._once.use("assertion", owner, text_claim(claims, "jti", longest=128), expires)
        except BadToken as error:
            raise InvalidClient(f"the client assertion does not hold: {error}") from None
        return owner

    def _check_names(self, claims: Mapping[str, Any], owner: str, client_id: str) -> None:
        if claims.get("iss") != owner or claims.get("sub") != owner or client_id != owner:
            raise BadToken("iss, sub and client_id must be the owner of the key")
        if claims.get("aud") != self._issuer:  # a list, or the token endpoint, is what other servers take
            raise BadToken("aud must be the issuer exactly, as one text")

    def _client_key(self, kid: str) -> tuple[str, PublicKey]:
        if kid in self._operator_keys:
            return OPERATOR, self._operator_keys[kid]
        key = self._registry().keys.get(kid)
        if key is None or key.use != "client" or key.revoked_at is not None:
            raise BadToken("its kid is not that of a client key")
        return key.participant, PublicKey(key.alg, dict(key.jwk), key.verify)

    def _proven_key(self, proof: str | None, now: float) -> str:
        """The thumbprint of the key that the token will be bound to. Raises BadRequest."""
        if proof is None:
            raise BadRequest("a DPoP proof is missing", error="invalid_dpop_proof")
        try:
            held = check_proof(proof, method="POST", urls=(f"{self._issuer}/token",), now=now)
            self._once.use("dpop", held.thumbprint, held.jti, held.expires_at)
        except BadToken as error:
            raise BadRequest(f"the DPoP proof does not hold: {error}", error="invalid_dpop_proof") from None
        return held.thumbprint


def _read_form(form: bytes) -> dict[str, str]:
    """The parameters of a form, each at most once (RFC 6749 §3.2). Raises BadRequest."""
    try:
        pairs = parse_qsl(form.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("the body is not a form of a few parameters", error="invalid_request") from None
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise BadRequest("a parameter came more than once", error="invalid_request")
    return asked
