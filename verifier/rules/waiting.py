"""Ends that nobody has acknowledged, by group and at the ends of periods (docs/spec/reports.md, «Measures»).

Of each period two counts are kept: of all ends that wait, and of those that were there 72 hours before its end. So memory is
per group and period that is asked for, never per end.
"""

from __future__ import annotations

from collections import Counter

from verifier.records.facts import Facts
from verifier.rules.consents import Consent
from verifier.rules.report_counts import Group, Period
from verifier.rules.report_forms import Definition
from verifier.rules.report_groups import groups_of

LATE_MS = 259_200_000
WAITING, LATE = "unacknowledged", "unacknowledged_late"
NEVER = 2**63
NOTHING = -1
"""In place of the time of an end that waits."""


def is_awaited(before: Consent | None, after: Consent, facts: Facts) -> bool:
    """Whether this entry is an end that its recipient is to acknowledge."""
    ruleset = (facts.outcome or {}).get("ruleset", 0)
    return (
        facts.act in ("consent.revoke", "consent.terminate")
        and isinstance(ruleset, int)
        and ruleset > 2
        and after.status in ("REVOKED", "TERMINATED")
        and (before is None or before.status not in ("REVOKED", "TERMINATED"))
        and facts.party != after.terms.recipient
    )


def cutoff_of(to: int) -> int:
    """The last time (ms) at which an end is late at `to` (s)."""
    return to * 1000 - LATE_MS


class Waiting:
    """The ends of one definition that wait: `ended`, `acknowledged` in log order, `turn` as time goes on, `fill` a period."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._now: Counter[Group] = Counter()
        self._coming: list[int] = []
        """The ends of periods (s) whose late ends are not known yet, the next one last."""
        self._late: dict[int, Counter[Group]] = {}
        """By the end of a period: those of its late ends that wait still."""

    def plan(self, to: int) -> None:
        """A period that ends at `to` (s) is asked for; before the first entry."""
        self._coming.append(to)
        self._coming.sort(reverse=True)

    @property
    def next(self) -> int:
        """The first time (ms) at which something turns."""
        return cutoff_of(self._coming[-1]) + 1 if self._coming else NEVER

    def turn(self, time: int) -> None:
        """It is this time (ms), and all entries below it were seen."""
        while self.next <= time:
            self._late[self._coming.pop()] = self._now.copy()

    def ended(self, consent: Consent) -> None:
        """A consent came to an end that is to be acknowledged."""
        self._now.update(self._groups(consent))

    def acknowledged(self, consent: Consent, time: int) -> None:
        """Its end, which was at `time` (ms), was taken note of."""
        groups = self._groups(consent)
        self._now.subtract(groups)
        for to, late in self._late.items():
            if time <= cutoff_of(to):
                late.subtract(groups)

    def fill(self, period: Period) -> None:
        """What waits at the period's end."""
        late = self._late.pop(period.to, self._now)
        for name, counts in ((WAITING, self._now), (LATE, late)):
            for group, number in counts.items():
                period.count(name, [group], number)

    def _groups(self, consent: Consent) -> list[Group]:
        return groups_of(self.definition, consent.terms, consent.terms.permissions)
