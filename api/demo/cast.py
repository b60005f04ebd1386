"""Who takes part in the demo: one log, two banks, three recipients, and how they are set up."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from api.client import InFile, LedgerClient, LocalSigner, Trust
from api.client.signing import Algorithm
from api.demo.bank import Bank, bank_app
from api.demo.people import DemoAccount, People
from api.demo.recipient import Recipient, recipient_app
from api.demo.servers import serving
from api.demo.templates import Template
from api.node.building import initialise, short_lived
from api.node.settings import Settings
from ledger.documents import key_added, registration
from ledger.notes.keys import VerifierKey

ORIGIN: Final = "ledger.demo.example/1"


@dataclass(frozen=True, slots=True)
class Part:
    """A participant before it is registered."""

    id: str
    name: str
    role: str
    alg: Algorithm


BANKS: Final = (
    Part("bank-north", "North Bank", "holder", "EdDSA"),
    Part("bank-south", "South Bank", "holder", "PS256"),
)
RECIPIENTS: Final = (
    Part("app-purse", "Purse (budgets)", "recipient", "EdDSA"),
    Part("app-ledgerly", "Ledgerly (book-keeping)", "recipient", "ES256"),
    Part("app-lendwell", "Lendwell (loans)", "recipient", "EdDSA"),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """A participant's two keys."""

    statement: LocalSigner
    client: LocalSigner


@dataclass
class Cast:
    """Everybody, connected."""

    url: str
    trust: Trust
    banks: dict[str, Bank]
    recipients: list[Recipient]
    urls: dict[str, str]
    channels: dict[str, httpx2.AsyncClient]
    """By participant: HTTP to its service, as its customers and partners use it."""


def open_log(state: Path) -> tuple[VerifierKey, dict[str, Keys]]:
    """Make a log and register everybody: what `consent-ledger init` and `participant` do. Keys stay in this process."""
    settings = Settings(state_dir=state)
    initialise(settings, ORIGIN)
    keys = {}
    with short_lived(settings) as node:
        for part in (*BANKS, *RECIPIENTS):
            own = Keys(
                LocalSigner.generate(f"{part.id}-1", part.alg), LocalSigner.generate(f"{part.id}-client", "ES256")
            )
            keys[part.id] = own
            node.ledger.record_documents(
                registration(part.id, part.name, [part.role]),
                key_added(part.id, own.statement.kid, own.statement.alg, "statement", own.statement.jwk),
                key_added(part.id, own.client.kid, own.client.alg, "client", own.client.jwk),
            )
        return node.ledger.vkey, keys


async def assemble(
    stack: AsyncExitStack,
    url: str,
    vkey: VerifierKey,
    keys: dict[str, Keys],
    people: People,
    templates: tuple[Template, ...],
    folder: Path,
) -> Cast:
    """Start the services of banks and recipients; `stack` stops them. `folder`: for checkpoints and evidence."""
    trust = Trust(vkey)

    async def client(part: Part) -> LedgerClient:
        own = keys[part.id]
        made = LedgerClient(
            url,
            part.id,
            own.statement,
            trust,
            client_key=own.client,
            memory=InFile(folder / f"{part.id}.checkpoint"),
            evidence=folder / "evidence",
        )
        return await stack.enter_async_context(made)

    banks = {
        part.id: Bank(await client(part), part.name, _customers(people, number)) for number, part in enumerate(BANKS)
    }
    urls = await stack.enter_async_context(serving({bank: bank_app(banks[bank]) for bank in banks}))
    channels = {name: await _channel(stack, urls[name]) for name in urls}
    offers = dict(zip(banks, templates, strict=True))
    recipients = [Recipient(await client(part), part.name, dict(channels), offers) for part in RECIPIENTS]
    apps = {recipient.client.participant: recipient_app(recipient) for recipient in recipients}
    more = await stack.enter_async_context(serving(apps))
    channels |= {name: await _channel(stack, more[name]) for name in more}
    return Cast(url, trust, banks, recipients, {"the ledger": url} | urls | more, channels)


def _customers(people: People, bank: int) -> dict[str, DemoAccount]:
    return {account.id: account for number, account in enumerate(people.accounts) if number % len(BANKS) == bank}


async def _channel(stack: AsyncExitStack, url: str) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=16, max_keepalive_connections=16)
    return await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=60.0, limits=limits))
