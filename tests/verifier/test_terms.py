"""Which terms a consent may have, at the edges of each rule (docs/spec/consents.md, «Terms»)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.making import refusal
from tests.verifier.states import DAY, HOLDER, OTHER, RECIPIENT, SECONDS, TERMS, moved, operator, registry
from verifier.errors import Code
from verifier.rules.consents import Consent

RULES, RULES_1 = registry(), registry(ruleset=1)


def requested(rules: Any = RULES, party: str = RECIPIENT, **changes: Any) -> Consent:
    return moved(None, "request", party=party, rules=rules, terms={**TERMS, **changes}, terms_hash="t" * 43)


def unacceptable(**members: Any) -> None:
    with refusal(Code.CONSENT_INVALID):
        requested(**members)


def test_terms_are_of_the_gravest_permission_and_nothing_is_shared_beyond_grade_3() -> None:
    assert requested(permissions=["ReadOffers"], grade=2, separate_consents=[]).terms.grade == 2
    assert requested(permissions=["ReadBalances", "ReadOffers", "ReadProducts"]).terms.grade == 3
    unacceptable(grade=2)
    unacceptable(grade=4)
    unacceptable(permissions=["ReadOffers"], grade=1)
    unacceptable(permissions=["ReadBiometricData"], grade=4)
    unacceptable(permissions=["ReadBalances", "ReadNothingKnown"])
    unacceptable(permissions=["ReadLoans"], rules=RULES_1)


def test_grave_terms_name_both_separate_consents_from_ruleset_2_on() -> None:
    for kinds in ([], ["provision"], ["sensitive"]):
        unacceptable(separate_consents=kinds)
        assert requested(separate_consents=kinds, rules=RULES_1).status == "AWAITING"
    assert requested(separate_consents=["a", "provision", "sensitive"]).status == "AWAITING"


@pytest.mark.parametrize("member", ["utc_offset", "reconfirm_days", "reauthenticate_days", "details_hash", "filters"])
def test_members_of_ruleset_2_are_refused_under_ruleset_1(member: str) -> None:
    value = {"details_hash": "A" * 43, "filters": [{"field": "a", "op": "eq", "value": "b"}]}.get(member, 1)
    assert requested(**{member: value}).terms.later == (member,)
    unacceptable(rules=RULES_1, **{member: value})


def test_terms_end_after_they_begin_and_after_now() -> None:
    assert requested(expires_at=SECONDS + 1).terms.expires_at == SECONDS + 1
    assert requested(starts_at=SECONDS + 9).terms.expires_at == 0
    unacceptable(expires_at=SECONDS)
    unacceptable(expires_at=SECONDS + 9, starts_at=SECONDS + 9)
    assert requested(expires_at=SECONDS + 10, starts_at=SECONDS + 9).status == "AWAITING"


def test_history_ends_when_it_begins_or_later() -> None:
    assert requested(history_from=7, history_to=7).status == "AWAITING"
    assert requested(history_from=7, history_to=0).status == "AWAITING"
    unacceptable(history_from=8, history_to=7)


def test_terms_are_between_an_active_holder_and_the_recipient_that_signs() -> None:
    unacceptable(party=OTHER)
    unacceptable(holder=RECIPIENT)
    unacceptable(holder=OTHER)
    unacceptable(holder="nobody.example")
    unacceptable(rules=registry(operator("participant.suspended", participant=HOLDER, reason="case")))
    assert requested(rules=registry(operator("participant.suspended", participant=OTHER, reason="case")))
    for party in (HOLDER, RECIPIENT):
        unacceptable(rules=registry(operator("participant.removed", participant=party, reason="left")))
    both = registry(
        operator("participant.registered", participant="both.example", name="b", roles=["holder", "recipient"])
    )
    unacceptable(rules=both, party="both.example", holder="both.example", recipient="both.example")


def limited(**limits: int) -> Any:
    none = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)
    return registry(operator("purpose.defined", code="AIS", permissions=["ReadBalances"], **{**none, **limits}))


@pytest.mark.parametrize(
    ("limit", "within", "beyond"),
    [
        ({}, {"expires_at": 0}, {"permissions": ["ReadBalances", "ReadParty"]}),
        ({"max_days": 2}, {"expires_at": SECONDS + 2 * DAY}, {"expires_at": SECONDS + 2 * DAY + 1}),
        ({"max_days": 2}, {"expires_at": SECONDS + 2 * DAY + 5, "starts_at": SECONDS + 5}, {"expires_at": 0}),
        ({"max_days": 1}, {"expires_at": SECONDS + DAY}, {"expires_at": SECONDS + DAY + 1}),
        ({"max_frequency_per_day": 2}, {"frequency_per_day": 2}, {"frequency_per_day": 3}),
        ({"max_frequency_per_day": 2}, {"frequency_per_day": 1}, {"frequency_per_day": 0}),
        ({"max_history_days": 2}, {"history_from": SECONDS - 2 * DAY}, {"history_from": SECONDS - 2 * DAY - 1}),
        ({"max_history_days": 36_500}, {"history_from": 1}, {"history_from": 0}),
        ({"max_retention_days": 2}, {"retention_days": 2}, {"retention_days": 3}),
    ],
)
def test_terms_stay_within_their_purpose(limit: dict[str, int], within: dict[str, Any], beyond: dict[str, Any]) -> None:
    rules = limited(**limit)
    assert requested(rules=rules, **within).status == "AWAITING"
    unacceptable(rules=rules, **beyond)
    other = {"purpose": {"code": "MKT", "text": "Something else"}}
    assert requested(rules=rules, **beyond, **other).status == "AWAITING"
