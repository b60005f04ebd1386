"""Authenticates clients by a signed assertion (RFC 7523) in a form, in the same way at every OAuth endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from api.http.refusals import BadRequest, InvalidClient
from api.tokens.certificates import Certificate
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import PublicKey
from api.tokens.once import Once
from api.tokens.scopes import OPERATOR
from ledger.participants import Registry

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT: Final = 16 * 1024
_TYP: Final = frozenset({None, "jwt", "client-authentication+jwt"})
_MEMBERS: Final = frozenset({"kid"})
_LONGEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client that asks, and the key of the log by which it showed that."""

    id: str
    kid: str
    """Empty for the operator, whose keys are not of the log."""


class Clients:
    """Authenticates participants and the operator. Blocking."""

    def __init__(
        self, issuer: str, once: Once, registry: Callable[[], Registry], operator_keys: Mapping[str, PublicKey]
    ) -> None:
        """`issuer` is this ledger's base address: the audience of assertions."""
        self._issuer = issuer
        self._once = once
        self.registry = registry
        self._operator_keys = operator_keys

    def client(self, asked: Mapping[str, str], now: float, certificate: Certificate | None = None) -> str:
        """Who asks; see `authenticated`. Raises InvalidClient."""
        return self.authenticated(asked, now, certificate).id

    def authenticated(
        self, asked: Mapping[str, str], now: float, certificate: Certificate | None = None
    ) -> Authenticated:
        """Who asks: by a signed assertion (RFC 7523 §3), else by the certificate of the connection (RFC 8705 §2.2). Raises
        InvalidClient."""
        if certificate is not None and "client_assertion" not in asked:
            return self._by_certificate(asked, certificate)
        if asked.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in asked:
            raise InvalidClient(
                "authenticate with private_key_jwt (client_assertion_type and client_assertion), or with a client certificate"
            )
        try:
            assertion = read_jwt(asked["client_assertion"], typ=_TYP, members=_MEMBERS)
            kid = text_claim(assertion.header, "kid", longest=64)
            owner, key = self._client_key(kid)
            claims = assertion.verified(key)
            self._check_names(claims, owner, asked.get("client_id", owner))
            expires = check_times(claims, now, longest=_LONGEST)
            self._once.use("assertion", owner, text_claim(claims, "jti", longest=128), expires)
        except BadToken as error:
            raise InvalidClient(f"the client assertion is not valid: {error}") from None
        return Authenticated(owner, "" if owner == OPERATOR else kid)

    def _by_certificate(self, asked: Mapping[str, str], certificate: Certificate) -> Authenticated:
        client = asked.get("client_id", "")
        kid = certificate.key_of(client, self.registry())
        if kid is None:
            raise InvalidClient(
                "the key of the client certificate is not a client key of client_id: register it, or send a client_assertion"
            )
        return Authenticated(client, kid)

    def _check_names(self, claims: Mapping[str, Any], owner: str, client_id: str) -> None:
        if claims.get("iss") != owner or claims.get("sub") != owner or client_id != owner:
            raise BadToken("iss, sub and client_id must be the owner of the key")
        if claims.get("aud") != self._issuer:  # a list, or the token endpoint, is what other servers take
            raise BadToken("aud must be the issuer exactly, as one text")

    def _client_key(self, kid: str) -> tuple[str, PublicKey]:
        if kid in self._operator_keys:
            return OPERATOR, self._operator_keys[kid]
        key = self.registry().keys.get(kid)
        if key is None or key.use != "client" or key.revoked_at is not None:
            raise BadToken("its kid is not that of a client key")
        return key.participant, PublicKey(key.alg, dict(key.jwk), key.verify)


def is_key_in_force(claims: Mapping[str, Any], registry: Registry) -> bool:
    """Whether the client key that an access token was got with is not revoked: else the client may be another by now."""
    kid = claims.get("client_kid")
    key = registry.keys.get(kid) if isinstance(kid, str) else None
    return key is None or key.revoked_at is None


def read_form(form: bytes) -> dict[str, str]:
    """The parameters of a form, each at most once (RFC 6749 §3.2). Raises BadRequest."""
    try:
        pairs = parse_qsl(form.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except (ValueError, UnicodeDecodeError):
        raise BadRequest("the body is not a form of a few parameters", error="invalid_request") from None
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise BadRequest("a parameter came more than once", error="invalid_request")
    return asked
