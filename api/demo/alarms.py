"""What should be noticed: six things that are wrong, planted, and the alerts about them (docs/risk.md)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from api.client import LedgerClient
from api.demo.cast import Cast
from api.demo.past import SCRAPED_TIMES, Past, reading
from api.demo.recipient import DemoConnection
from api.demo.servers import DemoFailed
from api.demo.story import Tick
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.entries.leaf import consent_chain

STEPS: Final = SCRAPED_TIMES + 3
WITHIN_SECONDS: Final = 30.0
PLANTED: Final = ("rate", "woken", "legs-differ", "after-end", "late-notice", "no-notice")
"""The rules that must notice."""


@dataclass
class Noticed:
    """What was on record in the end: for each rule of PLANTED that noticed, the seconds from before its first planted entry
    until the alert was in the queue of the party that it concerns. `since` (ms): older alerts are not about this."""

    since: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def slowest(self) -> float:
        """In seconds; 0 if nothing was noticed."""
        return max(self.seconds.values(), default=0.0)


async def plant(cast: Cast, past: Past, living: DemoConnection, tick: Tick) -> Noticed:
    """A scraping, a consent that is woken, a bank that tells other figures, reads after a withdrawal whose notice is late; and
    one whose notice never comes, which the past has planted: its alert is raised at the first entry of the day."""
    purse, books, loans = (recipient.client for recipient in cast.recipients)
    noticed = Noticed(SystemClock().now())
    begun = time.perf_counter()
    for _ in range(SCRAPED_TIMES):
        await loans.access_many([reading(each) for each in past.usual[loans.participant]])
        tick()
    await _until(noticed, begun, loans, "rate", loans.participant)
    begun = time.perf_counter()
    await books.access(reading(past.asleep))
    tick()
    await _until(noticed, begun, books, "woken", b64u(consent_chain(past.asleep.consent_id)))
    owner = next(one for one in cast.recipients if living.consent_id in one.connections).client
    decided, content = await owner.access(reading(living)), b"what the bank gave"
    digest, bank = sha256(content).digest(), cast.banks[living.bank].client
    begun = time.perf_counter()
    await bank.release(decided, rows=40, content=content, digest=digest)
    await owner.receive(decided, rows=41, content=content, digest=digest)
    tick()
    await _until(noticed, begun, bank, "legs-differ", living.bank)
    begun = time.perf_counter()
    for _ in range(3):
        refused = await purse.access(reading(past.ended))
        if refused.allowed:
            raise DemoFailed("an access after a withdrawal was allowed")
    await _until(noticed, begun, purse, "after-end", purse.participant)
    begun = time.perf_counter()
    late = await purse.statements.sign("consent.acknowledge", consent_id=past.ended.consent_id, basis=past.ended_at)
    await purse.ask(f"/consents/{past.ended.consent_id}/acknowledge", late)
    tick()
    await _until(noticed, begun, purse, "late-notice", purse.participant)
    await _until(noticed, time.perf_counter(), books, "no-notice", books.participant, since=0)
    return noticed


async def _until(
    noticed: Noticed, begun: float, client: LedgerClient, rule: str, about: str, *, since: int | None = None
) -> None:
    """The party looks into its own queue until the alert that concerns it is there, raised since then (ms; absent: since the
    demo began to plant)."""
    oldest = noticed.since if since is None else since
    while time.perf_counter() - begun < WITHIN_SECONDS:
        told: Any = await client.read("/supervision/alerts", {"limit": 50})
        new = [one for one in told["alerts"] if one["time"] >= oldest]
        if any((one["rule"], one["about"]["id"]) == (rule, about) for one in new):
            noticed.seconds[rule] = time.perf_counter() - begun
            return
        await asyncio.sleep(0.1)
