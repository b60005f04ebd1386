"""From what a register lists to the operator documents that bring the log into line with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal

from ledger.documents import ParticipantReinstated, ParticipantRemoved, ParticipantSuspended, document_of, registration
from ledger.errors import InvalidInput
from ledger.participants import Participant, Registry


class RegisterStatus(IntEnum):
    """How a register sees a participant; the higher, the worse."""

    ACTIVE = 0
    SUSPENDED = 1
    REMOVED = 2


SUSPENDED_BY_REGISTER: Final = "register-suspended"
"""Suspensions with this reason came from a register, so a register may end them; others are the operator's own."""


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """A participant as a register lists it."""

    id: str
    name: str
    role: Literal["holder", "recipient"]
    standing: RegisterStatus


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """The documents to record, in order, and what was left alone and why."""

    documents: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def plan_feed(listed: Iterable[RegisterEntry], registry: Registry) -> FeedPlan:
    """The documents that are missing in the log. Nothing is planned twice: after them, the same feed plans none.

    Participants that the register does not list are left alone. Raises InvalidInput for an id listed twice.
    """
    documents: list[Mapping[str, Any]] = []
    notes: list[str] = []
    seen: set[str] = set()
    for one in listed:
        if one.id in seen:
            raise InvalidInput(f"the register lists {one.id!r} twice")
        seen.add(one.id)
        _plan(one, registry.participants.get(one.id), documents, notes)
    return FeedPlan(tuple(documents), tuple(notes))


def _plan(one: RegisterEntry, known: Participant | None, documents: list[Mapping[str, Any]], notes: list[str]) -> None:
    if known is None:
        if one.standing is RegisterStatus.REMOVED:
            return  # the log has never known it
        documents.append(registration(one.id, one.name, [one.role]))
        if one.standing is RegisterStatus.SUSPENDED:
            documents.append(document_of(ParticipantSuspended, participant=one.id, reason=SUSPENDED_BY_REGISTER))
        return
    if one.role not in known.roles:
        notes.append(f"{one.id}: the register says {one.role}, the log {', '.join(known.roles)}; roles never change")
    if known.removed:
        if one.standing is not RegisterStatus.REMOVED:
            notes.append(f"{one.id}: was removed from the log, and removal is permanent; register it under another id")
    elif one.standing is RegisterStatus.REMOVED:
        documents.append(document_of(ParticipantRemoved, participant=one.id, reason="register-removed"))
    elif one.standing is RegisterStatus.SUSPENDED and not known.suspended:
        documents.append(document_of(ParticipantSuspended, participant=one.id, reason=SUSPENDED_BY_REGISTER))
    elif one.standing is RegisterStatus.ACTIVE and known.suspended:
        if known.reason == SUSPENDED_BY_REGISTER:
            documents.append(document_of(ParticipantReinstated, participant=one.id, reason="register-active"))
        else:
            notes.append(f"{one.id}: active in the register, and suspended by the operator ({known.reason}): left so")
