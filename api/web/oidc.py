"""Signing in by OpenID Connect: authorization code with PKCE, private_key_jwt, strict ID tokens (RFC 7636, RFC 9207).

The library verifies compact JWS only, under keys of the pinned issuer and a fixed list of algorithms; every claim is then
checked here, where it can be read.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from api.client.signing import StatementSigner, sign_jwt
from api.web.people import FRESH_MS, LoginAttempt, Person, SignInSca, new_token
from api.web.staff import Staff, StaffRole
from ledger.canonical import b64u
from ledger.clock import Clock
from ledger.entries.fields import Code, ParticipantId, Reference
from ledger.errors import LedgerError, NotPermitted, Unavailable

ALGORITHMS: Final = ["ES256", "EdDSA", "PS256"]
KEYS_FOR_MS: Final = 15 * 60_000
REFETCH_AFTER_MS: Final = 30_000
ATTEMPT_MS: Final = 10 * 60_000
SKEW_SECONDS: Final = 10
ANSWER_LIMIT: Final = 128 * 1024
TIMEOUT_SECONDS: Final = 10.0
MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")


class SignInFailed(NotPermitted):
    """The sign-in was not accepted; the sentence says what did not fit, without naming anybody."""


class _Discovery(Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(Struct, frozen=True):
    id_token: str


class IdClaims(Struct, frozen=True):
    """What an ID token says of a person."""

    iss: str
    aud: str | tuple[str, ...]
    sub: str
    exp: int
    iat: int
    nonce: str
    auth_time: int
    holder: ParticipantId | None = None
    subject: Reference | None = None
    participant: ParticipantId | None = None
    role: StaffRole | None = None
    acr: Code = "0"
    amr: tuple[Code, ...] = ()
    name: str = ""
    azp: str | None = None
    acting_role: Code = ""
    email: str = ""
    email_verified: bool = False
    acts_for: str = ""

    def someone(self) -> Person | Staff:
        """A customer (`holder`, `subject`) or somebody at work (`participant`, `role`). Raises SignInFailed for both."""
        customer, staff = (self.holder, self.subject), (self.participant, self.role)
        if self.holder and self.subject and staff == (None, None):
            address = self.email if self.email_verified and MAIL.fullmatch(self.email) else ""
            return Person(
                self.sub, self.holder, self.subject, self.name[:200], self.acting_role, address, self.acts_for[:200]
            )
        if self.participant and self.role and customer == (None, None):
            return Staff(self.sub, self.participant, self.role, self.name[:200])
        raise SignInFailed("the ID token names neither a customer nor somebody at work, or both")


@dataclass
class _Provider:
    """What was fetched from the identity provider, and when (ms)."""

    discovery: _Discovery
    keys: KeySet
    fetched_at: int


class RelyingParty:
    """This ledger as a client of one identity provider."""

    def __init__(
        self, issuer: str, client_id: str, signer: StatementSigner, callback: str, clock: Clock, *, acr_values: str = ""
    ) -> None:
        """`callback` is the registered redirect address. Nothing is fetched before the first sign-in."""
        self._issuer = issuer
        self._client_id = client_id
        self._signer = signer
        self._callback = callback
        self._clock = clock
        self._acr_values = acr_values.split()
        self._lock = threading.Lock()
        self._known: _Provider | None = None

    def begin(self, then: str, *, fresh: bool, joins: bool = False) -> tuple[LoginAttempt, str]:
        """A new attempt and the address to send the browser to. `fresh` demands that the person proves herself now."""
        provider = self._provider()
        attempt = LoginAttempt(
            new_token(), new_token(), secrets.token_urlsafe(48), then, fresh, self._clock.now(), joins
        )
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._callback,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": b64u(sha256(attempt.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        if fresh:
            asked |= {"max_age": "0", "prompt": "login"}
        if self._acr_values:
            asked["acr_values"] = " ".join(self._acr_values)
        mark = "&" if "?" in provider.discovery.authorization_endpoint else "?"
        return attempt, f"{provider.discovery.authorization_endpoint}{mark}{urlencode(asked)}"

    def finish(self, attempt: LoginAttempt, *, state: str, code: str, iss: str) -> tuple[Person | Staff, SignInSca]:
        """The person who came back from the identity provider. Raises SignInFailed, Unavailable."""
        now = self._clock.now()
        if not hmac.compare_digest(state.encode(), attempt.state.encode()) or now - attempt.started_at > ATTEMPT_MS:
            raise SignInFailed("this sign-in was not begun here, or too long ago")
        if iss != self._issuer:
            raise SignInFailed("the answer names another identity provider (RFC 9207)")
        claims = self._claims(self._redeem(code, attempt))
        if claims.nonce != attempt.nonce:
            raise SignInFailed("the token belongs to another sign-in")
        if attempt.fresh and not 0 <= now - claims.auth_time * 1000 + SKEW_SECONDS * 1000 <= FRESH_MS:
            raise SignInFailed("a fresh sign-in was needed, and the identity provider did not do one")
        if self._acr_values and claims.acr not in self._acr_values:
            raise SignInFailed("the sign-in was not strong enough for this service")
        sca = SignInSca(claims.acr, claims.amr[:8], claims.auth_time)
        return claims.someone(), sca

    def _redeem(self, code: str, attempt: LoginAttempt) -> str:
        provider = self._provider()
        now = self._clock.now() // 1000
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._issuer,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 60,
        }
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "client_id": self._client_id,
            "code_verifier": attempt.verifier,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": sign_jwt(self._signer, {"kid": self._signer.kid, "typ": "JWT"}, claims),
        }
        try:
            answer = httpx2.post(provider.discovery.token_endpoint, data=form, timeout=TIMEOUT_SECONDS)
        except httpx2.HTTPError:
            raise _unreachable() from None
        if answer.status_code != httpx2.codes.OK or len(answer.content) > ANSWER_LIMIT:
            raise SignInFailed("the identity provider did not accept this sign-in")
        try:
            return msgspec.json.decode(answer.content, type=_Tokens).id_token
        except msgspec.DecodeError:
            raise SignInFailed("the identity provider's answer holds no ID token") from None

    def _claims(self, token: str) -> IdClaims:
        if token.count(".") != 2 or len(token) > 16_384:
            raise SignInFailed("the ID token is not a compact JWS")
        claims = self._verified(token)
        now = self._clock.now() // 1000
        audience = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self._issuer or audience != (self._client_id,) or claims.azp not in (None, self._client_id):
            raise SignInFailed("the ID token is from or for somebody else")
        if not claims.iat - SKEW_SECONDS <= now < claims.exp + SKEW_SECONDS or claims.exp - claims.iat > 3600:
            raise SignInFailed("the ID token is not valid now")
        if not 1 <= len(claims.sub) <= 255:
            raise SignInFailed("the ID token names nobody")
        return claims

    def _verified(self, token: str) -> IdClaims:
        for again in (False, True):
            try:
                read = jwt.decode(token, self._provider(refetch=again).keys, algorithms=ALGORITHMS)
                return msgspec.convert(read.claims, IdClaims)
            except (JoseError, ValueError) as error:
                # A key that we do not know may be a new one: look once more, but not for every forged token.
                if again or isinstance(error, msgspec.ValidationError):
                    raise SignInFailed("the ID token is not acceptable") from None
        raise AssertionError("unreachable")

    def _provider(self, *, refetch: bool = False) -> _Provider:
        with self._lock:
            now = self._clock.now()
            old = self._known
            if old is not None and now - old.fetched_at < (REFETCH_AFTER_MS if refetch else KEYS_FOR_MS):
                return old
            found = self._get(f"{self._issuer}/.well-known/openid-configuration", _Discovery)
            if found.issuer != self._issuer:
                raise SignInFailed("the identity provider's description names another issuer")
            addresses = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
            if urlsplit(self._issuer).scheme == "https" and any(urlsplit(url).scheme != "https" for url in addresses):
                raise SignInFailed("the identity provider's description holds an address without https")
            if urlsplit(found.jwks_uri).netloc != urlsplit(self._issuer).netloc:
                raise SignInFailed("the identity provider keeps its keys on another host")
            try:
                keys = KeySet.import_key_set(self._get(found.jwks_uri, dict[str, Any]))
            except (JoseError, ValueError, KeyError, TypeError):
                raise SignInFailed("the identity provider's keys cannot be read") from None
            self._known = _Provider(found, keys, now)
            return self._known

    def _get(self, url: str, shape: type[Any]) -> Any:
        try:
            answer = httpx2.get(url, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            if len(answer.content) > ANSWER_LIMIT:
                raise _unreachable()
            return msgspec.json.decode(answer.content, type=shape)
        except (httpx2.HTTPError, msgspec.DecodeError):
            raise _unreachable() from None


def _unreachable() -> LedgerError:
    return Unavailable("the identity provider could not be reached; please try again in a moment")
