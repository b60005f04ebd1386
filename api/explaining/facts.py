"""The facts that a reason rests on: from the terms of the version decided upon, and from what was asked. No state of today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ledger.entries.acts import AccessItem, AccessRequest
from ledger.entries.evidence import AccessOutcome
from ledger.entries.terms import Terms

Asked = AccessItem | AccessRequest
Facts = dict[str, Any]


def _purpose(terms: Terms, asked: Asked, _: AccessOutcome) -> Facts:
    return {"terms.purpose": terms.purpose.code, "asked.purpose": asked.purpose}


def _permissions(terms: Terms, asked: Asked, _: AccessOutcome) -> Facts:
    return {"terms.permissions": terms.permissions, "asked.permissions": asked.permissions}


def _accounts(_: Terms, asked: Asked, __: AccessOutcome) -> Facts:
    return {"asked.accounts": asked.accounts}


def _window(terms: Terms, asked: Asked, _: AccessOutcome) -> Facts:
    return {
        "terms.history_from": terms.history_from,
        "terms.history_to": terms.history_to,
        "asked.from": asked.from_,
        "asked.to": asked.to,
    }


def _frequency(terms: Terms, asked: Asked, outcome: AccessOutcome) -> Facts:
    return {
        "terms.frequency_per_day": terms.frequency_per_day,
        "used_today": outcome.used_today,
        "asked.customer_present": asked.customer_present,
    }


def _asked(*names: str) -> Callable[[Terms, Asked, AccessOutcome], Facts]:
    def facts(_: Terms, asked: Asked, __: AccessOutcome) -> Facts:
        return {f"asked.{name}": getattr(asked, name) for name in names if getattr(asked, name) is not msgspec.UNSET}

    return facts


def _region(terms: Terms, asked: Asked, _: AccessOutcome) -> Facts:
    named = [each.country for each in terms.destinations] if terms.destinations is not msgspec.UNSET else []
    return {"terms.destinations": named, "asked.region": asked.region}


def _member(*names: str) -> Callable[[Terms, Asked, AccessOutcome], Facts]:
    def facts(terms: Terms, _: Asked, __: AccessOutcome) -> Facts:
        members = {name: getattr(terms, name) for name in names}
        return {f"terms.{name}": msgspec.to_builtins(it) for name, it in members.items() if it is not msgspec.UNSET}

    return facts


BY_REASON: Final[dict[str, Callable[[Terms, Asked, AccessOutcome], Facts]]] = {
    "CONSENT_EXPIRED": _member("expires_at"),
    "FROZEN": _asked("region", "permissions", "purpose"),
    "CONSENT_CONSUMED": _member("once", "once_seconds"),
    "CONSENT_NOT_STARTED": _member("starts_at"),
    "REAUTHENTICATION_REQUIRED": _member("reauthenticate_days"),
    "RECONFIRMATION_OVERDUE": _member("reconfirm_days"),
    "SEPARATE_CONSENT_MISSING": _member("separate_consents"),
    "ASSESSMENT_OVERDUE": _asked("region", "purpose"),
    "REGION_NOT_CONSENTED": _region,
    "PURPOSE_MISMATCH": _purpose,
    "ACCOUNT_NOT_IN_CONSENT": _accounts,
    "ACCOUNT_APPROVAL_PENDING": _accounts,
    "ACCOUNT_APPROVAL_WITHDRAWN": _accounts,
    "PERMISSION_MISSING": _permissions,
    "GRADE_EXCEEDED": lambda terms, asked, _: {"terms.grade": terms.grade, "asked.permissions": asked.permissions},
    "WINDOW_EXCEEDED": _window,
    "FREQUENCY_EXCEEDED": _frequency,
    "RISK_BLOCKED": _member("recipient"),
}


def facts_of(reason: str, terms: Terms | None, asked: Asked | None, outcome: AccessOutcome) -> Facts:
    """The facts that a reason rests on; none where the caller may not see the terms."""
    rule = BY_REASON.get(reason)
    return {} if rule is None or terms is None or asked is None else rule(terms, asked, outcome)
