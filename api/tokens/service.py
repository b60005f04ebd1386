"""The embedded token service: client credentials, authenticated by a signed assertion, bound to a key.

RFC 6749 §4.4, RFC 7523 (private_key_jwt), RFC 9068 (tokens), RFC 9449 (DPoP), RFC 8414 (metadata), RFC 9396 (authorization
details), as FAPI 2.0 narrows them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from api.http.refusals import BadRequest
from api.tokens.clients import Clients, read_form
from api.tokens.details import TYPE, parse_details
from api.tokens.dpop import check_proof
from api.tokens.grants import Grants
from api.tokens.jwt import BadToken
from api.tokens.keys import ALGORITHMS, TokenSigner
from api.tokens.once import Once
from api.tokens.scopes import SCOPES, scopes_of
from ledger.canonical import b64u
from ledger.participants import Registry


class TokenService:
    """Issues access tokens to participants and to the operator."""

    def __init__(
        self,
        issuer: str,
        signer: TokenSigner,
        once: Once,
        registry: Callable[[], Registry],
        clients: Clients,
        grants: Grants,
        *,
        lifetime: int,
    ) -> None:
        """`issuer` is this ledger's base address; `lifetime` of tokens in seconds."""
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._registry = registry
        self._clients = clients
        self._grants = grants
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
            "introspection_endpoint": f"{self._issuer}/introspect",
            "revocation_endpoint": f"{self._issuer}/revoke",
            "grant_management_endpoint": f"{self._issuer}/grants",
            "grant_management_actions_supported": ["query", "revoke"],
            "grant_management_action_required": False,
            "authorization_details_types_supported": [TYPE],
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
            "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": sorted(SCOPES),
            "service_documentation": f"{self._issuer}/docs",
        }

    def issue(self, form: bytes, proof: str | None) -> tuple[str, dict[str, Any]]:
        """Answer a token request: the client's id and the answer's JSON. Blocking. Raises BadRequest, InvalidClient."""
        asked = read_form(form)
        if asked.get("grant_type") != "client_credentials":
            raise BadRequest("the only grant here is client_credentials", error="unsupported_grant_type")
        now = time.time()
        client = self._clients.client(asked, now)
        if "authorization_details" in asked:
            return client, self._for_consent(client, asked, proof, now)
        return client, self._for_ledger(client, asked, proof, now)

    def _for_ledger(self, client: str, asked: Mapping[str, str], proof: str | None, now: float) -> dict[str, Any]:
        """A token for this ledger's own routes: its scopes are what the client's roles allow."""
        allowed = scopes_of(client, self._registry())
        wanted = frozenset(asked["scope"].split()) if "scope" in asked else allowed
        if not wanted or not wanted <= allowed:
            raise BadRequest(
                f"the scopes of this client are: {' '.join(sorted(allowed)) or 'none'}",
                error="invalid_scope",
                member="scope",
            )
        scope = " ".join(sorted(wanted))
        token = self._token(client, proof, now, int(now) + self._lifetime, {"aud": self._issuer, "scope": scope})
        return {"access_token": token, "token_type": "DPoP", "expires_in": self._lifetime, "scope": scope}

    def _for_consent(self, client: str, asked: Mapping[str, str], proof: str | None, now: float) -> dict[str, Any]:
        """A token for the holder's data routes, bound to one active consent (RFC 9396). It opens nothing at this ledger."""
        if "scope" in asked:
            raise BadRequest(
                "a token is for this ledger (scope) or for one consent (authorization_details), never both",
                error="invalid_scope",
                member="scope",
            )
        bound = self._grants.bind(client, parse_details(asked["authorization_details"]), now)
        expires = int(now) + self._lifetime
        if bound.ends_at:
            expires = min(expires, bound.ends_at)
        said = {
            "aud": bound.audience,
            "authorization_details": bound.details,
            "consent_version": bound.version,
            "grant_id": bound.grant_id,
        }
        return {
            "access_token": self._token(client, proof, now, expires, said),
            "token_type": "DPoP",
            "expires_in": expires - int(now),
            "authorization_details": bound.details,
            "grant_id": bound.grant_id,
        }

    def _token(self, client: str, proof: str | None, now: float, expires: int, said: Mapping[str, Any]) -> str:
        claims = {
            "client_id": client, "cnf": {"jkt": self._proven_key(proof, now)}, "exp": expires, "iat": int(now),
            "iss": self._issuer, "jti": b64u(os.urandom(16)), "sub": client,
        }  # fmt: skip
        return self._signer.jws({"kid": self._signer.kid, "typ": "at+jwt"}, claims | dict(said))

    def _proven_key(self, proof: str | None, now: float) -> str:
        """The thumbprint of the key that the token will be bound to. Raises BadRequest."""
        if proof is None:
            raise BadRequest("a DPoP proof is missing", error="invalid_dpop_proof")
        try:
            held = check_proof(proof, method="POST", urls=(f"{self._issuer}/token",), now=now)
            self._once.use("dpop", held.thumbprint, held.jti, held.expires_at)
        except BadToken as error:
            raise BadRequest(f"the DPoP proof is not valid: {error}", error="invalid_dpop_proof") from None
        return held.thumbprint
