"""The model of rule 12: a forest of integers, read with care, walked by hand (docs/spec/risk.md, «The model»)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from verifier.bytes.encoding import Json, check_members, decode_canonical, get_integer
from verifier.errors import Code, Refuted, refuted

FEATURES, SCALE, TREES, NODES = 8, 1_000, 256, 4_095
MAX_MODEL = 2**20

Node = tuple[int, int, int, int] | tuple[int]
"""Feature, value, left, right; or the length of the path, in thousandths."""


@dataclass(frozen=True, slots=True)
class Forest:
    """`scale`: the mean path lengths, never rising, by which a score is counted; `threshold`: the score that raises."""

    threshold: int
    scale: tuple[int, ...]
    trees: tuple[tuple[Node, ...], ...]

    def score(self, vector: tuple[int, ...]) -> int:
        """0 to 1,000: how many members of the scale are at least the mean path length of this vector."""
        mean = sum(_length(tree, vector) for tree in self.trees) // len(self.trees)
        return bisect_right(self.scale, -mean, key=lambda member: -member)


def _length(tree: tuple[Node, ...], vector: tuple[int, ...]) -> int:
    node = tree[0]
    while len(node) == 4:
        feature, value, left, right = node
        node = tree[left if vector[feature] < value else right]
    return node[0]


def read_model(data: bytes) -> Forest:
    """The form of a model's bytes. Raises Refuted(BAD_ENCODING)."""
    members = decode_canonical(data, MAX_MODEL)
    check_members(members, {"features", "scale", "threshold", "trees", "v"})
    get_integer(members, "v", 1, 1)
    get_integer(members, "features", FEATURES, FEATURES)
    scale, trees = members["scale"], members["trees"]
    numbers = _numbers(scale)
    if (
        not isinstance(scale, list)
        or not len(numbers) == len(scale) == SCALE
        or numbers != sorted(numbers, reverse=True)
    ):
        raise _bad("the scale of a model is 1,000 integers that never rise", "scale", f"{SCALE} integers", len(numbers))
    if not isinstance(trees, list) or not 1 <= len(trees) <= TREES:
        raise _bad(
            "a model has 1 to 256 trees", "trees", f"1 to {TREES}", len(trees) if isinstance(trees, list) else "none"
        )
    return Forest(get_integer(members, "threshold", 1, 1_000), tuple(numbers), tuple(map(_read_tree, trees)))


def _read_tree(tree: Json) -> tuple[Node, ...]:
    if not isinstance(tree, list) or not 1 <= len(tree) <= NODES:
        raise _bad(
            "a tree has 1 to 4,095 nodes", "trees", f"1 to {NODES}", len(tree) if isinstance(tree, list) else "none"
        )
    return tuple(_read_node(place, node, len(tree)) for place, node in enumerate(tree))


def _read_node(place: int, node: Json, count: int) -> Node:
    numbers = _numbers(node)
    if isinstance(node, list) and len(numbers) == len(node) == 1 and numbers[0] >= 0:
        return (numbers[0],)
    if not isinstance(node, list) or not len(numbers) == len(node) == 4:
        raise _bad("not a node of a tree", "trees", "four integers, or a length", place)
    feature, value, left, right = numbers
    if not 0 <= feature < FEATURES or not (place < left < count and place < right < count):
        raise _bad("a node of a tree leads back or nowhere", "trees", f"feature below 8, places above {place}", node)
    return feature, value, left, right


def _numbers(values: Json) -> list[int]:
    """Those of a list that are integers; none if it is no list."""
    return [n for n in values if isinstance(n, int) and not isinstance(n, bool)] if isinstance(values, list) else []


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
