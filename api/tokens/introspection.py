"""Introspection (RFC 7662) and revocation (RFC 7009) of tokens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from api.http.refusals import BadRequest
from api.tokens.certificates import Certificate
from api.tokens.clients import Clients, is_key_in_force, read_form
from api.tokens.codes import CodeFlow
from api.tokens.details import permissions_of
from api.tokens.grants import Grants
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import TokenSigner
from api.tokens.once import REVOKED, Once
from api.tokens.service import type_of

INACTIVE: Final[dict[str, Any]] = {"active": False}
"""The whole answer for a token that is not active, or not the asker's business (RFC 7662 §2.2)."""
_TYP: Final = frozenset({"at+jwt"})
_MEMBERS: Final = frozenset({"kid"})
_LONGEST: Final = 600.0
_SHOWN: Final = (
    "aud",
    "authorization_details",
    "client_id",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "scope",
    "sub",
)


class Introspection:
    """Answers about this ledger's own tokens. Blocking."""

    def __init__(
        self, issuer: str, signer: TokenSigner, once: Once, clients: Clients, grants: Grants, flow: CodeFlow
    ) -> None:
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._clients = clients
        self._grants = grants
        self._flow = flow

    def introspect(self, form: bytes, certificate: Certificate | None = None) -> tuple[str, dict[str, Any]]:
        """The asker's id and the answer. Raises BadRequest, InvalidClient.

        A token bound to a consent is shown to the consent's recipient and holder, any other to its own client only. Whether the
        consent is active is read now: an answer given after the commit that ends it says inactive.
        """
        asked, client, now = self._asked(form, certificate)
        try:
            return client, self._access(asked["token"], client, now)
        except BadToken:
            pass
        try:
            return client, self._refresh(asked["token"], client, now)
        except BadToken:
            return client, INACTIVE

    def _access(self, token: str, asker: str, now: float) -> dict[str, Any]:
        claims = self._claims(token, now)
        owner, jti = text_claim(claims, "client_id"), text_claim(claims, "jti")
        family = claims.get("family")
        if self._once.seen(REVOKED, owner, jti) or (isinstance(family, str) and self._flow.is_over(owner, family)):
            return INACTIVE
        kind = type_of(claims.get("cnf", {}))
        said = {name: claims[name] for name in _SHOWN if name in claims} | {"active": True, "token_type": kind}
        if "grant_id" not in claims:
            return said if asker == owner else INACTIVE
        bound = self._grants.claims(asker, claims["grant_id"], claims["consent_version"], now)
        if bound is None or (asker == owner and "cdr_arrangement_id" in bound):
            return INACTIVE  # CDR: no recipient is told of access tokens; the holder's own server must ask
        if claims.get("whole") is not True:
            actions = [action for detail in claims["authorization_details"] for action in detail["actions"]]
            bound["permissions"] = list(permissions_of(actions))
        return said | bound

    def _refresh(self, token: str, asker: str, now: float) -> dict[str, Any]:
        """A refresh token, for its own client: `exp` is the end of the sharing, where it has one (CDR)."""
        grant = self._flow.refresh_grant(token, asker, now)
        bound = self._grants.claims(asker, grant.grant_id, None, now)
        if bound is None:
            return INACTIVE
        del bound["permissions"]  # of access tokens
        ends = bound.pop("sharing_expires_at", None)
        said = {"active": True, "client_id": asker, "iss": self._issuer, "token_type": "refresh_token", **bound}
        return said | ({"exp": ends} if ends else {})

    def revoke(self, form: bytes, certificate: Certificate | None = None) -> str:
        """Take a client's own token out of use, with a refresh token all that stem from it; the client's id.

        Unknown tokens and other clients' are passed over (RFC 7009 §2.2: the answer must not tell them apart).
        Raises BadRequest, InvalidClient.
        """
        asked, client, now = self._asked(form, certificate)
        for revoke in (self._revoke_access, self._flow.revoke):
            try:
                revoke(asked["token"], client, now)
            except BadToken:
                continue  # not a token of this kind, expired, or revoked before: there is nothing to revoke
        return client

    def signed(self, client: str, said: Mapping[str, Any]) -> str:
        """The answer as a JWT for the asker (RFC 9701 §5)."""
        claims = {"aud": client, "iat": int(time.time()), "iss": self._issuer, "token_introspection": dict(said)}
        return self._signer.jws({"kid": self._signer.kid, "typ": "token-introspection+jwt"}, claims)

    def _revoke_access(self, token: str, client: str, now: float) -> None:
        claims = self._claims(token, now)
        if claims.get("client_id") == client:
            self._once.use(REVOKED, client, text_claim(claims, "jti"), claims["exp"])

    def _asked(self, form: bytes, certificate: Certificate | None) -> tuple[dict[str, str], str, float]:
        asked, now = read_form(form), time.time()
        client = self._clients.client(asked, now, certificate)
        if "token" not in asked:
            raise BadRequest("the parameter token is missing", error="invalid_request", member="token")
        return asked, client, now

    def _claims(self, token: str, now: float) -> dict[str, Any]:
        """The claims of one of this ledger's tokens. Raises BadToken."""
        jwt = read_jwt(token, typ=_TYP, members=_MEMBERS)
        if jwt.header.get("kid") != self._signer.kid:
            raise BadToken("it is not of this ledger")
        claims = jwt.verified(self._signer.public)
        check_times(claims, now, longest=_LONGEST)
        if not is_key_in_force(claims, self._clients.registry()):
            raise BadToken("the client's key that it was got with was revoked")
        return claims
