"""A model at the edges of its form (docs/spec/risk.md, «The model»)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.alerting import model
from tests.verifier.forge import encode
from tests.verifier.making import refusal
from verifier.errors import Code
from verifier.rules.forest import read_model

LEAF = [1]


@pytest.mark.parametrize(
    "fine",
    [
        {"threshold": 1},
        {"threshold": 1_000},
        {"trees": [[LEAF]]},
        {"trees": [[[0]]]},
        {"trees": [[LEAF]] * 256},
        {"trees": [[LEAF] * 4_095]},
        {"trees": [[[0, 1, 1, 2], LEAF, LEAF]]},
        {"trees": [[[7, 1, 2, 1], LEAF, LEAF]]},
        {"trees": [[[7, -1, 1, 1], LEAF]]},
        {"scale": [0] * 1_000},
    ],
)
def test_a_model_at_its_bounds_is_read(fine: dict[str, Any]) -> None:
    read_model(encode(model(**fine)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": 0},
        {"trees": [[[0, 1, 1, 3], LEAF, LEAF]]},
        {"trees": [[[0, 1, 3, 1], LEAF, LEAF]]},
        {"trees": [[[0, 1, 0, 1], LEAF, LEAF]]},
        {"trees": [[[0, 1, 1, 0], LEAF, LEAF]]},
        {"trees": [[LEAF, [0, 1, 1, 2], LEAF]]},
        {"trees": [[LEAF, [0, 1, 2, 1], LEAF]]},
        {"trees": [[[0, 1, 1, 2, 2], LEAF, LEAF]]},
        {"trees": [[[0, 1, 1], LEAF]]},
    ],
)
def test_a_node_leads_further_and_to_a_node_of_its_tree(wrong: dict[str, Any]) -> None:
    with refusal(Code.BAD_ENCODING):
        read_model(encode(model(**wrong)))


def test_a_model_has_one_mebibyte_at_most() -> None:
    length = [10**15]
    trees = [[length] * 4_000 for _ in range(13)]
    trees.append([length] * ((2**20 - len(encode(model(trees=trees)))) // 19 - 1))
    missing = 2**20 - len(encode(model(trees=trees)))
    trees.append([[1]])
    more = 2**20 - len(encode(model(trees=trees)))
    assert 0 <= more < missing < 60
    trees[-1] = [[1]] * (1 + more // 4)
    trees[-1][-1] = [10 ** (more % 4)]
    whole = encode(model(trees=trees))
    assert len(whole) == 2**20
    read_model(whole)
    trees[-1][-1] = [10 ** (more % 4 + 1)]
    with refusal(Code.BAD_ENCODING):
        read_model(encode(model(trees=trees)))
