"""The picture of a consent's life as a line, as numbers for the template to draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Life:
    """A consent's life from its start to its end; positions in per cent of the line."""

    start: int
    end: int | None
    """Its end in ms: past or future; None when none is set."""
    now: float
    """How much of the line has passed."""
    over: bool


def life(start: int, end: int | None, now: int) -> Life:
    """The line from `start` to `end`; without an end it runs on, with today at two thirds."""
    if end is None:
        return Life(start, None, 66.0, over=False)
    span = max(end - start, 1)
    return Life(start, end, round(min(max((now - start) / span * 100, 0.0), 100.0), 1), over=now >= end)
