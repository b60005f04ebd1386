"""How many consents are active, by group and whenever they end: without going through all of them at each period's end.

A consent that ends by itself is counted off at the first end of a period by which it is over. So memory is per group, pair of
parties and period, never per consent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from verifier.rules.consents import Consent
from verifier.rules.report_counts import Group, Period
from verifier.rules.report_forms import Definition
from verifier.rules.report_groups import groups_of

Key = tuple[Group, str, str]
"""A group, holder, recipient."""


class Standing:
    """The active consents of one definition: `change` at each entry that moves one, `remove` a party, `fill` a period."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._active: Counter[Key] = Counter()
        self._ends: dict[Key, Counter[int]] = {}
        self._removed: set[str] = set()

    def change(self, before: Consent | None, after: Consent | None) -> None:
        """A consent was moved."""
        for consent, number in ((before, -1), (after, 1)):
            for key, end in self._slots(consent):
                self._active[key] += number
                if end:
                    self._ends.setdefault(key, Counter())[end] += number

    def _slots(self, consent: Consent | None) -> Iterator[tuple[Key, int]]:
        """Where it is counted while it is active, and at which end of a period it is counted off (0: never)."""
        if consent is None or consent.status != "ACTIVE":
            return
        terms = consent.terms
        if terms.holder in self._removed or terms.recipient in self._removed:
            return
        over = min((second for second in (terms.expires_at, consent.once_until) if second), default=0)
        end = 0
        if over:
            since, to = self.definition.bounds(over)
            end = since if since == over else to
        for group in groups_of(self.definition, terms, terms.permissions):
            yield (group, terms.holder, terms.recipient), end

    def remove(self, participant: str) -> None:
        """All consents of a party that was removed are at an end."""
        self._removed.add(participant)
        for key in [key for key in self._active if participant in key[1:]]:
            del self._active[key]
            self._ends.pop(key, None)

    def fill(self, period: Period) -> None:
        """The consents whose effective status is ACTIVE at the period's end."""
        for key, count in self._active.items():
            over = sum(number for end, number in self._ends.get(key, Counter[int]()).items() if end <= period.to)
            period.count("consents_active", [key[0]], count - over)
