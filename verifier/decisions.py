"""Access decisions under ruleset 1: a total function of what lower indexes say (docs/spec/decisions.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from verifier.catalogue import GRADES, MAX_GRADE, RULESET, cover
from verifier.consents import Consent, effective_status
from verifier.encoding import Json, Object
from verifier.participants import Registry

DAY_MS = 86_400_000


class Item(NamedTuple):
    """What an access asks for; `since` and `until` are its `from` and `to` in seconds, 0 = open."""

    accounts: tuple[str, ...]
    customer_present: bool
    since: int
    until: int
    permissions: tuple[str, ...]
    purpose: str


def decide(registry: Registry, consent: Consent | None, signer: str, relayed: bool, item: Item, time: int) -> Object:
    """The outcome of an access at `time` (milliseconds) as the evidence must hold it."""
    reasons: list[Json] = []
    own = consent is not None and signer == (consent.terms.holder if relayed else consent.terms.recipient)
    if registry.is_suspended(signer):
        reasons.append("PARTICIPANT_SUSPENDED")
    if consent is None:
        return _denied([*reasons, "CONSENT_UNKNOWN"])
    if not own:
        return _denied([*reasons, "CONSENT_NOT_YOURS"])
    if not reasons and registry.is_suspended(consent.terms.recipient if relayed else consent.terms.holder):
        reasons.append("PARTICIPANT_SUSPENDED")
    reasons += _reasons(consent, item, time)
    return {
        "basis": consent.basis,
        "consent_version": consent.version,
        "decision": "deny" if reasons else "allow",
        "obligations": {} if reasons else _obligations(consent, item),
        "reasons": reasons,
        "ruleset": RULESET,
        "used_today": used_on(consent, time),
    }


def _denied(reasons: list[Json]) -> Object:
    return {
        "basis": -1,
        "consent_version": 0,
        "decision": "deny",
        "obligations": {},
        "reasons": reasons,
        "ruleset": RULESET,
        "used_today": 0,
    }


def _reasons(consent: Consent, item: Item, time: int) -> Iterator[str]:
    """Rows 4 to 11, in the order of the table."""
    terms = consent.terms
    status = effective_status(consent, time)
    if status != "ACTIVE":
        yield f"CONSENT_{status}"
    if time < terms.starts_at * 1000:
        yield "CONSENT_NOT_STARTED"
    if item.purpose != terms.purpose:
        yield "PURPOSE_MISMATCH"
    if not set(item.accounts).issubset(consent.accounts):
        yield "ACCOUNT_NOT_IN_CONSENT"
    yield from _scope(terms.permissions, terms.grade, item.permissions)
    if not _windows_meet(item, terms.history_from, terms.history_to):
        yield "WINDOW_EXCEEDED"
    if not item.customer_present and 0 < terms.frequency_per_day <= used_on(consent, time):
        yield "FREQUENCY_EXCEEDED"


@lru_cache(maxsize=8192)
def _scope(granted: tuple[str, ...], grade: int, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Rows 8 and 9."""
    missing = not cover(granted).issuperset(asked)
    grave = any(GRADES.get(code, 99) > min(grade, MAX_GRADE) for code in asked)
    return ("PERMISSION_MISSING",) * missing + ("GRADE_EXCEEDED",) * grave


def _windows_meet(item: Item, history_from: int, history_to: int) -> bool:
    """Closed intervals; 0 is open."""
    if item.until and item.until < item.since:
        return False
    end = _earlier(item.until, history_to)
    return not end or max(item.since, history_from) <= end


def _earlier(a: int, b: int) -> int:
    return min(a, b) if a and b else a or b


def _obligations(consent: Consent, item: Item) -> Object:
    directions, masks = _fields(consent.terms.permissions)
    return {
        "directions": list(directions),
        "from": max(item.since, consent.terms.history_from),
        "masks": list(masks),
        "to": _earlier(item.until, consent.terms.history_to),
    }


@lru_cache(maxsize=8192)
def _fields(granted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    directions = ("credit",) * ("ReadTransactionsCredits" in granted) + ("debit",) * (
        "ReadTransactionsDebits" in granted
    )
    return directions, () if "ReadPAN" in granted else ("pan",)


def used_on(consent: Consent, time: int) -> int:
    """Allowed accesses without the customer present on the UTC day of `time`, before this one."""
    return consent.used_today if consent.used_day == time // DAY_MS else 0


def after_allow(consent: Consent, item: Item, time: int) -> Consent:
    """The consent after an allowed access: counted, and CONSUMED under terms with `once`."""
    if consent.terms.once:
        consent = replace(consent, status="CONSUMED")
    if item.customer_present:
        return consent
    c = consent  # written out: `replace` takes several times as long, and this runs for every access
    return Consent(
        c.version,
        c.status,
        c.terms,
        c.terms_hash,
        c.basis,
        c.authorisers,
        c.accounts,
        c.subject,
        c.pending,
        time // DAY_MS,
        used_on(c, time) + 1,
    )
