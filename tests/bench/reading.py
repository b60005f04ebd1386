"""Reads that need a token: a proof of possession for each request (RFC 9449), signed before the measured window."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from api.client.signing import LocalSigner
from api.client.tokens import TokenSource
from ledger.app import Ledger
from ledger.clock import SystemClock
from ledger.documents import key_added
from tests.bench.load import request
from tests.bench.places import Serving
from tests.bench.statements import RECIPIENT


@dataclass
class Reader:
    """A participant's client: its key, registered for token requests."""

    key: LocalSigner = field(default_factory=lambda: LocalSigner.generate(f"{RECIPIENT}-client", "ES256"))

    def register(self, ledger: Ledger) -> None:
        """Have the operator record the key."""
        document = key_added(RECIPIENT, self.key.kid, "ES256", "client", dict(self.key.jwk))
        ledger.record_documents(document)

    def requests(self, server: Serving, paths: Sequence[str]) -> list[bytes]:
        """One GET for each path, with token and proof. Good for the minute or so in which the proofs are fresh."""
        return asyncio.run(self._requests(server, paths))

    async def _requests(self, server: Serving, paths: Sequence[str]) -> list[bytes]:
        base = f"http://{server.host}:{server.port}"
        async with httpx2.AsyncClient() as http:
            source = TokenSource(http, RECIPIENT, self.key, base, SystemClock())
            return [
                request(
                    "GET",
                    path,
                    f"{server.host}:{server.port}",
                    headers=list((await source.headers("GET", base + path.split("?", maxsplit=1)[0])).items()),
                )
                for path in paths
            ]
