"""The transitions of a consent, as one table (docs/spec/consents.md, «Transitions»).

Pure functions of the state that lower indexes produce, one statement, its index and its time. Illegal transitions
raise Refuted(CONSENT_INVALID): an honest ledger refuses them, so that a recorded one is a lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.records.facts import Facts
from verifier.records.terms import parse_terms
from verifier.rules.acceptance import check_terms
from verifier.rules.authorising import authorise, texts
from verifier.rules.consents import BEGUN, LIVE, OPEN, Consent, Given, Pending, effective_status
from verifier.rules.participants import Registry

Find = Callable[[str], "Consent | None"]
"""The state of another consent by its id. Raises StateUnknown."""


class StateUnknown(Exception):
    """The answer rests on an entry that was not shown."""


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table: from which effective statuses, to which (empty: unchanged), and the `by` each side may say."""

    source: tuple[str, ...]
    target: str
    holder: frozenset[str] = field(default_factory=frozenset)
    recipient: frozenset[str] = field(default_factory=frozenset)


def _row(source: tuple[str, ...], target: str, holder: str = "", recipient: str = "") -> Move:
    return Move(source, target, frozenset(holder.split()), frozenset(recipient.split()))


HOLDER_ALONE = "holder"
MOVES: dict[str, Move] = {
    "consent.reject": _row(("AWAITING", "PARTIAL"), "REJECTED", "customer holder system", "customer recipient"),
    "consent.suspend": _row(("ACTIVE",), "SUSPENDED", "customer holder court system"),
    "consent.pause": _row(("ACTIVE",), "PAUSED", "customer guardian"),
    "consent.revoke": _row(OPEN, "REVOKED", "customer guardian court holder", "customer recipient"),
    "consent.terminate": _row(OPEN, "TERMINATED", "holder system", "recipient system"),
    "consent.withdraw_accounts": _row(BEGUN, "", "customer guardian court holder"),
    "consent.withdraw_approval": _row(BEGUN, "", "customer guardian"),
    "consent.withdraw_separate": _row(BEGUN, "", "customer guardian", "customer"),
    "consent.reauthenticate": _row(("ACTIVE", "SUSPENDED"), "", HOLDER_ALONE),
    "consent.reconfirm": _row(("ACTIVE",), "", "", "customer"),
    "consent.supersede": _row(BEGUN, "SUPERSEDED", "customer holder system"),
}
RESUMES: dict[str, str] = {"PAUSED": "customer guardian", "SUSPENDED": "customer holder court system"}


def transition(registry: Registry, consent: Consent | None, facts: Facts, time: int, index: int, find: Find) -> Consent:
    """The state that a `consent.*` statement leads to. Raises Refuted(CONSENT_INVALID); StateUnknown if it rests on
    another consent whose state nobody knows."""
    act, signer, content = facts.act, facts.party, facts.content
    if act == "consent.request":
        return _request(registry, consent, signer, content, time, index)
    if consent is None:
        raise _bad("no consent with this id was requested before", "a consent.request at a lower index", "none")
    status = effective_status(registry, consent, time)
    if act == "consent.expire":
        if consent.status not in OPEN or status != "EXPIRED":
            raise _bad("the consent has not expired", f"time of at least {consent.terms.expires_at * 1000}", time)
        return replace(consent, status="EXPIRED", basis=index)
    if act == "consent.authorise":
        return authorise(registry.ruleset, consent, status, signer, content, time, index)
    if act == "consent.amend":
        return _amend(registry, consent, status, signer, content, time, index)
    move = _row(LIVE[1:], "ACTIVE", RESUMES.get(status, "")) if act == "consent.resume" else MOVES[act]
    _check_move(move, consent, status, act, signer, str(content.get("by", HOLDER_ALONE)))
    moved = replace(consent, status=move.target or consent.status, basis=index)
    effect = _EFFECTS.get(act)
    if effect is not None:
        moved = effect(moved, content, time)
    if act == "consent.supersede":
        _check_successor(registry, consent, str(content["consent_id"]), str(content["superseded_by"]), time, find)
    return moved


def _check_move(move: Move, consent: Consent, status: str, act: str, signer: str, by: str) -> None:
    _check_status(act, status, move.source)
    if signer == consent.terms.holder:
        allowed = move.holder
    elif signer == consent.terms.recipient:
        allowed = move.recipient
    else:
        raise _bad(
            "the signer is not a party of the consent",
            f"{consent.terms.holder} or {consent.terms.recipient}",
            signer,
        )
    if by not in allowed:
        raise _bad(
            f"{signer} may not make this {act} in the name of {by}",
            ", ".join(sorted(allowed)) or "nobody",
            by,
        )


def _check_status(act: str, status: str, allowed: tuple[str, ...]) -> None:
    if status not in allowed:
        raise _bad(f"{act} is not possible in this state", " or ".join(allowed), status)


def _request(
    registry: Registry, consent: Consent | None, signer: str, content: Object, time: int, index: int
) -> Consent:
    if consent is not None:
        raise _bad("the consent id was used before", "a new consent id", f"used by entry {consent.basis}")
    terms = parse_terms(_object(content["terms"]))
    check_terms(registry, terms, signer, time)
    return Consent(1, "AWAITING", terms, str(content["terms_hash"]), index)


def _amend(
    registry: Registry, consent: Consent, status: str, signer: str, content: Object, time: int, index: int
) -> Consent:
    _check_status("consent.amend", status, LIVE)
    if signer != consent.terms.recipient:
        raise _bad("only the recipient amends", consent.terms.recipient, signer)
    if content["previous_version"] != consent.version:
        raise _bad("the amendment is of another version", consent.version, content["previous_version"])
    terms = parse_terms(_object(content["terms"]))
    check_terms(registry, terms, signer, time)
    if terms.holder != consent.terms.holder:
        raise _bad("an amendment does not change the holder", consent.terms.holder, terms.holder)
    return replace(consent, pending=Pending(terms, str(content["terms_hash"])), basis=index)


# --- what ruleset 2 adds --------------------------------------------------------------------------------------


def _withdraw_accounts(consent: Consent, content: Object, _: int) -> Consent:
    named, present = set(texts(content, "accounts")), {*consent.accounts, *consent.waiting}
    if not named <= present:
        raise _bad("an account is neither shared nor waiting", "accounts of the consent", ", ".join(named - present))
    if named == present:
        raise _bad("no account would remain: consent.revoke is the act", "at least one other account", "none")
    given, pending = _without(consent.given, named), consent.pending
    if pending is not None:
        pending = replace(pending, given=_without(pending.given, named))
    withdrawn = tuple(sorted({*consent.withdrawn, *named}))
    return replace(consent, given=given, withdrawn=withdrawn, accounts=given.shared(withdrawn), pending=pending)


def _without(given: Given, accounts: set[str]) -> Given:
    return replace(
        given,
        approvals=tuple(
            (authoriser, tuple(account for account in its if account not in accounts))
            for authoriser, its in given.approvals
        ),
    )


def _withdraw_approval(consent: Consent, content: Object, _: int) -> Consent:
    authoriser = content["authoriser"]
    rest = tuple(approval for approval in consent.given.approvals if approval[0] != authoriser)
    if len(rest) == len(consent.given.approvals):
        raise _bad("the authoriser has no approval", ", ".join(consent.given.authorisers) or "none", authoriser)
    if not rest:
        raise _bad("no approval would remain: consent.revoke is the act", "another approval", "none")
    given = replace(consent.given, approvals=rest)
    lost = set(consent.accounts) - set(given.shared(consent.withdrawn))
    withdrawn = tuple(sorted({*consent.withdrawn, *lost}))
    short = consent.status == "ACTIVE" and len(rest) < consent.terms.authorisers_required
    return replace(
        consent,
        status="PARTIAL" if short else consent.status,
        given=given,
        withdrawn=withdrawn,
        accounts=given.shared(withdrawn),
        pending=None,
    )


def _withdraw_separate(consent: Consent, content: Object, _: int) -> Consent:
    kind, kinds = content["separate"], consent.given.separate
    if kind not in kinds:
        raise _bad("this separate consent is not given", ", ".join(kinds) or "none", kind)
    return replace(consent, given=replace(consent.given, separate=tuple(other for other in kinds if other != kind)))


def _reauthenticate(consent: Consent, content: Object, time: int) -> Consent:
    at = _object(content["sca"])["at"]
    if not isinstance(at, int) or at < consent.authenticated_at:
        raise _bad("the customer was already authenticated at a later time", f"at least {consent.authenticated_at}", at)
    return replace(consent, authenticated_at=time // 1000)


def _reconfirm(consent: Consent, _: Object, time: int) -> Consent:
    return replace(consent, confirmed_at=time // 1000)


def _resume(consent: Consent, _: Object, __: int) -> Consent:
    short = len(consent.given.approvals) < consent.terms.authorisers_required
    return replace(consent, status="PARTIAL") if short else consent


_EFFECTS: dict[str, Callable[[Consent, Object, int], Consent]] = {
    "consent.withdraw_accounts": _withdraw_accounts,
    "consent.withdraw_approval": _withdraw_approval,
    "consent.withdraw_separate": _withdraw_separate,
    "consent.reauthenticate": _reauthenticate,
    "consent.reconfirm": _reconfirm,
    "consent.resume": _resume,
}


def _check_successor(
    registry: Registry, consent: Consent, consent_id: str, superseded_by: str, time: int, find: Find
) -> None:
    other = None if superseded_by == consent_id else find(superseded_by)
    if other is None:
        raise _bad("no other consent supersedes it", "another consent at a lower index", superseded_by)
    status = effective_status(registry, other, time)
    wanted = (consent.terms.holder, consent.terms.recipient, consent.subject, "ACTIVE")
    found = (other.terms.holder, other.terms.recipient, other.subject, status)
    if wanted != found:
        raise _bad(
            "the consent that supersedes is not an active one of the same parties and customer",
            ", ".join(wanted),
            ", ".join(found),
        )


def _object(value: object) -> Object:
    assert isinstance(value, dict)  # noqa: S101 - the shape was checked when the statement was read
    return value


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found)
