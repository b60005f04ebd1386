"""The single checks that a decision is made of, and which of them each ruleset applies (docs/spec/decisions.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, UnsetType

from ledger.catalogue import CATALOGUES
from ledger.consent.state import Consent, Status
from ledger.policy.moment import Item, Moment
from ledger.policy.reasons import Reason
from ledger.policy.supervised import assessment, frozen, region, risk

DAY_SECONDS: Final = 86_400


Rule = Callable[[Consent, Item, Moment], Reason | None]
"""One check of what is asked against a consent that is the signer's own."""

_BY_STATUS: Final = {status: Reason(f"CONSENT_{status}") for status in Status if status is not Status.ACTIVE}


def _not_active(consent: Consent, item: Item, now: Moment) -> Reason | None:
    return None if now.status is Status.ACTIVE else _BY_STATUS[now.status]


def _not_started(consent: Consent, item: Item, now: Moment) -> Reason | None:
    return Reason.CONSENT_NOT_STARTED if now.time < consent.terms.starts_at * 1000 else None


def _is_due(days: int | UnsetType, since: int, now: Moment) -> bool:
    return days is not UNSET and now.status is Status.ACTIVE and now.time >= (since + days * DAY_SECONDS) * 1000


def _authentication(consent: Consent, item: Item, now: Moment) -> Reason | None:
    due = _is_due(consent.terms.reauthenticate_days, consent.authenticated_at, now)
    return Reason.REAUTHENTICATION_REQUIRED if due else None


def _confirmation(consent: Consent, item: Item, now: Moment) -> Reason | None:
    due = _is_due(consent.terms.reconfirm_days, consent.confirmed_at, now)
    return Reason.RECONFIRMATION_OVERDUE if due else None


def _separate(consent: Consent, item: Item, now: Moment) -> Reason | None:
    if now.status is Status.ACTIVE:
        for kind in consent.terms.separate_consents:
            if kind not in consent.separate:
                return Reason.SEPARATE_CONSENT_MISSING
    return None


def _purpose(consent: Consent, item: Item, now: Moment) -> Reason | None:
    return Reason.PURPOSE_MISMATCH if item.purpose != consent.terms.purpose.code else None


def _defined_purpose(consent: Consent, item: Item, now: Moment) -> Reason | None:
    if item.purpose != consent.terms.purpose.code:
        return Reason.PURPOSE_MISMATCH
    purpose = now.registry.purposes.get(consent.terms.purpose.code)
    covered = purpose is None or all(permission in purpose.permissions for permission in item.permissions)
    return None if covered else Reason.PURPOSE_MISMATCH


def _account(consent: Consent, item: Item, now: Moment) -> Reason | None:
    for account in item.accounts:
        if account not in consent.accounts:
            return Reason.ACCOUNT_NOT_IN_CONSENT
    return None


def _account_never_given(consent: Consent, item: Item, now: Moment) -> Reason | None:
    for account in item.accounts:
        if account not in consent.accounts and account not in (*consent.waiting, *consent.withdrawn):
            return Reason.ACCOUNT_NOT_IN_CONSENT
    return None


def _account_waits(consent: Consent, item: Item, now: Moment) -> Reason | None:
    if not consent.joint:  # of most consents nothing waits, and this is the hot path
        return None
    for account in item.accounts:
        if account not in consent.accounts and account in consent.waiting:
            return Reason.ACCOUNT_APPROVAL_PENDING
    return None


def _account_withdrawn(consent: Consent, item: Item, now: Moment) -> Reason | None:
    if not consent.withdrawn:
        return None
    for account in item.accounts:
        if account in consent.withdrawn:
            return Reason.ACCOUNT_APPROVAL_WITHDRAWN
    return None


def _permission(consent: Consent, item: Item, now: Moment) -> Reason | None:
    catalogue = CATALOGUES[now.registry.ruleset]
    for permission in item.permissions:
        if not catalogue.is_granted(permission, consent.terms.permissions):
            return Reason.PERMISSION_MISSING
    return None


def _grade(consent: Consent, item: Item, now: Moment) -> Reason | None:
    catalogue = CATALOGUES[now.registry.ruleset]
    limit = min(consent.terms.grade, catalogue.max_grade)
    for permission in item.permissions:
        if catalogue.grades.get(permission, limit + 1) > limit:
            return Reason.GRADE_EXCEEDED
    return None


def _window(consent: Consent, item: Item, now: Moment) -> Reason | None:
    start, end = narrowed_window(item, consent)
    backwards = item.to and item.to < item.from_
    return Reason.WINDOW_EXCEEDED if backwards or (end and start > end) else None


def _not_active_or_taken(consent: Consent, item: Item, now: Moment) -> Reason | None:
    if now.status is not Status.ACTIVE:
        return _BY_STATUS[now.status]
    taken = consent.terms.once and any(unit in consent.taken for unit in now.units)
    return Reason.CONSENT_CONSUMED if taken else None


def _frequency(consent: Consent, item: Item, now: Moment) -> Reason | None:
    limit = consent.terms.frequency_per_day
    exceeded = not item.customer_present and limit and now.used >= limit
    return Reason.FREQUENCY_EXCEEDED if exceeded else None


RULES: Final[dict[int, tuple[Rule, ...]]] = {
    1: (_not_active, _not_started, _purpose, _account, _permission, _grade, _window, _frequency),
    2: (
        _not_active,
        _not_started,
        _authentication,
        _confirmation,
        _separate,
        _defined_purpose,
        _account_never_given,
        _account_waits,
        _account_withdrawn,
        _permission,
        _grade,
        _window,
        _frequency,
    ),
    3: (
        frozen,
        _not_active_or_taken,
        _not_started,
        _authentication,
        _confirmation,
        _separate,
        assessment,
        _defined_purpose,
        region,
        _account_never_given,
        _account_waits,
        _account_withdrawn,
        _permission,
        _grade,
        _window,
        _frequency,
        risk,
    ),
}
"""By ruleset: the checks on a consent that is the signer's own, in their order."""


def narrowed_window(item: Item, consent: Consent) -> tuple[int, int]:
    """The part of the asked window that lies inside the consent's history window; seconds, 0 = open."""
    asked, allowed = item.to, consent.terms.history_to
    end = min(asked, allowed) if asked and allowed else asked or allowed
    return max(item.from_, consent.terms.history_from), end
