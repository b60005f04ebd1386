"""Pictures for auditors, as numbers for the templates to draw: a proof as a tree, two trees as one, growth as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ledger.canonical import b64
from ledger.merkle.hashing import Node, node_hash
from ledger.merkle.proofs import consistency_nodes, inclusion_nodes

WIDTH: Final = 360
BOX: Final = 156
HIGH: Final = 42
PITCH: Final = 80
_CENTRES: Final = {"left": 90, "right": 270}

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Span:
    """Leaves `begin` … `end` - 1."""

    begin: int
    end: int

    @property
    def last(self) -> int:
        """The last leaf."""
        return self.end - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a leaf to the root: a node of the path, its sibling on `side`, and the parent they hash to."""

    number: int
    own: bytes
    own_span: Span
    side: Side
    sibling: bytes
    sibling_span: Span
    parent: bytes
    parent_span: Span


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the picture; `x`, `y` is its upper left corner."""

    kind: Literal["leaf", "path", "sibling", "root"]
    x: int
    y: int
    label: str
    span: Span


@dataclass(frozen=True, slots=True)
class Tree:
    """The picture of an inclusion proof: each row has the path's node and its sibling, the root stands on top."""

    height: int
    boxes: list[Box]
    lines: list[tuple[int, int, int, int]]


def climb(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> list[Step]:
    """The steps of an inclusion proof (RFC 6962 §2.1.1), leaf first, with every intermediate hash recomputed."""
    own, own_span, steps = leaf_hash, Span(index, index + 1), list[Step]()
    for number, (nodes, sibling) in enumerate(zip(inclusion_nodes(index, size), proof, strict=True), 1):
        span = span_of(nodes)
        side: Side = "left" if span.begin < own_span.begin else "right"
        parent = node_hash(sibling, own) if side == "left" else node_hash(own, sibling)
        parent_span = Span(min(span.begin, own_span.begin), max(span.end, own_span.end))
        steps.append(Step(number, own, own_span, side, sibling, span, parent, parent_span))
        own, own_span = parent, parent_span
    return steps


def span_of(nodes: Sequence[Node]) -> Span:
    """The leaves under adjoining complete subtrees."""
    (first_level, first), (last_level, last) = nodes[0], nodes[-1]
    return Span(first << first_level, (last + 1) << last_level)


def tree(leaf_hash: bytes, index: int, steps: Sequence[Step]) -> Tree:
    """Draw the steps, the root on top."""
    height = (len(steps) + 1) * PITCH - (PITCH - HIGH) + 4
    root = steps[-1].parent if steps else leaf_hash
    whole = steps[-1].parent_span if steps else Span(index, index + 1)
    boxes = [Box("root", (WIDTH - BOX) // 2, 2, _short(root), whole)]
    lines: list[tuple[int, int, int, int]] = []
    above = WIDTH // 2
    for row, step in enumerate(reversed(steps), 1):
        top = 2 + row * PITCH
        other: Side = "right" if step.side == "left" else "left"
        mine, theirs = _CENTRES[other], _CENTRES[step.side]
        boxes.append(Box("leaf" if step.number == 1 else "path", mine - BOX // 2, top, _short(step.own), step.own_span))
        boxes.append(Box("sibling", theirs - BOX // 2, top, _short(step.sibling), step.sibling_span))
        lines += [(centre, top, above, top - PITCH + HIGH) for centre in (mine, theirs)]
        above = mine
    return Tree(height, boxes, lines)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the larger tree in the picture of a consistency proof: percent from the left, percent wide."""

    span: Span
    old: bool
    x: float
    width: float


def pieces(old: int, new: int) -> list[Piece]:
    """The subtrees that a consistency proof is made of, from left to right, each as wide as the others.

    True widths would hide what matters: the newest subtree of a large log is thinner than a line.
    """
    spans = [span_of(nodes) for nodes in consistency_nodes(old, new)]
    covered = sorted(spans, key=lambda span: span.begin)
    if not covered or covered[0].begin > 0:  # the whole old tree, whose root the reader has already
        covered.insert(0, Span(0, covered[0].begin if covered else old))
    width = 100 / len(covered)
    return [
        Piece(span, span.end <= old, round(place * width, 2), round(width, 2)) for place, span in enumerate(covered)
    ]


def growth(points: Sequence[tuple[int, int]], width: int = 640, height: int = 160) -> str:
    """The points of an SVG polyline for (time, size) pairs, oldest first; the newest is the upper right corner."""
    if not points:
        return ""
    (start, _), (end, most) = points[0], points[-1]
    lasted = max(end - start, 1)
    return " ".join(
        f"{(time - start) / lasted * width:.1f},{height - size / most * (height - 6):.1f}" for time, size in points
    )


def _short(digest: bytes) -> str:
    return f"{b64(digest)[:12]}…"
