"""Declarations: what a participant says that belongs to no consent and to no customer (docs/spec/ruleset-3.md, 1)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.case_acts import CaseAct
from ledger.entries.fields import (
    Bytes16,
    Bytes32,
    Code,
    Count,
    Origin,
    ParticipantId,
    Reference,
    Seconds,
    require_sorted_unique,
)
from ledger.entries.history_acts import HistoryAct
from ledger.entries.partner_acts import PartnerAct
from ledger.entries.payload import Payload, Principal, ProtocolVersion
from ledger.entries.scope import Scope

FREEZE_SECONDS: Final = 7_776_000
"""How long a freeze lasts at most: ninety days."""
BLOCK_SECONDS: Final = 2_592_000
"""How long an alert blocks at most: thirty days."""

Level = Annotated[int, Meta(ge=0, le=1_000)]
LimitDays = Annotated[int, Meta(ge=0, le=36_500)]
Answer = Literal["cleared", "confirmed", "escalated"]


class FreezeOrder(Payload, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Accesses in this scope are denied from the next index on, between these times; a drill denies none."""

    act: Literal["freeze.order"]
    aud: Origin
    drill: bool
    freeze_id: Code
    from_: Seconds
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    scope: Scope
    until: Seconds
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if not self.iat < self.until <= self.iat + FREEZE_SECONDS:
            raise ValueError(f"until lies after iat, and at most {FREEZE_SECONDS} s after it")


class FreezeLift(Payload, frozen=True, kw_only=True):
    """The end of a freeze, by who ordered it."""

    act: Literal["freeze.lift"]
    aud: Origin
    freeze_id: Code
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class AssessmentRequire(Payload, frozen=True, kw_only=True):
    """Accesses in this scope need an impact assessment of the holder that is in force."""

    act: Literal["assessment.require"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    requirement_id: Code
    scope: Scope
    v: ProtocolVersion

    def __post_init__(self) -> None:
        self.scope.refuse_members("permission")


class AssessmentWaive(Payload, frozen=True, kw_only=True):
    """The end of such a requirement."""

    act: Literal["assessment.waive"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    requirement_id: Code
    v: ProtocolVersion


class AssessmentRecord(Payload, frozen=True, kw_only=True):
    """A holder has assessed the impact of what it shares in this scope; the document stays with it."""

    act: Literal["assessment.record"]
    assessment_id: Code
    aud: Origin
    document_hash: Bytes32
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    method: Code
    next_due: Seconds
    on_behalf_of: Principal = UNSET
    outcome: Literal["acceptable", "acceptable-with-measures", "unacceptable"]
    scope: Scope
    v: ProtocolVersion

    def __post_init__(self) -> None:
        self.scope.refuse_members("holder", "permission")
        if self.next_due <= self.iat:
            raise ValueError("next_due lies after iat")


class RiskBlock(Payload, frozen=True, kw_only=True):
    """Alerts of this rule deny accesses of the holder's consents, for so many seconds."""

    about: Literal["consent", "recipient"]
    act: Literal["risk.block"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    level: Level
    on_behalf_of: Principal = UNSET
    rule: Code
    seconds: Annotated[int, Meta(ge=60, le=BLOCK_SECONDS)]
    v: ProtocolVersion


class RiskUnblock(Payload, frozen=True, kw_only=True):
    """Alerts of this rule deny nothing any more."""

    act: Literal["risk.unblock"]
    aud: Origin
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    rule: Code
    v: ProtocolVersion


class AlertDecide(Payload, frozen=True, kw_only=True):
    """What a person decided about an alert, beside what was proposed to that person."""

    act: Literal["alert.decide"]
    alert: Count
    aud: Origin
    comment_hash: Bytes32 | UnsetType = UNSET
    decision: Answer
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    officer: Reference
    on_behalf_of: Principal = UNSET
    proposal: Answer
    proposal_reasons: Annotated[tuple[Code, ...], Meta(max_length=8)]
    v: ProtocolVersion

    def __post_init__(self) -> None:
        require_sorted_unique("proposal_reasons", self.proposal_reasons)


class IncidentClock(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that is due in an incident: when (seconds), and its name."""

    due: Seconds
    name: Code


class IncidentOpen(Payload, frozen=True, kw_only=True, rename={"class_": "class"}):
    """Something has gone wrong; the words stay with who says so."""

    act: Literal["incident.open"]
    affected: Scope
    affected_consents: Count
    aud: Origin
    class_: Code
    clocks: Annotated[tuple[IncidentClock, ...], Meta(min_length=1, max_length=6)]
    detected_at: Seconds
    iat: Seconds
    incident_id: Code
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    severity: Annotated[int, Meta(ge=1, le=4)]
    text_hash: Bytes32
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if self.detected_at > self.iat:
            raise ValueError("detected_at does not lie after iat")
        dues = [clock.due for clock in self.clocks]
        if dues != sorted(dues) or len({clock.name for clock in self.clocks}) < len(dues):
            raise ValueError("clocks must be sorted by due and hold no name twice")


class IncidentUpdate(Payload, frozen=True, kw_only=True):
    """How an incident goes on; `clock`: what was due by it is delivered with this."""

    act: Literal["incident.update"]
    aud: Origin
    clock: Code | UnsetType = UNSET
    iat: Seconds
    incident_id: Code
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    text_hash: Bytes32
    told_customers: Count
    told_participants: Count
    v: ProtocolVersion


class IncidentClose(Payload, frozen=True, kw_only=True):
    """The end of an incident."""

    act: Literal["incident.close"]
    aud: Origin
    iat: Seconds
    incident_id: Code
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    text_hash: Bytes32
    v: ProtocolVersion


class PurposeDefine(Payload, frozen=True, kw_only=True):
    """A regulator says what may be asked for under a purpose's code; each limit 0 = none."""

    act: Literal["purpose.define"]
    aud: Origin
    code: Code
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    max_days: LimitDays
    max_frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)]
    max_history_days: LimitDays
    max_retention_days: LimitDays
    on_behalf_of: Principal = UNSET
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    v: ProtocolVersion

    def __post_init__(self) -> None:
        require_sorted_unique("permissions", self.permissions)


Declaration = (
    FreezeOrder
    | FreezeLift
    | AssessmentRequire
    | AssessmentWaive
    | AssessmentRecord
    | RiskBlock
    | RiskUnblock
    | AlertDecide
    | IncidentOpen
    | IncidentUpdate
    | IncidentClose
    | PurposeDefine
    | CaseAct
    | HistoryAct
    | PartnerAct
)
"""All of them; each is recorded in its participant's own chain."""
