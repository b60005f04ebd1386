"""A recipient with habits, on a real log: enough of ordinary days for a model to learn, and a night that is none."""

from __future__ import annotations

from typing import Any

from ledger.queries.training import read_window
from ledger.scoring.training import ForestPlan, Trained, train
from tests.ledger.supervised import Place
from tests.world import item

PLAN = ForestPlan(trees=30, sample=32)


def ordinary_days(place: Place, rounds: int = 108) -> list[str]:
    """Fifty accesses each, of ten consents, with the customer there for half of them; the consents."""
    consents = [place.node.grant(frequency_per_day=0, expires_at=0) for _ in range(10)]
    for number in range(rounds):
        place.node.clock.advance(seconds=40_000 + 700 * (number % 7))
        asked: list[Any] = [
            item(
                consents[(number + step * step) % (6 + number % 5)],
                permissions=["ReadBalances", "ReadTransactionsDetail"][: 1 + (number + step) % 2],
                customer_present=(step * (3 + number % 3)) % 5 < 2,
            )
            for step in range(50)
        ]
        place.node.ledger.submit_and_wait(place.node.batch(*asked))
    return consents


def a_night_of_scraping(place: Place, count: int = 4) -> None:
    """Fifty accesses each, of as many consents, at once and without any customer."""
    consents = [place.node.grant(frequency_per_day=0, expires_at=0) for _ in range(50)]
    for _ in range(count):
        place.node.ledger.submit_and_wait(
            place.node.batch(
                *(item(consent, permissions=["ReadBalances", "ReadTransactionsDetail"]) for consent in consents)
            )
        )


def trained_on(place: Place, plan: ForestPlan = PLAN) -> Trained:
    """A model of all that the log holds."""
    return train(read_window(place.node.ledger.store, place.node.ledger.keystore).vectors, plan)
