"""What an officer and a supervisor do about it: freeze the scraping recipient, and take the figures of a bad day home."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.client import LedgerClient
from api.client.supervision import KeptText, SupervisionClient
from api.demo import audit
from api.demo.past import QUALITY, REPORT, Past, reading
from api.demo.recipient import DemoConnection
from api.demo.servers import DemoFailed, command
from api.demo.story import Tick
from ledger.clock import SystemClock

FREEZE: Final = "freeze-scraping"
INCIDENT: Final = "scraping-of-our-customers"
DETECTED_AGO: Final = 3_600
"""Seconds: the first report is due in three hours."""
STEPS: Final = 5
PRICE: Final = 150_000
"""Thousandths of a haléř for each time that data is given out."""
OFFICERS: Final = ("--approved-by", "officer-one", "--approved-by", "officer-two")


@dataclass(frozen=True)
class Frozen:
    """What a freeze did. `at`, `lifted_at`: its entries."""

    before: bool
    """Whether an access was allowed before it."""
    reasons: tuple[str, ...]
    """Why the next one was refused."""
    after: bool
    """Whether one was allowed once it was lifted."""
    at: int
    lifted_at: int

    @property
    def stopped(self) -> bool:
        """Whether it stopped exactly what it was to stop."""
        return self.before and self.reasons == ("FROZEN",) and self.after


async def freeze(state: Path, client: LedgerClient, connection: DemoConnection, tick: Tick) -> Frozen:
    """Two officers of the operator freeze a recipient and lift it again; `client`, the recipient, reads thrice."""
    before = await client.access(reading(connection))
    tick()
    whom = "--recipient", client.participant, "--reason", "scraping", "--hours", "1"
    await _order("freeze", "order", FREEZE, *whom, *OFFICERS, "--state", state)
    tick()
    between = await client.access(reading(connection))
    tick()
    await _order("freeze", "lift", FREEZE, "--reason", "over", *OFFICERS, "--state", state)
    tick()
    after = await client.access(reading(connection))
    told: Any = await client.read("/supervision/freezes")
    [known] = [one for one in told["freezes"] if one["freeze_id"] == FREEZE]
    tick()
    return Frozen(before.allowed, tuple(between.decision.reasons), after.allowed, known["index"], known["lifted_at"])


@dataclass(frozen=True)
class OpenIncident:
    """What the bank whose customers were scraped has reported. `hours`: until its first report is due."""

    name: str
    consents: int
    hours: int
    at: int
    running: int
    """Clocks under which something is still due, and not late."""


async def incident(bank: LedgerClient, recipient: str, affected: int) -> OpenIncident:
    """The bank opens an incident about the scraping recipient and leaves it open: a supervisor finds its clocks running."""
    detected = SystemClock().now() // 1000 - DETECTED_AGO
    words = KeptText.of("One app read every consent ten times over within a minute.")
    scope = {"holder": bank.participant, "recipient": recipient}
    opened = await SupervisionClient(bank).open_incident(
        INCIDENT, scope, kind="misuse", severity=2, detected_at=detected, affected_consents=affected, text=words
    )
    told: Any = await bank.read("/supervision/incidents")
    [known] = [one for one in told["incidents"] if one["index"] == opened.index]
    running = [one for one in known["clocks"] if one["delivered"] is None and not one["late"]]
    hours = min(one["due"] for one in running) - detected - DETECTED_AGO if running else 0
    return OpenIncident(known["incident_id"], known["affected_consents"], hours // 3_600, opened.index, len(running))


async def report(state: Path, past: Past, csv: Path) -> dict[str, str]:
    """Issue the report of the bad day; its figures by measure."""
    await _order("report", "issue", REPORT, "--from", past.bad_day, "--csv", csv, "--state", state)
    text = await asyncio.to_thread(csv.read_text, encoding="utf-8")
    return dict(line.split(",") for line in text.splitlines()[1:])


@dataclass(frozen=True)
class BilledMonth:
    """A month that both sides have signed. `at`: the holder's statement."""

    month: str
    releases: int
    total: int
    at: int
    agreed: bool


async def bill(bank: LedgerClient, client: LedgerClient, past: Past) -> BilledMonth:
    """A bank and a recipient agree on a tariff, and on what a month comes to; each counts for itself."""
    lines = [{"free": 0, "tiers": [{"from": 0, "price": PRICE}]}]
    tariff = {"currency": "CZK", "from": 0, "lines": lines, "tariff": "standard", "utc_offset": 0}
    tariff["recipient"] = client.participant
    offer = await _declare(bank, "tariff.offer", "/partners/tariffs", **tariff)
    await _declare(client, "tariff.accept", "/partners/tariffs/accept", offer=offer)
    query = {"month": past.billed_day[:7], "offer": offer, "recipient": client.participant}
    ours: Any = await bank.read("/partners/usage/count", query)
    theirs: Any = await client.read("/partners/usage/count", query)
    at = await _declare(bank, "usage.state", "/partners/usage", **ours)
    if ours == theirs:
        await _declare(client, "usage.answer", "/partners/usage/answer", answer="agreed", disputed=[], statement=at)
    told: Any = await client.read("/partners/usage")
    [state] = [one["state"] for one in told["statements"] if one["index"] == at]
    return BilledMonth(past.billed_day[:7], ours["count"], ours["total"], at, state == "agreed")


async def score(state: Path, past: Past, csv: Path) -> dict[str, int]:
    """Issue the scores of the bad day; each recipient's, of a thousand."""
    await _order("report", "issue", QUALITY, "--from", past.bad_day, "--csv", csv, "--state", state)
    text = await asyncio.to_thread(csv.read_text, encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return {name: int(value) for name, measure, value in rows if measure == "score"}


async def _declare(client: LedgerClient, act: str, path: str, **members: Any) -> int:
    [receipt] = await client.ask(path, await client.statements.sign(act, **members))
    return receipt.index


async def _order(*arguments: str | Path) -> None:
    status, output = await audit.run(command(*arguments))
    if status != 0:
        raise DemoFailed(f"{arguments[0]} {arguments[1]} ended with {status}: {output[-600:]}")
