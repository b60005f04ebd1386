"""Who may sign what, as of a place in the log (docs/spec/statements.md, Signer rules)."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from ledger.consent.transitions import REDUCES_SHARING
from ledger.entries.acts import (
    AccessBatch,
    AccessLeg,
    AccessRequest,
    ConsentAmend,
    ConsentAuthorise,
    ConsentRequest,
    SubjectConsent,
    SubjectEnrol,
    SubjectUnenrol,
)
from ledger.entries.statement import Statement
from ledger.errors import BadSignature, BadStatement, NotPermitted
from ledger.participants import Registry

IAT_SKEW_MS: Final = 300_000
"""How far a statement's `iat` may lie from the ledger's time."""


def check_owner(statement: Statement, registry: Registry) -> None:
    """The key that signed belongs to the statement's `iss`. Raises BadSignature."""
    key = registry.keys.get(statement.kid)
    if key is None or key.participant != statement.payload.iss:
        raise BadSignature(f"the key {statement.kid!r} does not belong to the statement's iss", member="iss")


def check_signer(statement: Statement, registry: Registry, time: int) -> None:
    """Audience, time, key, role and standing of the signer at `time` (ms). Raises BadStatement, BadSignature, NotPermitted."""
    payload = statement.payload
    if payload.aud != registry.origin:
        raise BadStatement(f"aud must be this log's origin, {registry.origin!r}", member="aud")
    if abs(payload.iat * 1000 - time) > IAT_SKEW_MS:
        raise BadStatement(
            "iat must lie within 300 s of the ledger's time; sign again with the present time", member="iat"
        )
    check_owner(statement, registry)
    key = registry.keys[statement.kid]
    if key.revoked_at is not None or key.use != "statement":
        raise NotPermitted(f"the key {statement.kid!r} is not registered for statements, or was revoked")
    role = _role_needed(payload)
    if role is not None and not registry.has_role(payload.iss, role):
        raise NotPermitted(f"{payload.act} needs the role «{role}», which {payload.iss!r} does not have")
    tolerated = payload.act in REDUCES_SHARING or payload.act in ("access.request", "access.batch")
    if registry.is_suspended(payload.iss) and not tolerated:
        raise NotPermitted(f"{payload.iss!r} is suspended and may only reduce sharing")


def _role_needed(payload: object) -> str | None:
    match payload:
        case ConsentRequest() | ConsentAmend():
            return "recipient"
        case ConsentAuthorise() | SubjectConsent() | SubjectEnrol() | SubjectUnenrol():
            return "holder"
        case AccessRequest() | AccessBatch():
            return "recipient" if payload.relayed is UNSET else "holder"
        case AccessLeg():
            return "holder" if payload.act == "access.release" else "recipient"
        case _:
            return None  # the parties of the consent decide
