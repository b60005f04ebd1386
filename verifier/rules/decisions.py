"""Access decisions under rulesets 1 to 3: a total function of what lower indexes say (docs/spec/decisions.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from verifier.bytes.encoding import Json, Object
from verifier.records.reasons import ASSERTED, DECIDED_SINCE_3, ORDER_3
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.consents import Consent, effective_status
from verifier.rules.participants import Registry
from verifier.rules.units import after_units, count_of, units_of, with_count

DAY_SECONDS, DAY_MINUTES, MINUTE_MS = 86_400, 1_440, 60_000


class Item(NamedTuple):
    """The request of an access; `since` and `until` are its `from` and `to` in seconds, 0 = open; an empty `region` is
    none."""

    accounts: tuple[str, ...]
    customer_present: bool
    since: int
    until: int
    permissions: tuple[str, ...]
    purpose: str
    region: str = ""


class Asker(NamedTuple):
    """Who asks: the signer, whom it acts for (itself, mostly), and whether a holder passes a recipient's request on."""

    iss: str
    party: str
    relayed: bool


def decide(
    registry: Registry,
    consent: Consent | None,
    asker: Asker,
    item: Item,
    time: int,
    asserted: list[Json],
    chain: str = "",
) -> Object:
    """The outcome of an access at `time` (milliseconds) as the evidence must hold it. `asserted`: reasons taken on
    somebody's word, see `asserted_of`. `chain`: that of the consent, as leaves spell it."""
    reasons: list[Json] = []
    iss, party, relayed = asker
    own = consent is not None and party == (consent.terms.holder if relayed else consent.terms.recipient)
    if registry.is_suspended(party) or (iss != party and registry.is_suspended(iss)):
        reasons.append("PARTICIPANT_SUSPENDED")
    if consent is None:
        return _denied(registry.ruleset, [*reasons, "CONSENT_UNKNOWN"])
    if not own:
        return _denied(registry.ruleset, [*reasons, "CONSENT_NOT_YOURS"])
    if not reasons and registry.is_suspended(consent.terms.recipient if relayed else consent.terms.holder):
        reasons.append("PARTICIPANT_SUSPENDED")
    if registry.ruleset < 3:
        used = used_on(consent, time)
        reasons += _reasons(registry, consent, item, time, used)
    else:
        used = count_of(consent, _units(consent, item), time)
        reasons += _reasons_3(registry, consent, item, time, used, chain)
    denied = bool(reasons or asserted)
    outcome: Object = {
        "basis": consent.basis,
        "consent_version": consent.version,
        "decision": "deny" if denied else "allow",
        "obligations": {} if denied else _obligations(registry.ruleset, consent, item, time),
        "reasons": reasons,
        "ruleset": registry.ruleset,
        "used_today": used,
    }
    if asserted:
        outcome["asserted"] = asserted
    return outcome


def asserted_of(ruleset: int, claimed: Json, stated: Json) -> list[Json]:
    """The asserted reasons that an outcome must hold, given those that it claims: the known ones, in their order, each
    once, and never without those of the statement. Nobody can check that they are true."""
    if ruleset < 2 or (claimed is None and stated is None):
        return []
    told = {code for codes in (claimed, stated) if isinstance(codes, list) for code in codes}
    return [code for code in ASSERTED if code in told and (ruleset < 3 or code not in DECIDED_SINCE_3)]


def _denied(ruleset: int, reasons: list[Json]) -> Object:
    return {
        "basis": -1,
        "consent_version": 0,
        "decision": "deny",
        "obligations": {},
        "reasons": reasons,
        "ruleset": ruleset,
        "used_today": 0,
    }


def _reasons_3(registry: Registry, consent: Consent, item: Item, time: int, used: int, chain: str) -> list[str]:
    """Rows 1a to 12: those of ruleset 2, and what ruleset 3 adds in its places."""
    ordered, about = registry.supervision, (consent.terms, item.permissions, item.region)
    found = [*_reasons(registry, consent, item, time, used)]
    if ordered.is_frozen(*about, time):
        found.append("FROZEN")
    if item.region and item.region not in consent.terms.destinations:
        found.append("REGION_NOT_CONSENTED")
    if ordered.blocks and ordered.is_blocked(consent.terms, chain, time):
        found.append("RISK_BLOCKED")
    if (consent.taken or ordered.requirements) and effective_status(registry, consent, time) == "ACTIVE":
        if not set(consent.taken).isdisjoint(_units(consent, item)):
            found.append("CONSENT_CONSUMED")
        if ordered.is_unassessed(*about, time):
            found.append("ASSESSMENT_OVERDUE")
    return sorted(found, key=ORDER_3.index) if len(found) > 1 else found


def _reasons(registry: Registry, consent: Consent, item: Item, time: int, used: int) -> Iterator[str]:
    """Rows 4 to 11, in the order of the table. `used`: how many accesses count before this one."""
    terms = consent.terms
    status = effective_status(registry, consent, time)
    if status != "ACTIVE":
        yield f"CONSENT_{status}"
    if time < terms.starts_at * 1000:
        yield "CONSENT_NOT_STARTED"
    if status == "ACTIVE" and registry.ruleset >= 2:
        yield from _overdue(consent, time)
    purpose = registry.purposes.get(terms.purpose)
    if item.purpose != terms.purpose or (purpose is not None and not purpose.permissions.issuperset(item.permissions)):
        yield "PURPOSE_MISMATCH"
    if item.accounts and not set(item.accounts).issubset(consent.accounts):
        yield from _accounts(consent, item.accounts)
    yield from _scope(registry.ruleset, terms.permissions, terms.grade, item.permissions)
    if not _windows_meet(item, terms.history_from, terms.history_to):
        yield "WINDOW_EXCEEDED"
    if not item.customer_present and 0 < terms.frequency_per_day <= used:
        yield "FREQUENCY_EXCEEDED"


def _overdue(consent: Consent, time: int) -> Iterator[str]:
    """Rows 5a to 5c."""
    terms = consent.terms
    if terms.reauthenticate_days and time >= _due(consent.authenticated_at, terms.reauthenticate_days):
        yield "REAUTHENTICATION_REQUIRED"
    if terms.reconfirm_days and time >= _due(consent.confirmed_at, terms.reconfirm_days):
        yield "RECONFIRMATION_OVERDUE"
    if terms.separate_consents and not set(terms.separate_consents).issubset(consent.given.separate):
        yield "SEPARATE_CONSENT_MISSING"


def _due(since: int, days: int) -> int:
    return (since + days * DAY_SECONDS) * 1000


def _accounts(consent: Consent, asked: tuple[str, ...]) -> Iterator[str]:
    """Rows 7 to 7b."""
    rest, waiting = set(asked) - set(consent.accounts), consent.waiting
    if rest - waiting - set(consent.withdrawn):
        yield "ACCOUNT_NOT_IN_CONSENT"
    if rest & waiting:
        yield "ACCOUNT_APPROVAL_PENDING"
    if rest & set(consent.withdrawn):
        yield "ACCOUNT_APPROVAL_WITHDRAWN"


@lru_cache(maxsize=8192)
def _scope(ruleset: int, granted: tuple[str, ...], grade: int, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Rows 8 and 9."""
    catalogue = CATALOGUES[ruleset]
    missing = not catalogue.cover(granted).issuperset(asked)
    grave = any(catalogue.grades.get(code, 99) > min(grade, catalogue.max_grade) for code in asked)
    return ("PERMISSION_MISSING",) * missing + ("GRADE_EXCEEDED",) * grave


def _windows_meet(item: Item, history_from: int, history_to: int) -> bool:
    """Closed intervals; 0 is open."""
    if item.until and item.until < item.since:
        return False
    end = _earlier(item.until, history_to)
    return not end or max(item.since, history_from) <= end


def _earlier(a: int, b: int) -> int:
    return min(a, b) if a and b else a or b


def _obligations(ruleset: int, consent: Consent, item: Item, time: int) -> Object:
    terms = consent.terms
    directions, masks = _fields(ruleset, terms.permissions)
    obligations: Object = {
        "directions": directions,
        "from": max(item.since, terms.history_from),
        "masks": masks,
        "to": _earlier(item.until, terms.history_to),
    }
    if ruleset >= 2:
        if terms.filters:
            obligations["filters"] = [{"field": name, "op": op, "value": value} for name, op, value in terms.filters]
        if terms.retention_days:
            obligations["keep_until"] = time // 1000 + terms.retention_days * DAY_SECONDS
    return obligations


@lru_cache(maxsize=8192)
def _fields(ruleset: int, granted: tuple[str, ...]) -> tuple[list[Json], list[Json]]:
    """Directions and masks. Nobody changes the lists."""
    directions: list[Json] = [
        name
        for name, code in (("credit", "ReadTransactionsCredits"), ("debit", "ReadTransactionsDebits"))
        if code in granted
    ]
    masks = sorted(CATALOGUES[ruleset].masks.items())
    return directions, [mask for mask, lifting in masks if not set(lifting) & set(granted)]


def _day(consent: Consent, time: int) -> int:
    """Days since 1970 where the terms say; terms of ruleset 1 say UTC."""
    return (time // MINUTE_MS + consent.terms.utc_offset) // DAY_MINUTES


def used_on(consent: Consent, time: int) -> int:
    """Allowed accesses without the customer present on the day of `time`, before this one."""
    return consent.used_today if consent.used_day == _day(consent, time) else 0


def _units(consent: Consent, item: Item) -> tuple[str, ...]:
    return units_of(item.accounts or consent.accounts, item.permissions)


def with_claimed(ruleset: int, consent: Consent, item: Item, used: int, time: int) -> Consent:
    """The consent when this many accesses were counted in the day, or the period, of `time`."""
    return with_used(consent, used, time) if ruleset < 3 else with_count(consent, _units(consent, item), used, time)


def after_access(ruleset: int, consent: Consent, item: Item, time: int) -> Consent:
    """The consent after an allowed access."""
    if ruleset < 3:
        return after_allow(consent, item, time)
    return after_units(consent, _units(consent, item), not item.customer_present, time)


def with_used(consent: Consent, used: int, time: int) -> Consent:
    """The consent when this many accesses were counted on the day of `time`, under rulesets 1 and 2."""
    return replace(consent, used_day=_day(consent, time), used_today=used)


def after_allow(consent: Consent, item: Item, time: int) -> Consent:
    """The consent after an allowed access under rulesets 1 and 2: counted, and CONSUMED under terms with `once`."""
    if consent.terms.once:
        consent = replace(consent, status="CONSUMED")
    if item.customer_present:
        return consent
    c, day = consent, _day(consent, time)  # written out: `replace` takes several times as long, and this is often
    return Consent(
        c.version,
        c.status,
        c.terms,
        c.terms_hash,
        c.basis,
        c.given,
        c.accounts,
        c.withdrawn,
        c.subject,
        c.pending,
        c.authenticated_at,
        c.confirmed_at,
        day,
        c.used_today + 1 if c.used_day == day else 1,
        c.used,
        c.once_until,
        c.taken,
    )
