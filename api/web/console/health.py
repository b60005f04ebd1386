"""The node's health: each thing that can be wrong, how it is, and the worst of them (docs/consoles.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from api.web.console.premises import Backup, HighMark
from ledger.queries.overview import OverviewQueries
from ledger.queries.witnessed import WitnessStanding

Level = Literal["good", "degraded", "failing"]
LEVELS: Final[tuple[Level, ...]] = ("good", "degraded", "failing")
HOUR_MS: Final = 3_600_000
HOURS: Final = 24
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
    """Entries in each of the last HOURS hours, oldest first, the running one last; some reads for each hour."""
    edges, low = [], 0
    for back in range(HOURS, 0, -1):
        low = _first_at(overview, low, size, now - back * HOUR_MS)
        edges.append(low)
    return [after - before for before, after in zip(edges, [*edges[1:], size], strict=True)]


def _first_at(overview: OverviewQueries, low: int, high: int, time: int) -> int:
    """The first entry at `time` (ms) or later, from `low` on; times never fall (docs/spec/leaves.md)."""
    while low < high:
        middle = (low + high) // 2
        if overview.leaf(middle).time < time:
            low = middle + 1
        else:
            high = middle
    return low
