"""The operator's page says what is wrong first: amber or red, with its cause and what to do; in words of both languages."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from api.web.console.health import BACKUP_MS, HOUR_MS, HOURS, PROBES, NodeState, checks, hourly, worst
from api.web.console.premises import Backup, HighMark
from api.web.words import LANGUAGES, Words
from ledger.queries.overview import OverviewQueries
from ledger.queries.witnessed import WitnessStanding
from tests.clocks import HandClock
from tests.web.consoles import Consoles
from tests.world import World, running_world

NOW = 1_800_000_000_000
WELL = NodeState(
    now=NOW,
    stopped=None,
    failing=None,
    waiting=0,
    clock_behind=0,
    marks=[HighMark("000", 10, "reached")],
    witnesses=[WitnessStanding("w", 10, NOW // 1000)],
    size=10,
    backup=Backup(10, NOW),
    notices_waiting=0,
)
LATE = (NOW - HOUR_MS) // 1000 - 1
WRONG = {
    "stopped": (replace(WELL, stopped="a second history"), "recording", "failing"),
    "failing": (replace(WELL, failing="the database is locked"), "recording", "failing"),
    "queue": (replace(WELL, waiting=5_000), "waiting", "degraded"),
    "clock": (replace(WELL, clock_behind=30_000), "clock", "degraded"),
    "rolled back": (replace(WELL, marks=[HighMark("000", 99, "beyond")]), "marks", "failing"),
    "damaged": (replace(WELL, marks=[HighMark("000", -1, "damaged")]), "marks", "failing"),
    "silent witness": (replace(WELL, witnesses=[WitnessStanding("w", 5, LATE)]), "witnesses", "degraded"),
    "no backup": (replace(WELL, backup=None), "backup", "degraded"),
    "old backup": (replace(WELL, backup=Backup(5, NOW - BACKUP_MS - 1)), "backup", "degraded"),
    "notices": (replace(WELL, notices_waiting=1_000), "notices", "degraded"),
}


def test_a_node_that_is_well_is_in_order_and_one_with_nothing_new_is_too() -> None:
    assert worst(checks(WELL)) == "good"
    idle = replace(WELL, backup=Backup(10, 0), witnesses=[WitnessStanding("w", 10, 0)])
    assert worst(checks(idle)) == "good", "nothing was recorded since"


@pytest.mark.parametrize("name", WRONG)
def test_faults_stand_first_with_their_cause_and_what_to_do_in_each_language(name: str) -> None:
    state, about, level = WRONG[name]
    found = checks(state)
    assert (found[0].name, found[0].level, worst(found)) == (about, level, level)
    assert [one.level for one in found[1:]] == ["good"] * (len(found) - 1)
    for language in LANGUAGES:
        words = Words(language, "UTC")
        assert all(words.t(f"con.health.{about}{part}") for part in ("", ".why", ".do"))


def test_the_last_day_is_counted_by_the_hour(sqlite_url: str, tmp_path: object) -> None:
    clock = HandClock()
    with running_world(sqlite_url, tmp_path, clock=clock) as world:  # type: ignore[arg-type]
        assert isinstance(world, World)
        clock.advance(seconds=30 * 3600)
        for count in (2, 0, 3):
            for _ in range(count):
                world.holder(f"bank-{clock.now()}-{_}")
            clock.advance(seconds=3600)
        size = world.ledger.tree.size()
        hours = hourly(OverviewQueries(world.ledger.store), size, clock.now() - 1)
        assert len(hours) == HOURS
        assert hours[:-3] == [0] * (HOURS - 3), "what is older is not counted"
        assert hours[-2] == 0
        assert hours[-3] > 0
        assert hours[-1] > hours[-3]


@dataclass(frozen=True)
class Even(Sequence[int]):
    """Times of as many entries, evenly over the last so many ms."""

    size: int
    span: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        return NOW - self.span + index * self.span // self.size


class Past:
    """A log of which only the times of entries are known."""

    def __init__(self, times: Sequence[int]) -> None:
        self.known, self.questions = times, 0

    def times(self, indexes: Collection[int]) -> dict[int, int]:
        assert 0 < len(indexes) <= PROBES
        self.questions += 1
        return {index: self.known[index] for index in indexes}


@pytest.mark.parametrize("size", [0, 1, 2, 23, 480, 481, 5_000, 100_000_000])
@pytest.mark.parametrize("days", [0.01, 1, 30])
def test_the_hours_of_a_log_of_any_length_take_six_questions(size: int, days: float) -> None:
    span = int(days * HOURS * HOUR_MS)
    past = Past(Even(size, span))
    found = hourly(past, size, NOW)  # type: ignore[arg-type]
    edges = [bisect_left(past.known, NOW - back * HOUR_MS) for back in range(HOURS, 0, -1)]
    assert found == [after - before for before, after in pairwise([*edges, size])]
    assert past.questions <= 6


def test_the_page_is_loaded_again_by_itself_until_it_is_told_to_stand_still(consoles: Consoles) -> None:
    with consoles.client("olaf") as client:
        page = client.get("/console/operator").text
        assert 'data-refresh="30"' in page
        assert "No backup of the last 26 hours is known" in page
        assert "consent-ledger backup" in page
        assert 'data-refresh="0"' in client.get("/console/operator?still=true").text
