"""An isolation forest of integers, grown from vectors (docs/risk.md, «A model»; Liu, Ting and Zhou, «Isolation Forest», 2008).

No floating point and no random numbers of the platform: the same vectors and the same plan give the same bytes on any machine,
so whoever holds the log can train a model again and compare its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import count
from typing import Final

from ledger.canonical import encode
from ledger.errors import InvalidInput
from ledger.scoring.model import FEATURES, MODEL_LIMIT, SCALE, Model

LEAST: Final = 100
"""Vectors: a model of fewer would call everything strange that it has not seen."""
MOST: Final = 200_000
"""Vectors: of more, evenly spread ones are taken."""
SHARE: Final = 5
"""One in so many vectors, the last ones, is held out to judge the model by."""

Vector = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ForestPlan:
    """How to grow a forest. Raises InvalidInput."""

    trees: int = 100
    sample: int = 128
    """Vectors that a tree is grown from."""
    seed: int = 0
    threshold: int = 995
    """The score from which a model raises an alert."""

    def __post_init__(self) -> None:
        for name, low, high in (("trees", 1, 256), ("sample", 8, 1_024), ("seed", 0, 2**32), ("threshold", 1, 1_000)):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"{name} of a model lies between {low} and {high}", member=name)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model's bytes, and how it did on what it had not seen."""

    data: bytes
    learned: int
    """Vectors that it was grown from."""
    held_out: int
    above: int
    """Held-out vectors whose score reaches the threshold."""


def train(vectors: Sequence[Vector], plan: ForestPlan) -> Trained:
    """Grow a model from vectors in the order of the log. Raises InvalidInput for too few of them, or too large a model."""
    if len(vectors) < LEAST:
        raise InvalidInput(
            f"the entries give {len(vectors)} vectors, and a model needs {LEAST}: a recipient gives one with each fiftieth "
            "access from its hundredth on. Take a longer window"
        )
    chosen = [vectors[place * len(vectors) // MOST] for place in range(MOST)] if len(vectors) > MOST else vectors
    held_out = len(chosen) // SHARE
    learned, later = chosen[: len(chosen) - held_out], chosen[len(chosen) - held_out :]
    draws = _Draws(plan.seed)
    trees = [_grown(draws.some(learned, plan.sample), draws) for _ in range(plan.trees)]
    members = {"features": FEATURES, "threshold": plan.threshold, "trees": trees, "v": 1}
    blank = Model(_encoded({**members, "scale": [0] * SCALE}))
    lengths = sorted((blank.length(vector) for vector in learned), reverse=True)
    # the score of a vector: of how many in a thousand of those learned from the path is longer than its own
    scale = [max(0, lengths[place * (len(lengths) - 1) // (SCALE - 1)] - 1) for place in range(SCALE)]
    data = _encoded({**members, "scale": scale})
    model = Model(data)
    return Trained(data, len(learned), held_out, sum(model.score(vector) >= plan.threshold for vector in later))


def _encoded(members: dict[str, object]) -> bytes:
    data = encode(members)
    if len(data) > MODEL_LIMIT:
        raise InvalidInput(f"the model would have {len(data)} bytes, and at most {MODEL_LIMIT} are read: fewer trees")
    return data


def _grown(vectors: list[Vector], draws: _Draws) -> list[list[int]]:
    """One tree, as a list of nodes: cut at random until a vector is alone or the tree has its full height."""
    height = max(1, (len(vectors) - 1).bit_length())
    nodes: list[list[int]] = [[]]
    open_nodes = [(0, vectors, 0)]
    while open_nodes:
        place, here, depth = open_nodes.pop()
        ranges = [(min(column), max(column)) for column in zip(*here, strict=True)]
        wide = [feature for feature, (low, high) in enumerate(ranges) if low < high]
        if depth == height or not wide:
            nodes[place] = [1_000 * depth + path_length(len(here))]
            continue
        feature = wide[draws.below(len(wide))]
        low, high = ranges[feature]
        value = low + 1 + draws.below(high - low)
        left, right = len(nodes), len(nodes) + 1
        nodes[place] = [feature, value, left, right]
        nodes += [[], []]
        open_nodes.append((right, [vector for vector in here if vector[feature] >= value], depth + 1))
        open_nodes.append((left, [vector for vector in here if vector[feature] < value], depth + 1))
    return nodes


@cache
def path_length(size: int) -> int:
    """The mean length, in thousandths, of an unsuccessful search in a tree of so many vectors, rounded down."""
    if size < 2:
        return 0
    harmonic = sum((Fraction(1, number) for number in range(1, size)), Fraction())
    return int(1_000 * (2 * harmonic - Fraction(2 * (size - 1), size)))


class _Draws:
    """Numbers drawn from a seed: SHA-256 over seed and counter, so that they are the same everywhere and always."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counter = count()

    def below(self, limit: int) -> int:
        """0 … limit − 1: 128 bits over a limit below 2**54 leave no bias that a forest could show."""
        text = f"consent-ledger/v1/forest {self._seed} {next(self._counter)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big") % limit

    def some(self, vectors: Sequence[Vector], number: int) -> list[Vector]:
        """So many of them without one twice; all, if there are no more."""
        left = list(range(len(vectors)))
        found = []
        for _ in range(min(number, len(vectors))):
            place = self.below(len(left))
            left[place], left[-1] = left[-1], left[place]
            found.append(vectors[left.pop()])
        return found
