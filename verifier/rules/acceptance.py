"""Which terms a consent may have: rule T (docs/spec/consents.md, «Terms»). Raises Refuted(CONSENT_INVALID)."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import Terms
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.participants import Registry
from verifier.rules.registered import Purpose

DAY_SECONDS = 86_400


def check_terms(registry: Registry, terms: Terms, signer: str, time: int) -> None:
    """Rule T under the ruleset in force. `signer` is the participant that the statement speaks for; `time` in ms."""
    if registry.ruleset < 2 and terms.later:
        raise _bad("these terms exist from ruleset 2 onwards", terms.later[0], "no such member", ", ".join(terms.later))
    if registry.ruleset < 3 and terms.later_3:
        names = ", ".join(terms.later_3)
        raise _bad("these terms exist from ruleset 3 onwards", terms.later_3[0], "no such member", names)
    if registry.ruleset >= 3:
        _check_later(terms)
    _check_grade(registry.ruleset, terms)
    _check_times(terms, time)
    _check_parties(registry, terms, signer)
    purpose = registry.purposes.get(terms.purpose)
    if registry.supervision.blind:  # a regulator may have defined it otherwise, in an entry that could not be read
        purpose = None
    for what, expected, found in () if purpose is None else _beyond(purpose, terms, time // 1000):
        raise _bad("the terms go beyond their purpose as it is defined", what, expected, found)


def _check_later(terms: Terms) -> None:
    """What ruleset 3 adds."""
    if bool(terms.destinations) != ("cross-border" in terms.separate_consents):
        raise _bad(
            "terms with destinations name the separate consent cross-border, and only they do",
            "separate_consents",
            "cross-border exactly if there are destinations",
            ", ".join(terms.separate_consents) or "none",
        )
    if "once_seconds" in terms.later_3 and not terms.once:
        raise _bad(
            "a window of a one-off consent under terms for more than one access", "once_seconds", "once", "not once"
        )


def _check_grade(ruleset: int, terms: Terms) -> None:
    catalogue = CATALOGUES[ruleset]
    unknown = [code for code in terms.permissions if code not in catalogue.grades]
    if unknown:
        raise _bad("a permission is not in the catalogue", "permissions", "codes of the catalogue", ", ".join(unknown))
    grade = max(catalogue.grades[code] for code in terms.permissions)
    if terms.grade != grade:
        raise _bad("the grade is not the highest of the permissions", "grade", grade, terms.grade)
    if grade > catalogue.max_grade:
        raise _bad("data of this grade is never shared", "grade", f"at most {catalogue.max_grade}", grade)
    wanted = catalogue.separate.get(grade, ())
    if not set(wanted) <= set(terms.separate_consents):
        raise _bad(
            "the terms do not name the separate consents that their grade asks for",
            "separate_consents",
            ", ".join(wanted),
            ", ".join(terms.separate_consents) or "none",
        )


def _check_times(terms: Terms, time: int) -> None:
    if terms.expires_at and not (terms.expires_at > terms.starts_at and terms.expires_at * 1000 > time):
        raise _bad(
            "the terms end before they begin or before now",
            "expires_at",
            f"0 or above {max(terms.starts_at, time // 1000)}",
            terms.expires_at,
        )
    if terms.history_to and terms.history_to < terms.history_from:
        raise _bad(
            "the history ends before it begins", "history_to", f"0 or at least {terms.history_from}", terms.history_to
        )


def _check_parties(registry: Registry, terms: Terms, signer: str) -> None:
    if terms.holder == terms.recipient:
        raise _bad("holder and recipient are the same", "recipient", f"not {terms.holder}", terms.recipient)
    if terms.recipient != signer:
        raise _bad("the recipient of the terms is not the signer", "", signer, terms.recipient)
    if not registry.has_role(terms.holder, "holder") or registry.is_suspended(terms.holder):
        raise _bad("the holder of the terms is not an active holder", "", "a registered, active holder", terms.holder)
    for party in (terms.holder, terms.recipient):
        if registry.is_removed(party):
            raise _bad("a party of the terms was removed", "", "a participant that was not removed", party)


def _beyond(purpose: Purpose, terms: Terms, now: int) -> Iterator[tuple[str, object, object]]:
    """The excesses over the limits: member, limit, value."""
    surplus = sorted(set(terms.permissions) - purpose.permissions)
    if surplus:
        yield "permissions", "those of the purpose", ", ".join(surplus)
    days = terms.expires_at - max(terms.starts_at, now)
    if purpose.max_days and not (terms.expires_at and days <= purpose.max_days * DAY_SECONDS):
        yield "expires_at", f"at most {purpose.max_days} days on", terms.expires_at
    if purpose.max_frequency_per_day and not 0 < terms.frequency_per_day <= purpose.max_frequency_per_day:
        yield "frequency_per_day", f"1 to {purpose.max_frequency_per_day}", terms.frequency_per_day
    if purpose.max_frequency_per_day and terms.frequency_period == "hour":
        yield "frequency_period", "not hour", terms.frequency_period
    history = now - terms.history_from
    if purpose.max_history_days and not (terms.history_from and history <= purpose.max_history_days * DAY_SECONDS):
        yield "history_from", f"at most {purpose.max_history_days} days back", terms.history_from
    if purpose.max_retention_days and terms.retention_days > purpose.max_retention_days:
        yield "retention_days", f"at most {purpose.max_retention_days}", terms.retention_days


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field=field or None, expected=expected, found=found)
