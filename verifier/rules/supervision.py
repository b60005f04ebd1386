"""What supervises accesses, folded from declarations and from operator documents in log order (docs/spec/ruleset-3.md).

Freezes, requirements and assessments, risk blocks and the alerts that they name, holds, incidents. Raising
Refuted(CONSENT_INVALID) says that the step is illegal; what it says all the same is said in verdicts.md, «After a defect».
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import Terms
from verifier.rules.scopes import InForce, Name, Order, Scope, scope_of

OPERATOR = ""
MAX_BLOCK_MS = 2_592_000_000


class Assessment(NamedTuple):
    """What a holder assessed; `next_due` in seconds."""

    scope: Scope
    acceptable: bool
    next_due: int


class Block(NamedTuple):
    """Alerts of a rule with this level or more deny, for so many seconds."""

    about: str
    level: int
    seconds: int


class Raised(NamedTuple):
    """An alert: its index as `number`, time (ms) and score."""

    number: int
    time: int
    score: int


@dataclass(slots=True)
class Supervision:
    """`declare` each declaration and each document of ruleset 3 in log order; then ask. Ids are compared within their
    author. `unread_*`: who may have said more than could be read; `blind`: that a regulator may."""

    freezes: InForce = field(default_factory=InForce)
    requirements: InForce = field(default_factory=InForce)
    assessments: dict[str, dict[str, Assessment]] = field(default_factory=dict)
    blocks: dict[str, dict[str, Block]] = field(default_factory=dict)
    alerts: dict[tuple[str, str, str], list[Raised]] = field(default_factory=dict)
    cleared: dict[str, set[int]] = field(default_factory=dict)
    raised: array[int] = field(default_factory=lambda: array("q"))
    holds: dict[str, tuple[frozenset[str], int]] = field(default_factory=dict)
    incidents: dict[Name, frozenset[str]] = field(default_factory=dict)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    unread_holders: set[str] = field(default_factory=set)
    unread_recipients: set[str] = field(default_factory=set)
    blind: bool = False

    # --- what decisions ask ---------------------------------------------------------------------------------

    def is_frozen(self, terms: Terms, permissions: tuple[str, ...], region: str, time: int) -> bool:
        """Row 1a."""
        return bool(self.freezes) and self.freezes.match_at(terms, permissions, region, time)

    def is_unassessed(self, terms: Terms, permissions: tuple[str, ...], region: str, time: int) -> bool:
        """Row 5d, but for the status."""
        if not self.requirements or not self.requirements.match(terms, permissions, region):
            return False
        return not any(
            own.acceptable and own.next_due * 1000 > time and own.scope.matches(terms, permissions, region)
            for own in self.assessments.get(terms.holder, {}).values()
        )

    def is_blocked(self, terms: Terms, chain: str, time: int) -> bool:
        """Row 12. `chain`: that of the consent, as leaves spell it."""
        cleared = self.cleared.get(terms.holder, ())
        for rule, block in self.blocks.get(terms.holder, {}).items():
            about = terms.recipient if block.about == "recipient" else chain
            for alert in self.alerts.get((rule, block.about, about), ()):
                if (
                    alert.score >= block.level
                    and time < alert.time + block.seconds * 1000
                    and alert.number not in cleared
                ):
                    return True
        return False

    def is_unsure(self, terms: Terms) -> bool:
        """Whether something that could not be read may have spoken about an access under these terms."""
        return self.blind or terms.holder in self.unread_holders or terms.recipient in self.unread_recipients

    def is_held(self, chains: list[str], time: int) -> bool:
        """Whether one of the chains is under a hold in force."""
        now = time // 1000
        return any((until == 0 or now < until) and not held.isdisjoint(chains) for held, until in self.holds.values())

    # --- what both authors say ------------------------------------------------------------------------------

    def freeze(self, author: str, content: Object) -> None:
        """A freeze; one that is a drill denies nothing."""
        name = author, str(content["freeze_id"])
        again = self._is_used("freeze", name)
        if not content["drill"]:
            self.freezes.put(name, Order(scope_of(content), _number(content["from"]), _number(content["until"])))
        if again:
            raise _bad("the id was used before", "freeze_id", "a new id", name[1])

    def lift(self, author: str, content: Object) -> None:
        """A freeze is lifted."""
        name = author, str(content["freeze_id"])
        self.freezes.end(name)
        if ("freeze", *name) not in self.used or self._is_used("lift", name):
            raise _bad("only a freeze that was ordered and not lifted is lifted", "freeze_id", "one in force", name[1])

    # --- declarations ---------------------------------------------------------------------------------------

    def require(self, author: str, content: Object) -> None:
        """An assessment is asked for."""
        name = author, str(content["requirement_id"])
        if self._is_used("requirement", name):
            raise _bad("the id was used before", "requirement_id", "a new id", name[1])
        self.requirements.put(name, Order(scope_of(content)))

    def waive(self, author: str, content: Object) -> None:
        """It is asked for no more."""
        name = author, str(content["requirement_id"])
        if not self.requirements.end(name):
            raise _bad("only a requirement in force is waived", "requirement_id", "one in force", name[1])

    def assess(self, author: str, content: Object) -> None:
        """An assessment; a second one of the id replaces."""
        own = self.assessments.setdefault(author, {})
        outcome, due = content["outcome"], _number(content["next_due"])
        own[str(content["assessment_id"])] = Assessment(scope_of(content), outcome != "unacceptable", due)

    def block(self, author: str, content: Object) -> None:
        """Alerts of a rule deny; a second one of the rule replaces."""
        level, seconds = _number(content["level"]), _number(content["seconds"])
        self.blocks.setdefault(author, {})[str(content["rule"])] = Block(str(content["about"]), level, seconds)

    def unblock(self, author: str, content: Object) -> None:
        """They deny no more."""
        if self.blocks.get(author, {}).pop(str(content["rule"]), None) is None:
            raise _bad("only a block in force is ended", "rule", "a rule that blocks", content["rule"])

    def decide(self, author: str, content: Object) -> None:
        """An alert is decided; a later one replaces."""
        index = _number(content["alert"])
        if not self.is_alert(index):
            raise _bad("the entry is not an alert", "alert", "an alert.raised below this entry", index)
        own = self.cleared.setdefault(author, set())
        (own.add if content["decision"] == "cleared" else own.discard)(index)

    def open(self, author: str, content: Object) -> None:
        """An incident."""
        name = author, str(content["incident_id"])
        if self._is_used("incident", name):
            raise _bad("the id was used before", "incident_id", "a new id", name[1])
        clocks = content["clocks"]
        rows = clocks if isinstance(clocks, list) else []
        self.incidents[name] = frozenset(str(row["name"]) for row in rows if isinstance(row, dict))

    def update(self, author: str, content: Object) -> None:
        """More about an incident."""
        name = author, str(content["incident_id"])
        known = self.incidents.get(name)
        if known is None:
            raise _bad("only an open incident is updated or closed", "incident_id", "an open one", name[1])
        if "clock" in content and content["clock"] not in known:
            raise _bad("the incident has no such clock", "clock", ", ".join(sorted(known)), content["clock"])

    def close(self, author: str, content: Object) -> None:
        """The end of an incident."""
        self.update(author, content)
        del self.incidents[author, str(content["incident_id"])]

    # --- alerts ---------------------------------------------------------------------------------------------

    def alert(self, kind: str, about: str, rule: str, raised: Raised) -> None:
        """An alert was raised. Those that no block can name any more are forgotten."""
        self.raised.append(raised.number)
        rows = self.alerts.setdefault((rule, kind, about), [])
        rows[:] = [row for row in rows if raised.time < row.time + MAX_BLOCK_MS]
        rows.append(raised)

    def is_alert(self, index: int) -> bool:
        """Whether the entry is an alert that was read."""
        at = bisect_left(self.raised, index)
        return at < len(self.raised) and self.raised[at] == index

    def _is_used(self, kind: str, name: Name) -> bool:
        """Whether the name was used before; now it was."""
        key = (kind, *name)
        again = key in self.used
        self.used.add(key)
        return again


DECLARE = {
    "freeze.order": Supervision.freeze,
    "freeze.lift": Supervision.lift,
    "assessment.require": Supervision.require,
    "assessment.waive": Supervision.waive,
    "assessment.record": Supervision.assess,
    "risk.block": Supervision.block,
    "risk.unblock": Supervision.unblock,
    "alert.decide": Supervision.decide,
    "incident.open": Supervision.open,
    "incident.update": Supervision.update,
    "incident.close": Supervision.close,
}
"""All declarations but `purpose.define`, which the registry keeps."""


def _number(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - the form was checked when the statement was read
    return value


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field=field, expected=expected, found=found)
