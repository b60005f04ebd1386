"""What an officer and a supervisor do about it: freeze the scraping recipient, and take the figures of a bad day home."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.client import LedgerClient
from api.demo import audit
from api.demo.past import REPORT, Past, reading
from api.demo.recipient import DemoConnection
from api.demo.servers import DemoFailed, command
from api.demo.story import Tick

FREEZE: Final = "freeze-scraping"
STEPS: Final = 5
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


async def report(state: Path, past: Past, csv: Path) -> dict[str, str]:
    """Issue the report of the bad day; its figures by measure."""
    await _order("report", "issue", REPORT, "--from", past.bad_day, "--csv", csv, "--state", state)
    text = await asyncio.to_thread(csv.read_text, encoding="utf-8")
    return dict(line.split(",") for line in text.splitlines()[1:])


async def _order(*arguments: str | Path) -> None:
    status, output = await audit.run(command(*arguments))
    if status != 0:
        raise DemoFailed(f"{arguments[0]} {arguments[1]} ended with {status}: {output[-600:]}")
