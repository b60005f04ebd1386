"""Access decisions (docs/spec/decisions.md). A total function of its arguments; every reason is kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET

from ledger.catalogue import CATALOGUES
from ledger.consent.state import Consent, Status
from ledger.consent.usage import counted
from ledger.entries.asserted import Asserted
from ledger.entries.evidence import AccessOutcome, Obligations
from ledger.participants import Registry
from ledger.policy.moment import Item, Moment
from ledger.policy.reasons import Reason
from ledger.policy.rules import DAY_SECONDS, RULES, narrowed_window

ONCE_SECONDS: Final = 3_600
"""How long a one-off consent gives what it is for, where its terms do not say."""
_DIRECTIONS: Final = (("ReadTransactionsCredits", "credit"), ("ReadTransactionsDebits", "debit"))


def decide(
    registry: Registry,
    consent: Consent | None,
    item: Item,
    *,
    signer: str,
    relayed: bool,
    time: int,
    agent: str | None = None,
    asserted: tuple[Asserted, ...] = (),
) -> AccessOutcome:
    """Decide one access at `time` (ms) under the registry's ruleset.

    `signer` is the participant whose act it is (the recipient, or if `relayed` its holder), `agent` the technology
    provider that signed on its behalf; `asserted` are reasons of facts outside the log, in their order, each once.
    """
    if consent is None:
        return _stranger(registry, signer, agent, Reason.CONSENT_UNKNOWN)
    if signer != (consent.terms.holder if relayed else consent.terms.recipient):
        return _stranger(registry, signer, agent, Reason.CONSENT_NOT_YOURS)
    reasons: list[Reason] = []
    is_suspended, terms = registry.is_suspended, consent.terms
    if (
        is_suspended(terms.holder) or is_suspended(terms.recipient) or (agent is not None and is_suspended(agent))
    ):  # not a loop: this is the hot path
        reasons.append(Reason.PARTICIPANT_SUSPENDED)
    now = Moment(consent, item, registry, time)
    for rule in RULES[registry.ruleset]:
        reason = rule(consent, item, now)
        if reason is not None:
            reasons.append(reason)
    denied = reasons or asserted
    return AccessOutcome(
        asserted=asserted or UNSET,
        basis=consent.basis,
        consent_version=consent.version,
        decision="deny" if denied else "allow",
        obligations=Obligations() if denied else obligations(item, consent, registry.ruleset, time),
        reasons=tuple(reason.value for reason in reasons),
        ruleset=registry.ruleset,
        used_today=now.used,
    )


def obligations(item: Item, consent: Consent, ruleset: int, time: int) -> Obligations:
    """What holder and recipient must apply to an access that is allowed at `time` (ms)."""
    terms = consent.terms
    start, end = narrowed_window(item, consent)
    keeps = ruleset > 1 and terms.retention_days > 0
    return Obligations(
        directions=_directions(terms.permissions),
        filters=terms.filters,
        from_=start,
        keep_until=time // 1000 + terms.retention_days * DAY_SECONDS if keeps else UNSET,
        masks=_masks(ruleset, terms.permissions),
        to=end,
    )


@lru_cache(maxsize=4096)
def _directions(granted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for code, word in _DIRECTIONS if code in granted)


@lru_cache(maxsize=4096)
def _masks(ruleset: int, granted: tuple[str, ...]) -> tuple[str, ...]:
    return CATALOGUES[ruleset].masks_for(granted)


def after_access(consent: Consent, item: Item, outcome: AccessOutcome, time: int) -> Consent:
    """The consent after a decided access: counted against its frequency, and consumed if it was for once."""
    if outcome.decision == "deny":
        return consent
    if outcome.ruleset > 2:
        return _after_units(consent, item, outcome.ruleset, time)
    if consent.terms.once:
        consent = msgspec.structs.replace(consent, status=Status.CONSUMED)
    if item.customer_present:
        return consent
    day = consent.day_of(time)
    return msgspec.structs.replace(consent, used_day=day, used_today=consent.used_on(day) + 1)


def _after_units(consent: Consent, item: Item, ruleset: int, time: int) -> Consent:
    """From ruleset 3 on accesses are counted by unit, and a one-off consent gives each unit once within a window."""
    if not consent.terms.once and item.customer_present:
        return consent
    read = consent.units_of(item.accounts, item.permissions, ruleset)
    if not item.customer_present:
        consent = msgspec.structs.replace(consent, used=counted(consent.used, read, consent.period_of(time)))
    if consent.terms.once:
        window = ONCE_SECONDS if consent.terms.once_seconds is UNSET else consent.terms.once_seconds
        consent = msgspec.structs.replace(
            consent,
            once_until=consent.once_until or time // 1000 + window,
            taken=tuple(sorted({*consent.taken, *read})),
        )
    return consent


def _stranger(registry: Registry, signer: str, agent: str | None, reason: Reason) -> AccessOutcome:
    """The outcome for someone to whom this consent must not be shown: nothing of its state."""
    is_suspended = registry.is_suspended(signer) or (agent is not None and registry.is_suspended(agent))
    suspended = (Reason.PARTICIPANT_SUSPENDED,) if is_suspended else ()
    return AccessOutcome(
        basis=-1,
        consent_version=0,
        decision="deny",
        obligations=Obligations(),
        ruleset=registry.ruleset,
        reasons=tuple(reason.value for reason in (*suspended, reason)),
        used_today=0,
    )
