"""What the ledger counts for a month the verifier recounts, each from docs/spec/partners.md alone; a statement that says
anything else it names."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ledger.billing.months import month_with
from tests.ledger.billed import OFFSET, Billed, billed
from tests.verdicts import audited

LINES: list[list[dict[str, Any]]] = [
    [{"free": 2, "tiers": [{"from": 0, "price": 1_499}, {"from": 3, "price": 501}]}],
    [
        {"attended": True, "free": 0, "tiers": [{"from": 0, "price": 333}]},
        {"resource": "balances", "rows_to": 9, "free": 1, "tiers": [{"from": 0, "price": 1_250}]},
        {"purpose": "budgeting", "rows_from": 5, "rows_to": 50, "free": 0, "tiers": [{"from": 0, "price": 777}]},
    ],
    [{"rows_from": 10**6, "free": 0, "tiers": [{"from": 0, "price": 1}]}],
]


def _months(place: Billed, draw: random.Random) -> None:
    """Three months of accesses, some released at once, some late, some never."""
    waiting: list[int] = []
    for _ in range(3):
        for _ in range(draw.randint(3, 9)):
            asked = {
                "customer_present": draw.random() < 0.4,
                "permissions": draw.choice([["ReadBalances"], ["ReadTransactionsDetail"]]),
            }
            match draw.randrange(4):
                case 0:
                    waiting.append(place.ask(**asked))
                case 1 if waiting:
                    place.release(access=waiting.pop(), rows=draw.randint(0, 60))
                case _:
                    place.release(rows=draw.randint(0, 60), **asked)
            place.node.clock.advance(seconds=draw.choice([1, 3_600, 86_400]))
        place.after(place.month)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_verifier_finds_nothing_in_what_the_ledger_counts(seed: int, engine_url: str, tmp_path: Path) -> None:
    draw = random.Random(seed)
    with billed(engine_url, tmp_path) as place:
        offers = [place.agreed(tariff=f"t-{number}", lines=lines) for number, lines in enumerate(LINES)]
        months = [place.month]
        _months(place, draw)
        while months[-1].end < place.month.first:
            months.append(month_with(months[-1].end, OFFSET))
        left_out = dict.fromkeys(draw.sample(place.releases, 2), "agreed")
        for offer in offers:
            for month in months:
                counted = place.count(offer=offer, month=month, left_out=left_out)
                place.node.bank.record("usage.state", **counted.members())
        assert len(place.partners.statements) == len(offers) * len(months)
        assert sum(one.says.count for one in place.partners.statements.values() if one.says.offer == offers[0]) == (
            len(place.releases) - 2
        )
        found = audited(place.node.ledger, tmp_path / "bundle").findings
        assert [str(defect) for defect in found.defects] == []
        assert not {dispute.place.index for dispute in found.disputes} & place.partners.statements.keys()
        assert found.checked["statements of usage"] == len(place.partners.statements)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 4},
        {"total": 6},
        {"root": "A" * 43},
        {"amounts": [{"amount": 6, "count": 3}]},
        {"to_index": 3},
    ],
)
def test_a_statement_that_says_anything_else_is_told_at_its_index(
    changes: dict[str, Any], sqlite_url: str, tmp_path: Path
) -> None:
    with billed(sqlite_url, tmp_path) as place:
        place.a_month_of(3)
        wrong = place.state(**changes)
        found = audited(place.node.ledger, tmp_path / "bundle").findings
        assert [str(defect) for defect in found.defects] == []
        told = [dispute.place.index for dispute in found.disputes if dispute.place.index not in place.releases]
        assert told == [wrong.index]
