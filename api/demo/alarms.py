"""What should be noticed: four things that are wrong, planted, and the alerts about them (docs/risk.md)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from api.client import LedgerClient
from api.demo.cast import Cast
from api.demo.past import Past, reading
from api.demo.recipient import DemoConnection
from api.demo.servers import DemoFailed
from api.demo.story import Tick
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain

SCRAPED_TIMES: Final = 10
"""How often the scraping recipient reads each of its consents, in as many batches."""
STEPS: Final = SCRAPED_TIMES + 3
WITHIN_SECONDS: Final = 30.0
PLANTED: Final = ("rate", "woken", "legs-differ", "after-end")
"""The rules that must notice."""


@dataclass(frozen=True)
class Noticed:
    """What was on record in the end. `seconds`: from the last planted entry until the last of the four was seen."""

    rules: frozenset[str]
    """Of PLANTED."""
    seconds: float


async def plant(cast: Cast, past: Past, living: DemoConnection, tick: Tick) -> Noticed:
    """A scraping, a consent that is woken, a bank that tells other figures, reads after a withdrawal whose notice is late."""
    purse, books, loans = (recipient.client for recipient in cast.recipients)
    for _ in range(SCRAPED_TIMES):
        await loans.access_many([reading(each) for each in past.usual[loans.participant]])
        tick()
    await books.access(reading(past.asleep))
    tick()
    owner = next(one for one in cast.recipients if living.consent_id in one.connections).client
    decided, content = await owner.access(reading(living)), b"what the bank gave"
    digest = sha256(content).digest()
    bank = cast.banks[living.bank].client
    await bank.release(decided, rows=40, content=content, digest=digest)
    await owner.receive(decided, rows=41, content=content, digest=digest)
    tick()
    for _ in range(3):
        refused = await purse.access(reading(past.ended))
        if refused.allowed:
            raise DemoFailed("an access after a withdrawal was allowed")
    late = await purse.statements.sign("consent.acknowledge", consent_id=past.ended.consent_id, basis=past.ended_at)
    await purse.ask(f"/consents/{past.ended.consent_id}/acknowledge", late)
    tick()
    wanted = {
        ("rate", loans.participant): loans,
        ("woken", b64u(consent_chain(past.asleep.consent_id))): books,
        ("legs-differ", living.bank): bank,
        ("after-end", purse.participant): purse,
    }
    return await _noticed(wanted)


async def _noticed(wanted: dict[tuple[str, str], LedgerClient]) -> Noticed:
    """Each party looks into its own queue until the alert that concerns it is there."""
    begun = time.perf_counter()
    found: set[tuple[str, str]] = set()
    while found != wanted.keys() and time.perf_counter() - begun < WITHIN_SECONDS:
        for client in set(wanted.values()):
            told: Any = await client.read("/supervision/alerts", {"limit": 200})
            found |= wanted.keys() & {(one["rule"], one["about"]["id"]) for one in told["alerts"]}
        await asyncio.sleep(0.1)
    return Noticed(frozenset(rule for rule, _ in found), time.perf_counter() - begun)
