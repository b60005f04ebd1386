"""A recipient with a token at a guarded bank, and the bank's own authorisation server."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2

from api.client import Directory, LedgerClient, Pseudonyms, VerifiedReceipt
from api.guard import CertifiedRecipients, ConsentGuard, IntrospectedTokens, LedgerTokens, TokenBook, TokenWay
from tests.api.service import assertion, dpop_proof
from tests.client.bank import Book, bank_application
from tests.client.service import Service, active_consent
from tests.clocks import ClockAhead
from tests.keys import KeyPair

BANK = "https://bank.example"


class Issued:
    """An authorisation server of the bank's own, by what it knows of each token."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.status = 200

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"bank:secret").decode()
        [token] = parse_qs(request.content.decode())["token"]
        return httpx2.Response(self.status, json=self.known.get(token, {"active": False}))


@dataclass
class Scene:
    bank: LedgerClient
    app: LedgerClient
    http: httpx2.AsyncClient
    consent_id: str
    account: str
    clock: ClockAhead
    service: Service
    issued: Issued
    key: KeyPair = field(default_factory=lambda: KeyPair.generate("ES256"))

    def path(self, what: str = "balances") -> str:
        return f"/accounts/{self.account}/{what}"

    def token(self, participant: str = "app-1", **detail: Any) -> str:
        """A token of the ledger's own for the consent, bound to this scene's key."""
        member = self.service.members[participant]
        url, secret = f"{self.service.url}/token", member.client_key
        pair = KeyPair("ES256", secret.kid, secret._key)
        asked = [{"type": "account_information", "consent_id": self.consent_id, **detail}]
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(pair, participant, self.service.url),
            "authorization_details": json.dumps(asked),
        }
        answer = httpx2.post(url, data=form, headers={"dpop": dpop_proof(self.key, "POST", url)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def own(self, token: str, **said: Any) -> str:
        """A token of the bank's own server, which says this of it."""
        self.issued.known[token] = {"active": True, "client_id": "app-1", "consent_id": self.consent_id, **said}
        return token

    def headers(self, token: str, what: str = "balances", key: KeyPair | None = None, **claims: Any) -> dict[str, str]:
        url = BANK + self.path(what)
        return {
            "authorization": f"DPoP {token}",
            "dpop": dpop_proof(key or self.key, claims.pop("method", "GET"), url, token=token, **claims),
        }

    async def get(self, headers: dict[str, str], what: str = "balances") -> httpx2.Response:
        return await self.http.get(self.path(what), headers=headers)

    async def recorded(self) -> list[VerifiedReceipt]:
        """The accesses that the consent's history holds."""
        return [one for one in await self.bank.history(self.consent_id) if one.act == "access.request"]


Story = Callable[[Scene], Coroutine[Any, Any, None]]


def play(
    service: Service,
    story: Story,
    *,
    own: bool = False,
    certificate: str | None = None,
    key_header: str | None = None,
    certified: bool = False,
    **terms: Any,
) -> None:
    async def run() -> None:
        pseudonyms, consent_id, clock, issued = Pseudonyms.generate(), str(uuid.uuid4()), ClockAhead(), Issued()
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, pseudonyms, **terms)
            server = IntrospectedTokens(
                "https://as.bank.example/introspect", "bank", "secret", transport=httpx2.MockTransport(issued)
            )
            tokens: TokenBook = server if own else LedgerTokens(bank)
            directory = Directory(bank, monotonic=lambda: clock.now() / 1000)
            shown = CertifiedRecipients(directory, certificate or "") if certified else None
            way = TokenWay(tokens, BANK, certificate=certificate, key_header=key_header, certified=shown, fresh=0)
            guard = ConsentGuard(bank, directory, Book({consent_id: {account: "account-1"}}), clock=clock, tokens=way)
            transport = httpx2.ASGITransport(bank_application(guard))
            async with httpx2.AsyncClient(transport=transport, base_url=BANK) as http:
                await story(Scene(bank, app, http, consent_id, account, clock, service, issued))
            await server.close()

    asyncio.run(run())
