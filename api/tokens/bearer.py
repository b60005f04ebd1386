"""Authenticates a caller: an access token with its DPoP proof, or with the certificate it is bound to, checked for each request
(RFC 9068, RFC 9449, RFC 8705)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from api.http.grouping import Together
from api.http.refusals import InsufficientScope, Unauthenticated
from api.http.wire import Scope, header, visit_of
from api.tokens.certificates import Certificate, CertificateHeader
from api.tokens.clients import is_key_in_force
from api.tokens.dpop import check_proof, urls_of
from api.tokens.external import ExternalIssuers
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import ALGORITHMS, TokenSigner
from api.tokens.nonces import Nonces, NonceWanted
from api.tokens.once import REVOKED, Once, Use, given_back
from api.tokens.scopes import scopes_of
from ledger.canonical import unb64u
from ledger.kept import Kept
from ledger.participants import Registry

_TYP: Final = frozenset({"at+jwt", "application/at+jwt"})
_MEMBERS: Final = frozenset({"kid", "x5t", "x5t#S256", "x5c"})
"""Certificates in a header are accepted and ignored."""
_LONGEST: Final = 600.0
KEPT_TOKENS: Final = 4096
"""Tokens of our own whose signature has been checked, in memory; their times and scopes are looked at each time."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client."""

    id: str
    """Participant id, or the operator's client id."""
    scopes: frozenset[str]


class KnownUse(NamedTuple):
    """The facts about a token that its caller has proved to hold, at this moment."""

    given_back: bool
    """Its client has revoked it."""
    registry: Registry


class TokenGuard:
    """Checks tokens and proofs. Tokens are this ledger's own, or those of issuers that the operator has named."""

    def __init__(
        self,
        issuer: str,
        signer: TokenSigner,
        once: Once,
        registry: Callable[[], Registry],
        external: ExternalIssuers,
        certificates: CertificateHeader | None = None,
        nonces: Nonces | None = None,
    ) -> None:
        """`issuer` is this ledger's base address: issuer and audience of its tokens. `registry` is as of this moment, and may
        block. `certificates`: how the proxy tells of client certificates, for tokens that are bound to one. `nonces`: what
        proofs must bring."""
        self._issuer = issuer
        self._signer = signer
        self._registry = registry
        self._external = external
        self._once = once
        self._certificates = certificates
        self._nonces = nonces
        self._uses: Together[Use, KnownUse] = Together(self._used)
        self._verified: Kept[str, dict[str, Any]] = Kept(KEPT_TOKENS)

    async def caller(self, scope: Scope, needed: str, key_headers: tuple[str, ...] = ()) -> Caller:
        """The caller of a request, who has the scope that is needed. `key_headers`: see `Access`.

        Raises Unauthenticated, InsufficientScope, and Unavailable when an external issuer or the token store does not answer.
        """
        now = time.time()
        token, proof = self._credentials(scope, now, key_headers)
        try:
            claims = await self._claims(token, now)
            client = text_claim(claims, "client_id", longest=64)
            said = self._said_scopes(claims, client)
        except BadToken as error:
            raise _unauthenticated(f"the access token is not valid: {error}", "invalid_token") from None
        try:
            if isinstance(proof, Certificate):
                known = await self._revoked(claims, client, proof)
            else:
                known = await self._proved(scope, claims, client, token, proof, now)
        except NonceWanted as error:
            raise _unauthenticated(
                f"{error}: repeat the request with the one in DPoP-Nonce", "use_dpop_nonce"
            ) from None
        except BadToken as error:
            wrong = "invalid_token" if isinstance(proof, Certificate) else "invalid_dpop_proof"
            raise _unauthenticated(f"the proof of possession is not valid: {error}", wrong) from None
        if known.given_back or not is_key_in_force(claims, known.registry):
            raise _unauthenticated("the access token was revoked", "invalid_token")
        visit_of(scope).client = client  # proved, also where it may not do this
        granted = said & scopes_of(client, known.registry)
        if needed not in granted:
            raise InsufficientScope(
                f"this needs the scope {needed}",
                headers={"www-authenticate": f'DPoP error="insufficient_scope", scope="{needed}"'},
            )
        return Caller(client, granted)

    async def _proved(
        self, scope: Scope, claims: dict[str, Any], client: str, token: str, proof: str, now: float
    ) -> KnownUse:
        """The facts about a token whose client has proved its key. Raises BadToken."""
        held = check_proof(
            proof, method=scope["method"], urls=urls_of(self._issuer, scope), now=now, access_token=token
        )
        _require_same(held.thumbprint, _bound_to(claims, "jkt"))
        if self._nonces is not None:
            visit_of(scope).headers = await asyncio.to_thread(self._nonces.told, now)
            self._nonces.check(held.nonce, now)
        jti = claims.get("jti")
        digest = given_back(client, jti) if isinstance(jti, str) else b""
        return await self._uses.ask(Use("dpop", held.thumbprint, held.jti, held.expires_at, digest))

    def _used(self, uses: list[Use]) -> list[KnownUse | Exception]:
        """The registry is read after the proofs came: whom a commit has shut out before, it shuts out here."""
        answers = self._once.use_all(uses)
        registry = self._registry()
        return [one if isinstance(one, BadToken) else KnownUse(one, registry) for one in answers]

    async def _revoked(self, claims: dict[str, Any], client: str, certificate: Certificate) -> KnownUse:
        """The same for a token that is bound to the certificate of the connection. Raises BadToken."""
        _require_same(certificate.x5t, _bound_to(claims, "x5t#S256"))
        jti = claims.get("jti")

        def look() -> KnownUse:
            return KnownUse(isinstance(jti, str) and self._once.seen(REVOKED, client, jti), self._registry())

        return await asyncio.to_thread(look)

    def _credentials(
        self, scope: Scope, now: float, key_headers: tuple[str, ...] = ()
    ) -> tuple[str, str | Certificate]:
        """The token, and what shows that its client holds it: a DPoP proof, or the certificate of the connection."""
        authorization, proof = header(scope, b"authorization"), header(scope, b"dpop")
        if authorization is None:
            keys = (header(scope, name.encode()) for name in key_headers)
            key = next((key for key in keys if key), None)
            authorization = key and f"{'Bearer' if proof is None else 'DPoP'} {key}"
        if authorization is None:
            raise _unauthenticated("this route needs an access token", None)
        kind, _, token = authorization.partition(" ")
        if kind.lower() == "bearer" and token and self._certificates is not None:
            try:
                certificate = self._certificates.certificate(scope, now)
            except BadToken as error:
                raise _unauthenticated(str(error), "invalid_token") from None
            if certificate is None:
                raise _unauthenticated("no client certificate came with the request", "invalid_token")
            return token, certificate
        if kind.lower() != "dpop" or not token:
            raise _unauthenticated("tokens are bound to keys here: send «Authorization: DPoP …»", "invalid_token")
        if proof is None:
            raise _unauthenticated("a DPoP proof is missing", "invalid_dpop_proof")
        return token, proof

    async def _claims(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that is for this ledger, in its time, signed by its issuer. Raises BadToken."""
        claims = self._verified.get(token)
        if claims is None:
            claims = await self._verify(token)
        check_times(claims, now, longest=_LONGEST)
        return claims

    def _said_scopes(self, claims: dict[str, Any], client: str) -> frozenset[str]:
        """The scopes of a token, as far as its issuer may give them to this client. Raises BadToken."""
        scopes = frozenset(str(claims.get("scope", "")).split())
        issuer = claims["iss"]
        return scopes if issuer == self._issuer else self._external.within_reach(issuer, client, scopes)

    async def _verify(self, token: str) -> dict[str, Any]:
        """Check all of a token but its times. One of our own is kept: our key does not change while this process runs."""
        jwt = read_jwt(token, typ=_TYP, members=_MEMBERS)
        kid = text_claim(jwt.header, "kid", longest=128)
        if kid == self._signer.kid:
            claims, issuer = jwt.verified(self._signer.public), self._issuer
        else:
            issuer = _said_issuer(token)
            if issuer not in self._external:
                raise BadToken("its issuer is not one that is trusted here")
            claims = jwt.verified(await self._external.key(issuer, kid))
        if claims.get("iss") != issuer:
            raise BadToken("iss is another")
        if claims.get("aud") not in (self._issuer, [self._issuer]):
            raise BadToken("aud is not this ledger")
        if issuer == self._issuer:
            self._verified.put(token, claims)
        return claims


def _bound_to(claims: dict[str, Any], how: str) -> str:
    """The thumbprint of the key or certificate that a token is bound to (RFC 9449 §6.1, RFC 8705 §3.1)."""
    bound = claims.get("cnf")
    thumbprint = bound.get(how) if isinstance(bound, dict) else None
    if not isinstance(thumbprint, str):
        raise BadToken(f"the token is not bound to a key (cnf.{how})")
    return thumbprint


def _require_same(thumbprint: str, bound_to: str) -> None:
    if thumbprint != bound_to:
        raise BadToken("its key is not the one that the token is bound to")


def _said_issuer(token: str) -> str:
    """An unverified token's issuer: only to choose among those that are trusted."""
    try:
        claims = msgspec.json.decode(unb64u(token.split(".")[1]), type=dict[str, Any])
    except msgspec.DecodeError:
        raise BadToken("the claims are not a JSON object") from None
    return text_claim(claims, "iss")


def _unauthenticated(detail: str, error: str | None) -> Unauthenticated:
    said = f'error="{error}", ' if error else ""
    return Unauthenticated(detail, headers={"www-authenticate": f'DPoP {said}algs="{" ".join(ALGORITHMS)}"'})
