"""Access decisions, ruleset 1 (docs/spec/decisions.md). A total function of its arguments; every reason is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from ledger.consent.state import Consent, Status, utc_day
from ledger.entries.evidence import AccessOutcome, Obligations
from ledger.participants import Registry
from ledger.consent.catalogue import GRADES, MAX_GRADE, is_granted
from ledger.policy.reasons import Reason

RULESET: Final = 1


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


@dataclass(frozen=True, slots=True)
class _Question:
    consent: Consent
    item: Item
    time: int


def _not_active(q: _Question) -> Reason | None:
    status = q.consent.status_at(q.time)
    return None if status is Status.ACTIVE else Reason(f"CONSENT_{status}")


def _not_started(q: _Question) -> Reason | None:
    return Reason.CONSENT_NOT_STARTED if q.time < q.consent.terms.starts_at * 1000 else None


def _purpose(q: _Question) -> Reason | None:
    return Reason.PURPOSE_MISMATCH if q.item.purpose != q.consent.terms.purpose.code else None


def _account(q: _Question) -> Reason | None:
    inside = all(account in q.consent.accounts for account in q.item.accounts)
    return None if inside else Reason.ACCOUNT_NOT_IN_CONSENT


def _permission(q: _Question) -> Reason | None:
    granted = all(is_granted(permission, q.consent.terms.permissions) for permission in q.item.permissions)
    return None if granted else Reason.PERMISSION_MISSING


def _grade(q: _Question) -> Reason | None:
    limit = min(q.consent.terms.grade, MAX_GRADE)
    within = all(GRADES.get(permission, MAX_GRADE + 1) <= limit for permission in q.item.permissions)
    return None if within else Reason.GRADE_EXCEEDED


def _window(q: _Question) -> Reason | None:
    start, end = narrowed_window(q.item, q.consent)
    backwards = q.item.to and q.item.to < q.item.from_
    return Reason.WINDOW_EXCEEDED if backwards or (end and start > end) else None


def _frequency(q: _Question) -> Reason | None:
    limit = q.consent.terms.frequency_per_day
    exceeded = not q.item.customer_present and limit and q.consent.used_on(utc_day(q.time)) >= limit
    return Reason.FREQUENCY_EXCEEDED if exceeded else None


_RULES: Final[tuple[Callable[[_Question], Reason | None], ...]] = (
    _not_active, _not_started, _purpose, _account, _permission, _grade, _window, _frequency,
)  # fmt: skip
"""The checks on a consent that is the signer's own, in their order."""


def narrowed_window(item: Item, consent: Consent) -> tuple[int, int]:
    """The part of the asked window that lies inside the consent's history window; seconds, 0 = open."""
    ends = [end for end in (item.to, consent.terms.history_to) if end]
    return max(item.from_, consent.terms.history_from), min(ends, default=0)


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
    question = _Question(consent, item, time)
    reasons.extend(reason for rule in _RULES if (reason := rule(question)) is not None)
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
    directions = {"ReadTransactionsCredits": "credit", "ReadTransactionsDebits": "debit"}
    start, end = narrowed_window(item, consent)
    return Obligations(
        directions=tuple(word for code, word in directions.items() if code in granted),
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
