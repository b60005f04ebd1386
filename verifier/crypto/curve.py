"""Arithmetic on curves y² = x³ - 3x + b over a prime field: P-256 and SM2's. Not constant time: everything here is public."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

Point: TypeAlias = "tuple[int, int] | None"
"""Affine coordinates; None is the point at infinity."""


class Curve(NamedTuple):
    """The field's prime, the order of the base point (the cofactor is 1), b, the base point."""

    p: int
    n: int
    b: int
    base: tuple[int, int]

    def holds(self, x: int, y: int) -> bool:
        """Whether (x, y) is a point of the curve, its coordinates reduced."""
        p = self.p
        return 0 <= x < p and 0 <= y < p and (y * y - x * x * x + 3 * x - self.b) % p == 0

    def add(self, one: Point, other: Point) -> Point:
        """The sum of two points."""
        if one is None:
            return other
        if other is None:
            return one
        (x1, y1), (x2, y2), p = one, other, self.p
        if x1 == x2 and (y1 + y2) % p == 0:
            return None
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, p) if one == other else (y2 - y1) * pow(x2 - x1, -1, p)
        x = (slope * slope - x1 - x2) % p
        return x, (slope * (x1 - x) - y1) % p

    def multiply(self, scalar: int, point: Point) -> Point:
        """Double and add."""
        result: Point = None
        while scalar:
            if scalar & 1:
                result = self.add(result, point)
            point = self.add(point, point)
            scalar >>= 1
        return result
