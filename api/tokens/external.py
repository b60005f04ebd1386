"""Access tokens of other issuers: their keys, found by OIDC discovery, kept for a quarter of an hour."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from api.http.bounded import WHOLE_SECONDS, read_document
from api.tokens.jwt import BadToken
from api.tokens.keys import PublicKey, parse_key_set
from api.tokens.scopes import OPERATOR
from ledger.errors import InvalidInput, Unavailable

KEEP_SECONDS: Final = 900.0
REFETCH_SECONDS: Final = 60.0
AS_SENT: Final = {"accept": "application/json", "accept-encoding": "identity"}


@dataclass(slots=True)
class _Keys:
    keys: dict[str, PublicKey] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Reach:
    """For whom an external issuer may speak, and what its tokens may give."""

    participants: frozenset[str]
    scopes: frozenset[str]


class ExternalIssuers:
    """Issuers that the operator has named, each within its reach; no other is ever asked for anything."""

    def __init__(self, issuers: Mapping[str, Reach]) -> None:
        self._reach = dict(issuers)
        self._keys = {issuer: _Keys() for issuer in issuers}

    def within_reach(self, issuer: str, client: str, scopes: frozenset[str]) -> frozenset[str]:
        """Those of `scopes` that this issuer may give this client. Raises BadToken for whom it does not speak for.

        The operator's id is not a participant's and is refused whatever is configured: only this ledger's own tokens, for the
        key that `init` made, act for the operator.
        """
        reach = self._reach[issuer]
        if client == OPERATOR or client not in reach.participants:
            raise BadToken("its issuer does not speak for this client here")
        return scopes & reach.scopes

    def __contains__(self, issuer: object) -> bool:
        return issuer in self._keys

    async def key(self, issuer: str, kid: str) -> PublicKey:
        """The key `kid` of an issuer. Raises BadToken when it has no such key, Unavailable when it does not answer.

        An unknown kid makes us ask again, at most once in a minute.
        """
        known = self._keys[issuer]
        async with known.lock:
            age = time.monotonic() - known.fetched_at
            if age > KEEP_SECONDS or (kid not in known.keys and age > REFETCH_SECONDS):
                known.keys = await _fetch(issuer)
                known.fetched_at = time.monotonic()
        if kid not in known.keys:
            raise BadToken("the issuer has no such key")
        return known.keys[kid]


async def _fetch(issuer: str) -> dict[str, PublicKey]:
    """Discovery, then the key set; on the issuer's own host, without redirects. Raises Unavailable."""
    try:
        async with (
            asyncio.timeout(WHOLE_SECONDS),
            httpx2.AsyncClient(timeout=5.0, follow_redirects=False, headers=AS_SENT) as client,
        ):
            discovery = await _get(client, f"{issuer}/.well-known/openid-configuration")
            found = msgspec.json.decode(discovery, type=dict[str, object])
            jwks_uri = found.get("jwks_uri")
            if found.get("issuer") != issuer or not isinstance(jwks_uri, str):
                raise Unavailable("the external issuer's discovery document is not its own")
            if urlsplit(jwks_uri)[:2] != urlsplit(issuer)[:2]:
                raise Unavailable("the external issuer keeps its keys on another host")
            return parse_key_set(await _get(client, jwks_uri), "the external issuer's key set")
    except (httpx2.HTTPError, TimeoutError, msgspec.DecodeError, RecursionError, InvalidInput) as error:
        raise Unavailable(f"the external issuer's keys cannot be read: {type(error).__name__}") from None


async def _get(client: httpx2.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url) as answer:
        return await read_document(answer, "the external issuer")
