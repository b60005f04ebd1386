"""A log under ruleset 3 with a regulator, and what supervisors, holders and the operator order on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.checking.examination import examine
from ledger.canonical import b64u
from ledger.planning.commands import Recorded
from tests.ledger.auditing import audit
from tests.world import DAY, Document, Node, Party, running

REGULATOR, OTHER_REGULATOR = "regulator-r", "regulator-s"
APPROVED = ["officer-1", "officer-2"]
HASH = b64u(bytes(32))


@dataclass
class Place:
    """A node under ruleset 3, and two regulators."""

    node: Node
    regulator: Party
    other: Party
    url: str

    @property
    def now(self) -> int:
        """The clock's time in seconds."""
        return self.node.clock.now() // 1000

    def order(self, freeze_id: str = "f-1", *, signer: Party | None = None, **changes: Any) -> Recorded:
        members = {
            "freeze_id": freeze_id,
            "scope": {},
            "from": 0,
            "until": self.now + DAY,
            "reason": "scraping",
            "drill": False,
        }
        return (signer or self.regulator).record("freeze.order", **{**members, **changes})

    def lift(self, freeze_id: str = "f-1", *, signer: Party | None = None) -> Recorded:
        return (signer or self.regulator).record("freeze.lift", freeze_id=freeze_id, reason="over")

    def document(self, kind: str, **members: Any) -> Recorded:
        return self.node.ledger.record_documents({"type": kind, "v": 1, **members})[0]

    def approved(self, kind: str, **members: Any) -> Recorded:
        return self.document(kind, **{"approved_by": APPROVED, **members})

    def freeze(self, freeze_id: str = "f-1", **changes: Any) -> Recorded:
        """The operator's own."""
        members = {
            "freeze_id": freeze_id,
            "scope": {},
            "from": 0,
            "until": self.now + DAY,
            "reason": "court",
            "drill": False,
        }
        return self.approved("freeze.ordered", **{**members, **changes})

    def require(self, requirement_id: str = "r-1", **scope: str) -> Recorded:
        return self.regulator.record("assessment.require", requirement_id=requirement_id, scope=scope, reason="pipl-55")

    def assess(self, assessment_id: str = "a-1", **changes: Any) -> Recorded:
        members = {
            "assessment_id": assessment_id,
            "document_hash": HASH,
            "method": "pia",
            "next_due": self.now + DAY,
            "outcome": "acceptable",
            "scope": {},
        }
        return self.node.bank.record("assessment.record", **{**members, **changes})

    def block(self, **changes: Any) -> Recorded:
        members = {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600}
        return self.node.bank.record("risk.block", **{**members, **changes})

    def alert(self, kind: str, name: str, *, score: int = 700, rule: str = "rate") -> Recorded:
        about: Document = {"id": name, "kind": kind}
        return self.document("alert.raised", about=about, at_index=1, features=[60, 3], rule=rule, score=score)

    def decide_alert(self, alert: int, decision: str, *, signer: Party | None = None) -> Recorded:
        return (signer or self.node.bank).record(
            "alert.decide",
            alert=alert,
            decision=decision,
            officer="o" * 22,
            proposal="confirmed",
            proposal_reasons=["many"],
        )

    def reasons(self, consent_id: str, **changes: Any) -> tuple[str, ...]:
        """Why an access is denied now; empty when it is allowed."""
        outcome = self.node.access(consent_id, **changes).outcome
        assert outcome is not None
        return outcome.reasons  # type: ignore[union-attr]  # of an access

    def restart(self) -> None:
        self.node.restart()

    def hold(self, name: str, *chains: bytes, until: int = 0) -> Recorded:
        return self.approved("hold.placed", hold=name, chains=sorted(map(b64u, chains)), basis="court", until=until)

    def verify(self) -> None:
        """The log is whole, and all that is stored beside it is what its entries lead to."""
        audit(self.url, self.node.ledger)
        found = examine(self.node.ledger.store, self.node.ledger.keystore, self.node.ledger.vkey)
        assert (found.defects, found.count) == ([], 0)


@contextmanager
def supervised(url: str, folder: Path, ruleset: int = 3, **changes: Any) -> Iterator[Place]:
    """A new log with four participants and two regulators, running."""
    with running(url, folder, ruleset=ruleset, **changes) as node:
        regulators = node.register({REGULATOR: "regulator", OTHER_REGULATOR: "regulator"})
        yield Place(node, *regulators, url)
