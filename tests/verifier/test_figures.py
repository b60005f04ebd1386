"""What a month under a tariff costs, and what a score comes to, at the edges of their arithmetic
(docs/spec/partners.md, 3, 4 and 6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.billed import month_of as naive_month_of
from verifier.rules.scores import ANSWERED, DUE, IN_TIME, Weights, behind, score
from verifier.rules.tariffs import Line, lines_of, month_of, name_of, resources_of


def line(*tiers: tuple[int, int], free: int = 0, **matched: Any) -> Line:
    made = {"free": free, "tiers": [{"from": first, "price": price} for first, price in tiers], **matched}
    [read] = lines_of({"lines": [made]})
    return read


@pytest.mark.parametrize(
    ("made", "count", "amount"),
    [
        (line((0, 1_000)), 0, 0),
        (line((0, 1_000)), 1, 1),
        (line((0, 499)), 1, 0),
        (line((0, 500)), 1, 1),  # half of a unit is one
        (line((0, 1_499)), 1, 1),
        (line((0, 1_000), free=3), 2, 0),
        (line((0, 1_000), free=3), 3, 0),
        (line((0, 1_000), free=3), 4, 1),
        (line((0, 5_000), (2, 1_000)), 1, 5),
        (line((0, 5_000), (2, 1_000)), 2, 10),
        (line((0, 5_000), (2, 1_000)), 3, 11),
        (line((0, 5_000), (2, 1_000), (4, 0)), 9, 12),
        (line((0, 5_000), (2, 1_000), (4, 0), free=1), 4, 11),
        (line((0, 400), (1, 400), (2, 400)), 3, 1),  # rounded once
    ],
)
def test_a_line_costs_what_its_tiers_say_beyond_what_is_free(made: Line, count: int, amount: int) -> None:
    assert made.amount(count) == amount


@pytest.mark.parametrize(
    ("matched", "rows", "fits"),
    [
        ({}, 0, True),
        ({"rows_from": 2}, 1, False),
        ({"rows_from": 2}, 2, True),
        ({"rows_to": 5}, 5, True),
        ({"rows_to": 5}, 6, False),
        ({"rows_to": 0}, 0, True),
        ({"rows_to": 0}, 1, False),
        ({"attended": True}, 3, True),
        ({"attended": False}, 3, False),
        ({"purpose": "AIS"}, 3, True),
        ({"purpose": "MKT"}, 3, False),
        ({"resource": "balances"}, 3, True),
        ({"resource": "transactions"}, 3, False),
        ({"resource": "no-such-resource"}, 3, False),
    ],
)
def test_a_release_belongs_to_a_line_that_it_matches_in_all(matched: dict[str, Any], rows: int, fits: bool) -> None:
    resources = resources_of(("ReadBalances",))
    assert line((0, 1), **matched).matches(True, name_of("AIS"), resources, rows) is fits


def test_each_resource_is_told_from_every_other_one() -> None:
    shown = {code: resources_of((code,)) for code in ("ReadBalances", "ReadTransactionsDetail", "ReadParty")}
    assert shown["ReadBalances"] & shown["ReadTransactionsDetail"] == 0
    assert resources_of(("ReadBalances", "ReadTransactionsDetail")) == sum(
        shown[code] for code in ("ReadBalances", "ReadTransactionsDetail")
    )
    assert resources_of(("ReadAccountsDetail", "ReadBalances")) & shown["ReadBalances"]
    assert resources_of(("ReadPAN", "ReadNothingKnown")) == 0


@pytest.mark.parametrize("offset", [-840, -1, 0, 1, 480, 840])
def test_a_month_begins_and_ends_where_the_tariff_is(offset: int) -> None:
    for year, month in ((1969, 12), (1970, 1), (2024, 2), (2026, 12), (2027, 1), (2100, 2), (2100, 3)):
        first, _ = naive_month_of((year - 1970) * 31_556_952 + month * 2_629_746 - 1_300_000, offset)
        for second in (first - 1, first, first + 1):
            assert month_of(second, offset) == naive_month_of(second, offset)


COUNTS = {"accesses_allowed": 3, "accesses_refused": 1, "consents_ended": 4, "findings": 2, "complaints": 5}


@pytest.mark.parametrize(
    ("changes", "weights", "given"),
    [
        ({}, (0, 0, 0, 0), 1_000),
        ({}, (1_000, 0, 0, 0), 250),  # of four ends one was acknowledged in time
        ({IN_TIME: 4}, (1_000, 0, 0, 0), 1_000),
        ({IN_TIME: 0}, (1_000, 0, 0, 0), 0),
        ({"consents_ended": 0, IN_TIME: 0}, (1_000, 0, 0, 0), 1_000),  # of nothing, nothing is late
        ({}, (0, 1_000, 0, 0), 600),  # of five complaints two are late
        ({}, (0, 0, 1_000, 0), 334),  # two findings of three accesses, rounded down
        ({"findings": 3}, (0, 0, 1_000, 0), 0),
        ({"findings": 9}, (0, 0, 1_000, 0), 0),  # never more than all
        ({"accesses_allowed": 0, "accesses_refused": 0}, (0, 0, 500, 500), 1_000),
        ({}, (0, 0, 0, 1_000), 750),
        ({}, (0, 0, 0, 1), 1_000),  # 0.25, rounded once in the sum
        ({}, (1, 0, 0, 1), 999),  # 0.75 and 0.25
        ({}, (300, 200, 100, 400), 1_000 - (300 * 750 + 200 * 400 + 100 * 666 + 400 * 250) // 1_000),
    ],
)
def test_a_score_takes_away_each_share_by_its_weight(
    changes: dict[str, int], weights: tuple[int, int, int, int], given: int
) -> None:
    counts = {**COUNTS, IN_TIME: 1, DUE: 4, ANSWERED: 2, **changes}
    assert score(counts, Weights(*weights)) == given


def test_accesses_and_ends_stand_behind_a_score_and_nothing_else_does() -> None:
    assert behind(COUNTS) == 8
