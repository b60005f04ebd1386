"""The node's health: each thing that can be wrong, how it is, and the worst of them (docs/consoles.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from api.web.console.premises import Backup, HighMark
from ledger.queries.overview import OverviewQueries
from ledger.queries.witnessed import WitnessStanding

Level = Literal["good", "degraded", "failing"]
LEVELS: Final[tuple[Level, ...]] = ("good", "degraded", "failing")
HOUR_MS: Final = 3_600_000
HOURS: Final = 24
PROBES: Final = 480
"""Entries that one question about times reads at most."""
MANY_WAITING: Final = 1_000
CLOCK_MS: Final = 1_000
WITNESS_MS: Final = HOUR_MS
BACKUP_MS: Final = 26 * HOUR_MS
"""A daily backup, and two hours for it to end."""
MANY_NOTICES: Final = 100


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at. Its words are `con.health.<name>.<level>` and, where it is not good, `….do`."""

    name: Literal["recording", "waiting", "clock", "marks", "witnesses", "backup", "notices"]
    level: Level
    detail: str = ""
    """What the machine says itself, in English."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is known of a node now; times in ms."""

    now: int
    stopped: str | None
    failing: str | None
    waiting: int
    clock_behind: int
    marks: Sequence[HighMark]
    witnesses: Sequence[WitnessStanding]
    size: int
    backup: Backup | None
    notices_waiting: int


def checks(state: NodeState) -> list[HealthCheck]:
    """All of them, the worst first."""
    found = [
        HealthCheck(
            "recording", "failing" if state.stopped or state.failing else "good", state.stopped or state.failing or ""
        ),
        HealthCheck("waiting", "degraded" if state.waiting >= MANY_WAITING else "good"),
        HealthCheck("clock", "degraded" if state.clock_behind >= CLOCK_MS else "good"),
        HealthCheck("marks", "failing" if any(one.mark != "reached" for one in state.marks) else "good"),
        HealthCheck("witnesses", _witnessed(state)),
        HealthCheck("backup", _backed_up(state)),
        HealthCheck("notices", "degraded" if state.notices_waiting >= MANY_NOTICES else "good"),
    ]
    return sorted(found, key=lambda one: -LEVELS.index(one.level))


def worst(found: Iterable[HealthCheck]) -> Level:
    """The level of the worst of them."""
    return max((one.level for one in found), key=LEVELS.index, default="good")


def _witnessed(state: NodeState) -> Level:
    """Degraded where a witness that has cosigned before is more than an hour behind what was recorded since."""
    late = [one for one in state.witnesses if one.size < state.size and state.now - one.time * 1000 > WITNESS_MS]
    return "degraded" if late else "good"


def _backed_up(state: NodeState) -> Level:
    if state.backup is None:
        return "degraded"
    return "degraded" if state.backup.size < state.size and state.now - state.backup.at > BACKUP_MS else "good"


def hourly(overview: OverviewQueries, size: int, now: int) -> list[int]:
    """Entries in each of the last HOURS hours, oldest first, the running one last.

    All hours are looked for together: one question reads up to PROBES entries, and six find them among a hundred million.
    """
    edges = _first_at(overview, size, [now - back * HOUR_MS for back in range(HOURS, 0, -1)])
    return [after - before for before, after in zip(edges, [*edges[1:], size], strict=True)]


def _first_at(overview: OverviewQueries, size: int, times: Sequence[int]) -> list[int]:
    """For each time (ms) the first entry at it or later; times never fall from entry to entry (docs/spec/leaves.md)."""
    found = [(0, size) for _ in times]
    while spans := {(low, high) for low, high in found if low < high}:
        known = overview.times({index for span in spans for index in _spread(*span, PROBES // len(spans))})
        found = [_narrowed(low, high, known, time) for (low, high), time in zip(found, times, strict=True)]
    return [low for low, _ in found]


def _spread(low: int, high: int, count: int) -> list[int]:
    """Up to `count` places from `low` to below `high`, evenly; all of them where they are no more."""
    parts = min(count, high - low)
    return (
        [low + (high - low) * part // (parts + 1) for part in range(1, parts + 1)]
        if parts < high - low
        else [*range(low, high)]
    )


def _narrowed(low: int, high: int, known: Mapping[int, int], time: int) -> tuple[int, int]:
    """The part of a span in which the first entry at `time` or later is, or that comes down to the place above it."""
    inside = [(index, at) for index, at in known.items() if low <= index < high]
    return (
        max((index + 1 for index, at in inside if at < time), default=low),
        min((index for index, at in inside if at >= time), default=high),
    )
