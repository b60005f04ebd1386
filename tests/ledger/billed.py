"""A bank and a fintech that bill each other: tariffs, months of releases, statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.billing.months import Month, month_with
from ledger.canonical import b64u
from ledger.partners import Partners
from ledger.planning.commands import Recorded
from ledger.queries.usage import UsageCount
from tests.ledger.supervised import APPROVED, HASH, OTHER_REGULATOR, REGULATOR, Place
from tests.world import FINTECH, Document, Party, running

OFFSET = 480
ALL: list[Document] = [{"free": 0, "tiers": [{"from": 0, "price": 1_500}]}]


@dataclass
class Billed(Place):
    """A log with a tariff; `releases` are the entries of what was released so far."""

    offered: int = -1
    releases: list[int] = field(default_factory=list)
    accesses: list[int] = field(default_factory=list)
    consent: str = ""

    @property
    def partners(self) -> Partners:
        return self.node.ledger.registry.partners

    @property
    def month(self) -> Month:
        """The present one."""
        return month_with(self.now, OFFSET)

    def month_before(self) -> Month:
        return month_with(self.month.first - 1, OFFSET)

    def after(self, month: Month) -> None:
        """An hour after its end."""
        self.node.clock.time = month.end * 1000 + 3_600_000

    # -- what each says ---------------------------------------------------------------------------------------------------

    def attest(self, **changes: Any) -> Recorded:
        members = {
            "attestation": "licence-1",
            "document_hash": HASH,
            "issuer": "The authority",
            "kind": "licence",
            "valid_until": self.now + 86_400,
        }
        return self.node.fintech.record("attestation.give", **{**members, **changes})

    def approve(self, attestation: int, participant: str = FINTECH) -> Recorded:
        members = {"approved_by": APPROVED, "attestation": attestation, "participant": participant}
        return self.document("attestation.approved", **members)

    def offer(self, *, signer: Party | None = None, **changes: Any) -> Recorded:
        members = {
            "currency": "CNY",
            "from": 0,
            "lines": ALL,
            "recipient": FINTECH,
            "tariff": "tariff-1",
            "utc_offset": OFFSET,
        }
        return (signer or self.node.bank).record("tariff.offer", **{**members, **changes})

    def accept(self, offer: int, signer: Party | None = None) -> Recorded:
        return (signer or self.node.fintech).record("tariff.accept", offer=offer)

    def end(self, offer: int, signer: Party | None = None, *, from_: int | None = None) -> Recorded:
        members = {"from": self.now + 1 if from_ is None else from_, "offer": offer, "reason": "new-prices"}
        return (signer or self.node.bank).record("tariff.end", **members)

    def agreed(self, **changes: Any) -> int:
        """A tariff that both have signed."""
        self.offered = self.offer(**changes).index
        self.accept(self.offered)
        return self.offered

    def release(self, *, rows: int = 3, access: int | None = None, **asked: Any) -> int:
        """An access with its release, or a release of an access that was made before; the release's index."""
        self.consent = self.consent or self.node.grant()
        interaction = f"interaction-{len(self.accesses) if access is None else self.accesses.index(access)}"
        if access is None:
            access = self.ask(**asked)
        self.releases.append(
            self.node.bank.record(
                "access.release",
                consent_id=self.consent,
                interaction_id=interaction,
                basis=access,
                rows=rows,
                bytes=rows * 40,
                digest=HASH,
            ).index
        )
        return self.releases[-1]

    def ask(self, **asked: Any) -> int:
        """An access that is allowed; its index."""
        self.consent = self.consent or self.node.grant()
        interaction = f"interaction-{len(self.accesses)}"
        entry = self.node.access(self.consent, interaction_id=interaction, **asked)
        assert entry.outcome is not None
        assert entry.outcome.decision == "allow"  # type: ignore[union-attr]  # of an access
        self.accesses.append(entry.index)
        return entry.index

    def a_month_of(self, many: int, **tariff: Any) -> int:
        """A tariff, so many releases in this month, and the next one begun."""
        offer = self.agreed(**tariff)
        for _ in range(many):
            self.release()
        self.after(self.month)
        return offer

    def count(
        self, *, offer: int | None = None, month: Month | None = None, left_out: Mapping[int, str] | None = None
    ) -> UsageCount:
        """The month that is just over, counted."""
        ledger = self.node.ledger
        return ledger.usage.count(
            ledger.registry,
            self.offered if offer is None else offer,
            FINTECH,
            month or self.month_before(),
            now=self.node.clock.now(),
            left_out=left_out,
        )

    def state(self, *, offer: int | None = None, left_out: Mapping[int, str] | None = None, **changes: Any) -> Recorded:
        counted = self.count(offer=offer, left_out=left_out)
        return self.node.bank.record("usage.state", **{**counted.members(), **changes})

    def state_again(self) -> Recorded:
        return self.state(replaces=-1)

    def answer(
        self,
        statement: int,
        answer: str = "agreed",
        disputed: list[Document] | None = None,
        *,
        signer: Party | None = None,
    ) -> Recorded:
        members = {"answer": answer, "disputed": disputed or [], "statement": statement}
        return (signer or self.node.fintech).record("usage.answer", **members)

    def members_of_nothing(self, offer: int) -> Document:
        return {
            "amounts": [{"amount": 0, "count": 0}],
            "count": 0,
            "left_out": [],
            "offer": offer,
            "recipient": FINTECH,
            "replaces": -1,
            "root": b64u(bytes(32)),
            "to_index": 1,
            "total": 0,
        }


@contextmanager
def billed(url: str, folder: Path) -> Iterator[Billed]:
    """A new log under ruleset 3 with four participants and two regulators, running."""
    with running(url, folder, ruleset=3) as node:
        regulators = node.register({REGULATOR: "regulator", OTHER_REGULATOR: "regulator"})
        yield Billed(node, *regulators, url)
