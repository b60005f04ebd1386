"""A model of trees, in integers (docs/spec/risk.md, The model)."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from ledger.canonical import b64u, decode
from ledger.errors import BadEncoding, InvalidInput

FEATURES: Final = 8
SCALE: Final = 1_000
MODEL_LIMIT: Final = 1 << 20
"""Bytes."""

Count = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Node = Annotated[list[Count], Meta(min_length=1, max_length=4)]
Tree = Annotated[list[Node], Meta(min_length=1, max_length=4_095)]


class _Stored(Struct, frozen=True, forbid_unknown_fields=True):
    features: Literal[8]
    scale: Annotated[list[Annotated[int, Meta(ge=0, le=2**53 - 1)]], Meta(min_length=SCALE, max_length=SCALE)]
    threshold: Annotated[int, Meta(ge=1, le=1_000)]
    trees: Annotated[list[Tree], Meta(min_length=1, max_length=256)]
    v: Literal[1]


class Model:
    """A model that was read: `score` is pure and the same everywhere."""

    def __init__(self, data: bytes) -> None:
        """Read a model's bytes. Raises InvalidInput, naming what is wrong."""
        try:
            stored = msgspec.convert(_decoded(data), _Stored)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"this is not a model: {error}") from None
        if any(after > before for before, after in zip(stored.scale, stored.scale[1:], strict=False)):
            raise InvalidInput("the scale of a model never rises")
        for tree in stored.trees:
            _check(tree)
        self.hash = b64u(hashlib.sha256(data).digest())
        """What `model.activated` names it by."""
        self.threshold = stored.threshold
        self.trees = len(stored.trees)
        self.nodes = sum(map(len, stored.trees))
        self._trees = stored.trees
        self._rising = [-limit for limit in stored.scale]

    def score(self, vector: Sequence[int]) -> int:
        """0 … 1000: the higher, the sooner a vector is told from the others."""
        # members of the falling scale that are ≥ the length: in the rising list of their negatives, those ≤ its negative
        return bisect_right(self._rising, -self.length(vector))

    def length(self, vector: Sequence[int]) -> int:
        """The mean path length over all trees, in thousandths, rounded down."""
        return sum(_length(tree, vector) for tree in self._trees) // len(self._trees)


def _decoded(data: bytes) -> Any:
    try:
        return decode(data, limit=MODEL_LIMIT)
    except BadEncoding as error:
        raise InvalidInput(f"a model is CL-JSON: {error.detail}") from None


def _check(tree: list[list[int]]) -> None:
    for place, node in enumerate(tree):
        if len(node) == 1:
            if node[0] < 0:
                raise InvalidInput("a path length in a model is 0 or more")
            continue
        if len(node) != 4 or not 0 <= node[0] < FEATURES:
            raise InvalidInput("a node of a model is [feature, value, left, right] or [length]")
        if not all(place < child < len(tree) for child in node[2:]):
            raise InvalidInput("a node of a model leads to higher places of its tree only")


def _length(tree: list[list[int]], vector: Sequence[int]) -> int:
    node = tree[0]
    while len(node) == 4:
        feature, value, left, right = node
        node = tree[left if vector[feature] < value else right]
    return node[0]
