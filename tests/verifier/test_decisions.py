"""Access decisions at the edges of each row of the table (docs/spec/decisions.md): one more, one less, one millisecond."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.states import (
    ANN,
    BOB,
    DAY,
    HOLDER,
    NOW,
    OTHER,
    RECIPIENT,
    SECONDS,
    A,
    B,
    C,
    asked,
    consent,
    item,
    operator,
    registry,
)
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.consents import Consent, Given
from verifier.rules.decisions import after_allow, asserted_of, used_on, with_used

DAY_MS = DAY * 1000


def reasons(before: Consent | None, **asking: Any) -> list[Any]:
    outcome = asked(before, **asking)
    assert (outcome["decision"] == "allow") == (not outcome["reasons"])
    assert (outcome["obligations"] == {}) == (outcome["decision"] == "deny")
    found: list[Any] = outcome["reasons"]
    return found


def test_an_access_within_everything_is_allowed_as_the_specification_words_it() -> None:
    given = consent(
        of={"filters": (("amount", "ge", "10.00"),), "retention_days": 2, "history_from": 7, "history_to": 90}
    )
    assert asked(given, time=NOW + 999, since=5, until=80) == {
        "basis": 9,
        "consent_version": 1,
        "decision": "allow",
        "obligations": {
            "directions": [],
            "filters": [{"field": "amount", "op": "ge", "value": "10.00"}],
            "from": 7,
            "keep_until": SECONDS + 2 * DAY,
            "masks": sorted({*CATALOGUES[2].masks} - {"account-number"}),
            "to": 80,
        },
        "reasons": [],
        "ruleset": 2,
        "used_today": 0,
    }


def test_ruleset_1_obliges_to_neither_filters_nor_an_erasure() -> None:
    given = consent(
        of={"filters": (("amount", "ge", "10.00"),), "retention_days": 2, "permissions": ("ReadBalances", "ReadPAN")}
    )
    rules = registry(ruleset=1)
    assert asked(given, rules=rules)["obligations"] == {"directions": [], "from": 0, "masks": [], "to": 0}


@pytest.mark.parametrize(
    ("permissions", "directions"),
    [
        (("ReadTransactionsCredits",), ["credit"]),
        (("ReadTransactionsDebits",), ["debit"]),
        (("ReadTransactionsCredits", "ReadTransactionsDebits"), ["credit", "debit"]),
        (("ReadTransactionsDetail",), []),
    ],
)
def test_only_rows_of_the_directions_granted_may_be_given(permissions: tuple[str, ...], directions: list[str]) -> None:
    outcome = asked(consent(of={"permissions": permissions}), permissions=permissions)
    assert outcome["obligations"]["directions"] == directions


@pytest.mark.parametrize("lifting", CATALOGUES[2].masks["party-identity"])
def test_any_of_its_permissions_lifts_a_mask(lifting: str) -> None:
    outcome = asked(consent(of={"permissions": (lifting,)}), permissions=(lifting,))
    assert "party-identity" not in outcome["obligations"]["masks"]


def test_frequency_is_exceeded_by_the_access_after_the_last_one_granted() -> None:
    limit = {"frequency_per_day": 3}
    for used, expected in ((2, []), (3, ["FREQUENCY_EXCEEDED"]), (4, ["FREQUENCY_EXCEEDED"])):
        before = with_used(consent(of=limit), used, NOW)
        assert reasons(before) == expected
        assert asked(before)["used_today"] == used
    spent = with_used(consent(of=limit), 3, NOW)
    assert reasons(spent, customer_present=True) == []
    assert reasons(spent, time=NOW + DAY_MS) == []
    assert reasons(with_used(consent(of={"frequency_per_day": 1}), 1, NOW)) == ["FREQUENCY_EXCEEDED"]
    assert reasons(with_used(consent(), 10_000, NOW)) == []


def test_allowed_accesses_without_the_customer_are_counted_by_the_day_of_the_terms() -> None:
    once = after_allow(consent(), item(), NOW)
    assert (once.used_today, once.status) == (1, "ACTIVE")
    assert after_allow(once, item(customer_present=True), NOW) == once
    assert after_allow(once, item(), NOW + 1).used_today == 2
    assert after_allow(once, item(), NOW + DAY_MS).used_today == 1
    assert used_on(once, NOW + DAY_MS // 2 - 1) == 1
    assert used_on(once, NOW + DAY_MS // 2) == 0
    east = after_allow(consent(of={"utc_offset": 719}), item(), NOW)
    assert [used_on(east, NOW + minutes * 60_000) for minutes in (0, 1)] == [1, 0]
    west = after_allow(consent(of={"utc_offset": -720}), item(), NOW)
    assert [used_on(west, NOW + minutes * 60_000) for minutes in (-1, 0)] == [0, 1]


def test_every_member_but_the_count_outlives_an_allowed_access() -> None:
    before = consent(
        given=Given(((ANN, (A,)), (BOB, (A, C)))), accounts=(A, C), withdrawn=(B,), authenticated_at=5, confirmed_at=6
    )
    after = after_allow(before, item(), NOW)
    assert with_used(before, 1, NOW) == after
    assert after_allow(consent(of={"once": True}), item(customer_present=True), NOW).status == "CONSUMED"


def test_a_consent_holds_from_its_first_second_on() -> None:
    before = consent(of={"starts_at": SECONDS})
    assert reasons(before, time=NOW - 1) == ["CONSENT_NOT_STARTED"]
    assert reasons(before) == []


def test_a_consent_expires_with_its_last_millisecond_and_open_ended_ones_never() -> None:
    assert reasons(consent(of={"expires_at": SECONDS}), time=NOW - 1) == []
    assert reasons(consent(of={"expires_at": SECONDS})) == ["CONSENT_EXPIRED"]
    assert reasons(consent(), time=9 * NOW) == []
    assert reasons(consent("REVOKED", of={"expires_at": SECONDS})) == ["CONSENT_REVOKED"]


@pytest.mark.parametrize("member", ["reauthenticate_days", "reconfirm_days"])
def test_confirmations_fall_due_after_their_days_to_the_millisecond(member: str) -> None:
    since = {"reauthenticate_days": "authenticated_at", "reconfirm_days": "confirmed_at"}[member]
    reason = {"reauthenticate_days": "REAUTHENTICATION_REQUIRED", "reconfirm_days": "RECONFIRMATION_OVERDUE"}[member]
    before = consent(of={member: 2}, **{since: SECONDS - 2 * DAY})
    assert reasons(before, time=NOW - 1) == []
    assert reasons(before) == [reason]
    assert reasons(before, rules=registry(ruleset=1)) == []
    before.status = "PAUSED"
    assert reasons(before) == ["CONSENT_PAUSED"]
    assert reasons(consent(**{since: 0})) == []


def test_each_separate_consent_of_the_terms_must_stand() -> None:
    for separate, expected in ((("provision",), ["SEPARATE_CONSENT_MISSING"]), (("a", "provision", "sensitive"), [])):
        before = consent(given=Given(((ANN, (A, B)),), (), separate))
        assert reasons(before) == expected
        assert reasons(before, rules=registry(ruleset=1)) == []
    assert reasons(consent(of={"separate_consents": ()}, given=Given(((ANN, (A, B)),)))) == []


LIMITS = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)


def test_a_purpose_covers_what_the_log_defines() -> None:
    rules = registry(operator("purpose.defined", code="AIS", permissions=["ReadBalances"], **LIMITS))
    assert reasons(consent(), rules=rules) == []
    assert reasons(consent(), rules=rules, permissions=("ReadAccountsBasic", "ReadBalances")) == ["PURPOSE_MISMATCH"]
    assert reasons(consent(), rules=rules, purpose="MKT") == ["PURPOSE_MISMATCH"]


def test_each_account_is_shared_or_waits_or_was_withdrawn_or_is_not_there() -> None:
    before = consent(given=Given(((ANN, (A, B)),), (B,), ("provision", "sensitive")), accounts=(A,), withdrawn=(C,))
    for accounts, expected in (
        ((), []),
        ((A,), []),
        ((A, B), ["ACCOUNT_APPROVAL_PENDING"]),
        ((C,), ["ACCOUNT_APPROVAL_WITHDRAWN"]),
        ((A, "d" * 22), ["ACCOUNT_NOT_IN_CONSENT"]),
        ((A, B, C), ["ACCOUNT_APPROVAL_PENDING", "ACCOUNT_APPROVAL_WITHDRAWN"]),
        ((B, C, "d" * 22), ["ACCOUNT_NOT_IN_CONSENT", "ACCOUNT_APPROVAL_PENDING", "ACCOUNT_APPROVAL_WITHDRAWN"]),
    ):
        assert reasons(before, accounts=accounts) == expected, accounts


@pytest.mark.parametrize(
    ("grade", "permission", "expected"),
    [
        (3, "ReadAccountsBasic", []),
        (3, "ReadParty", ["PERMISSION_MISSING"]),
        (2, "ReadOffers", ["PERMISSION_MISSING"]),
        (2, "ReadBalances", ["GRADE_EXCEEDED"]),
        (4, "ReadBiometricData", ["PERMISSION_MISSING", "GRADE_EXCEEDED"]),
        (5, "ReadBiometricData", ["PERMISSION_MISSING", "GRADE_EXCEEDED"]),
        (5, "ReadNothingKnown", ["PERMISSION_MISSING", "GRADE_EXCEEDED"]),
    ],
)
def test_grant_and_grade_are_judged_apart(grade: int, permission: str, expected: list[str]) -> None:
    assert reasons(consent(of={"grade": grade}), permissions=(permission,)) == expected


@pytest.mark.parametrize(
    ("asks", "history", "meet"),
    [
        ((0, 0), (0, 0), True),
        ((5, 5), (0, 0), True),
        ((6, 5), (0, 0), False),
        ((0, 5), (5, 0), True),
        ((0, 4), (5, 0), False),
        ((5, 0), (0, 5), True),
        ((6, 0), (0, 5), False),
        ((1, 9), (9, 20), True),
        ((1, 8), (9, 20), False),
        ((20, 30), (9, 20), True),
        ((21, 30), (9, 20), False),
        ((9, 0), (3, 0), True),
        ((3, 0), (9, 0), True),
    ],
)
def test_windows_are_closed_and_zero_is_open(asks: tuple[int, int], history: tuple[int, int], meet: bool) -> None:
    before = consent(of={"history_from": history[0], "history_to": history[1]})
    assert reasons(before, since=asks[0], until=asks[1]) == ([] if meet else ["WINDOW_EXCEEDED"])
    if meet:
        obligations = asked(before, since=asks[0], until=asks[1])["obligations"]
        ends = [end for end in (asks[1], history[1]) if end]
        assert (obligations["from"], obligations["to"]) == (max(asks[0], history[0]), min(ends, default=0))


def suspended(who: str) -> Any:
    return registry(operator("participant.suspended", participant=who, reason="case"))


@pytest.mark.parametrize("who", [RECIPIENT, HOLDER, "helper.example"])
def test_a_suspended_party_denies_an_access_with_one_reason(who: str) -> None:
    told = ["PARTICIPANT_SUSPENDED"]
    for asking in (
        {"iss": "helper.example", "party": RECIPIENT},
        {"iss": "helper.example", "party": HOLDER, "relayed": True},
    ):
        assert reasons(consent(), rules=suspended(who), **asking) == told
        assert reasons(consent(), **asking) == []
    assert reasons(None, rules=suspended(who), iss=who) == [*told, "CONSENT_UNKNOWN"]
    assert reasons(consent(), rules=suspended(OTHER)) == []
    both = [operator("participant.suspended", participant=who, reason="case") for who in (HOLDER, RECIPIENT)]
    assert reasons(consent(), rules=registry(*both)) == told


def test_only_the_party_of_a_consent_may_ask() -> None:
    assert reasons(consent(), iss=OTHER) == ["CONSENT_NOT_YOURS"]
    assert reasons(consent(), iss=HOLDER) == ["CONSENT_NOT_YOURS"]
    assert reasons(consent(), iss=RECIPIENT, relayed=True) == ["CONSENT_NOT_YOURS"]
    assert reasons(consent(), iss=HOLDER, relayed=True) == []
    assert reasons(consent(), iss=OTHER, rules=suspended(HOLDER)) == ["CONSENT_NOT_YOURS"]
    for before, reason in ((None, "CONSENT_UNKNOWN"), (with_used(consent(), 3, NOW), "CONSENT_NOT_YOURS")):
        assert asked(before, iss=OTHER, asserted=["RATE_LIMITED"]) == {
            "basis": -1,
            "consent_version": 0,
            "decision": "deny",
            "obligations": {},
            "reasons": [reason],
            "ruleset": 2,
            "used_today": 0,
        }


def test_the_word_of_holder_and_ledger_denies_and_is_told_in_its_order() -> None:
    outcome = asked(consent(), asserted=["RATE_LIMITED"])
    assert (outcome["decision"], outcome["reasons"], outcome["asserted"]) == ("deny", [], ["RATE_LIMITED"])
    assert "asserted" not in asked(consent())
    both = ["RISK_BLOCKED", "TOKEN_EXPIRED"]
    assert asserted_of(2, both, ["CERT_MISSING"]) == ["CERT_MISSING", "TOKEN_EXPIRED", "RISK_BLOCKED"]
    assert asserted_of(2, None, both) == asserted_of(2, both, None) == ["TOKEN_EXPIRED", "RISK_BLOCKED"]
    assert asserted_of(2, ["BAD_MOOD"], None) == asserted_of(2, None, None) == asserted_of(1, both, both) == []


def test_a_consent_of_one_who_was_removed_is_terminated_unless_it_had_ended() -> None:
    for gone in (HOLDER, RECIPIENT):
        rules = registry(operator("participant.removed", participant=gone, reason="left"))
        relayed = {"iss": HOLDER, "relayed": True}
        assert reasons(consent(), rules=rules, **relayed) == ["CONSENT_TERMINATED"]
        assert reasons(consent(of={"expires_at": 1}), rules=rules, **relayed) == ["CONSENT_TERMINATED"]
        assert reasons(consent("REVOKED"), rules=rules, **relayed) == ["CONSENT_REVOKED"]
    assert reasons(consent(), rules=registry(operator("participant.removed", participant=OTHER, reason="left"))) == []
