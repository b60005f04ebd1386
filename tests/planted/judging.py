"""One world lived through: what was raised, and which of it was planted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.orders import RULES
from ledger.scoring.memory import Vectors
from ledger.scoring.model import Model
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import DAY_MS, Raised, SeenAccess
from ledger.scoring.training import ForestPlan, Vector, train
from tests.planted.attacks import FIRST_DAY, FORESEEN, KINDS, Attack
from tests.planted.months import DAYS, START, Months, Step, in_order


@dataclass
class Judged:
    """Counts over worlds, which can be added up."""

    entries: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    by: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Kind → rule → attacks that this rule found."""
    alerts: Counter[str] = field(default_factory=Counter)
    """By rule, on the days on which attacks were planted."""
    right: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    """By rule, on the ordinary days before: every one of them is wrong."""

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {
            "entries": self.entries,
            "kinds": {
                kind: {
                    "by": dict(sorted(self.by[kind].items())),
                    "found": self.found[kind],
                    "planted": self.planted[kind],
                }
                for kind in KINDS
            },
            "rules": {
                rule: {"alerts": self.alerts[rule], "before": self.before[rule], "right": self.right[rule]}
                for rule in RULES
                if rule not in ("late-notice", "no-notice")  # these worlds have accesses, and no ends or notices
            },
        }

    def add(self, other: Judged) -> None:
        """Count another world too."""
        self.entries += other.entries
        for name in ("planted", "found", "alerts", "right", "before"):
            getattr(self, name).update(getattr(other, name))
        for kind, rules in other.by.items():
            self.by[kind].update(rules)


def days(seed: int) -> Iterator[tuple[int, list[Step], list[Attack]]]:
    """(day, its steps in order, the attacks planted so far) of a world with one attack of each kind."""
    months = Months(seed)
    when = {name: months.draw.randrange(FIRST_DAY, DAYS - 8) for name in KINDS}
    attacks: list[Attack] = []
    waiting: defaultdict[int, list[Step]] = defaultdict(list)
    index = 0
    for day in range(DAYS):
        for name, start in when.items():
            if day == (0 if name in FORESEEN else start):
                attack, steps = KINDS[name](months, start)
                for step in steps:
                    belongs = step.seen.time >= attack.start
                    waiting[(step.seen.time - START) // DAY_MS].append(
                        Step(step.seen, len(attacks) if belongs else None)
                    )
                attacks.append(attack)
        found = in_order(iter([*months.day(day), *waiting.pop(day, ())]), index)
        index += len(found)
        yield day, found, attacks


def judged(seed: int) -> Judged:
    """Live through a world: the model learns from the days before the first attack, then everything is in force."""
    scorer, vectors, learned = Scorer(), Vectors(), list[Vector]()
    told = Judged()
    attacks: list[Attack] = []
    rules: defaultdict[int, set[str]] = defaultdict(set)
    for day, steps, attacks in days(seed):
        if day == FIRST_DAY - 3:
            scorer.use("m", Model(train(learned, ForestPlan(seed=seed)).data))
        for step in steps:
            told.entries += 1
            if day < FIRST_DAY - 3 and isinstance(step.seen, SeenAccess):
                vector = vectors.see(step.seen)
                learned += [] if vector is None else [vector]
            for alert in scorer.read(step.seen):
                if day < FIRST_DAY:
                    told.before[alert.rule] += 1
                    continue
                guilty = _guilty(alert, step, attacks)
                told.alerts[alert.rule] += 1
                told.right[alert.rule] += bool(guilty)
                for one in guilty:
                    rules[one].add(alert.rule)
    for number, attack in enumerate(attacks):
        told.planted[attack.kind] += 1
        told.found[attack.kind] += bool(rules[number])
        told.by[attack.kind].update(rules[number])
    return told


def _guilty(alert: Raised, step: Step, attacks: list[Attack]) -> list[int]:
    """The attack whose entry raised the alert; else those of the same one that began and ended at most a day before."""
    if step.attack is not None and alert.about in attacks[step.attack].about:
        return [step.attack]
    return [
        number
        for number, attack in enumerate(attacks)
        if alert.about in attack.about and attack.start <= step.seen.time <= attack.end + DAY_MS
    ]
