"""Who takes part in the demo: one log, two banks, three recipients, and how they are set up."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from api.client import InFile, LedgerClient, LocalSigner, Pseudonyms, Trust
from api.client.signing import Algorithm
from api.demo.bank import Bank, bank_app
from api.demo.doors import PERSONAS, PagesFolder, customers_of, furnish
from api.demo.past import ASLEEP_DAYS, Past, PastClock, live_before
from api.demo.people import DemoAccount, DemoCustomer, People, card_number
from api.demo.recipient import Recipient, recipient_app
from api.demo.servers import address_of, loopback_socket, serving
from api.demo.signing import agent_routes
from api.demo.templates import Template
from api.node.building import at_another_time
from api.node.founding import initialise
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
AUTHORITIES: Final = (
    Part("audit-hartmann", "Hartmann Audit", "auditor", "EdDSA"),
    Part("authority", "Authority for Data Protection", "regulator", "EdDSA"),
)
"""They read; the demo's auditor needs nothing but files."""
RECIPIENTS: Final = (
    Part("app-purse", "Purse (budgets)", "recipient", "EdDSA"),
    Part("app-ledgerly", "Ledgerly (book-keeping)", "recipient", "ES256"),
    Part("app-lendwell", "Lendwell (loans)", "recipient", "EdDSA"),
)


PROVIDER: Final = Part("sign-house", "Signhouse (signs for banks)", "technology-provider", "EdDSA")
"""It has signed for the banks before the demo begins; nobody plays it."""


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


def open_log(state: Path, customers: int) -> tuple[VerifierKey, dict[str, Keys], Past]:
    """Make a log, register everybody, live through the time before: what `consent-ledger init` and `participant` do, and some
    months. Keys stay in this process."""
    settings, clock = Settings(state_dir=state), PastClock(ASLEEP_DAYS)
    initialise(settings, ORIGIN, clock=clock)
    keys: dict[str, Keys] = {}
    with at_another_time(settings, clock) as ledger:
        ledger.record_documents(*(registration(part.id, part.name, [part.role]) for part in AUTHORITIES))
        for part in (*BANKS, *RECIPIENTS, PROVIDER):
            own = Keys(
                LocalSigner.generate(f"{part.id}-1", part.alg), LocalSigner.generate(f"{part.id}-client", "ES256")
            )
            keys[part.id] = own
            ledger.record_documents(
                registration(part.id, part.name, [part.role]),
                key_added(part.id, own.statement.kid, own.statement.alg, "statement", own.statement.jwk),
                key_added(part.id, own.client.kid, own.client.alg, "client", own.client.jwk),
            )
        signers = {name: own.statement for name, own in keys.items()}
        past = live_before(ledger, clock, signers, tuple(part.id for part in RECIPIENTS), customers)
        return ledger.vkey, keys, past


@dataclass(frozen=True)
class BankPlace:
    """What is settled before anybody is up: where the bank of the personas is reached, its secret, the pages' token."""

    bank: socket.socket
    pseudonyms: Pseudonyms
    pages: PagesFolder

    @classmethod
    def found(cls, folder: Path) -> BankPlace:
        """A place for the bank, and the files of the pages in a new folder."""
        place, pseudonyms = loopback_socket(), Pseudonyms.generate()
        agent = f"{address_of(place)}/agent"
        return cls(place, pseudonyms, furnish(folder, BANKS[0].id, agent, pseudonyms))


async def assemble(
    stack: AsyncExitStack,
    url: str,
    vkey: VerifierKey,
    keys: dict[str, Keys],
    people: People,
    templates: tuple[Template, ...],
    folder: Path,
    premises: BankPlace,
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
    first, personas = banks[BANKS[0].id], customers_of(BANKS[0].id, premises.pseudonyms)
    first.pseudonyms, first.accounts = premises.pseudonyms, {**first.accounts, **_of_personas(people)}
    more = {first.client.participant: agent_routes(first, personas, premises.pages.token)}
    apps = {bank: bank_app(banks[bank], more.get(bank)) for bank in banks}
    urls = await stack.enter_async_context(serving(apps, {first.client.participant: premises.bank}))
    channels = {name: await _channel(stack, urls[name]) for name in urls}
    offers = dict(zip(banks, templates, strict=True))
    recipients = [Recipient(await client(part), part.name, dict(channels), offers) for part in RECIPIENTS]
    services = {recipient.client.participant: recipient_app(recipient) for recipient in recipients}
    theirs = await stack.enter_async_context(serving(services))
    channels |= {name: await _channel(stack, theirs[name]) for name in theirs}
    return Cast(url, trust, banks, recipients, urls | theirs, channels)


def _of_personas(people: People) -> dict[str, DemoAccount]:
    """Accounts of the customers whose pages can be looked at, with somebody's transactions in them."""
    rows = people.accounts[0].transactions
    found: dict[str, DemoAccount] = {}
    for one in PERSONAS:
        owner = DemoCustomer(one.sub, one.name, "")
        found |= {account: DemoAccount(account, card_number(account), owner, [], rows) for account, _ in one.accounts}
    return found


def _customers(people: People, bank: int) -> dict[str, DemoAccount]:
    return {account.id: account for number, account in enumerate(people.accounts) if number % len(BANKS) == bank}


async def _channel(stack: AsyncExitStack, url: str) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=16, max_keepalive_connections=16)
    return await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=60.0, limits=limits))
