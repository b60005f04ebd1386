"""Judges `consent.authorise`: whose approval counts, and when a version comes into force (docs/spec/consents.md)."""

from __future__ import annotations

from dataclasses import replace

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.rules.consents import LIVE, Consent, Given, Pending


def authorise(
    ruleset: int, consent: Consent, status: str, signer: str, content: Object, time: int, index: int
) -> Consent:
    """The state after an authorisation. `status`: the effective one. Raises Refuted(CONSENT_INVALID)."""
    if signer != consent.terms.holder:
        raise _bad("only the holder authorises", consent.terms.holder, signer)
    pending = _version_meant(ruleset, consent, status, content)
    waiting = pending or Pending(consent.terms, consent.terms_hash, consent.given)
    version, subject = consent.version + (pending is not None), str(content["subject"])
    for name, expected, found in (
        ("version", version, content["version"]),
        ("terms_hash", waiting.terms_hash, content["terms_hash"]),
        ("subject", consent.subject or subject, subject),
    ):
        if expected != found:
            raise _bad(f"the authorisation is for another {name}", expected, found)
    _check_new(waiting, content)
    if pending is None and status in LIVE:
        _check_wanted(consent, content)
    return take(ruleset, consent, pending is not None, content, time, index)


def take(ruleset: int, consent: Consent, pending: bool, content: Object, time: int, index: int) -> Consent:
    """The state after an authorisation that counts, of the pending version or of the present one."""
    subject = str(content["subject"])
    if pending and consent.pending is not None:
        later = replace(consent.pending, given=_added(consent.pending.given, content))
        if not _complete(later):
            return replace(consent, pending=later, subject=subject, basis=index)
        kept = ruleset >= 2 and consent.status in ("PAUSED", "SUSPENDED")
        consent = replace(
            consent,
            version=consent.version + 1,
            status=consent.status if kept else "ACTIVE",
            terms=later.terms,
            terms_hash=later.terms_hash,
            given=later.given,
            pending=None,
        )
        return _in_force(consent, time, index)
    accounts = set(texts(content, "accounts"))
    withdrawn = tuple(account for account in consent.withdrawn if account not in accounts)
    consent = replace(consent, given=_added(consent.given, content), withdrawn=withdrawn, subject=subject)
    if consent.status in LIVE:
        return replace(consent, accounts=consent.given.shared(withdrawn), basis=index)
    if not _complete(Pending(consent.terms, consent.terms_hash, consent.given)):
        return replace(consent, status="PARTIAL", accounts=consent.given.shared(withdrawn), basis=index)
    return _in_force(replace(consent, status="ACTIVE"), time, index)


def _version_meant(ruleset: int, consent: Consent, status: str, content: Object) -> Pending | None:
    """The pending version, if the statement is about that; None for the present one."""
    from_now = ("AWAITING", "PARTIAL") if ruleset < 2 else ("AWAITING", "PARTIAL", *LIVE)
    if (
        consent.pending is not None
        and status in ("PARTIAL", *LIVE)
        and (ruleset < 2 or content["version"] != consent.version)
    ):
        return consent.pending
    if status not in from_now:
        raise _bad("consent.authorise is not possible in this state", " or ".join(from_now), status)
    return None


def _check_new(waiting: Pending, content: Object) -> None:
    authoriser = content["authoriser"]
    if authoriser in waiting.given.authorisers:
        raise _bad("the authoriser was counted before", "another authoriser", authoriser)
    surplus = sorted(set(_kinds(content)) - set(waiting.terms.separate_consents))
    if surplus:
        raise _bad(
            "a separate consent is given that the terms do not name",
            ", ".join(waiting.terms.separate_consents) or "none",
            ", ".join(surplus),
        )


def _check_wanted(consent: Consent, content: Object) -> None:
    """A consent in force takes a further approval only if one is missing."""
    waiting = consent.waiting
    if len(consent.given.approvals) >= consent.terms.authorisers_required and not waiting.issuperset(
        texts(content, "accounts")
    ):
        raise _bad(
            "no further approval is missing for these accounts",
            ", ".join(sorted(waiting)) or "none",
            ", ".join(texts(content, "accounts")),
        )


def _complete(version: Pending) -> bool:
    return len(version.given.approvals) >= version.terms.authorisers_required


def _added(given: Given, content: Object) -> Given:
    joint = texts(content, "joint_accounts") if "joint_accounts" in content else []
    return Given(
        (*given.approvals, (str(content["authoriser"]), tuple(texts(content, "accounts")))),
        tuple(sorted({*given.joint, *joint})),
        tuple(sorted({*given.separate, *_kinds(content)})),
    )


def _in_force(consent: Consent, time: int, index: int) -> Consent:
    now = time // 1000
    return replace(
        consent,
        accounts=consent.given.shared(()),
        withdrawn=(),
        authenticated_at=now,
        confirmed_at=now,
        once_until=0,
        taken=(),
        basis=index,
    )


def _kinds(content: Object) -> list[str]:
    given = content.get("separate_consents")
    return [str(row["kind"]) for row in given if isinstance(row, dict)] if isinstance(given, list) else []


def texts(content: Object, name: str) -> list[str]:
    """A list of texts whose form was checked when the statement was read."""
    value = content[name]
    return [str(item) for item in value] if isinstance(value, list) else []


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found)
