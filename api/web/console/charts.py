"""Charts as numbers for the templates to draw: columns over time, with an axis and its ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 220
LEFT: Final = 56
"""Room for the numbers of the axis."""
TOP: Final = 22
BOTTOM: Final = 30
LABELS: Final = 8
"""The most labels below the columns."""
NUMBERED: Final = 16
"""With more columns than these, numbers above them would run into each other."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A value of the axis and its height."""

    value: int
    y: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `label` is None if there is no room for one; `numbered`: its value is written above it."""

    x: float
    y: float
    width: float
    height: float
    value: int
    middle: float
    label: int | None
    numbered: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns and their axis."""

    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    base: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def columns(values: Sequence[int]) -> Chart:
    """A chart of these values, from left to right; a label is a place in `values`."""
    steps = ticks(max(values, default=0))
    top, base = steps[-1], HEIGHT - BOTTOM
    room = (WIDTH - LEFT) / max(len(values), 1)
    every = -(-len(values) // LABELS)
    drawn = []
    for place, value in enumerate(values):
        height = (base - TOP) * value / top
        x = LEFT + place * room + room * 0.15
        drawn.append(
            Column(
                x=round(x, 1),
                y=round(base - height, 1),
                width=round(room * 0.7, 1),
                height=round(height, 1),
                value=value,
                middle=round(LEFT + (place + 0.5) * room, 1),
                label=place if place % every == 0 else None,
                numbered=value > 0 and len(values) <= NUMBERED,
            )
        )
    axis = tuple(Tick(value, round(base - (base - TOP) * value / top, 1)) for value in steps)
    return Chart(tuple(drawn), axis, base)


def ticks(most: int) -> tuple[int, ...]:
    """Round values from 0 to at least `most`, four steps at the most."""
    step, size = 1, 1
    while step * 4 < most:
        for factor in (1, 2, 5):
            step = factor * size
            if step * 4 >= most:
                break
        size *= 10
    return tuple(range(0, step * max(1, -(-most // step)) + 1, step))
