"""Who may move a consent where (docs/spec/consents.md, Transitions). Pure: state and statement in, state out."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec
from msgspec import UNSET

from ledger.canonical import b64u
from ledger.consent.acceptance import check_terms
from ledger.consent.actors import party_role, require_actor, require_role, unknown_consent
from ledger.consent.changes import (
    reauthenticate,
    reconfirm,
    supersede,
    withdraw_accounts,
    withdraw_approval,
    withdraw_separate,
)
from ledger.consent.state import BEFORE, IN_FORCE, LIVE, Approval, Consent, Pending, Status
from ledger.entries.acts import (
    ConsentAct,
    ConsentAmend,
    ConsentAuthorise,
    ConsentReauthenticate,
    ConsentReconfirm,
    ConsentRequest,
    ConsentStep,
    ConsentSupersede,
    ConsentWithdrawAccounts,
    ConsentWithdrawApproval,
    ConsentWithdrawSeparate,
)
from ledger.entries.payload import acting_for
from ledger.errors import Conflict, IllegalTransition, NotPermitted
from ledger.participants import Registry

STEPS: Final[dict[str, tuple[frozenset[Status], Status]]] = {
    "consent.reject": (BEFORE, Status.REJECTED),
    "consent.suspend": (frozenset({Status.ACTIVE}), Status.SUSPENDED),
    "consent.pause": (frozenset({Status.ACTIVE}), Status.PAUSED),
    "consent.resume": (frozenset({Status.PAUSED, Status.SUSPENDED}), Status.ACTIVE),
    "consent.revoke": (LIVE, Status.REVOKED),
    "consent.terminate": (LIVE, Status.TERMINATED),
}
"""For each step: the states it may start from, and the one it leads to."""

RESUME_ACTORS: Final = {
    Status.PAUSED: frozenset({"customer", "guardian"}),
    Status.SUSPENDED: frozenset({"customer", "holder", "court", "system"}),
}
"""A pause is the customer's to end, a suspension also the holder's."""


def apply(
    consent: Consent | None,
    act: ConsentAct,
    registry: Registry,
    *,
    index: int,
    time: int,
    successor: Consent | None = None,
) -> Consent:
    """The consent after `act`, recorded at `index` and `time` (ms), under the ruleset of the registry.

    `successor` is the consent that a `consent.supersede` names, if it is known.
    Raises NotFound, Conflict, NotPermitted or IllegalTransition when the rules do not allow it; nothing is recorded then.
    """
    signer = acting_for(act.iss, act.on_behalf_of)
    if isinstance(act, ConsentRequest):
        return _request(consent, act, signer, registry, index=index, time=time)
    if consent is None:
        raise unknown_consent()
    role = party_role(consent, signer)
    status = consent.status_at(time, registry.removed)
    match act:
        case ConsentAuthorise():
            require_role(role, "holder", act.act)
            after = _authorise(consent, act, status, registry.ruleset, time)
        case ConsentAmend():
            require_role(role, "recipient", act.act)
            after = _amend(consent, act, status, signer, registry, time)
        case ConsentStep():
            after = _step(consent, act, role, status, registry.ruleset)
        case ConsentWithdrawAccounts():
            after = withdraw_accounts(consent, act, role, status)
        case ConsentWithdrawApproval():
            after = withdraw_approval(consent, act, role, status)
        case ConsentWithdrawSeparate():
            after = withdraw_separate(consent, act, role, status)
        case ConsentReauthenticate():
            after = reauthenticate(consent, act, role, status, time)
        case ConsentReconfirm():
            after = reconfirm(consent, act, role, status, time)
        case ConsentSupersede():
            is_active = successor is not None and successor.status_at(time, registry.removed) is Status.ACTIVE
            after = supersede(consent, act, role, status, successor if is_active else None)
        case _:
            assert_never(act)
    return msgspec.structs.replace(after, basis=index)


def expire(consent: Consent, registry: Registry, *, index: int, time: int) -> Consent:
    """Record that a consent has expired. Raises IllegalTransition when it has not."""
    if consent.status not in LIVE or consent.status_at(time, registry.removed) is not Status.EXPIRED:
        raise IllegalTransition("the consent has not reached its expiry, or ended before it")
    return msgspec.structs.replace(consent, status=Status.EXPIRED, pending=None, basis=index)


def _request(
    consent: Consent | None, act: ConsentRequest, signer: str, registry: Registry, *, index: int, time: int
) -> Consent:
    if consent is not None:
        raise Conflict("the consent id is in use; choose another random one", member="consent_id")
    if not registry.has_role(signer, "recipient"):
        raise NotPermitted("only a participant with the role «recipient» may ask for a consent")
    check_terms(act.terms, signer, registry, time)
    return Consent(consent_id=act.consent_id, version=1, status=Status.AWAITING, terms=act.terms, basis=index)


def _authorise(consent: Consent, act: ConsentAuthorise, status: Status, ruleset: int, time: int) -> Consent:
    own = Pending(terms=consent.terms, approvals=consent.approvals, joint=consent.joint, separate=consent.separate)
    waits = consent.pending if status in IN_FORCE or (ruleset > 1 and status is Status.PARTIAL) else None
    if waits is not None and (act.version == consent.version + 1 or ruleset == 1):
        version = waits
        _check_authorisation(consent, act, version, consent.version + 1)
    elif status in BEFORE:
        version = own
        _check_authorisation(consent, act, version, consent.version)
    elif status in IN_FORCE and ruleset > 1:
        version = own
        _check_authorisation(consent, act, version, consent.version)
        _check_addition(consent, act)
    else:
        raise IllegalTransition(f"a consent that is {status} has nothing to authorise")
    after = Pending(
        terms=version.terms,
        approvals=(*version.approvals, Approval(act.authoriser, act.accounts)),
        joint=_union(version.joint, () if act.joint_accounts is UNSET else act.joint_accounts),
        separate=_union(version.separate, act.separate_kinds),
    )
    complete = len(after.approvals) >= after.terms.authorisers_required
    consent = msgspec.structs.replace(consent, subject=act.subject)
    if version is waits:
        if not complete:
            return msgspec.structs.replace(consent, pending=after)
        stays = ruleset > 1 and status in (Status.PAUSED, Status.SUSPENDED)
        consent = msgspec.structs.replace(consent, version=consent.version + 1, terms=after.terms, pending=None)
        return _into_force(consent, after, status if stays else Status.ACTIVE, time)
    if status in BEFORE and complete:
        return _into_force(consent, after, Status.ACTIVE, time)
    more = consent.sharing(after.approvals, after.joint, set(consent.withdrawn).difference(act.accounts))
    return msgspec.structs.replace(
        more, separate=after.separate, status=Status.PARTIAL if status in BEFORE else consent.status
    )


def _into_force(consent: Consent, version: Pending, status: Status, time: int) -> Consent:
    """A version that all have authorised, with its accounts, its separate consents and its clocks."""
    consent = consent.sharing(version.approvals, version.joint, ())
    return msgspec.structs.replace(
        consent,
        status=status,
        separate=version.separate,
        authenticated_at=time // 1000,
        confirmed_at=time // 1000,
        once_until=0,
        taken=(),
    )


def _check_authorisation(consent: Consent, act: ConsentAuthorise, version: Pending, number: int) -> None:
    if act.version != number:
        raise IllegalTransition(f"version {number} is the one to authorise, not {act.version}", member="version")
    if act.terms_hash != b64u(version.terms.hash()):
        raise IllegalTransition("terms_hash is not the hash of the terms of this version", member="terms_hash")
    if act.authoriser in version.authorisers:
        raise IllegalTransition("this authoriser has authorised this version already", member="authoriser")
    if consent.subject and act.subject != consent.subject:
        raise IllegalTransition("the subject differs from the one authorised before", member="subject")
    if not act.separate_kinds.issubset(version.terms.separate_consents):
        raise IllegalTransition("the terms name no such separate consent", member="separate_consents")


def _check_addition(consent: Consent, act: ConsentAuthorise) -> None:
    """To a version that is in force: an authoriser who is missing, or another one's yes to accounts that wait for it."""
    waiting = consent.waiting
    if consent.is_complete and not (waiting and set(act.accounts).issubset(waiting)):
        raise IllegalTransition(
            "the consent has all its authorisers, and these accounts wait for none", member="accounts"
        )


def _union(one: tuple[str, ...], other: frozenset[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other})) if other else one


def _amend(consent: Consent, act: ConsentAmend, status: Status, signer: str, registry: Registry, time: int) -> Consent:
    if status not in IN_FORCE:
        raise IllegalTransition(f"a consent that is {status} cannot be amended; ask for a new one")
    if act.previous_version != consent.version:
        raise IllegalTransition(f"the version in force is {consent.version}", member="previous_version")
    if act.terms.holder != consent.terms.holder:
        raise IllegalTransition("an amendment cannot move a consent to another holder", member="terms.holder")
    check_terms(act.terms, signer, registry, time)
    return msgspec.structs.replace(consent, pending=Pending(terms=act.terms))


def _step(consent: Consent, act: ConsentStep, role: str, status: Status, ruleset: int) -> Consent:
    require_actor(act.act, role, act.by)
    sources, target = STEPS[act.act]
    if status not in sources:
        raise IllegalTransition(f"{act.act} is not possible for a consent that is {status}")
    if act.act == "consent.resume":
        if act.by not in RESUME_ACTORS[status]:
            raise NotPermitted(f"a consent that is {status} cannot be resumed by {act.by!r}", member="by")
        if ruleset > 1 and not consent.is_complete:
            return msgspec.structs.replace(consent, status=Status.PARTIAL)
    pending = consent.pending if target in IN_FORCE else None
    return msgspec.structs.replace(consent, status=target, pending=pending)
