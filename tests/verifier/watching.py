"""A scorer with one recipient, whose memory a test can fill as a week of accesses would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.verifier.forge import b64u
from tests.verifier.scored import HOUR, RULES
from tests.verifier.states import DAY, NOW, RECIPIENT, A, consent, terms
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf
from verifier.rules.chain_store import Chain
from verifier.rules.firing import Fired
from verifier.rules.remembered import Habits, Last
from verifier.rules.scorer import Scorer

INDEX, BASIS = 90, 70
CHAIN = b64u(b"c" * 32).encode()
DAY_MS = DAY * 1000
MIDNIGHT = NOW + DAY_MS // 2
GONE = ("CONSENT_REVOKED",)
NAMES = {number: rule for rule, (number, _) in RULES.items()}


class Watched:
    """A scorer that is in force, one consent of its recipient, and what happens under it."""

    def __init__(self, **of: Any) -> None:
        self.scorer = Scorer()
        self.scorer.begin(0)
        self.own = self.scorer.recipient(RECIPIENT)
        self.own.hours.hour = self.own.consents.hour = NOW // HOUR
        self.own.day = NOW // DAY_MS
        self.fired: dict[str, Fired] = {}
        self.chain = Chain(3, b"head", consent=consent(of=of))
        self.chain.habits = self.habits = Habits(self.scorer.epoch)

    def leaf(self, time: int) -> Leaf:
        return Leaf(INDEX, "consent", time, b"", CHAIN)

    def facts(self, act: str, content: dict[str, Any], outcome: Any = None, party: str = RECIPIENT) -> Facts:
        return Facts(act, party, "", 0, b"", b"", -1, False, content, outcome, None)

    def access(self, time: int = NOW, *, present: bool = True, reasons: tuple[str, ...] = ()) -> list[str]:
        """The rules that fire."""
        content = {"accounts": [A], "customer_present": present, "permissions": ["ReadBalances"]}
        outcome = {"decision": "deny" if reasons else "allow", "reasons": [*reasons]}
        facts = self.facts("access.request", content, outcome)
        return self.named(self.scorer.access(INDEX, self.leaf(time), self.chain, facts))

    def release(self, rows: int, time: int = NOW) -> list[str]:
        self.scorer.waiting.put(str(BASIS), json.dumps([CHAIN.decode()]))
        return self.leg("access.release", rows=rows, time=time)

    def leg(self, act: str, time: int = NOW, **changes: Any) -> list[str]:
        content = {"basis": BASIS, "rows": 1, "bytes": 2, "digest": "d", **changes}
        return self.named(self.scorer.leg(INDEX, self.leaf(time), self.chain, self.facts(act, content)))

    def request(self, permissions: int, before: list[int] | None, since: int = 51, seen: int = 0) -> list[str]:
        if before is not None:
            self.scorer.purposes.put("AIS", json.dumps([before, since, seen]))
        asked = terms(permissions=tuple(f"p{n}" for n in range(permissions)))
        return self.named(self.scorer.request(INDEX, self.leaf(NOW), asked))

    def notice(self, waited: int) -> list[str]:
        self.chain = Chain(3, b"head", consent=consent("REVOKED"), steps=(5, 9), moved=NOW - waited)
        facts = self.facts("consent.acknowledge", {"basis": 9})
        return self.named(self.scorer.notice(INDEX, self.leaf(NOW), self.chain, facts))

    def named(self, fired: Iterator[Fired]) -> list[str]:
        """The rules of these alerts, which are kept in `fired`."""
        self.fired = {NAMES[one.number]: one for one in fired}
        assert {one.at_index for one in self.fired.values()} <= {INDEX}
        return [*self.fired]


def ring(size: int, *numbers: int) -> Last:
    made = Last(size)
    for number in numbers:
        made.add(number)
    return made
