"""Who may move a consent where (docs/spec/consents.md, Transitions). Pure: state and statement in, state out."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from ledger.canonical import b64u
from ledger.consent.catalogue import MAX_GRADE, highest_grade
from ledger.consent.state import LIVE, Consent, Pending, Status
from ledger.entries.acts import ConsentAmend, ConsentAuthorise, ConsentRequest, ConsentStep
from ledger.entries.terms import Terms
from ledger.errors import Conflict, IllegalTransition, NotFound, NotPermitted
from ledger.participants import Registry

ConsentAct = ConsentRequest | ConsentAuthorise | ConsentStep | ConsentAmend

_BEFORE: Final = frozenset({Status.AWAITING, Status.PARTIAL})
_IN_FORCE: Final = frozenset({Status.ACTIVE, Status.PAUSED, Status.SUSPENDED})

_STEPS: Final[dict[str, tuple[frozenset[Status], Status]]] = {
    "consent.reject": (_BEFORE, Status.REJECTED),
    "consent.suspend": (frozenset({Status.ACTIVE}), Status.SUSPENDED),
    "consent.pause": (frozenset({Status.ACTIVE}), Status.PAUSED),
    "consent.resume": (frozenset({Status.PAUSED, Status.SUSPENDED}), Status.ACTIVE),
    "consent.revoke": (LIVE, Status.REVOKED),
    "consent.terminate": (LIVE, Status.TERMINATED),
}
"""For each step: the states it may start from, and the one it leads to."""

_ACTORS: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("consent.reject", "holder"): frozenset({"customer", "holder", "system"}),
    ("consent.reject", "recipient"): frozenset({"customer", "recipient"}),
    ("consent.suspend", "holder"): frozenset({"customer", "holder", "court", "system"}),
    ("consent.pause", "holder"): frozenset({"customer", "guardian"}),
    ("consent.resume", "holder"): frozenset({"customer", "guardian", "holder", "court", "system"}),
    ("consent.revoke", "holder"): frozenset({"customer", "guardian", "court", "holder"}),
    ("consent.revoke", "recipient"): frozenset({"customer", "recipient"}),
    ("consent.terminate", "holder"): frozenset({"holder", "system"}),
    ("consent.terminate", "recipient"): frozenset({"recipient", "system"}),
}
"""Which `by` each signer may name for each step."""

_RESUME_ACTORS: Final = {
    Status.PAUSED: frozenset({"customer", "guardian"}),
    Status.SUSPENDED: frozenset({"customer", "holder", "court", "system"}),
}
"""A pause is the customer's to end, a suspension also the holder's."""

REDUCES_SHARING: Final = frozenset(
    {"consent.reject", "consent.revoke", "consent.terminate", "consent.suspend", "consent.pause", "subject.unenrol"}
)
"""What a suspended participant may still do."""


def party_role(consent: Consent, participant: str) -> str:
    """`holder` or `recipient`: what the participant is to this consent. Raises NotFound for a stranger."""
    if participant == consent.terms.recipient:
        return "recipient"
    if participant == consent.terms.holder:
        return "holder"
    raise unknown_consent()


def unknown_consent() -> NotFound:
    """The one answer for a consent that does not exist and for one that is not the caller's."""
    return NotFound("there is no such consent for this participant", member="consent_id")


def apply(consent: Consent | None, act: ConsentAct, registry: Registry, *, index: int, time: int) -> Consent:
    """The consent after `act`, recorded at `index` and `time` (ms).

    Raises NotFound, Conflict, NotPermitted or IllegalTransition when the rules do not allow it; nothing is recorded then.
    """
    if isinstance(act, ConsentRequest):
        return _request(consent, act, registry, index=index, time=time)
    if consent is None:
        raise unknown_consent()
    role = party_role(consent, act.iss)
    match act:
        case ConsentAuthorise():
            _require_role(role, "holder", act.act)
            return _authorise(consent, act, index=index, time=time)
        case ConsentAmend():
            _require_role(role, "recipient", act.act)
            return _amend(consent, act, registry, index=index, time=time)
        case ConsentStep():
            return _step(consent, act, role, index=index, time=time)
        case _:
            assert_never(act)


def expire(consent: Consent, *, index: int, time: int) -> Consent:
    """Record that a consent has expired. Raises IllegalTransition when it has not."""
    if consent.status not in LIVE or consent.status_at(time) is not Status.EXPIRED:
        raise IllegalTransition("the consent has not reached its expiry, or ended before it")
    return msgspec.structs.replace(consent, status=Status.EXPIRED, pending=None, basis=index)


def check_terms(terms: Terms, signer: str, registry: Registry, time: int) -> None:
    """Rule T: are these terms acceptable from this recipient now (ms)? Raises IllegalTransition or NotPermitted."""
    if terms.recipient != signer:
        raise NotPermitted("the recipient of the terms must be the signer of the statement", member="terms.recipient")
    if terms.holder == terms.recipient:
        raise IllegalTransition("holder and recipient must differ", member="terms.holder")
    if not registry.has_role(terms.holder, "holder") or registry.is_suspended(terms.holder):
        raise IllegalTransition(f"{terms.holder!r} is not a registered holder in good standing", member="terms.holder")
    grade = highest_grade(terms.permissions)
    if grade is None:
        raise IllegalTransition("a permission is not in the catalogue of this ruleset", member="terms.permissions")
    if grade > MAX_GRADE:
        raise IllegalTransition(f"data above grade {MAX_GRADE} is never shared", member="terms.permissions")
    if terms.grade != grade:
        raise IllegalTransition(f"the highest grade of these permissions is {grade}", member="terms.grade")
    if terms.expires_at and (terms.expires_at <= terms.starts_at or terms.expires_at * 1000 <= time):
        raise IllegalTransition("expires_at must lie after starts_at and in the future", member="terms.expires_at")
    if terms.history_to and terms.history_to < terms.history_from:
        raise IllegalTransition("history_to lies before history_from", member="terms.history_to")


def _require_role(role: str, wanted: str, act: str) -> None:
    if role != wanted:
        raise NotPermitted(f"{act} is for the {wanted} of the consent")


def _request(consent: Consent | None, act: ConsentRequest, registry: Registry, *, index: int, time: int) -> Consent:
    if consent is not None:
        raise Conflict("the consent id is in use; choose another random one", member="consent_id")
    if not registry.has_role(act.iss, "recipient"):
        raise NotPermitted("only a participant with the role «recipient» may ask for a consent")
    check_terms(act.terms, act.iss, registry, time)
    return Consent(consent_id=act.consent_id, version=1, status=Status.AWAITING, terms=act.terms, basis=index)


def _authorise(consent: Consent, act: ConsentAuthorise, *, index: int, time: int) -> Consent:
    status = consent.status_at(time)
    if status in _BEFORE:
        version, pending = (
            consent.version,
            Pending(terms=consent.terms, authorisers=consent.authorisers, accounts=consent.accounts),
        )
    elif status in _IN_FORCE and consent.pending is not None:
        version, pending = consent.version + 1, consent.pending
    else:
        raise IllegalTransition(f"a consent that is {status} has nothing to authorise")
    if act.version != version:
        raise IllegalTransition(f"version {version} is the one to authorise, not {act.version}", member="version")
    if act.terms_hash != b64u(pending.terms.hash()):
        raise IllegalTransition("terms_hash is not the hash of the terms of this version", member="terms_hash")
    if act.authoriser in pending.authorisers:
        raise IllegalTransition("this authoriser has authorised this version already", member="authoriser")
    if consent.subject and act.subject != consent.subject:
        raise IllegalTransition("the subject differs from the one authorised before", member="subject")
    authorisers = (*pending.authorisers, act.authoriser)
    accounts = tuple(sorted({*pending.accounts, *act.accounts}))
    complete = len(authorisers) >= pending.terms.authorisers_required
    change = msgspec.structs.replace
    if status in _BEFORE:
        return change(
            consent, status=Status.ACTIVE if complete else Status.PARTIAL, authorisers=authorisers, accounts=accounts,
            subject=act.subject, basis=index,
        )  # fmt: skip
    if complete:
        return change(
            consent, version=version, status=Status.ACTIVE, terms=pending.terms, pending=None,
            authorisers=authorisers, accounts=accounts, basis=index,
        )  # fmt: skip
    return change(consent, pending=change(pending, authorisers=authorisers, accounts=accounts), basis=index)


def _amend(consent: Consent, act: ConsentAmend, registry: Registry, *, index: int, time: int) -> Consent:
    status = consent.status_at(time)
    if status not in _IN_FORCE:
        raise IllegalTransition(f"a consent that is {status} cannot be amended; ask for a new one")
    if act.previous_version != consent.version:
        raise IllegalTransition(f"the version in force is {consent.version}", member="previous_version")
    if act.terms.holder != consent.terms.holder:
        raise IllegalTransition("an amendment cannot move a consent to another holder", member="terms.holder")
    check_terms(act.terms, act.iss, registry, time)
    return msgspec.structs.replace(consent, pending=Pending(terms=act.terms), basis=index)


def _step(consent: Consent, act: ConsentStep, role: str, *, index: int, time: int) -> Consent:
    actors = _ACTORS.get((act.act, role))
    if actors is None:
        raise NotPermitted(f"{act.act} is not for the {role} of the consent")
    if act.by not in actors:
        raise NotPermitted(f"the {role} may not sign {act.act} by {act.by!r}; allowed: {sorted(actors)}", member="by")
    status = consent.status_at(time)
    sources, target = _STEPS[act.act]
    if status not in sources:
        raise IllegalTransition(f"{act.act} is not possible for a consent that is {status}")
    if act.act == "consent.resume" and act.by not in _RESUME_ACTORS[status]:
        raise NotPermitted(f"a consent that is {status} cannot be resumed by {act.by!r}", member="by")
    pending = consent.pending if target in _IN_FORCE else None
    return msgspec.structs.replace(consent, status=target, pending=pending, basis=index)
