"""The state of a consent and its transitions, as one table (docs/spec/consents.md).

Pure functions of the state that lower indexes produce, one statement, its index and its time. Illegal transitions
raise Refuted(CONSENT_INVALID): an honest ledger refuses them, so that a recorded one is a lie.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from verifier.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.participants import Registry
from verifier.terms import Terms, check_values, parse_terms

OPEN = ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
LIVE = ("ACTIVE", "PAUSED", "SUSPENDED")
STATUSES = (*OPEN, "REJECTED", "EXPIRED", "REVOKED", "TERMINATED", "CONSUMED")


@dataclass(frozen=True, slots=True)
class Pending:
    """Terms that wait for authorisation beside active ones."""

    terms: Terms
    terms_hash: str
    authorisers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(slots=True)
class Consent:
    """A consent as all lower indexes leave it. `basis`: index of its last `consent.*` entry. `used_day`: the UTC day
    (days since 1970) that `used_today` counts. Never changed; not declared frozen, since that would treble the time to
    make one, and one is made for every access."""

    version: int
    status: str
    terms: Terms
    terms_hash: str
    basis: int
    authorisers: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    subject: str = ""
    pending: Pending | None = None
    used_day: int = -1
    used_today: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table: from which effective statuses, to which, and the `by` each side may say."""

    source: tuple[str, ...]
    target: str
    holder: frozenset[str] = field(default_factory=frozenset)
    recipient: frozenset[str] = field(default_factory=frozenset)


def _row(source: tuple[str, ...], target: str, holder: str, recipient: str = "") -> Move:
    return Move(source, target, frozenset(holder.split()), frozenset(recipient.split()))


MOVES: dict[str, Move] = {
    "consent.reject": _row(("AWAITING", "PARTIAL"), "REJECTED", "customer holder system", "customer recipient"),
    "consent.suspend": _row(("ACTIVE",), "SUSPENDED", "customer holder court system"),
    "consent.pause": _row(("ACTIVE",), "PAUSED", "customer guardian"),
    "consent.revoke": _row(OPEN, "REVOKED", "customer guardian court holder", "customer recipient"),
    "consent.terminate": _row(OPEN, "TERMINATED", "holder system", "recipient system"),
}
RESUMES: dict[str, frozenset[str]] = {
    "PAUSED": frozenset({"customer", "guardian"}),
    "SUSPENDED": frozenset({"customer", "holder", "court", "system"}),
}


def effective_status(consent: Consent, time: int) -> str:
    """The status at `time` (milliseconds): expiry needs no entry to hold."""
    end = consent.terms.expires_at
    return "EXPIRED" if end and time >= end * 1000 and consent.status in OPEN else consent.status


def transition(
    registry: Registry, consent: Consent | None, act: str, signer: str, content: Object, time: int, index: int
) -> Consent:
    """The state that a `consent.*` statement of `signer` leads to. `content` has the checked members of its act.
    Raises Refuted(CONSENT_INVALID)."""
    if act == "consent.request":
        return _request(registry, consent, signer, content, time, index)
    if consent is None:
        raise _bad("no consent with this id was requested before", "a consent.request at a lower index", "none")
    status = effective_status(consent, time)
    if act == "consent.expire":
        if consent.status not in OPEN or status != "EXPIRED":
            raise _bad("the consent has not expired", f"time of at least {consent.terms.expires_at * 1000}", time)
        return replace(consent, status="EXPIRED", basis=index)
    if act == "consent.authorise":
        return _authorise(consent, status, signer, content, index)
    if act == "consent.amend":
        return _amend(registry, consent, status, signer, content, time, index)
    return replace(consent, status=_target(consent, status, act, signer, str(content["by"])), basis=index)


def _target(consent: Consent, status: str, act: str, signer: str, by: str) -> str:
    move = _row(LIVE[1:], "ACTIVE", " ".join(RESUMES.get(status, ()))) if act == "consent.resume" else MOVES[act]
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
    return move.target


def _check_status(act: str, status: str, allowed: tuple[str, ...]) -> None:
    if status not in allowed:
        raise _bad(f"{act} is not possible in this state", " or ".join(allowed), status)


def _check_terms(registry: Registry, terms: Terms, signer: str, time: int) -> None:
    """Rule T."""
    check_values(terms, time)
    if terms.recipient != signer:
        raise _bad("the recipient of the terms is not the signer", signer, terms.recipient)
    if not registry.has_role(terms.holder, "holder") or registry.is_suspended(terms.holder):
        raise _bad("the holder of the terms is not an active holder", "a registered, active holder", terms.holder)


def _request(
    registry: Registry, consent: Consent | None, signer: str, content: Object, time: int, index: int
) -> Consent:
    if consent is not None:
        raise _bad("the consent id was used before", "a new consent id", f"used by entry {consent.basis}")
    terms = parse_terms(_object(content["terms"]))
    _check_terms(registry, terms, signer, time)
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
    _check_terms(registry, terms, signer, time)
    if terms.holder != consent.terms.holder:
        raise _bad("an amendment does not change the holder", consent.terms.holder, terms.holder)
    return replace(consent, pending=Pending(terms, str(content["terms_hash"])), basis=index)


def _authorise(consent: Consent, status: str, signer: str, content: Object, index: int) -> Consent:
    if signer != consent.terms.holder:
        raise _bad("only the holder authorises", consent.terms.holder, signer)
    pending = consent.pending if status in LIVE else None
    if pending is None:
        _check_status("consent.authorise", status, ("AWAITING", "PARTIAL"))
    waiting = pending or Pending(consent.terms, consent.terms_hash, consent.authorisers, consent.accounts)
    version = consent.version + (pending is not None)
    authoriser, subject = str(content["authoriser"]), str(content["subject"])
    for name, expected, found in (
        ("version", version, content["version"]),
        ("terms_hash", waiting.terms_hash, content["terms_hash"]),
        ("subject", consent.subject or subject, subject),
    ):
        if expected != found:
            raise _bad(f"the authorisation is for another {name}", expected, found)
    if authoriser in waiting.authorisers:
        raise _bad("the authoriser was counted before", "another authoriser", authoriser)
    authorisers = (*waiting.authorisers, authoriser)
    accounts = tuple(sorted({*waiting.accounts, *_texts(content["accounts"])}))
    complete = len(authorisers) >= waiting.terms.authorisers_required
    if pending is None:
        return replace(
            consent,
            status="ACTIVE" if complete else "PARTIAL",
            authorisers=authorisers,
            accounts=accounts,
            subject=subject,
            basis=index,
        )
    if not complete:
        return replace(consent, pending=replace(pending, authorisers=authorisers, accounts=accounts), basis=index)
    return replace(
        consent,
        version=version,
        status="ACTIVE",
        terms=pending.terms,
        terms_hash=pending.terms_hash,
        authorisers=authorisers,
        accounts=accounts,
        pending=None,
        basis=index,
    )


def _object(value: object) -> Object:
    assert isinstance(value, dict)  # noqa: S101 - the shape was checked when the statement was read
    return value


def _texts(value: object) -> list[str]:
    assert isinstance(value, list)  # noqa: S101
    return [str(item) for item in value]


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found)
