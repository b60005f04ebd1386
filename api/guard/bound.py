"""Access tokens that are bound to a consent and to a key: what they say, and whether who uses one holds its key.

A token says which consent it is for, whose it is, and which key it is bound to (RFC 7800 `cnf`): a key that signs a proof with
each request (`jkt`, RFC 9449), or the certificate of the connection (`x5t#S256`, RFC 8705). A token that is bound to no key is
not taken. Whether a token is good at all is asked of whoever issued it, for each request: nothing is remembered.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlencode

import msgspec
import orjson
from msgspec import Struct
from starlette.requests import Request

from api.client.client import LedgerClient
from api.client.errors import LedgerUnavailable, RefusedByLedger
from ledger.canonical import b64u, encode, unb64u
from ledger.entries.keys import verifier_of
from ledger.errors import LedgerError

PAST_SECONDS: Final = 60
FUTURE_SECONDS: Final = 5
"""How old a proof may be, and how far in the future."""
TEXT_LIMIT: Final = 8192
ANSWER_LIMIT: Final = 64 * 1024
_KEY_MEMBERS: Final = {"EdDSA": ("crv", "kty", "x"), "ES256": ("crv", "kty", "x", "y"), "PS256": ("e", "kty", "n")}


class NotBound(Exception):
    """Whoever uses the token does not hold the key that it is bound to; the text says how that is seen."""


@dataclass(frozen=True, slots=True)
class BoundToken:
    """What a good token says."""

    recipient: str
    """Participant id of whom it was issued to."""
    consent_id: str
    jkt: str | None
    """Thumbprint (RFC 7638, b64u of 32 bytes) of the key that proves each request; else:"""
    x5t: str | None = None
    """b64u of the SHA-256 of the certificate (DER) of the connection."""
    permissions: frozenset[str] | None = None
    """What it is good for; None: all that the consent permits."""
    certified: bool = False
    """There is no token: its user has shown who it is by its certificate, and named the consent."""


class TokenBook(Protocol):
    """Whoever knows which tokens are good."""

    async def look(self, token: str) -> BoundToken | None:
        """What a token says now; None if it is not good, not bound, or not for this bank. Raises LedgerUnavailable."""
        ...


class LedgerTokens:
    """Tokens that the ledger issues to recipients with a registered client key (docs/api.md, `POST /token` with
    `authorization_details`). They end with the commit that ends their consent."""

    def __init__(self, client: LedgerClient) -> None:
        """`client`: the bank's own, with a client key."""
        self._client = client

    async def look(self, token: str) -> BoundToken | None:
        """See TokenBook."""
        try:
            said = await self._client.introspect(token)
        except RefusedByLedger as error:
            raise LedgerUnavailable(f"the ledger does not answer about a token: {error.detail}") from None
        audience = said.get("aud")
        if self._client.participant not in (audience if isinstance(audience, list) else [audience]):
            return None
        return read_introspection(said)


class IntrospectedTokens:
    """Tokens of the bank's own authorisation server, asked as RFC 7662 says, with a client id and a secret."""

    def __init__(
        self,
        address: str,
        client_id: str,
        secret: str,
        *,
        participants: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        transport: Any = None,
    ) -> None:
        """`participants`: client id at that server → participant id in the ledger, where they differ. `timeout`: seconds.
        `transport`: an httpx2.AsyncBaseTransport, by default the network."""
        import httpx2  # noqa: PLC0415  (loaded when it is needed, as in the client)

        self._address = address
        self._participants = participants
        self._http = httpx2.AsyncClient(auth=(client_id, secret), timeout=timeout, transport=transport)
        self._failures = (httpx2.TransportError,)

    async def look(self, token: str) -> BoundToken | None:
        """See TokenBook."""
        form = urlencode({"token": token, "token_type_hint": "access_token"})
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            async with self._http.stream("POST", self._address, content=form, headers=headers) as answer:
                content = bytearray()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > ANSWER_LIMIT:
                        raise LedgerUnavailable("the authorisation server's answer is too long")
                status = answer.status_code
        except self._failures as error:
            raise LedgerUnavailable(f"the authorisation server cannot be asked: {type(error).__name__}") from None
        try:
            said = orjson.loads(content)
        except orjson.JSONDecodeError:
            said = None
        if status != 200 or not isinstance(said, dict):
            raise LedgerUnavailable(f"the authorisation server does not answer about a token ({status})")
        bound = read_introspection(said)
        if bound is None or self._participants is None:
            return bound
        recipient = self._participants.get(bound.recipient)
        return None if recipient is None else replace(bound, recipient=recipient)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


class _Confirmation(Struct, frozen=True):
    jkt: str | None = None
    x5t: str | None = msgspec.field(default=None, name="x5t#S256")


class _Detail(Struct, frozen=True):
    consent_id: str | None = None


class _Introspected(Struct, frozen=True):
    active: bool
    client_id: str = ""
    cnf: _Confirmation = _Confirmation()
    consent_id: str | None = None
    grant_id: str | None = None
    authorization_details: tuple[_Detail, ...] = ()
    permissions: tuple[str, ...] | None = None


def read_introspection(said: Mapping[str, Any]) -> BoundToken | None:
    """The members of an answer of RFC 7662 that count here; None for a token that is not good, names no consent or several, or
    is bound to no key or to two."""
    try:
        read = msgspec.convert(said, _Introspected)
    except msgspec.ValidationError:
        return None
    named = {read.consent_id, read.grant_id, *(one.consent_id for one in read.authorization_details)} - {None}
    one_key = (read.cnf.jkt is None) is not (read.cnf.x5t is None)
    if not (read.active and read.client_id and one_key and len(named) == 1):
        return None
    permissions = None if read.permissions is None else frozenset(read.permissions)
    return BoundToken(read.client_id, str(named.pop()), read.cnf.jkt, read.cnf.x5t, permissions)


# -- who uses it ------------------------------------------------------------------------------------------------------


class _Header(Struct, frozen=True):
    typ: str
    alg: str
    jwk: dict[str, Any]


class _Claims(Struct, frozen=True):
    htm: str
    htu: str
    iat: int
    jti: str
    ath: str


@dataclass(frozen=True, slots=True)
class TokenProof:
    """A proof that holds; whether it was used before is still to be asked."""

    number: int
    """Below 0 and the same for the same proof: what a memory of used decisions takes, whose own are entries, from 0 up."""
    ends_at: int
    """When (ms) it is too old anyway."""


def check_proof(text: str, token: str, jkt: str, *, method: str, addresses: tuple[str, ...], now: int) -> TokenProof:
    """Check a proof of possession for one request (RFC 9449 §4.3). `now` in ms. Raises NotBound.

    `addresses`: the accepted spellings of the request's address, without query.
    """
    try:
        if len(text) > TEXT_LIMIT:
            raise NotBound("the proof is too long")
        head, body, signature = text.split(".")
        header = msgspec.json.decode(unb64u(head), type=_Header)
        claims = msgspec.json.decode(unb64u(body), type=_Claims)
        members = _KEY_MEMBERS.get(header.alg, ())
        key = {name: header.jwk[name] for name in members}
        verifier_of(header.alg, key)(f"{head}.{body}".encode(), unb64u(signature))
    except (LedgerError, msgspec.MsgspecError, ValueError, KeyError):
        raise NotBound("the proof of possession does not hold") from None
    if header.typ != "dpop+jwt" or "d" in header.jwk:
        raise NotBound("the proof is not one of RFC 9449")
    if not hmac.compare_digest(b64u(sha256(encode(key)).digest()), jkt):
        raise NotBound("the proof is made with another key than the token is bound to")
    if not hmac.compare_digest(claims.ath.encode(), b64u(sha256(token.encode()).digest()).encode()):
        raise NotBound("the proof is for another token")
    if claims.htm != method or claims.htu.split("#")[0].split("?")[0] not in addresses:
        raise NotBound("the proof is for another request")
    if not now / 1000 - PAST_SECONDS <= claims.iat <= now / 1000 + FUTURE_SECONDS:
        raise NotBound("the proof is not of the last minute")
    number = int.from_bytes(sha256(f"{jkt}\0{claims.jti}".encode()).digest()[:7])
    return TokenProof(-1 - number, (claims.iat + PAST_SECONDS + FUTURE_SECONDS) * 1000)


def check_certificate(request: Request, name: str | None, x5t: str) -> None:
    """Hold the certificate that the proxy tells of against the one that the token is bound to. Raises NotBound.

    `name`: the header that the proxy sets, as nginx does (`$ssl_client_escaped_cert`: PEM, percent-encoded) or Envoy
    (`x-forwarded-client-cert`: `Hash=` and hex). Whether the certificate is a good one, the proxy has looked.
    """
    values = [] if name is None else request.headers.getlist(name)
    if len(values) != 1 or not 0 < len(values[0]) <= 4 * TEXT_LIMIT:
        raise NotBound("no client certificate came with the request")
    if not hmac.compare_digest(_thumbprint(values[0]).encode(), x5t.encode()):
        raise NotBound("the client certificate is another than the token is bound to")


def _thumbprint(value: str) -> str:
    try:
        if value.startswith("-----BEGIN"):
            lines = unquote(value).strip().splitlines()
            if lines[0] != "-----BEGIN CERTIFICATE-----" or lines[-1] != "-----END CERTIFICATE-----":
                raise NotBound("the proxy does not tell a certificate")
            return b64u(sha256(base64.b64decode("".join(lines[1:-1]), validate=True)).digest())
        hashes = [part[5:] for part in value.split(";") if part.lower().startswith("hash=")]
        if len(hashes) == 1 and "," not in value and len(hashes[0]) == 64:
            return b64u(bytes.fromhex(hashes[0]))
    except ValueError:
        pass
    raise NotBound("the proxy does not tell a certificate")
