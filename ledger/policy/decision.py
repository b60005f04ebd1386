"""Access decisions, ruleset 1 (docs/spec/decisions.md). A total function of its arguments; every reason is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from ledger.consent.catalogue import GRADES, MAX_GRADE, is_granted
from ledger.consent.state import Consent, Status, utc_day
from ledger.entries.evidence import AccessOutcome, Obligations
from ledger.participants import Registry
from ledger.policy.reasons import Reason

RULESET: Final = 1

_DIRECTIONS: Final = (("ReadTransactionsCredits", "credit"), ("ReadTransactionsDebits", "debit"))


class Item(Protocol):
    """What is asked: an `access.request`, or an item of a batch."""

    @property
    def accounts(self) -> tuple[str, ...]: ...
    @property
    def customer_present(self) -> bool: ...
    @property
    def from_(self) -> int: ...
    @property
    def permissions(self) -> tuple[str, ...]: ...
    @property
    def purpose(self) -> str: ...
    @property
    def to(self) -> int: ...


Rule = Callable[[Consent, Item, int], Reason | None]
"""One check: the consent, what is asked, the time (ms)."""


def _not_active(consent: Consent, item: Item, time: int) -> Reason | None:
    status = consent.status_at(time)
    return None if status is Status.ACTIVE else Reason(f"CONSENT_{status}")


def _not_started(consent: Consent, item: Item, time: int) -> Reason | None:
    return Reason.CONSENT_NOT_STARTED if time < consent.terms.starts_at * 1000 else None


def _purpose(consent: Consent, item: Item, time: int) -> Reason | None:
    return Reason.PURPOSE_MISMATCH if item.purpose != consent.terms.purpose.code else None


def _account(consent: Consent, item: Item, time: int) -> Reason | None:
    for account in item.accounts:
        if account not in consent.accounts:
            return Reason.ACCOUNT_NOT_IN_CONSENT
    return None


def _permission(consent: Consent, item: Item, time: int) -> Reason | None:
    for permission in item.permissions:
        if not is_granted(permission, consent.terms.permissions):
            return Reason.PERMISSION_MISSING
    return None


def _grade(consent: Consent, item: Item, time: int) -> Reason | None:
    limit = min(consent.terms.grade, MAX_GRADE)
    for permission in item.permissions:
        if GRADES.get(permission, MAX_GRADE + 1) > limit:
            return Reason.GRADE_EXCEEDED
    return None


def _window(consent: Consent, item: Item, time: int) -> Reason | None:
    start, end = narrowed_window(item, consent)
    backwards = item.to and item.to < item.from_
    return Reason.WINDOW_EXCEEDED if backwards or (end and start > end) else None


def _frequency(consent: Consent, item: Item, time: int) -> Reason | None:
    limit = consent.terms.frequency_per_day
    exceeded = not item.customer_present and limit and consent.used_on(utc_day(time)) >= limit
    return Reason.FREQUENCY_EXCEEDED if exceeded else None


_RULES: Final[tuple[Rule, ...]] = (
    _not_active, _not_started, _purpose, _account, _permission, _grade, _window, _frequency,
)  # fmt: skip
"""The checks on a consent that is the signer's own, in their order."""


def narrowed_window(item: Item, consent: Consent) -> tuple[int, int]:
    """The part of the asked window that lies inside the consent's history window; seconds, 0 = open."""
    asked, allowed = item.to, consent.terms.history_to
    end = min(asked, allowed) if asked and allowed else asked or allowed
    return max(item.from_, consent.terms.history_from), end


def decide(
    registry: Registry, consent: Consent | None, item: Item, *, signer: str, relayed: bool, time: int
) -> AccessOutcome:
    """Decide one access at `time` (ms), signed by `signer` (for the recipient by its holder, if `relayed`)."""
    if consent is None:
        return _stranger(registry, signer, Reason.CONSENT_UNKNOWN)
    if signer != (consent.terms.holder if relayed else consent.terms.recipient):
        return _stranger(registry, signer, Reason.CONSENT_NOT_YOURS)
    reasons: list[Reason] = []
    if registry.is_suspended(consent.terms.holder) or registry.is_suspended(consent.terms.recipient):
        reasons.append(Reason.PARTICIPANT_SUSPENDED)
    for rule in _RULES:
        reason = rule(consent, item, time)
        if reason is not None:
            reasons.append(reason)
    return AccessOutcome(
        basis=consent.basis,
        consent_version=consent.version,
        decision="deny" if reasons else "allow",
        obligations=Obligations() if reasons else obligations(item, consent),
        reasons=tuple(reason.value for reason in reasons),
        ruleset=RULESET,
        used_today=consent.used_on(utc_day(time)),
    )


def obligations(item: Item, consent: Consent) -> Obligations:
    """What the holder must apply when it answers an allowed access."""
    granted = consent.terms.permissions
    start, end = narrowed_window(item, consent)
    return Obligations(
        directions=tuple(word for code, word in _DIRECTIONS if code in granted),
        from_=start,
        masks=() if "ReadPAN" in granted else ("pan",),
        to=end,
    )


def after_access(consent: Consent, item: Item, outcome: AccessOutcome, time: int) -> Consent:
    """The consent after a decided access: counted against the day's frequency, and consumed if it was for once."""
    if outcome.decision == "deny":
        return consent
    if consent.terms.once:
        consent = msgspec.structs.replace(consent, status=Status.CONSUMED)
    if item.customer_present:
        return consent
    day = utc_day(time)
    return msgspec.structs.replace(consent, used_day=day, used_today=consent.used_on(day) + 1)


def _stranger(registry: Registry, signer: str, reason: Reason) -> AccessOutcome:
    """The outcome for someone to whom this consent must not be shown: nothing of its state."""
    suspended = (Reason.PARTICIPANT_SUSPENDED,) if registry.is_suspended(signer) else ()
    return AccessOutcome(
        basis=-1, consent_version=0, decision="deny", obligations=Obligations(), ruleset=RULESET,
        reasons=tuple(reason.value for reason in (*suspended, reason)), used_today=0,
    )  # fmt: skip
