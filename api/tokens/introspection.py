"""Introspection (RFC 7662) and revocation (RFC 7009) of tokens."""

from __future__ import annotations

import time
from typing import Any, Final

from api.http.refusals import BadRequest
from api.tokens.clients import Clients, read_form
from api.tokens.details import permissions_of
from api.tokens.grants import Grants
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import TokenSigner
from api.tokens.once import REVOKED, Once

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

    def __init__(self, issuer: str, signer: TokenSigner, once: Once, clients: Clients, grants: Grants) -> None:
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._clients = clients
        self._grants = grants

    def introspect(self, form: bytes) -> tuple[str, dict[str, Any]]:
        """The asker's id and the answer. Raises BadRequest, InvalidClient.

        A token bound to a consent is shown to the consent's recipient and holder, any other to its own client only. Whether the
        consent is active is read now: an answer given after the commit that ends it says inactive.
        """
        asked, client, now = self._asked(form)
        try:
            claims = self._claims(asked["token"], now)
            owner, jti = text_claim(claims, "client_id"), text_claim(claims, "jti")
        except BadToken:
            return client, INACTIVE
        if self._once.seen(REVOKED, owner, jti):
            return client, INACTIVE
        said = {name: claims[name] for name in _SHOWN if name in claims} | {"active": True, "token_type": "DPoP"}
        if "grant_id" not in claims:
            return client, said if client == owner else INACTIVE
        bound = self._grants.claims(client, claims["grant_id"], claims["consent_version"], now)
        if bound is None:
            return client, INACTIVE
        actions = [action for detail in claims["authorization_details"] for action in detail["actions"]]
        return client, said | bound | {"permissions": list(permissions_of(actions))}

    def revoke(self, form: bytes) -> str:
        """Take a client's own token out of use; the client's id. Unknown tokens and other clients' are passed over (RFC 7009
        §2.2: the answer must not tell them apart). Raises BadRequest, InvalidClient."""
        asked, client, now = self._asked(form)
        try:
            claims = self._claims(asked["token"], now)
            if claims.get("client_id") == client:
                self._once.use(REVOKED, client, text_claim(claims, "jti"), claims["exp"])
        except BadToken:
            pass  # not a token, expired, or revoked before: in each case there is nothing to revoke
        return client

    def _asked(self, form: bytes) -> tuple[dict[str, str], str, float]:
        asked, now = read_form(form), time.time()
        client = self._clients.client(asked, now)
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
        return claims
