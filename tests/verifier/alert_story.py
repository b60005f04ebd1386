"""A history in which things happen that should be noticed, in a log of the ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.entries.evidence import AccessOutcome
from ledger.orders import SCORING
from ledger.queries.scoring import AlertReader
from tests.ledger.supervised import Place, supervised
from tests.world import Party, item, reference

HOUR, DAY = 3_600, 86_400
PERMISSIONS = ["ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances"]
WIDE = sorted(
    [
        *PERMISSIONS,
        "ReadBeneficiariesDetail",
        "ReadDirectDebits",
        "ReadLoans",
        "ReadPAN",
        "ReadParty",
        "ReadStatementsDetail",
    ]
)


@dataclass
class Story:
    """A history in which things happen that should be noticed. Time runs by itself only where it says so."""

    place: Place
    draw: random.Random
    consents: list[str] = field(default_factory=list)
    open_legs: list[tuple[str, str, int]] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)

    def pass_time(self, seconds: float) -> None:
        self.place.node.clock.advance(seconds=seconds)

    def grant(self, count: int, **changes: Any) -> list[str]:
        made = [self.place.node.grant(**{"frequency_per_day": 0, "expires_at": 0, **changes}) for _ in range(count)]
        self.consents += made
        return made

    def read(self, consents: list[str], *, signer: Party | None = None, **changes: Any) -> None:
        """One access of each, in one batch."""
        node = self.place.node
        asked = [item(consent, **{"permissions": ["ReadBalances"], **changes}) for consent in consents]
        recorded = node.ledger.submit_and_wait(node.batch(*asked))
        for what, entry in zip(asked, recorded, strict=True):
            assert isinstance(entry.outcome, AccessOutcome)
            if entry.outcome.decision == "allow":
                self.open_legs.append((what["consent_id"], what["interaction_id"], entry.index))

    def deliver(self, count: int, *, rows: int, got: int | None = None) -> None:
        """Both legs of accesses that have none yet."""
        node = self.place.node
        for _ in range(min(count, len(self.open_legs))):
            consent, interaction, basis = self.open_legs.pop()
            for act, signer, number in (
                ("access.release", node.bank, rows),
                ("access.receive", node.fintech, rows if got is None else got),
            ):
                signer.record(
                    act,
                    consent_id=consent,
                    interaction_id=interaction,
                    basis=basis,
                    rows=number,
                    bytes=number * 40,
                    digest=reference()[:43].ljust(43, "A"),
                )

    def acknowledge(self, consent: str) -> None:
        """The recipient takes note of the end of a consent."""
        self.place.node.fintech.record("consent.acknowledge", consent_id=consent, basis=self.ends[consent])

    def stop(self, consent: str) -> None:
        """Its customer ends it."""
        self.ends[consent] = self.place.node.revoke(consent).index

    def until(self, hour: int) -> None:
        """Go on to this hour (UTC) of the next day."""
        now = self.place.now
        self.pass_time(DAY - now % DAY + hour * HOUR)

    def plant(self) -> None:
        """What each rule is there for, one after the other."""
        [old] = self.grant(1)
        self.read([old] * 10)
        self.pass_time(31 * DAY)
        self.read([old], permissions=["ReadTransactionsDetail"])
        self.until(10)
        self.read([old] * 100, customer_present=True)
        self.read([old] * 100)
        ended = self.consents.pop()
        self.stop(ended)
        self.pass_time(2 * HOUR)
        self.read([ended] * 3)
        self.pass_time(DAY)
        self.acknowledge(ended)
        self.pass_time(2 * DAY)
        self.acknowledge(ended)
        self.until(2)
        self.read([self.consents[0]] * 40)
        self.place.node.request(permissions=WIDE)
        self.until(12)
        self.read(self.consents[:45])
        self.deliver(25, rows=10)
        self.deliver(1, rows=5_000)
        self.pass_time(2 * HOUR)
        self.deliver(1, rows=10, got=11)
        self.stop(self.consents.pop())  # and nobody takes note
        self.pass_time(61 * DAY)
        self.read(self.consents[:1])
        self.read(self.consents[:25] * 2, purpose="other")

    def chance(self) -> None:
        """One of the things that happen."""
        draw = self.draw
        some = draw.sample(self.consents, min(len(self.consents), draw.randint(1, 45)))
        match draw.randrange(10):
            case 0:
                self.read(some)
            case 1:
                self.read(some * 2, customer_present=False)
            case 2:
                self.read([f"{number:08x}-0000-4000-8000-000000000000" for number in range(draw.randint(1, 30))])
            case 3:
                self.pass_time(draw.choice([1, 60, HOUR, 6 * HOUR, DAY]))
            case 4:
                self.deliver(draw.randint(1, 12), rows=draw.choice([10, 10, 10, 5_000]))
            case 5:
                self.deliver(2, rows=10, got=draw.choice([10, 11]))
            case 6:
                self.pass_time(draw.choice([31, 61]) * DAY)
                self.read(some[:3], customer_present=False, permissions=PERMISSIONS[: draw.randint(1, 3)])
            case 7:
                self.stop(self.consents.pop(draw.randrange(len(self.consents))))
                self.grant(1, utc_offset=draw.choice([-300, 0, 480]))
            case 8 if self.ends:
                self.acknowledge(draw.choice([*self.ends]))
            case _:
                self.read(some[:30] * 2, purpose="other")


@contextmanager
def played(
    folder: Path, url: str, seed: int, steps: int, *, planted: bool = False
) -> Iterator[tuple[Place, AlertReader]]:
    with supervised(url, folder) as place:
        story = Story(place, random.Random(seed))
        early = story.grant(20)
        story.read(early)
        place.approved("scoring.activated", scoring=SCORING)
        story.grant(30)
        for _ in range(steps):
            story.chance()
        if planted:
            story.plant()
        story.pass_time(120)
        story.grant(1)
        ledger = place.node.ledger
        yield place, AlertReader(ledger.store, ledger.keystore)
