"""Who may sign what, as of a place in the log (docs/spec/statements.md, Signer rules)."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from ledger.consent.actors import REDUCES_SHARING
from ledger.entries.acts import (
    AccessBatch,
    AccessLeg,
    AccessRequest,
    Act,
    ConsentAcknowledge,
    ConsentAmend,
    ConsentAuthorise,
    ConsentReauthenticate,
    ConsentReconfirm,
    ConsentRequest,
    ConsentSupersede,
    ConsentWithdrawAccounts,
    ConsentWithdrawApproval,
    SubjectAnswer,
    SubjectConsent,
    SubjectEnrol,
    SubjectFeedback,
    SubjectUnenrol,
)
from ledger.entries.payload import acting_for
from ledger.entries.statement import Statement
from ledger.errors import BadSignature, BadStatement, NotPermitted
from ledger.participants import Registry
from ledger.planning.declared import SUSPENDED_MAY, check_declarer, check_ruleset_3

IAT_SKEW_MS: Final = 300_000
"""How far a statement's `iat` may lie from the ledger's time."""

_ACCESSES: Final = frozenset({"access.request", "access.batch"})
_ACTS_SINCE_2: Final = frozenset(
    {
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.withdraw_separate",
        "consent.reauthenticate",
        "consent.reconfirm",
        "consent.supersede",
    }
)
_MEMBERS_SINCE_2: Final = (
    "on_behalf_of",
    "acting_role",
    "asserted",
    "joint_accounts",
    "separate_consents",
    "suppress_notify",
)


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
    _check_ruleset(payload, registry)
    principal = acting_for(payload.iss, payload.on_behalf_of)
    if principal != payload.iss or payload.on_behalf_of is not UNSET:
        _check_delegation(payload, principal, registry)
    role = _role_needed(payload)
    if role is not None and not registry.has_role(principal, role):
        raise NotPermitted(f"{payload.act} needs the role «{role}», which {principal!r} does not have")
    check_declarer(payload, principal, registry)
    tolerated = payload.act in _ACCESSES or payload.act in REDUCES_SHARING or payload.act in SUSPENDED_MAY
    for participant in {payload.iss, principal}:
        if participant in registry.removed:
            raise NotPermitted(f"{participant!r} was removed from this log and may do nothing")
        if registry.is_suspended(participant) and not tolerated:
            raise NotPermitted(f"{participant!r} is suspended and may only reduce sharing")


def _check_ruleset(payload: Act, registry: Registry) -> None:
    """What came with a later ruleset than this log's is refused, and what a later one took away. Raises BadStatement."""
    check_ruleset_3(payload, registry)
    if registry.ruleset > 1:
        return
    if payload.act in _ACTS_SINCE_2:
        raise BadStatement(
            f"{payload.act} exists from ruleset 2 onwards, which this log has not activated", member="act"
        )
    for member in _MEMBERS_SINCE_2:
        if getattr(payload, member, UNSET) is not UNSET:
            raise BadStatement(
                f"{member} exists from ruleset 2 onwards, which this log has not activated", member=member
            )


def _check_delegation(payload: Act, principal: str, registry: Registry) -> None:
    """Acting for another: a technology provider, under a delegation that names the act. Raises BadStatement, NotPermitted."""
    if principal == payload.iss:
        raise BadStatement(
            "on_behalf_of names another participant than the signer, or is absent", member="on_behalf_of"
        )
    if not registry.has_role(payload.iss, "technology-provider"):
        raise NotPermitted(
            f"{payload.iss!r} is not a technology-provider and acts for itself only", member="on_behalf_of"
        )
    if not registry.may_act_for(principal, payload.iss, payload.act):
        raise NotPermitted(
            f"{principal!r} has not delegated {payload.act} to {payload.iss!r}; see delegation.granted",
            member="on_behalf_of",
        )


def _role_needed(payload: object) -> str | None:
    match payload:
        case AccessRequest() | AccessBatch():  # first, as nearly all acts are accesses
            return "recipient" if payload.relayed is UNSET else "holder"
        case ConsentRequest() | ConsentAmend() | ConsentReconfirm() | ConsentAcknowledge():
            return "recipient"
        case ConsentReauthenticate() | ConsentSupersede() | ConsentWithdrawAccounts() | ConsentWithdrawApproval():
            return "holder"
        case (
            ConsentAuthorise()
            | SubjectConsent()
            | SubjectEnrol()
            | SubjectUnenrol()
            | SubjectFeedback()
            | SubjectAnswer()
        ):
            return "holder"
        case AccessLeg():
            return "holder" if payload.act == "access.release" else "recipient"
        case _:
            return None  # the parties of the consent decide
