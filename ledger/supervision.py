"""What supervisors, holders and the operator have ordered: a fold over documents and declarations (docs/spec/ruleset-3.md).

Like the registry, which holds it, a value never changes: an entry makes a new one. Beside what is needed to judge the next
entry it keeps, ready to be walked through at each access, what can still deny one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeVar

from msgspec import Struct

from ledger.entries.declarations import (
    BLOCK_SECONDS,
    FREEZE_SECONDS,
    AlertDecide,
    AssessmentRecord,
    AssessmentRequire,
    AssessmentWaive,
    Declaration,
    FreezeLift,
    FreezeOrder,
    IncidentClose,
    IncidentOpen,
    IncidentUpdate,
    RiskBlock,
    RiskUnblock,
)
from ledger.entries.scope import Bounds, Scope
from ledger.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.orders import (
    AlertRaised,
    FreezeLifted,
    FreezeOrdered,
    HoldLifted,
    HoldPlaced,
    ModelActivated,
    RemitEnded,
    RemitGranted,
    ReportDefined,
    ReportIssued,
    ScoringActivated,
    SupervisionDocument,
)

OPERATOR: Final = ""
"""The author of the operator's own freezes; no participant has this id."""
Named = tuple[str, str]
"""(author, id): ids are compared within their author."""
K = TypeVar("K")
V = TypeVar("V")


class Freeze(Struct, frozen=True):
    """A freeze as it was ordered at entry `index`; `from_` and `until` in seconds."""

    author: str
    freeze_id: str
    scope: Scope
    from_: int
    until: int
    reason: str
    drill: bool
    index: int
    lifted_at: int | None = None
    """The entry that lifted it."""

    def holds(self, time: int) -> bool:
        """Whether its times include `time` (ms)."""
        return self.from_ * 1000 <= time < self.until * 1000


class Requirement(Struct, frozen=True):
    """Accesses in this scope need an assessment."""

    author: str
    says: AssessmentRequire
    index: int
    waived_at: int | None = None


class Assessment(Struct, frozen=True):
    """A holder's assessment, the last under its id."""

    says: AssessmentRecord
    index: int


class Block(Struct, frozen=True):
    """Alerts of a rule deny accesses."""

    says: RiskBlock
    index: int


class Alert(Struct, frozen=True):
    """An alert that can still block: its entry, its time (ms), its score."""

    index: int
    time: int
    score: int


class AlertDecided(Struct, frozen=True):
    """What a participant decided about an alert, beside what was proposed; `time` in milliseconds."""

    says: AlertDecide
    index: int
    time: int


class Hold(Struct, frozen=True):
    """Chains that must not be erased; `until` in seconds, 0 = until it is lifted."""

    says: HoldPlaced
    index: int
    lifted_at: int | None = None

    def is_in_force(self, time: int) -> bool:
        """Whether it binds at `time` (ms)."""
        return self.lifted_at is None and (self.says.until == 0 or time // 1000 < self.says.until)


class Incident(Struct, frozen=True):
    """An incident: how it was opened, the entries that went on with it, what was delivered by its clocks (entry by name)."""

    author: str
    says: IncidentOpen
    index: int
    updates: tuple[int, ...] = ()
    delivered: Mapping[str, int] = MappingProxyType({})
    """By the clock's name: the time (ms) of the first entry that delivers what is due by it."""
    told_customers: int = 0
    told_participants: int = 0
    closed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Supervision:
    """Everything ordered as of some index."""

    freezes: Mapping[Named, Freeze] = field(default_factory=dict)
    requirements: Mapping[Named, Requirement] = field(default_factory=dict)
    assessments: Mapping[Named, Assessment] = field(default_factory=dict)
    """By (holder, assessment id)."""
    blocks: Mapping[str, Mapping[str, Block]] = field(default_factory=dict)
    """By holder, then by rule."""
    alerts: Mapping[tuple[str, str, str], tuple[Alert, ...]] = field(default_factory=dict)
    """By rule, kind and id of what they are about: those that are young enough to block."""
    cleared: frozenset[tuple[str, int]] = frozenset()
    """(participant, index of the alert): what a participant's last decision on it cleared."""
    decided: Mapping[int, Mapping[str, AlertDecided]] = field(default_factory=dict)
    """By the alert's index, then by participant: the last decision of each."""
    incidents: Mapping[Named, Incident] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    remits: Mapping[str, Bounds] = field(default_factory=dict)
    """By regulator: what it may order about; one that has none is there for all."""
    models: Mapping[str, ModelActivated] = field(default_factory=dict)
    scoring: int = 0
    reports: Mapping[str, ReportDefined] = field(default_factory=dict)
    freezing: tuple[Freeze, ...] = ()
    """Those that can deny an access: neither drills, nor lifted, nor past."""
    requiring: tuple[Requirement, ...] = ()
    """Those that are not waived."""
    assessed: Mapping[str, tuple[Assessment, ...]] = field(default_factory=dict)
    """Assessments by holder."""

    # -- what participants declare ----------------------------------------------------------------------------------

    def after_declaration(self, principal: str, says: Declaration, index: int, time: int) -> Supervision:
        """What this declaration, recorded at `index` and `time` (ms), leads to. Raises Conflict, NotFound, IllegalTransition.

        A purpose is the registry's, and whether an alert is one is for who reads the log (ledger/planning/declared.py).
        """
        match says:
            case FreezeOrder():
                freeze = Freeze(
                    principal, says.freeze_id, says.scope, says.from_, says.until, says.reason, says.drill, index
                )
                return self._frozen(freeze, time)
            case FreezeLift():
                return self._lifted(principal, says.freeze_id, index, time)
            case AssessmentRequire():
                name = principal, says.requirement_id
                _refuse_used(name, self.requirements, "requirement_id")
                return self._requiring({**self.requirements, name: Requirement(principal, says, index)})
            case AssessmentWaive():
                name = principal, says.requirement_id
                known = self.requirements.get(name)
                if known is None or known.waived_at is not None:
                    raise NotFound("this participant has no such requirement that is in force", member="requirement_id")
                waived = Requirement(known.author, known.says, known.index, index)
                return self._requiring({**self.requirements, name: waived})
            case AssessmentRecord():
                all_of_them = {**self.assessments, (principal, says.assessment_id): Assessment(says, index)}
                of_holder = tuple(each for (holder, _), each in all_of_them.items() if holder == principal)
                return replace(
                    self,
                    assessments=MappingProxyType(all_of_them),
                    assessed=_with(self.assessed, principal, of_holder),
                )
            case RiskBlock():
                own = _with(self.blocks.get(principal, {}), says.rule, Block(says, index))
                return replace(self, blocks=_with(self.blocks, principal, own))
            case RiskUnblock():
                return self._unblocked(principal, says.rule)
            case AlertDecide():
                pair = (principal, says.alert)
                rest = self.cleared - {pair}
                of_alert = _with(self.decided.get(says.alert, {}), principal, AlertDecided(says, index, time))
                return replace(
                    self,
                    cleared=rest | {pair} if says.decision == "cleared" else rest,
                    decided=_with(self.decided, says.alert, of_alert),
                )
            case IncidentOpen():
                name = principal, says.incident_id
                _refuse_used(name, self.incidents, "incident_id")
                return replace(self, incidents=_with(self.incidents, name, Incident(principal, says, index)))
            case IncidentUpdate() | IncidentClose():
                return self._incident(principal, says, index, time)
            case _:
                return self

    def _unblocked(self, holder: str, rule: str) -> Supervision:
        own = self.blocks.get(holder, {})
        if rule not in own:
            raise NotFound(f"this holder does not block by alerts of the rule {rule!r}", member="rule")
        left = MappingProxyType({name: block for name, block in own.items() if name != rule})
        others = {name: blocks for name, blocks in self.blocks.items() if name != holder}
        return replace(self, blocks=MappingProxyType({**others, holder: left} if left else others))

    def _incident(self, principal: str, says: IncidentUpdate | IncidentClose, index: int, time: int) -> Supervision:
        name = principal, says.incident_id
        known = self.incidents.get(name)
        if known is None or known.closed_at is not None:
            raise NotFound("this participant has no such incident that is open", member="incident_id")
        members = {each: getattr(known, each) for each in known.__struct_fields__}
        members["updates"] = (*known.updates, index)
        if isinstance(says, IncidentClose):
            members["closed_at"] = index
        else:
            if says.clock:
                if says.clock not in {clock.name for clock in known.says.clocks}:
                    raise IllegalTransition("the incident has no clock of this name", member="clock")
                members["delivered"] = MappingProxyType({says.clock: time, **known.delivered})
            members["told_customers"], members["told_participants"] = says.told_customers, says.told_participants
        return replace(self, incidents=_with(self.incidents, name, Incident(**members)))

    # -- freezes and requirements, whoever ordered them ---------------------------------------------------------------

    def _frozen(self, freeze: Freeze, time: int) -> Supervision:
        name = freeze.author, freeze.freeze_id
        _refuse_used(name, self.freezes, "freeze_id")
        return self._freezing({**self.freezes, name: freeze}, time)

    def _lifted(self, author: str, freeze_id: str, index: int, time: int) -> Supervision:
        known = self.freezes.get((author, freeze_id))
        if known is None or known.lifted_at is not None:
            raise NotFound("there is no such freeze of this author that was not lifted", member="freeze_id")
        members = {name: getattr(known, name) for name in known.__struct_fields__} | {"lifted_at": index}
        return self._freezing({**self.freezes, (author, freeze_id): Freeze(**members)}, time)

    def _freezing(self, freezes: dict[Named, Freeze], time: int) -> Supervision:
        """Time never falls, so what is past at `time` (ms) denies nothing for ever."""
        still = tuple(
            each for each in freezes.values() if not each.drill and each.lifted_at is None and time < each.until * 1000
        )
        return replace(self, freezes=MappingProxyType(freezes), freezing=still)

    def _requiring(self, requirements: dict[Named, Requirement]) -> Supervision:
        still = tuple(each for each in requirements.values() if each.waived_at is None)
        return replace(self, requirements=MappingProxyType(requirements), requiring=still)

    # -- what the operator orders --------------------------------------------------------------------------------------

    def after_document(  # noqa: C901, PLR0912 - one case a document
        self, document: SupervisionDocument, index: int, time: int, erased: frozenset[str]
    ) -> Supervision:
        """What this document, recorded at `index` and `time` (ms), leads to; `erased`: chains that were erased.

        Raises Conflict, NotFound, IllegalTransition, InvalidInput.
        """
        match document:
            case FreezeOrdered():
                if document.until > time // 1000 + FREEZE_SECONDS:
                    raise InvalidInput(f"a freeze ends at most {FREEZE_SECONDS} s after it is ordered", member="until")
                freeze = Freeze(
                    OPERATOR,
                    document.freeze_id,
                    document.scope,
                    document.from_,
                    document.until,
                    document.reason,
                    document.drill,
                    index,
                )
                return self._frozen(freeze, time)
            case FreezeLifted():
                return self._lifted(OPERATOR, document.freeze_id, index, time)
            case HoldPlaced():
                _refuse_used(document.hold, self.holds, "hold")
                if not erased.isdisjoint(document.chains):
                    raise IllegalTransition("a chain was erased before: nothing can be held of it", member="chains")
                return replace(self, holds=_with(self.holds, document.hold, Hold(document, index)))
            case HoldLifted():
                known = self.holds.get(document.hold)
                if known is None or known.lifted_at is not None:
                    raise NotFound("there is no such hold that was not lifted", member="hold")
                return replace(self, holds=_with(self.holds, document.hold, Hold(known.says, known.index, index)))
            case RemitGranted():
                return self._granted(document)
            case RemitEnded():
                if document.regulator not in self.remits:
                    raise NotFound("this regulator has no remit in this log: it is there for all", member="regulator")
                left = {name: remit for name, remit in self.remits.items() if name != document.regulator}
                return replace(self, remits=MappingProxyType(left))
            case ScoringActivated():
                return replace(self, scoring=document.scoring)
            case ModelActivated():
                _refuse_used(document.model, self.models, "model")
                untrained = document.from_index == document.to_index == 0
                if not untrained and not document.from_index <= document.to_index < index:
                    raise InvalidInput("a model is trained on entries that exist, in order", member="to_index")
                return replace(self, models=_with(self.models, document.model, document))
            case AlertRaised():
                if document.at_index >= index:
                    raise InvalidInput("an alert is about an entry below its own", member="at_index")
                return self._alerted(document, index, time)
            case ReportDefined():
                return replace(self, reports=_with(self.reports, document.report, document))
            case ReportIssued():
                if document.report not in self.reports:
                    raise NotFound("no such report is defined in this log", member="report")
                if document.to_index != index - 1 or not document.from_ < document.to <= time // 1000:
                    raise IllegalTransition(
                        "a report is issued after the end of its period, and counts all entries below its own",
                        member="to_index",
                    )
                return self

    def _granted(self, document: RemitGranted) -> Supervision:
        known, more = self.remits.get(document.regulator, Bounds()), frozenset(document.names)
        wider = Bounds(
            known.holders | (more if document.to == "holder" else frozenset()),
            known.recipients | (more if document.to == "recipient" else frozenset()),
            known.within | (more if document.to == "party" else frozenset()),
        )
        return replace(self, remits=_with(self.remits, document.regulator, wider))

    def _alerted(self, document: AlertRaised, index: int, time: int) -> Supervision:
        """Alerts that are older than any block may last are dropped with the first that comes after."""
        oldest = time - BLOCK_SECONDS * 1000
        young = {
            key: kept
            for key, alerts in self.alerts.items()
            if (kept := tuple(alert for alert in alerts if alert.time > oldest))
        }
        key = document.rule, document.about.kind, document.about.id
        young[key] = (*young.get(key, ()), Alert(index, time, document.score))
        return replace(self, alerts=MappingProxyType(young))

    def held(self, chains: Iterable[str], time: int) -> str | None:
        """The first hold in force at `time` (ms) that one of these chains (b64u) is under; None without one."""
        wanted = frozenset(chains)
        for name, hold in self.holds.items():
            if hold.is_in_force(time) and not wanted.isdisjoint(hold.says.chains):
                return name
        return None


def _refuse_used(name: K, known: Mapping[K, object], member: str) -> None:
    if name in known:
        raise Conflict("this id was used before by the same author; choose another", member=member)


def _with(known: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**known, key: value})
