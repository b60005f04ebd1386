"""What the two customers whose pages can be looked at have lived through: apps that read, were refused, were stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from api.client import make_terms
from api.demo.cast import Cast
from api.demo.doors import PERSONAS, Persona
from api.demo.recipient import NINETY_DAYS, NOTICE, DemoConnection, Recipient
from api.demo.servers import DemoFailed
from api.demo.story import Tick
from api.demo.templates import ACCOUNTS, BALANCES, TRANSACTIONS
from ledger.clock import SystemClock

HOLDER: Final = "bank-north"
STEPS: Final = 3 * len(PERSONAS) + 1
READS_LATER: Final = 60
PAUSE_SECONDS: Final = 20.0


@dataclass
class Histories:
    """What there is to look at."""

    waiting: str = ""
    """A consent that waits for the first persona's answer."""
    living: list[tuple[Recipient, DemoConnection]] = field(default_factory=list)
    """What an app goes on reading."""


async def live(cast: Cast, tick: Tick) -> Histories:
    """Each persona has a budget app that reads, books without an end, and a loan that ended; one request waits."""
    purse, books, loans = cast.recipients
    told = Histories()
    for persona in PERSONAS:
        budget = await _agreed(cast, purse, persona, "budgeting", [ACCOUNTS, BALANCES, TRANSACTIONS], days=90)
        for present in (True, True, False, False, False, False, False, False):
            await _read(purse, budget, present=present)
        told.living.append((purse, budget))
        tick()
        book = await _agreed(cast, books, persona, "accounting", [ACCOUNTS, BALANCES, "ReadStatementsDetail"], days=0)
        await _read(books, book, present=False)
        tick()
        loan = await _agreed(cast, loans, persona, "lending", [ACCOUNTS, BALANCES], days=30)
        await _read(loans, loan, present=True)
        await cast.banks[HOLDER].client.revoke(loan.consent_id)
        await _read(loans, loan, present=True)
        tick()
    told.waiting = (await _asked(loans, "lending", [ACCOUNTS, BALANCES, TRANSACTIONS], days=60)).consent_id
    tick()
    return told


async def go_on(told: Histories) -> None:
    """The budget app reads now and then, so that somebody who looks sees it, and sees it refused after a stop."""
    for _ in range(READS_LATER):
        await asyncio.sleep(PAUSE_SECONDS)
        for recipient, connection in told.living:
            await _read(recipient, connection, present=True)


async def _asked(recipient: Recipient, purpose: str, permissions: list[str], *, days: int) -> DemoConnection:
    terms = make_terms(
        holder=HOLDER,
        recipient=recipient.client.participant,
        permissions=permissions,
        purpose=purpose,
        purpose_text=purpose.capitalize(),
        notice=NOTICE,
        expires_at=days and SystemClock().now() // 1000 + days * NINETY_DAYS // 90,
        frequency_per_day=4,
    )
    return await recipient.ask(HOLDER, terms, purpose)


async def _agreed(
    cast: Cast, recipient: Recipient, persona: Persona, purpose: str, permissions: list[str], *, days: int
) -> DemoConnection:
    """Asked for by the app, agreed to by the persona at the bank."""
    bank = cast.banks[HOLDER]
    connection = await _asked(recipient, purpose, permissions, days=days)
    await bank.authorise(connection.consent_id, persona.accounts[0][0])
    connection.account = bank.pseudonyms.account(persona.accounts[0][0], connection.consent_id)
    return connection


async def _read(recipient: Recipient, connection: DemoConnection, *, present: bool) -> Any:
    pulled = await recipient.pull(connection, "balances", BALANCES, customer_present=present)
    if pulled.status == 200:
        await recipient.confirm(pulled)
    elif pulled.status not in {403, 429}:
        raise DemoFailed(f"a read was answered {pulled.status} {pulled.reason}")
