"""The embedded token service: for clients that authenticate by a signed assertion or a certificate; every token is bound to a
key.

RFC 6749 §4.1, §4.4, §6, RFC 7523 (private_key_jwt), RFC 8705 (mTLS), RFC 9068 (tokens), RFC 9449 (DPoP), RFC 8414 (metadata),
RFC 9396 (authorization details), CIBA Core 1.0, as FAPI 2.0 and FAPI-CIBA narrow them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec.structs import replace

from api.http.refusals import BadRequest
from api.tokens.backchannel import GRANT as CIBA
from api.tokens.backchannel import Backchannel
from api.tokens.certificates import Certificate
from api.tokens.clients import Authenticated, Clients, read_form
from api.tokens.codes import REFRESH_SECONDS, RESPONSE_MODES, CodeFlow, Redeemed
from api.tokens.details import ERROR, TYPE, AccountInformation, parse_details
from api.tokens.dpop import Proof
from api.tokens.grants import BoundTo, Grants
from api.tokens.jwt import BadToken
from api.tokens.keys import ALGORITHMS, TokenSigner
from api.tokens.nonces import Nonces, held_proof, refused_proof
from api.tokens.once import Once
from api.tokens.scopes import SCOPES, WORDED, in_our_words, scopes_of
from ledger.canonical import b64u
from ledger.participants import Registry

GRANTS: Final = ("authorization_code", "client_credentials", "refresh_token", CIBA)
Binding = dict[str, str]
"""`cnf`: `jkt` (RFC 9449 §6.1) or `x5t#S256` (RFC 8705 §3.1)."""
_ALL: Final = AccountInformation(TYPE)


def type_of(bound: Mapping[str, str]) -> str:
    """The `token_type` of a token that is bound so."""
    return "DPoP" if "jkt" in bound else "Bearer"


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
        flow: CodeFlow,
        *,
        lifetime: int,
        mutual_tls: bool = False,
        code_flow: bool = False,
        registration: bool = False,
        nonces: Nonces | None = None,
    ) -> None:
        """`issuer` is this ledger's base address; `lifetime` of tokens in seconds; `mutual_tls`: whether a proxy tells of
        client certificates; `code_flow`: whether outward standards are served, and with them pushed requests;
        `registration`: whether a register's software can register itself; `nonces`: what DPoP proofs must bring."""
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._registry = registry
        self._clients = clients
        self._grants = grants
        self._flow = flow
        self.backchannel = Backchannel(flow, once, grants)
        """The way of clients that send no browser."""
        self._mutual_tls = mutual_tls
        self._code_flow = code_flow
        self._registration = registration
        self._lifetime = lifetime
        self._nonces = nonces

    @property
    def key_set(self) -> dict[str, Any]:
        """The JWK set that access tokens are verified with."""
        return {"keys": [self._signer.published]}

    @property
    def metadata(self) -> dict[str, Any]:
        """RFC 8414. A holder's pushed requests have an address of their own: `pushed_at`."""
        methods = ["private_key_jwt", *(["self_signed_tls_client_auth"] if self._mutual_tls else [])]
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
            "introspection_signing_alg_values_supported": [self._signer.alg],
            "response_types_supported": [],
            "tls_client_certificate_bound_access_tokens": self._mutual_tls,
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "introspection_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": sorted({*SCOPES, *WORDED}),
            "service_documentation": f"{self._issuer}/docs",
            **(self._pushed() if self._code_flow else {}),
            **({"registration_endpoint": f"{self._issuer}/oauth/register"} if self._registration else {}),
        }

    def _pushed(self) -> dict[str, Any]:
        """The code flow, which exists only if outward standards are served."""
        return {
            "authorization_endpoint": f"{self._issuer}/authorize",
            "authorization_response_iss_parameter_supported": True,
            "authorization_signing_alg_values_supported": [self._signer.alg],
            "backchannel_authentication_endpoint": f"{self._issuer}/oauth/bc-authorize",
            "backchannel_authentication_request_signing_alg_values_supported": list(ALGORITHMS),
            "backchannel_token_delivery_modes_supported": ["poll"],
            "backchannel_user_code_parameter_supported": False,
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": list(GRANTS),
            "pushed_authorization_request_endpoint": f"{self._issuer}/oauth/par",
            "request_object_signing_alg_values_supported": list(ALGORITHMS),
            "require_pushed_authorization_requests": True,
            "response_modes_supported": sorted(RESPONSE_MODES),
            "response_types_supported": ["code"],
        }

    def metadata_of(self, holder: str) -> dict[str, Any]:
        """RFC 8414 for the clients of one holder: with the addresses of its pushed (RFC 9126 §5) and backchannel requests."""
        place = f"{self._issuer}/holders/{holder}/oauth"
        return {
            **self.metadata,
            "backchannel_authentication_endpoint": f"{place}/bc-authorize",
            "pushed_authorization_request_endpoint": f"{place}/par",
        }

    def issue(
        self, form: bytes, proof: str | None, certificate: Certificate | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Answer a token request: the client's id and the answer's JSON. Blocking. Raises BadRequest, InvalidClient."""
        asked = read_form(form)
        now = time.time()
        kind = asked.get("grant_type")
        if kind not in GRANTS:
            raise BadRequest(f"the grants here are {', '.join(GRANTS)}", error="unsupported_grant_type")
        # First: an assertion is good once, and who lacks a nonce comes again.
        held = held_proof(proof, f"{self._issuer}/token", self._nonces, now)
        known = self._clients.authenticated(asked, now, certificate)
        bound = self._binding(held, certificate)
        if kind == "authorization_code":
            grant = self._flow.redeemed(asked, known.id, bound.get("jkt", ""), now)
            return known.id, self._for_grant(known, asked, bound, now, grant, begins=True)
        if kind == CIBA:
            grant = self.backchannel.redeemed(asked, known.id, now)
            return known.id, self._for_grant(known, asked, bound, now, grant, begins=True)
        if kind == "refresh_token":
            return known.id, self._for_grant(known, asked, bound, now, self._flow.refreshed(asked, known.id, now))
        if "authorization_details" in asked:
            return known.id, self._for_consent(known, asked, bound, now)
        return known.id, self._for_ledger(known, asked, bound, now)

    def _for_ledger(
        self, client: Authenticated, asked: Mapping[str, str], bound: Binding, now: float
    ) -> dict[str, Any]:
        """A token for this ledger's own routes: its scopes are what the client's roles allow. The answer names them in this
        ledger's words, which differ from a standard's (RFC 6749 §5.1)."""
        allowed = scopes_of(client.id, self._registry())
        wanted = in_our_words(asked["scope"].split()) if "scope" in asked else allowed
        if not wanted or not wanted <= allowed:
            raise BadRequest(
                f"the scopes of this client are: {' '.join(sorted(allowed)) or 'none'}",
                error="invalid_scope",
                member="scope",
            )
        scope = " ".join(sorted(wanted))
        token = self._token(client, bound, now, int(now) + self._lifetime, {"aud": self._issuer, "scope": scope})
        return {"access_token": token, "token_type": type_of(bound), "expires_in": self._lifetime, "scope": scope}

    def _for_consent(
        self, client: Authenticated, asked: Mapping[str, str], bound: Binding, now: float
    ) -> dict[str, Any]:
        """A token for the holder's data routes, bound to one active consent (RFC 9396). It opens nothing at this ledger."""
        if "scope" in asked:
            raise BadRequest(
                "a token is for this ledger (scope) or for one consent (authorization_details), never both",
                error="invalid_scope",
                member="scope",
            )
        grant = self._grants.bind(client.id, parse_details(asked["authorization_details"]), now)
        return self._of_grant(client, grant, bound, now)

    def _for_grant(
        self,
        client: Authenticated,
        asked: Mapping[str, str],
        bound: Binding,
        now: float,
        redeemed: Redeemed,
        *,
        begins: bool = False,
    ) -> dict[str, Any]:
        """Tokens for the consent of a code or of a refresh token: while it is active, and no longer."""
        details = parse_details(asked["authorization_details"]) if "authorization_details" in asked else _ALL
        if details.consent_id not in (None, redeemed.grant_id):
            raise BadRequest(
                "consent_id is another than that of the grant", error=ERROR, member="authorization_details"
            )
        try:
            grant = self._grants.bind(client.id, replace(details, consent_id=redeemed.grant_id), now)
        except BadRequest as error:
            if error.member != "consent_id":
                raise
            raise BadRequest("the consent of this grant is not active any more", error="invalid_grant") from None
        said = self._of_grant(client, grant, bound, now, {"family": redeemed.family})
        if begins:
            ends = grant.ends_at or int(now) + REFRESH_SECONDS
            said["refresh_token"] = self._flow.refresh_token(client.id, redeemed, now, ends)
        return said

    def _of_grant(
        self,
        client: Authenticated,
        grant: BoundTo,
        bound: Binding,
        now: float,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[str, Any]:
        expires = int(now) + self._lifetime
        if grant.ends_at:
            expires = min(expires, grant.ends_at)
        said = {
            "aud": grant.audience,
            "authorization_details": grant.details,
            "consent_version": grant.version,
            "grant_id": grant.grant_id,
            "whole": grant.whole,
            **more,
        }
        return {
            "access_token": self._token(client, bound, now, expires, said),
            "token_type": type_of(bound),
            "expires_in": expires - int(now),
            "authorization_details": grant.details,
            "grant_id": grant.grant_id,
        }

    def _token(self, client: Authenticated, bound: Binding, now: float, expires: int, said: Mapping[str, Any]) -> str:
        """An access token. It names the client key that it was got with, and is over when the log revokes that key."""
        claims = {
            "client_id": client.id,
            "client_kid": client.kid,
            "cnf": bound,
            "exp": expires,
            "iat": int(now),
            "iss": self._issuer,
            "jti": b64u(os.urandom(16)),
            "sub": client.id,
        }
        return self._signer.jws({"kid": self._signer.kid, "typ": "at+jwt"}, claims | dict(said))

    def _binding(self, held: Proof | None, certificate: Certificate | None) -> Binding:
        """What the token will be bound to (RFC 7800 `cnf`): the key of the proof, else the certificate. Raises BadRequest."""
        if held is None and certificate is not None:
            return {"x5t#S256": certificate.x5t}
        if held is None:
            raise BadRequest("a DPoP proof is missing", error="invalid_dpop_proof")
        try:
            self._once.use("dpop", held.thumbprint, held.jti, held.expires_at)
        except BadToken as error:
            raise refused_proof(error) from None
        return {"jkt": held.thumbprint}
