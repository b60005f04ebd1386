"""What ruleset 3 lets others deny: supervisors, the operator, a holder that fears a risk (docs/spec/ruleset-3.md, Decisions).

Most logs have nothing of it in force, and most consents are untouched: each check first looks whether there is anything.
"""

from __future__ import annotations

from msgspec import UNSET

from ledger.canonical import b64u
from ledger.consent.state import Consent, Status
from ledger.entries.leaf import consent_chain
from ledger.entries.scope import Scope
from ledger.policy.moment import Item, Moment
from ledger.policy.reasons import Reason
from ledger.supervision import Block


def matches(scope: Scope, consent: Consent, item: Item) -> bool:
    """Whether an access of this consent with this item is in the scope."""
    terms = consent.terms
    return scope.matches(terms.holder, terms.recipient, terms.purpose.code, item.permissions, item.region)


def frozen(consent: Consent, item: Item, now: Moment) -> Reason | None:
    """A freeze that is not a drill."""
    for freeze in now.registry.supervision.freezing:
        if freeze.holds(now.time) and matches(freeze.scope, consent, item):
            return Reason.FROZEN
    return None


def assessment(consent: Consent, item: Item, now: Moment) -> Reason | None:
    """A requirement that no assessment of the holder meets."""
    supervision = now.registry.supervision
    if not supervision.requiring or now.status is not Status.ACTIVE:
        return None
    if not any(matches(requirement.says.scope, consent, item) for requirement in supervision.requiring):
        return None
    for each in supervision.assessed.get(consent.terms.holder, ()):
        says = each.says
        good = says.outcome != "unacceptable" and says.next_due * 1000 > now.time
        if good and matches(says.scope, consent, item):
            return None
    return Reason.ASSESSMENT_OVERDUE


def region(consent: Consent, item: Item, _now: Moment) -> Reason | None:
    """Where the data is taken to is not among the destinations of the terms."""
    if item.region is UNSET:
        return None
    destinations = consent.terms.destinations or ()
    named = any(destination.country == item.region for destination in destinations)
    return None if named else Reason.REGION_NOT_CONSENTED


def risk(consent: Consent, _item: Item, now: Moment) -> Reason | None:
    """An alert that the holder lets block, and has not cleared."""
    blocks = now.registry.supervision.blocks
    if not blocks:
        return None
    for block in blocks.get(consent.terms.holder, {}).values():
        if _is_blocked(consent, block, now):
            return Reason.RISK_BLOCKED
    return None


def _is_blocked(consent: Consent, block: Block, now: Moment) -> bool:
    says, supervision = block.says, now.registry.supervision
    about = consent.terms.recipient if says.about == "recipient" else b64u(consent_chain(consent.consent_id))
    return any(
        alert.score >= says.level
        and now.time < alert.time + says.seconds * 1000
        and (consent.terms.holder, alert.index) not in supervision.cleared
        for alert in supervision.alerts.get((says.rule, says.about, about), ())
    )
