"""A model grown from vectors: the same everywhere, strange to what it has not seen, and what both readers take it for."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.scoring.model import MODEL_LIMIT, Model
from ledger.scoring.training import ForestPlan, Vector, path_length, train
from verifier.rules.forest import read_model

SCRAPED = (0, 100, 97, 9, 80, 300, 900, 1)
"""A hundred accesses within a minute, of as many consents, at night, without the customer, for everything."""


def ordinary(number: int, seed: int = 7) -> list[Vector]:
    """Vectors of a recipient that reads ten consents or so, by day, mostly with the customer there."""
    draw = random.Random(seed)
    return [
        (
            draw.randint(0, 6),
            draw.randint(20, 60),
            draw.randint(8, 14),
            draw.randint(1, 3),
            draw.randint(0, 4),
            draw.randint(100, 130),
            draw.randint(100, 220),
            draw.randint(400, 4_000),
        )
        for _ in range(number)
    ]


def test_the_same_vectors_and_the_same_plan_give_the_same_bytes_on_any_machine() -> None:
    made = [train(ordinary(150), ForestPlan(trees=8, sample=32)).data for _ in range(2)]
    assert made[0] == made[1]
    assert hashlib.sha256(made[0]).hexdigest() == "b348307a9cfa7265e4407574140e53445ee7a7548a056899c95b2b8b47cbbe0c"
    assert train(ordinary(150), ForestPlan(trees=8, sample=32, seed=1)).data != made[0]


def test_unseen_behaviour_reaches_the_models_threshold_and_ordinary_days_do_not() -> None:
    trained = train(ordinary(600), ForestPlan())
    model = Model(trained.data)
    assert model.score(SCRAPED) == 1_000
    assert (trained.learned, trained.held_out) == (480, 120)
    assert trained.above <= 6, "of a hundred and twenty ordinary ones"
    later = ordinary(400, seed=8)
    assert sum(model.score(vector) >= model.threshold for vector in later) <= 16
    assert 400 <= sorted(model.score(vector) for vector in later)[200] <= 600, "half of them are stranger than half"


@given(st.lists(st.integers(0, 1_000_000), min_size=8, max_size=8))
@settings(max_examples=60)
def test_the_ledger_and_the_verifier_score_a_trained_model_alike(vector: list[int]) -> None:
    data = train(ordinary(120), ForestPlan(trees=12, sample=32)).data
    assert read_model(data).score(tuple(vector)) == Model(data).score(tuple(vector))


def test_a_model_that_has_seen_one_vector_only_finds_it_not_strange() -> None:
    assert Model(train([SCRAPED] * 120, ForestPlan(trees=4)).data).score(SCRAPED) == 0


def test_the_length_of_a_search_that_fails() -> None:
    assert [path_length(size) for size in (0, 1, 2, 3, 256)] == [0, 0, 1_000, 1_666, 10_248]


def test_too_short_a_history_and_too_large_a_model_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"the entries give 99 vectors, and a model needs 100.*longer window"):
        train(ordinary(99), ForestPlan())
    with pytest.raises(InvalidInput, match=rf"at most {MODEL_LIMIT} are read: fewer trees"):
        train(ordinary(2_000), ForestPlan(trees=256, sample=1_024))
    for wrong in ({"trees": 0}, {"trees": 257}, {"sample": 7}, {"seed": -1}, {"threshold": 1_001}):
        with pytest.raises(InvalidInput, match=rf"{next(iter(wrong))} of a model lies between"):
            ForestPlan(**wrong)


def test_a_model_leads_forward_only_and_fits_its_bound() -> None:
    data = train(ordinary(600), ForestPlan()).data
    assert len(data) < MODEL_LIMIT
    for tree in json.loads(data)["trees"]:
        assert all(
            place < min(node[2:]) and max(node[2:]) < len(tree) for place, node in enumerate(tree) if len(node) == 4
        )
