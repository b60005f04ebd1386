"""What ruleset 3 adds to decisions, at the edges of each row (docs/spec/ruleset-3.md): one second, one index, one unit."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from tests.conformance import ROOT
from tests.verifier.declared import DECLARED
from tests.verifier.states import HOLDER, NOW, OTHER, RECIPIENT, SECONDS, A, B, asked, consent, item, operator, registry
from verifier.records.reasons import GIVEN, ORDER_3
from verifier.rules.calendar import civil_month, first_day
from verifier.rules.catalogue import CATALOGUES
from verifier.rules.consents import Consent, effective_status
from verifier.rules.decisions import Asker as Who
from verifier.rules.decisions import after_access, asserted_of, decide
from verifier.rules.participants import Registry
from verifier.rules.units import period_number, units_of

AUTHORITY = "authority.example"
CHAIN = "c" * 42 + "A"


def rules(*said: tuple[str, str, dict[str, Any]]) -> Registry:
    """What was declared: by whom, which act, the members that differ from the plain ones."""
    made = registry(
        operator("participant.registered", participant=AUTHORITY, name="Authority", roles=["regulator"]), ruleset=3
    )
    for index, (party, act, changes) in enumerate(said, 20):
        made.declare(act, party, {"act": act, **DECLARED[act], **changes}, index, NOW)
    return made


def reasons(known: Registry, before: Consent | None = None, **asking: Any) -> list[Any]:
    found: list[Any] = asked(before or consent(), rules=known, **asking)["reasons"]
    return found


def test_the_catalogue_is_that_of_the_specification() -> None:
    page = json.loads((ROOT / "docs/spec/catalogue-3.json").read_text())
    mine = CATALOGUES[3]
    assert {code: row["grade"] for code, row in page["permissions"].items()} == mine.grades
    assert {code: row.get("resource", "") for code, row in page["permissions"].items()} == mine.resources
    assert {
        code: row["implied_by"] for code, row in page["permissions"].items() if "implied_by" in row
    } == mine.implied_by


def test_the_reasons_stand_in_the_order_of_the_table() -> None:
    added = ["FROZEN", "ASSESSMENT_OVERDUE", "REGION_NOT_CONSENTED", "RISK_BLOCKED"]
    assert [code for code in ORDER_3 if code in added] == added
    assert [code for code in ORDER_3 if code not in added] == [*GIVEN]
    for code, before in zip(
        added,
        ("PARTICIPANT_SUSPENDED", "SEPARATE_CONSENT_MISSING", "PURPOSE_MISMATCH", "FREQUENCY_EXCEEDED"),
        strict=True,
    ):
        assert ORDER_3[ORDER_3.index(code) - 1] == before
    known = rules(
        (AUTHORITY, "freeze.order", {}),
        (AUTHORITY, "assessment.require", {}),
        (HOLDER, "risk.block", {"level": 0}),
    )
    known.fold(operator("alert.raised", **alert()), 30, NOW)
    spent = consent(of={"frequency_per_day": 1})
    spent = after_access(3, spent, item(), NOW)
    assert reasons(known, spent, region="DE", purpose="MKT", accounts=("z" * 22,)) == [
        "FROZEN",
        "ASSESSMENT_OVERDUE",
        "PURPOSE_MISMATCH",
        "REGION_NOT_CONSENTED",
        "ACCOUNT_NOT_IN_CONSENT",
        "RISK_BLOCKED",
    ]
    assert reasons(known, spent)[-2:] == ["FREQUENCY_EXCEEDED", "RISK_BLOCKED"]


# --- freezes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "until", "time", "frozen"),
    [
        (0, SECONDS + 1, NOW, True),
        (SECONDS, SECONDS + 1, NOW, True),
        (SECONDS + 1, SECONDS + 2, NOW, False),
        (SECONDS + 1, SECONDS + 2, NOW + 999, False),
        (SECONDS + 1, SECONDS + 2, NOW + 1000, True),
        (0, SECONDS + 1, NOW + 999, True),
        (0, SECONDS + 1, NOW + 1000, False),
    ],
)
def test_a_freeze_denies_from_its_first_millisecond_until_before_its_last(
    start: int, until: int, time: int, frozen: bool
) -> None:
    known = rules((AUTHORITY, "freeze.order", {"from": start, "until": until}))
    assert reasons(known, time=time) == ["FROZEN"] * frozen


@pytest.mark.parametrize(
    ("scope", "frozen"),
    [
        ({}, True),
        ({"holder": HOLDER}, True),
        ({"holder": OTHER}, False),
        ({"recipient": RECIPIENT}, True),
        ({"recipient": OTHER}, False),
        ({"holder": HOLDER, "recipient": RECIPIENT, "purpose": "AIS", "permission": "ReadBalances"}, True),
        ({"purpose": "MKT"}, False),
        ({"permission": "ReadParty"}, False),
        ({"country": "DE"}, False),
        ({"holder": HOLDER, "country": "DE"}, False),
    ],
)
def test_all_members_of_a_scope_must_match(scope: dict[str, str], frozen: bool) -> None:
    assert reasons(rules((AUTHORITY, "freeze.order", {"scope": scope}))) == ["FROZEN"] * frozen


def test_a_country_matches_the_region_of_the_item() -> None:
    known = rules((AUTHORITY, "freeze.order", {"scope": {"country": "DE"}}))
    assert reasons(known, region="DE") == ["FROZEN", "REGION_NOT_CONSENTED"]
    assert reasons(known, region="FR") == ["REGION_NOT_CONSENTED"]


def test_neither_a_drill_nor_a_lifted_freeze_denies_while_another_freeze_lasts() -> None:
    assert reasons(rules((AUTHORITY, "freeze.order", {"drill": True}))) == []
    first, second = (AUTHORITY, "freeze.order", {}), (HOLDER, "freeze.order", {"scope": {"holder": HOLDER}})
    lift = ("freeze.lift", {})
    assert reasons(rules(first, second, (AUTHORITY, *lift))) == ["FROZEN"]  # the holder's has the same id
    assert reasons(rules(first, second, (AUTHORITY, *lift), (HOLDER, *lift))) == []


def test_a_freeze_of_the_operator_denies_as_one_of_a_participant_does() -> None:
    known = rules()
    ordered = operator("freeze.ordered", **DECLARED["freeze.order"], approved_by=["a", "b"])
    known.fold(ordered, 30, NOW)
    assert reasons(known) == ["FROZEN"]
    known.fold(operator("freeze.lifted", freeze_id="f1", reason="over", approved_by=["a", "b"]), 31, NOW)
    assert reasons(known) == []


def test_nothing_is_examined_of_a_consent_that_is_unknown_or_not_the_signers() -> None:
    known = rules((AUTHORITY, "freeze.order", {}))
    assert asked(None, rules=known)["reasons"] == ["CONSENT_UNKNOWN"]
    assert asked(consent(), rules=known, iss=OTHER, region="DE")["reasons"] == ["CONSENT_NOT_YOURS"]


def test_a_freeze_that_is_over_is_forgotten_and_can_be_lifted_all_the_same() -> None:
    known = rules(*((AUTHORITY, "freeze.order", {"freeze_id": f"f{n}", "until": SECONDS + 1}) for n in range(50)))
    assert reasons(known, time=NOW + 1000) == []
    assert not known.supervision.freezes
    known.declare("freeze.lift", AUTHORITY, {"freeze_id": "f7", "reason": "over"}, 90, NOW + 2000)


# --- assessments ----------------------------------------------------------------------------------------------

REQUIRED = (AUTHORITY, "assessment.require", {"scope": {"recipient": RECIPIENT}})


@pytest.mark.parametrize(
    ("changes", "time", "overdue"),
    [
        ({"next_due": SECONDS + 1}, NOW, False),
        ({"next_due": SECONDS + 1}, NOW + 999, False),
        ({"next_due": SECONDS + 1}, NOW + 1000, True),
        ({"outcome": "acceptable-with-measures"}, NOW, False),
        ({"outcome": "unacceptable"}, NOW, True),
        ({"scope": {"recipient": RECIPIENT, "purpose": "AIS"}}, NOW, False),
        ({"scope": {"recipient": OTHER}}, NOW, True),
        ({"scope": {"country": "DE"}}, NOW, True),
    ],
)
def test_an_assessment_holds_until_it_is_due_again(changes: dict[str, Any], time: int, overdue: bool) -> None:
    known = rules(REQUIRED, (HOLDER, "assessment.record", changes))
    assert reasons(known, time=time) == ["ASSESSMENT_OVERDUE"] * overdue


def test_an_assessment_is_the_holders_own_and_the_last_of_its_id() -> None:
    bad = {"outcome": "unacceptable"}
    assert reasons(rules(REQUIRED)) == ["ASSESSMENT_OVERDUE"]
    assert reasons(rules(REQUIRED, (OTHER, "assessment.record", {}))) == ["ASSESSMENT_OVERDUE"]
    assert reasons(rules(REQUIRED, (HOLDER, "assessment.record", {}), (HOLDER, "assessment.record", bad))) != []
    other = (HOLDER, "assessment.record", bad | {"assessment_id": "a2"})
    assert reasons(rules(REQUIRED, (HOLDER, "assessment.record", {}), other)) == []
    assert reasons(rules(REQUIRED, (AUTHORITY, "assessment.waive", {}))) == []
    elsewhere = (AUTHORITY, "assessment.require", {"scope": {"recipient": OTHER}})
    assert reasons(rules(elsewhere)) == []


def test_only_an_active_consent_lacks_an_assessment() -> None:
    assert reasons(rules(REQUIRED), consent("PAUSED")) == ["CONSENT_PAUSED"]


# --- borders --------------------------------------------------------------------------------------------------


def test_a_region_is_one_of_the_destinations() -> None:
    abroad = consent(of={"destinations": ("DE", "FR")})
    assert reasons(rules(), abroad, region="FR") == []
    assert reasons(rules(), abroad) == []
    assert reasons(rules(), abroad, region="IT") == ["REGION_NOT_CONSENTED"]
    assert reasons(rules(), region="FR") == ["REGION_NOT_CONSENTED"]


def test_a_reason_that_the_rules_decide_is_asserted_no_longer() -> None:
    claimed = ["REGION_NOT_CONSENTED", "RATE_LIMITED", "RISK_BLOCKED"]
    assert asserted_of(2, list(claimed), None) == claimed
    assert asserted_of(3, list(claimed), None) == ["RATE_LIMITED"]


# --- blocks ---------------------------------------------------------------------------------------------------


def alert(**changes: Any) -> dict[str, Any]:
    about = {"id": RECIPIENT, "kind": "recipient"}
    return {"about": about, "at_index": 3, "features": [60, 2], "rule": "rate", "score": 500, **changes}


@pytest.mark.parametrize(
    ("block", "raised", "time", "blocked"),
    [
        ({}, {}, NOW, True),
        ({"level": 501}, {}, NOW, False),
        ({"level": 500}, {"score": 499}, NOW, False),
        ({"rule": "night"}, {}, NOW, False),
        ({"about": "consent"}, {}, NOW, False),
        ({}, {"about": {"id": OTHER, "kind": "recipient"}}, NOW, False),
        ({"about": "consent"}, {"about": {"id": CHAIN, "kind": "consent"}}, NOW, True),
        ({"about": "consent"}, {"about": {"id": "d" * 42 + "A", "kind": "consent"}}, NOW, False),
        ({}, {"about": {"id": CHAIN, "kind": "consent"}}, NOW, False),
        ({"seconds": 60}, {}, NOW + 59_999, True),
        ({"seconds": 60}, {}, NOW + 60_000, False),
    ],
)
def test_an_alert_blocks_from_its_level_on_for_so_many_seconds(
    block: dict[str, Any], raised: dict[str, Any], time: int, blocked: bool
) -> None:
    known = rules((HOLDER, "risk.block", block))
    known.fold(operator("alert.raised", **alert(**raised)), 30, NOW)
    outcome = decide(known, consent(), Who(RECIPIENT, RECIPIENT, False), item(), time, [], CHAIN)
    assert outcome["reasons"] == ["RISK_BLOCKED"] * blocked


def test_a_block_may_come_after_the_alert_and_is_the_holders_own() -> None:
    known = rules()
    known.fold(operator("alert.raised", **alert()), 30, NOW)
    known.declare("risk.block", OTHER, DECLARED["risk.block"], 31, NOW)
    assert reasons(known) == []
    known.declare("risk.block", HOLDER, DECLARED["risk.block"], 32, NOW)
    assert reasons(known) == ["RISK_BLOCKED"]
    known.declare("risk.block", HOLDER, DECLARED["risk.block"] | {"level": 900}, 33, NOW)
    assert reasons(known) == []
    known.declare("risk.block", HOLDER, DECLARED["risk.block"], 34, NOW)
    known.declare("risk.unblock", HOLDER, {"reason": "over", "rule": "rate"}, 35, NOW)
    assert reasons(known) == []


def test_an_alert_that_the_holder_cleared_blocks_no_more_until_it_says_otherwise() -> None:
    known = rules((HOLDER, "risk.block", {}))
    known.fold(operator("alert.raised", **alert()), 30, NOW)
    said = DECLARED["alert.decide"] | {"alert": 30}
    known.declare("alert.decide", RECIPIENT, said, 31, NOW)
    assert reasons(known) == ["RISK_BLOCKED"]
    known.declare("alert.decide", HOLDER, said, 32, NOW)
    assert reasons(known) == []
    known.declare("alert.decide", HOLDER, said | {"decision": "confirmed"}, 33, NOW)
    assert reasons(known) == ["RISK_BLOCKED"]


# --- units ----------------------------------------------------------------------------------------------------


def used(before: Consent, count: int = 1, time: int = NOW, **asking: Any) -> Consent:
    for _ in range(count):
        before = after_access(3, before, item(**asking), time)
    return before


def test_accounts_and_resources_are_counted_each_for_itself() -> None:
    assert units_of((A,), ("ReadAccountsBasic", "ReadAccountsDetail", "ReadBalances")) == (
        f"{A} accounts",
        f"{A} balances",
    )
    assert units_of((A, B), ("ReadPAN",)) == (f"{A} ", f"{B} ")
    assert units_of((), ("ReadPAN", "ReadParty", "ReadPartyPSU")) == (" party",)
    assert units_of((A,), ("ReadNothingKnown",)) == (f"{A} ReadNothingKnown",)
    limited = consent(of={"frequency_per_day": 2})
    spent = used(limited, 2, accounts=(A,))
    assert reasons(rules(), spent, accounts=(A,)) == ["FREQUENCY_EXCEEDED"]
    assert reasons(rules(), spent, accounts=(B,)) == []
    assert reasons(rules(), spent) == ["FREQUENCY_EXCEEDED"]  # all shared ones
    assert reasons(rules(), spent, accounts=(A,), permissions=("ReadAccountsDetail",)) == []
    assert reasons(rules(), spent, accounts=(A,), customer_present=True) == []
    assert asked(spent, rules=rules())["used_today"] == 2
    assert asked(used(spent, accounts=(B,)), rules=rules(), accounts=(B,))["used_today"] == 1
    assert used(limited, customer_present=True) == limited


PERIOD_EDGES = [
    ("hour", 0, "2026-09-22T12:59:59.999", "2026-09-22T13:00:00"),
    ("hour", 30, "2026-09-22T12:29:59.999", "2026-09-22T12:30:00"),
    ("day", 0, "2026-09-22T23:59:59.999", "2026-09-23T00:00:00"),
    ("day", 480, "2026-09-22T15:59:59.999", "2026-09-22T16:00:00"),
    ("day", -840, "2026-09-22T13:59:59.999", "2026-09-22T14:00:00"),
    ("month", 0, "2026-09-30T23:59:59.999", "2026-10-01T00:00:00"),
    ("month", 480, "2026-09-30T15:59:59.999", "2026-09-30T16:00:00"),
    ("month", 0, "2028-02-29T23:59:59.999", "2028-03-01T00:00:00"),
    ("year", 0, "2026-12-31T23:59:59.999", "2027-01-01T00:00:00"),
    ("year", -60, "2027-01-01T00:59:59.999", "2027-01-01T01:00:00"),
]


def moment(text: str) -> int:
    return round(dt.datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(("period", "offset", "last", "first"), PERIOD_EDGES)
def test_a_count_begins_anew_with_the_period_where_the_customer_is(
    period: str, offset: int, last: str, first: str
) -> None:
    spent = used(
        consent(of={"frequency_per_day": 1, "frequency_period": period, "utc_offset": offset}), time=moment(last)
    )
    assert reasons(rules(), spent, time=moment(last)) == ["FREQUENCY_EXCEEDED"]
    assert reasons(rules(), spent, time=moment(first)) == []
    assert asked(spent, rules=rules(), time=moment(first))["used_today"] == 0
    assert asked(used(spent, time=moment(first)), rules=rules(), time=moment(first))["used_today"] == 1


def test_months_are_those_of_the_calendar_for_ever() -> None:
    ends = [
        (dt.date(year, 3, 1) - dt.date(1970, 1, 1)).days + n for year in range(1600, 2420) for n in (-61, -60, -1, 0)
    ]
    for day in [*range(-800, 40_000, 7), *ends, 2_932_896]:
        date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
        assert civil_month(day) == (date.year, date.month)
        assert first_day(12 * date.year + date.month - 1) == (date.replace(day=1) - dt.date(1970, 1, 1)).days
    assert civil_month(2_932_897) == (10_000, 1)
    assert period_number(consent(of={"frequency_period": "month"}).terms, NOW) == 12 * 2026 + 8


def test_a_new_version_keeps_the_counts_whatever_it_counts_per() -> None:
    """Counts are compared by their number alone, so those of another period are gone (and come back with it)."""
    spent = used(consent(of={"frequency_per_day": 1}))
    hourly = consent(of={"frequency_per_day": 1, "frequency_period": "hour"}, used=spent.used)
    assert reasons(rules(), hourly) == []
    assert reasons(rules(), consent(of={"frequency_per_day": 1}, used=spent.used)) == ["FREQUENCY_EXCEEDED"]


def test_the_counts_of_ruleset_2_are_read_no_more() -> None:
    before = consent(of={"frequency_per_day": 1}, used_day=NOW // 86_400_000, used_today=1)
    assert reasons(rules(), before) == []
    assert after_access(3, before, item(), NOW).used_today == 1


# --- once -----------------------------------------------------------------------------------------------------


def test_a_one_off_consent_gives_each_unit_once_within_its_window() -> None:
    once = used(consent(of={"once": True, "once_seconds": 60}), accounts=(A,), customer_present=True)
    assert (once.status, once.once_until) == ("ACTIVE", SECONDS + 60)
    for present in (True, False):
        assert reasons(rules(), once, accounts=(A,), customer_present=present) == ["CONSENT_CONSUMED"]
    assert reasons(rules(), once) == ["CONSENT_CONSUMED"]
    assert reasons(rules(), once, accounts=(B,)) == []
    assert reasons(rules(), once, accounts=(A,), permissions=("ReadAccountsDetail",)) == []
    both = used(once, accounts=(B,), time=NOW + 59_999)
    assert both.once_until == SECONDS + 60  # the first began the window
    assert reasons(rules(), both, accounts=(B,)) == ["CONSENT_CONSUMED"]
    assert effective_status(rules(), both, NOW + 59_999) == "ACTIVE"
    assert effective_status(rules(), both, NOW + 60_000) == "CONSUMED"
    assert reasons(rules(), both, time=NOW + 60_000, permissions=("ReadAccountsDetail",)) == ["CONSENT_CONSUMED"]


@pytest.mark.parametrize(
    ("status", "expires", "found"),
    [
        ("PAUSED", 0, "CONSUMED"),
        ("SUSPENDED", 0, "CONSUMED"),
        ("ACTIVE", SECONDS, "EXPIRED"),
        ("REVOKED", 0, "REVOKED"),
    ],
)
def test_another_end_of_a_one_off_consent_comes_first(status: str, expires: int, found: str) -> None:
    before = consent(status, of={"once": True, "expires_at": expires}, once_until=SECONDS, taken=(f"{A} balances",))
    assert effective_status(rules(), before, NOW) == found
    if status == "PAUSED":
        assert reasons(rules(), before, time=NOW - 1) == ["CONSENT_PAUSED"]  # place 4 holds one reason


def test_a_consumed_consent_of_ruleset_2_stays_so() -> None:
    assert reasons(rules(), consent("CONSUMED", of={"once": True})) == ["CONSENT_CONSUMED"]
