"""`Retry-After` of a consent that was used up: the first second in which the ledger counts anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.guard.periods import free_after
from ledger.consent.usage import period_number


@given(
    time=st.integers(0, 2**42),
    waited=st.integers(0, 30_000),
    offset=st.integers(-840, 840),
    period=st.sampled_from(["hour", "day", None]),
)
def test_after_the_pause_the_ledger_counts_anew_and_a_second_earlier_it_does_not(
    time: int, waited: int, offset: int, period: str | None
) -> None:
    terms: dict[str, Any] = {"utc_offset": offset} | ({} if period is None else {"frequency_period": period})
    number = period_number(time, offset, period or "day")
    now = time + waited
    pause = free_after(terms, time, now)
    assert pause is not None
    assert period_number(now + pause * 1000, offset, period or "day") > number
    if period_number(now, offset, period or "day") == number and pause > 1:
        assert period_number(now + (pause - 1) * 1000 - 1, offset, period or "day") == number


@pytest.mark.parametrize("period", ["month", "year"])
def test_nobody_is_told_to_wait_for_a_month(period: str) -> None:
    assert free_after({"frequency_period": period}, 0, 0) is None


def test_a_period_unknown_to_this_version_is_not_taken_for_days() -> None:
    with pytest.raises(KeyError):
        free_after({"frequency_period": "week"}, 0, 0)
