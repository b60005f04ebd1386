"""The score of a holder or of a recipient in a period (docs/spec/partners.md, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SCORE = "score"
IN_TIME, DUE, ANSWERED = "ends acknowledged in time", "complaints due", "complaints answered in time"
"""Counts that stand behind a score and are no measures."""
INPUTS = frozenset({"accesses_allowed", "accesses_refused", "consents_ended", "findings", "complaints"})
DAY_MS = 86_400_000


class Weights(NamedTuple):
    """What each share weighs, 0 to 1,000; 1,000 in all at most."""

    acknowledge: int
    complaints: int
    findings: int
    refused: int


def behind(counts: Mapping[str, int]) -> int:
    """The number of accesses and ends that a score rests on."""
    return counts["accesses_allowed"] + counts["accesses_refused"] + counts["consents_ended"]


def score(counts: Mapping[str, int], weights: Weights) -> int:
    """0 to 1,000."""
    allowed, refused, ends = counts["accesses_allowed"], counts["accesses_refused"], counts["consents_ended"]
    shares = (
        _share(ends - counts[IN_TIME], ends),
        _share(counts[DUE] - counts[ANSWERED], counts["complaints"]),
        min(1_000, _share(counts["findings"], allowed)),
        _share(refused, allowed + refused),
    )
    return 1_000 - sum(weight * share for weight, share in zip(weights, shares, strict=True)) // 1_000


def _share(part: int, whole: int) -> int:
    """In thousandths, rounded down; 0 of nothing."""
    return 1_000 * part // whole if whole else 0
