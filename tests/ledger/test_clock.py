"""A clock that jumps ahead never becomes the log's time (docs/spec/log.md, «Time»)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.engines.engine import writer_engine
from ledger.errors import ClockAhead
from ledger.sequencer.watch import Anchor, ClockWatch
from tests.clocks import NOW, HandClock
from tests.ledger.auditing import audit
from tests.ledger.meddling import assembled
from tests.world import Node

HOURS = 2 * 3_600_000


@contextmanager
def watched(node: Node, counter: HandClock, path: Path) -> Iterator[Node]:
    """The same log, on a machine whose clock can be set while its counter goes on."""
    node.ledger.stop()
    watch = ClockWatch(path, counter=counter.now, boot="this run")
    node.ledger = assembled(node.config, node.clock, writer_engine(node.config.database_url), watch)
    node.ledger.start()
    yield node


def test_a_jump_of_hours_pauses_the_log_and_leaves_nothing_behind(sqlite_node: Node, tmp_path: Path) -> None:
    consent_id = sqlite_node.grant()
    with watched(sqlite_node, HandClock(5_000), tmp_path / "clock") as node:
        right = node.access(consent_id).time
        node.clock.time += HOURS
        with pytest.raises(ClockAhead, match="7200 s ahead"):
            node.access(consent_id)
        assert node.ledger.paused_because is not None
        assert node.ledger.stopped_because is None, "it goes on by itself"
        node.clock.time -= HOURS
        assert node.access(consent_id).time == right
        assert node.ledger.paused_because is None
        assert max(leaf["time"] for leaf in audit(node.config.database_url, node.ledger)) == right


def test_starting_anew_does_not_make_a_wrong_time_the_right_one(sqlite_node: Node, tmp_path: Path) -> None:
    consent_id = sqlite_node.grant()
    counter = HandClock(5_000)
    with watched(sqlite_node, counter, tmp_path / "clock") as node:
        node.access(consent_id)
        node.clock.time += HOURS
    with watched(sqlite_node, counter, tmp_path / "clock") as node, pytest.raises(ClockAhead):
        node.access(consent_id)


def test_time_that_passes_is_not_a_jump(sqlite_node: Node, tmp_path: Path) -> None:
    consent_id = sqlite_node.grant()
    counter = HandClock(5_000)
    with watched(sqlite_node, counter, tmp_path / "clock") as node:
        node.access(consent_id)
        for clock in (counter, node.clock):
            clock.time += HOURS
        assert node.access(consent_id).time == node.clock.time


def test_the_operator_can_say_that_the_new_time_is_right(sqlite_node: Node, tmp_path: Path) -> None:
    consent_id = sqlite_node.grant()
    counter = HandClock(5_000)
    with watched(sqlite_node, counter, tmp_path / "clock") as node:
        node.access(consent_id)
        node.clock.time += HOURS
        with pytest.raises(ClockAhead):
            node.access(consent_id)
        ClockWatch(tmp_path / "clock", counter=counter.now, boot="this run").trust(node.clock.now())
        assert node.access(consent_id).time == node.clock.time


def test_a_clock_ahead_of_the_databases_is_told_from_the_first_moment(tmp_path: Path) -> None:
    watch = ClockWatch(tmp_path / "clock", counter=lambda: 0, boot="this run")
    assert watch.ahead(NOW + HOURS, NOW) == (
        HOURS,
        (
            "this machine's clock is 7200 s ahead of the database's. Nothing new is recorded until the two agree; see "
            "docs/operating.md, «The clock»"
        ),
    )
    assert not (tmp_path / "clock").exists(), "a wrong time is not an anchor"
    assert watch.ahead(NOW, NOW) is None


def test_the_database_tells_its_own_time_where_it_is_another_machine(node: Node) -> None:
    node.ledger.stop()
    writer = writer_engine(node.config.database_url)
    node.ledger = assembled(node.config, node.clock, writer, ClockWatch(counter=lambda: 0, boot=""))
    node.ledger.start()  # the tests' clock is years ahead of any real one
    if node.config.database_url.startswith("postgresql"):
        with pytest.raises(ClockAhead, match="the database's"):
            node.grant()
    else:
        node.grant()


@pytest.mark.parametrize("bound", [-1, 0, 1])
def test_the_bound_itself_is_allowed(bound: int, tmp_path: Path) -> None:
    watch = ClockWatch(tmp_path / "clock", lead=1000, counter=lambda: 0, boot="this run")
    assert watch.ahead(NOW, None) is None
    assert (watch.ahead(NOW + 1000 + bound, None) is None) == (bound <= 0)


@pytest.mark.parametrize("kept", ["", "another run\n0\n0\n", "this run\nx\n0\n", "this run\n0\n0\nmore"])
def test_an_anchor_of_another_run_or_one_that_does_not_read_is_made_anew(kept: str, tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_text(kept)
    assert ClockWatch(path, counter=lambda: 7, boot="this run").ahead(NOW, None) is None
    assert Anchor.read(path) == Anchor("this run", 7, NOW)
