"""The proposal to the person who answers an alert, and when the answer is due (docs/risk.md, «The queue»).

A proposal decides nothing. Pure: the same alert with the same past gives the same proposal, so anyone can ask why it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ledger.orders import Rule
from ledger.scoring.seen import DAY_MS, HOUR_MS

Answer = Literal["cleared", "confirmed", "escalated"]
HIGH: Final = 800
MIDDLE: Final = 500
REPEATED: Final = 3
"""Alerts of one rule about one thing within a week, the present one among them."""
BEFORE: Final[dict[Answer, str]] = {
    "cleared": "cleared-before",
    "confirmed": "confirmed-before",
    "escalated": "escalated-before",
}
FACTS: Final[frozenset[Rule]] = frozenset({"after-end", "late-notice", "legs-differ", "no-notice", "refused"})
"""Rules whose alert is no matter of degree: something happened that must not."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier alert of the same rule about the same thing. `answer`: what this participant decided on it, if anything."""

    time: int
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An answer, and why: codes in their order."""

    answer: Answer
    reasons: tuple[str, ...]


def propose(rule: Rule, score: int, time: int, earlier: Sequence[Earlier]) -> Proposal:
    """What to answer to an alert at `time` (ms), given the earlier ones, the newest first."""
    answered = next((one.answer for one in earlier if one.answer is not None), None)
    repeated = 1 + sum(time - one.time < 7 * DAY_MS for one in earlier) >= REPEATED
    reasons = {"score-high" if score >= HIGH else "score-middle" if score >= MIDDLE else "score-low"}
    reasons |= {BEFORE[answered]} if answered else set()
    reasons |= {"repeated"} if repeated else set()
    reasons |= {"fact"} if rule in FACTS else set()
    answer: Answer
    if answered == "cleared" and score < HIGH and rule not in FACTS:
        answer = "cleared"
    elif score >= HIGH and (repeated or answered == "escalated"):
        answer = "escalated"
    elif score >= MIDDLE or rule in FACTS or answered in {"confirmed", "escalated"}:
        answer = "confirmed"
    else:
        answer = "cleared"
    return Proposal(answer, tuple(sorted(reasons)))


def due(score: int, time: int) -> int:
    """By when (ms) an alert that was recorded at `time` (ms) is to be answered: 4, 24 or 72 hours later."""
    return time + (4 if score >= HIGH else 24 if score >= MIDDLE else 72) * HOUR_MS
