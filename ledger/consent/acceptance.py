"""Rule T: which terms a recipient may ask for (docs/spec/consents.md, Terms). Pure."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from ledger.catalogue import CATALOGUES, Catalogue
from ledger.documents import PurposeDefined
from ledger.entries.terms import Terms
from ledger.errors import IllegalTransition, NotPermitted
from ledger.participants import Registry

DAY_SECONDS: Final = 86_400
CROSS_BORDER: Final = "cross-border"


def check_terms(terms: Terms, signer: str, registry: Registry, time: int) -> None:
    """Rule T: are these terms acceptable from this recipient now (ms)? Raises IllegalTransition or NotPermitted."""
    if terms.recipient != signer:
        raise NotPermitted("the recipient of the terms must be the signer of the statement", member="terms.recipient")
    if terms.holder == terms.recipient:
        raise IllegalTransition("holder and recipient must differ", member="terms.holder")
    if not registry.is_in_good_standing(terms.holder, "holder"):
        raise IllegalTransition(f"{terms.holder!r} is not a registered holder in good standing", member="terms.holder")
    catalogue = CATALOGUES[registry.ruleset]
    _check_grade(terms, catalogue)
    if terms.expires_at and (terms.expires_at <= terms.starts_at or terms.expires_at * 1000 <= time):
        raise IllegalTransition("expires_at must lie after starts_at and in the future", member="terms.expires_at")
    if terms.history_to and terms.history_to < terms.history_from:
        raise IllegalTransition("history_to lies before history_from", member="terms.history_to")
    if registry.ruleset == 1:
        unknown = terms.needs_ruleset_2
        if unknown is not None:
            raise IllegalTransition(f"{unknown} exists from ruleset 2 onwards", member=f"terms.{unknown}")
        return
    if registry.ruleset < 3 and (unknown := terms.needs_ruleset_3):
        raise IllegalTransition(f"{unknown} exists from ruleset 3 onwards", member=f"terms.{unknown}")
    _check_separate(terms, catalogue)
    if registry.ruleset > 2:
        _check_borders_and_windows(terms)
    purpose = registry.purposes.get(terms.purpose.code)
    if purpose is not None:
        _check_purpose(terms, purpose, time)


def _check_grade(terms: Terms, catalogue: Catalogue) -> None:
    grade = catalogue.highest_grade(terms.permissions)
    if grade is None:
        raise IllegalTransition("a permission is not in the catalogue of this ruleset", member="terms.permissions")
    if grade > catalogue.max_grade:
        raise IllegalTransition(f"data above grade {catalogue.max_grade} is never shared", member="terms.permissions")
    if terms.grade != grade:
        raise IllegalTransition(f"the highest grade of these permissions is {grade}", member="terms.grade")


def _check_separate(terms: Terms, catalogue: Catalogue) -> None:
    for kind in catalogue.separate_consents.get(terms.grade, ()):
        if kind not in terms.separate_consents:
            raise IllegalTransition(
                f"terms of grade {terms.grade} must name the separate consent {kind!r}",
                member="terms.separate_consents",
            )


def _check_borders_and_windows(terms: Terms) -> None:
    """What ruleset 3 adds: where abroad the data goes needs a consent of its own, and a window is for a one-off consent."""
    if (terms.destinations is not UNSET) != (CROSS_BORDER in terms.separate_consents):
        raise IllegalTransition(
            f"terms with destinations name the separate consent {CROSS_BORDER!r}, and no others do",
            member="terms.destinations",
        )
    if terms.once_seconds is not UNSET and not terms.once:
        raise IllegalTransition("once_seconds is the window of a consent with once", member="terms.once_seconds")


def _check_purpose(terms: Terms, purpose: PurposeDefined, time: int) -> None:
    """The limits that the log sets for this purpose; each 0 = none."""
    now, code = time // 1000, purpose.code
    if not set(terms.permissions) <= set(purpose.permissions):
        raise IllegalTransition(f"the purpose {code!r} does not cover these permissions", member="terms.permissions")
    days = purpose.max_days * DAY_SECONDS
    if days and not 0 < terms.expires_at <= max(terms.starts_at, now) + days:
        raise IllegalTransition(
            f"consents for {code!r} last {purpose.max_days} days at most", member="terms.expires_at"
        )
    most = purpose.max_frequency_per_day
    if most and not 0 < terms.frequency_per_day <= most:
        raise IllegalTransition(f"{code!r} allows {most} accesses a day at most", member="terms.frequency_per_day")
    if most and terms.frequency_period == "hour":
        raise IllegalTransition(
            f"{code!r} allows {most} accesses a day at most: they are not counted by the hour",
            member="terms.frequency_period",
        )
    days = purpose.max_history_days * DAY_SECONDS
    if days and not (terms.history_from > 0 and now - terms.history_from <= days):
        raise IllegalTransition(
            f"{code!r} allows {purpose.max_history_days} days of history at most", member="terms.history_from"
        )
    if purpose.max_retention_days and terms.retention_days > purpose.max_retention_days:
        raise IllegalTransition(
            f"{code!r} allows data to be kept {purpose.max_retention_days} days at most", member="terms.retention_days"
        )
