"""The unit of an access under ruleset 3: what a frequency counts, and what a one-off consent gives once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consent.usage import counted, most_used, period_number, units
from ledger.documents import activation
from ledger.entries.evidence import AccessOutcome
from ledger.errors import IllegalTransition
from tests.ledger.supervised import Place, supervised
from tests.world import Document, reference

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TWO = [reference("account-1"), reference("account-2")]
THREE = ["ReadAccountsDetail", "ReadBalances", "ReadTransactionsDetail"]


def grant(place: Place, **terms: object) -> str:
    """A consent for two accounts and three resources."""
    consent = place.node.request(**{"permissions": THREE, **terms})
    place.node.authorise(consent, accounts=sorted(TWO))
    return consent


def refresh(place: Place, consent: str, **changes: object) -> list[tuple[str, ...]]:
    """Every resource of every account, each read by itself: why each is denied."""
    return [
        place.reasons(consent, accounts=[account], permissions=[permission], **changes)
        for account in TWO
        for permission in THREE
    ]


def used(place: Place, consent: str, **changes: object) -> tuple[str, int]:
    outcome = place.node.access(consent, **changes).outcome
    assert isinstance(outcome, AccessOutcome)
    return outcome.decision, outcome.used_today


def test_four_a_day_lets_a_recipient_refresh_everything_four_times(place: Place) -> None:
    consent = grant(place, frequency_per_day=4)
    assert [set(refresh(place, consent)) for _ in range(4)] == [{()}] * 4
    place.restart()
    assert set(refresh(place, consent)) == {("FREQUENCY_EXCEEDED",)}
    assert set(refresh(place, consent, customer_present=True)) == {()}
    place.node.clock.advance(seconds=86_400)
    assert set(refresh(place, consent)) == {()}
    place.verify()


def test_an_access_to_several_units_is_refused_as_a_whole_by_the_one_that_is_used_up(sqlite_place: Place) -> None:
    consent = grant(sqlite_place, frequency_per_day=2)
    one = {"accounts": [TWO[0]], "permissions": ["ReadBalances"]}
    assert [used(sqlite_place, consent, **one) for _ in range(3)] == [("allow", 0), ("allow", 1), ("deny", 2)]
    assert used(sqlite_place, consent, permissions=["ReadBalances"]) == ("deny", 2)  # all shared accounts
    assert used(sqlite_place, consent, accounts=[TWO[1]], permissions=["ReadBalances"]) == ("allow", 0)
    assert used(sqlite_place, consent, permissions=["ReadTransactionsDetail"]) == ("allow", 0)


@pytest.mark.parametrize(
    ("period", "inside", "after"),
    [("hour", 3_599, 3_600), ("day", 57_599, 57_600), ("month", 1_439_999, 1_440_000)],
)
def test_a_frequency_counts_in_the_period_that_the_terms_name(
    sqlite_place: Place, period: str, inside: int, after: int
) -> None:
    """The clock begins at 2027-01-15 08:00 UTC."""
    consent = grant(sqlite_place, frequency_per_day=1, frequency_period=period)
    assert sqlite_place.reasons(consent) == ()
    sqlite_place.node.clock.advance(seconds=inside)
    assert sqlite_place.reasons(consent) == ("FREQUENCY_EXCEEDED",)
    sqlite_place.node.clock.advance(seconds=after - inside)
    assert sqlite_place.reasons(consent) == ()


def test_a_one_off_consent_gives_every_unit_once_within_its_window(place: Place) -> None:
    consent = grant(place, once=True, once_seconds=60)
    assert refresh(place, consent) == [()] * 6
    assert place.node.ledger.records.consent("bank-a", consent).status == "ACTIVE"
    assert refresh(place, consent, customer_present=True) == [("CONSENT_CONSUMED",)] * 6
    place.restart()
    assert set(refresh(place, consent)) == {("CONSENT_CONSUMED",)}
    place.node.clock.advance(seconds=59)
    place.node.step("consent.pause", consent)
    assert place.reasons(consent) == ("CONSENT_PAUSED",)
    place.node.clock.advance(seconds=1)
    assert place.reasons(consent) == ("CONSENT_CONSUMED",)
    with pytest.raises(IllegalTransition):
        place.node.revoke(consent)
    place.verify()


def test_the_window_is_an_hour_where_the_terms_do_not_say(sqlite_place: Place) -> None:
    consent = grant(sqlite_place, once=True)
    one, other = ({"accounts": [account], "permissions": ["ReadBalances"]} for account in TWO)
    assert sqlite_place.reasons(consent, **one) == ()
    sqlite_place.node.clock.advance(seconds=3_599)
    assert sqlite_place.reasons(consent, **other) == ()
    sqlite_place.node.clock.advance(seconds=1)
    assert sqlite_place.reasons(consent, permissions=["ReadAccountsDetail"]) == ("CONSENT_CONSUMED",)


def test_a_new_version_keeps_the_counts_and_begins_a_new_window(sqlite_place: Place) -> None:
    node, terms = sqlite_place.node, {"once": True, "frequency_per_day": 1}
    consent = grant(sqlite_place, **terms)
    assert sqlite_place.reasons(consent) == ()
    node.terms_of[consent] = {**node.terms_of[consent], "retention_days": 30}
    node.fintech.record("consent.amend", consent_id=consent, previous_version=1, terms=node.terms_of[consent])
    node.authorise(consent, version=2, accounts=sorted(TWO))
    assert sqlite_place.reasons(consent) == ("FREQUENCY_EXCEEDED",)
    assert sqlite_place.reasons(consent, customer_present=True) == ()
    assert sqlite_place.reasons(consent, customer_present=True) == ("CONSENT_CONSUMED",)
    sqlite_place.verify()


def test_counts_begin_anew_with_ruleset_3_and_what_was_consumed_stays_so(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path, ruleset=2) as place:
        counted_by_day, once = grant(place, frequency_per_day=1), grant(place, once=True)
        assert [place.reasons(counted_by_day), place.reasons(counted_by_day)] == [(), ("FREQUENCY_EXCEEDED",)]
        assert place.reasons(once) == ()
        place.node.ledger.record_documents(activation(3))
        assert [place.reasons(counted_by_day), place.reasons(counted_by_day)] == [(), ("FREQUENCY_EXCEEDED",)]
        assert place.reasons(once, permissions=["ReadBalances"]) == ("CONSENT_CONSUMED",)
        place.verify()


# -- pure -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accounts", "permissions", "expected"),
    [
        ((), ("ReadBalances",), ["/balances"]),
        (("a",), ("ReadAccountsBasic", "ReadAccountsDetail"), ["a/accounts"]),
        (("a", "b"), ("ReadBalances", "ReadPAN"), ["a/balances", "b/balances"]),
        (("a",), ("ReadPAN",), ["a/"]),
        (("a",), ("ReadPAN", "ReadUnheardOf"), ["a/ReadUnheardOf"]),
    ],
)
def test_units_are_pairs_of_account_and_resource(
    accounts: tuple[str, ...], permissions: tuple[str, ...], expected: list[str]
) -> None:
    assert list(units(3, accounts, permissions)) == expected


@given(st.integers(-719_160, 2_932_894), st.integers(0, 86_399_999), st.integers(-840, 840))
def test_periods_are_those_of_the_calendar(day: int, ms: int, offset: int) -> None:
    time = day * 86_400_000 + ms
    there = EPOCH + dt.timedelta(milliseconds=time, minutes=offset)
    days = (there - EPOCH).days
    numbers = [period_number(time, offset, period) for period in ("hour", "day", "month", "year")]
    assert numbers == [24 * days + there.hour, days, 12 * there.year + there.month - 1, there.year]


def test_no_time_of_a_leaf_is_too_far_away_for_a_calendar() -> None:
    assert period_number(2**53 - 1, 840, "year") == 287_396


def test_counts_of_another_period_are_nothing() -> None:
    before = counted(counted({}, ["a/x", "a/y"], 7), ["a/x"], 7)
    assert (before, most_used(before, ["a/x", "a/z"], 7), most_used(before, ["a/x"], 8)) == (
        {"a/x": (7, 2), "a/y": (7, 1)},
        2,
        0,
    )
    assert counted(before, ["a/x"], 8) == {"a/x": (8, 1), "a/y": (7, 1)}


def test_a_row_of_before_ruleset_3_has_no_counts(sqlite_place: Place) -> None:
    consent = grant(sqlite_place)
    read: Document = msgspec.structs.asdict(sqlite_place.node.ledger.records.consent("bank-a", consent))
    assert (read["used"], read["once_until"], read["taken"]) == ({}, 0, ())
