"""Access tokens for reads: client credentials, private_key_jwt (RFC 7523), bound to a key of this process by DPoP (RFC 9449).

Writes need no token: a signed statement authenticates its own submission.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import orjson

from api.client.errors import LedgerUnavailable, RefusedByLedger
from api.client.signing import AnySigner, LocalSigner, sign_jwt, sign_jwt_with
from api.client.statements import fresh_jti
from api.client.transport import NONCE_HEADER, WANTS_NONCE, ProvingHeaders, monotonic
from ledger.canonical import b64u
from ledger.clock import Clock

if TYPE_CHECKING:  # loaded by whoever makes a client (client.py)
    import httpx2

ASSERTION_SECONDS: Final = 50
EARLY_SECONDS: Final = 20
"""A token is renewed this long before it ends."""
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenSource:
    """Gets, keeps and renews one token; makes the proof that goes with each request."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        participant: str,
        key: AnySigner,
        issuer: str,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        """`key` is registered for `client` use: one key, one purpose. `issuer`: the token service's issuer, exactly."""
        self._http = http
        self._participant = participant
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._monotonic = monotonic
        self._proof_key = LocalSigner.generate("dpop", "ES256")
        self._lock = asyncio.Lock()
        self._token: tuple[str, float] | None = None
        self._nonce = ""

    async def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Token and proof for one request; `url` is absolute, without query and fragment (RFC 9449 §4.2).

        Raises RefusedByLedger when the client is not accepted, LedgerUnavailable, httpx2.TransportError.
        """
        async with self._lock:
            if self._token is None or self._token[1] <= self._monotonic():
                self._token = await self._fetch()
            token = self._token[0]
        return {"Authorization": f"DPoP {token}", "DPoP": self._proof(method, url, token)}

    def learn(self, nonce: str) -> None:
        """What the next proofs bring, where the ledger wants nonces (RFC 9449 §8)."""
        self._nonce = nonce

    def forget(self) -> None:
        """Drop the token: the next request gets a new one."""
        self._token = None

    async def identified(self) -> dict[str, str]:
        """The members of a form by which this client proves who it is (RFC 7523 §2.2): for one use."""
        now = self._clock.now() // 1000
        claims = {
            "aud": self._issuer,
            "exp": now + ASSERTION_SECONDS,
            "iat": now,
            "iss": self._participant,
            "jti": fresh_jti(),
            "sub": self._participant,
        }
        return {
            "client_assertion": await sign_jwt_with(self._key, {"kid": self._key.kid, "typ": "JWT"}, claims),
            "client_assertion_type": ASSERTION_TYPE,
            "client_id": self._participant,
        }

    async def _fetch(self) -> tuple[str, float]:
        asked = self._monotonic()
        answer = await self._ask()
        if answer.status_code == 400 and WANTS_NONCE in answer.text:
            answer = await self._ask()  # once more, with the nonce that it told
        if answer.status_code in {429, 502, 503, 504}:
            raise LedgerUnavailable(f"the token service answered {answer.status_code}")
        try:
            body = orjson.loads(answer.content)
            if answer.status_code == 200:
                if str(body["token_type"]).lower() != "dpop":
                    raise LedgerUnavailable("the token service gave a token that is bound to no key")
                return str(body["access_token"]), asked + float(body["expires_in"]) - EARLY_SECONDS
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise LedgerUnavailable("the token service's answer is not one of RFC 6749 §5.1") from None
        said = body if isinstance(body, dict) else {}
        detail = said.get("detail") or said.get("error_description") or said.get("error")
        raise RefusedByLedger(answer.status_code, {"detail": detail, **said})

    async def _ask(self) -> httpx2.Response:
        url = f"{self._issuer}/token"
        form = await self.identified() | {"grant_type": "client_credentials"}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "DPoP": self._proof("POST", url)}
        answer = await self._http.post(url, content=urlencode(form), headers=headers)
        self._nonce = answer.headers.get(NONCE_HEADER, self._nonce)
        return answer

    def _proof(self, method: str, url: str, token: str | None = None) -> str:
        header = {"jwk": dict(self._proof_key.jwk), "typ": "dpop+jwt"}
        claims: dict[str, object] = {"htm": method, "htu": url, "iat": self._clock.now() // 1000, "jti": fresh_jti()}
        if self._nonce:
            claims["nonce"] = self._nonce
        if token is not None:
            claims["ath"] = b64u(sha256(token.encode()).digest())
        return sign_jwt(self._proof_key, header, claims)


class Tokens:
    """A token for each address of the ledger: every node is the issuer of its own, and a proof is for one address."""

    def __init__(
        self, http: httpx2.AsyncClient, participant: str, key: AnySigner, addresses: Sequence[str], clock: Clock
    ) -> None:
        self._sources = {one: TokenSource(http, participant, key, one, clock) for one in addresses}

    def headers(self, method: str, path: str) -> ProvingHeaders:
        """What makes token and proof of a request to `path` (without query) of the address that is to be asked."""
        return _ProofsOf(self._sources, method, path)

    async def identified(self, address: str) -> dict[str, str]:
        """See `TokenSource`; for the node at this address."""
        return await self._sources[address].identified()


class _ProofsOf:
    """Token and proof for one request, at whichever address."""

    def __init__(self, sources: Mapping[str, TokenSource], method: str, path: str) -> None:
        self._sources, self._method, self._path = sources, method, path

    async def __call__(self, address: str) -> Mapping[str, str]:
        return await self._sources[address].headers(self._method, address + self._path)

    def learn(self, address: str, nonce: str) -> None:
        self._sources[address].learn(nonce)
