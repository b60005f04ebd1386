"""What supervisors, holders and the operator have ordered: freezes, assessments, incidents (docs/supervision.md)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve, token
from api.node.node import Node
from api.tokens.bearer import Caller
from ledger.clock import SystemClock
from ledger.queries.remit import Remit
from ledger.supervision import OPERATOR, Supervision

router = APIRouter()
READ: Final = token("supervision:read")


class FreezeReply(Struct, frozen=True):
    """A freeze. `author` is null for the operator's own; times in seconds; `in_force`: it denies accesses in its scope now."""

    author: str | None
    freeze_id: str
    scope: dict[str, str]
    since: int
    until: int
    reason: str
    drill: bool
    index: int
    lifted_at: int | None
    in_force: bool


class FreezesReply(Struct, frozen=True):
    """All freezes that were ever ordered, the last one first."""

    freezes: list[FreezeReply]


class RequirementReply(Struct, frozen=True):
    """An impact assessment is needed for accesses in this scope, unless `waived_at` names the entry that ended it."""

    author: str
    requirement_id: str
    scope: dict[str, str]
    reason: str
    index: int
    waived_at: int | None


class AssessmentReply(Struct, frozen=True):
    """A holder's impact assessment, the last one of its id. `next_due` in seconds; `overdue`: it counts no longer."""

    holder: str
    assessment_id: str
    scope: dict[str, str]
    outcome: str
    method: str
    document_hash: str
    next_due: int
    overdue: bool
    index: int


class AssessmentsReply(Struct, frozen=True):
    """What is required of all, and the assessments that the caller may see."""

    requirements: list[RequirementReply]
    assessments: list[AssessmentReply]


class ClockReply(Struct, frozen=True):
    """What is due in an incident (seconds), when it was delivered (ms), and whether that was late or is."""

    name: str
    due: int
    delivered: int | None
    late: bool


class IncidentReply(Struct, frozen=True):
    """An incident, from its opening to its end. `updates`: the entries that went on with it."""

    author: str
    incident_id: str
    kind: str
    severity: int
    affected: dict[str, str]
    affected_consents: int
    detected_at: int
    clocks: list[ClockReply]
    told_customers: int
    told_participants: int
    index: int
    updates: tuple[int, ...]
    closed_at: int | None


class HandoverReply(Struct, frozen=True):
    """A case that `author` handed to `to`; `received_at`: the entry by which that one signed for it."""

    author: str
    to: str
    handover_id: str
    basis: str
    disclosure: int
    scope: dict[str, str]
    pack_hash: str
    index: int
    received_at: int | None


class HandoversReply(Struct, frozen=True):
    """Cases that were handed over, the last one first."""

    handovers: list[HandoverReply]


class IncidentsReply(Struct, frozen=True):
    """Incidents that the caller may see, the last one first."""

    incidents: list[IncidentReply]


@serve(
    router,
    "GET",
    "/supervision/freezes",
    access=READ,
    tag="supervision",
    summary="Freezes",
    answers={200: answer("All that were ordered", schema="Freezes")},
)
def get_freezes(node: NodeHere) -> Response:
    """Every participant may know what is frozen, by whom and until when, and which of it is a drill."""
    supervision, now = node.ledger.registry.supervision, SystemClock().now()
    in_force = {(each.author, each.freeze_id) for each in supervision.freezing if each.holds(now)}
    found = [
        FreezeReply(
            None if each.author == OPERATOR else each.author,
            each.freeze_id,
            _scope(each.scope),
            each.from_,
            each.until,
            each.reason,
            each.drill,
            each.index,
            each.lifted_at,
            name in in_force,
        )
        for name, each in supervision.freezes.items()
    ]
    return _reply(FreezesReply(found[::-1]))


@serve(
    router,
    "GET",
    "/supervision/assessments",
    access=READ,
    tag="supervision",
    summary="Impact assessments",
    answers={200: answer("What is required, and what was assessed", schema="Assessments")},
)
def get_assessments(node: NodeHere, caller: CallerHere) -> Response:
    """A holder sees its own assessments; auditors and regulators see all, a regulator as far as it is there for it. What is
    required concerns everybody."""
    supervision, now = node.ledger.registry.supervision, SystemClock().now()
    supervises, remit = _supervises(node, caller), node.remit_of(caller.id)
    required = [
        RequirementReply(
            each.author, each.says.requirement_id, _scope(each.says.scope), each.says.reason, each.index, each.waived_at
        )
        for each in supervision.requirements.values()
    ]
    assessed = [
        AssessmentReply(
            holder,
            each.says.assessment_id,
            _scope(each.says.scope),
            each.says.outcome,
            each.says.method,
            each.says.document_hash,
            each.says.next_due,
            each.says.next_due * 1000 <= now,
            each.index,
        )
        for (holder, _), each in supervision.assessments.items()
        if holder == caller.id or (supervises and remit.may_touch(holder, holder, each.says.scope.recipient))
    ]
    return _reply(AssessmentsReply(required, assessed))


@serve(
    router,
    "GET",
    "/supervision/incidents",
    access=READ,
    tag="supervision",
    summary="Incidents",
    answers={200: answer("Incidents, with what is due", schema="Incidents")},
)
def get_incidents(node: NodeHere, caller: CallerHere) -> Response:
    """Whoever opened an incident sees it; auditors and regulators see all, a regulator as far as it is there for it. Lateness
    follows from the log's own time."""
    supervision = node.ledger.registry.supervision
    remit = node.remit_of(caller.id) if _supervises(node, caller) else None
    return _reply(IncidentsReply(_incidents(supervision, SystemClock().now(), caller.id, remit)))


@serve(
    router,
    "GET",
    "/supervision/cases",
    access=READ,
    tag="supervision",
    summary="Cases that were handed over",
    answers={200: answer("What was handed to whom, and what was signed for", schema="Handovers")},
)
def get_cases(node: NodeHere, caller: CallerHere) -> Response:
    """Both authorities see a hand-over; auditors see all."""
    registry = node.ledger.registry
    sees_all = registry.has_role(caller.id, "auditor")
    found = [
        HandoverReply(
            each.author,
            each.says.to,
            each.says.handover_id,
            each.says.basis,
            each.says.disclosure,
            _scope(each.says.scope),
            each.says.pack_hash,
            each.index,
            each.received_at,
        )
        for each in registry.handovers.handed.values()
        if sees_all or caller.id in (each.author, each.says.to)
    ]
    return _reply(HandoversReply(found[::-1]))


def _incidents(supervision: Supervision, now: int, viewer: str, remit: Remit | None) -> list[IncidentReply]:
    found = []
    for (author, _), each in [*supervision.incidents.items()][::-1]:
        says = each.says
        supervised = remit is not None and remit.may_touch(author, says.affected.holder, says.affected.recipient)
        if author != viewer and not supervised:
            continue
        clocks = [
            ClockReply(
                clock.name,
                clock.due,
                (at := each.delivered.get(clock.name)),
                (now if at is None else at) > clock.due * 1000,
            )
            for clock in says.clocks
        ]
        found.append(
            IncidentReply(
                author,
                says.incident_id,
                says.class_,
                says.severity,
                _scope(says.affected),
                says.affected_consents,
                says.detected_at,
                clocks,
                each.told_customers,
                each.told_participants,
                each.index,
                each.updates,
                each.closed_at,
            )
        )
    return found


def _supervises(node: Node, caller: Caller) -> bool:
    registry = node.ledger.registry
    return registry.has_role(caller.id, "regulator") or registry.has_role(caller.id, "auditor")


def _scope(scope: object) -> dict[str, str]:
    members: dict[str, Any] = msgspec.to_builtins(scope)
    return members


def _reply(reply: Struct) -> Response:
    return Reply(200, msgspec.json.encode(reply), headers=(("cache-control", "no-store"),)).response()
