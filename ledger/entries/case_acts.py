"""Declarations of authorities about a case that one hands to another (docs/spec/ruleset-3.md, 14)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

from ledger.entries.fields import Bytes16, Bytes32, Code, Count, Origin, ParticipantId, Seconds
from ledger.entries.payload import Payload, Principal, ProtocolVersion
from ledger.entries.scope import Scope


class CaseHandOver(Payload, frozen=True, kw_only=True):
    """Evidence that was opened to this authority goes to another one; `pack_hash`: of the very file."""

    act: Literal["case.hand_over"]
    aud: Origin
    basis: Code
    disclosure: Count
    handover_id: Code
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    pack_hash: Bytes32
    scope: Scope
    to: ParticipantId
    v: ProtocolVersion


class CaseReceive(Payload, frozen=True, kw_only=True):
    """The other authority has the file whose hash the hand-over at this entry names."""

    act: Literal["case.receive"]
    aud: Origin
    handover: Count
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    pack_hash: Bytes32
    v: ProtocolVersion


CaseAct = CaseHandOver | CaseReceive
"""Both: declarations, each in its participant's own chain."""
