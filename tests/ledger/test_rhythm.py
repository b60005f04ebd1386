"""When the next index-head is due, as one sequencer sees it."""

from __future__ import annotations

from ledger.sequencer.rhythm import Rhythm
from ledger.storage.chainmap import MapState
from tests.clocks import HandClock

INTERVAL = 5_000
ROOT = bytes(32)


def test_a_map_that_is_far_behind_leaves_the_log_to_its_writers_between_its_turns() -> None:
    clock = HandClock()
    rhythm = Rhythm(INTERVAL, clock)
    behind = MapState(size=5_000, root=ROOT, head=-1, head_time=0)
    rhythm.knows(behind, 1_000_000, spent=0.4)
    assert not rhythm.due()
    assert rhythm.seconds_left() == 1.2
    clock.advance(seconds=1.199)
    assert not rhythm.due()
    clock.advance(seconds=0.001)
    assert rhythm.due()


def test_no_turn_of_the_map_is_put_off_for_longer_than_the_interval() -> None:
    clock = HandClock()
    rhythm = Rhythm(INTERVAL, clock)
    rhythm.knows(MapState(size=5_000, root=ROOT, head=-1, head_time=0), 1_000_000, spent=60.0)
    assert rhythm.seconds_left() == INTERVAL / 1000


def test_a_head_of_the_map_is_due_one_interval_after_the_head_before() -> None:
    clock = HandClock()
    rhythm = Rhythm(INTERVAL, clock)
    rhythm.knows(MapState(size=10, root=ROOT, head=9, head_time=clock.now()), 12)
    assert rhythm.seconds_left() == INTERVAL / 1000
    clock.advance(seconds=INTERVAL / 1000)
    assert rhythm.due()
