"""The model finds the faults that its rules keep away, by shortest traces; and the simulated ledger behaves as it does."""

from __future__ import annotations

import pytest

from tests.simulation.defects import CANCELLED, RIGHT, UNCONFIRMED
from tests.simulation.model import Node, Rules, State, search
from tests.simulation.replay import follow, in_model, replay, walk

SMALL = Rules(requests=2, crashes=2, cancels=1, kills=0)


def test_every_state_of_a_small_world_keeps_the_promises() -> None:
    found = search(SMALL)
    assert found.complete
    assert (found.why, found.trace) == (None, ())
    assert found.states > 10_000


def test_reading_what_is_not_confirmed_equivocates_after_a_failover() -> None:
    found = search(Rules(confirmed_reads=False, kills=0, cancels=0))
    assert found.why == "EQUIVOCATION: two checkpoints of size 1"
    assert found.trace == (
        "submit 0 0",
        "write 0 0",
        "crash kept",
        "restart",
        "read 0",
        "crash lost",
        "promote",
        "write 0 0",
        "commit 0",
    )


def test_acknowledging_a_cancelled_wait_loses_an_entry_by_a_failover() -> None:
    found = search(Rules(heeds_warnings=False, kills=0))
    assert (found.why or "").startswith("LOST")
    assert found.trace == ("submit 0 0", "write 0 0", "standby away", "cancel 0", "crash lost", "promote")


def test_answering_a_repeat_without_confirming_it_loses_it() -> None:
    found = search(Rules(confirms_finds=False, kills=0, cancels=0))
    assert (found.why or "").startswith("LOST")
    assert len(found.trace) == 7


def test_not_looking_for_repeats_doubles_them() -> None:
    assert search(Rules(looks_for_repeats=False)).why == "DOUBLED"


def test_making_a_key_for_an_erased_chain_undoes_the_erasure() -> None:
    found = search(Rules(remakes_no_key=False, erasures=1, kills=0, cancels=0, crashes=1))
    assert (found.why or "").startswith("ERASURE")


@pytest.mark.parametrize("high_water", [True, False])
def test_only_the_high_water_file_keeps_a_node_from_a_second_history(high_water: bool) -> None:
    """An older database was brought back, and everything is about to start."""
    rules = Rules(requests=3, tries=1, crashes=0, cancels=0, kills=0, high_water=high_water)
    log = ((0, 1), (1, 1))
    node = Node(alive=False, high=log)
    restored = State(
        primary=log[:1],
        standby=None,
        up=False,
        nodes=(node, node),
        acknowledged=frozenset({(0, 0), (1, 1)}),
        shown=frozenset({log[:1], log}),
        tries=(1, 1, 0),
        left=(0, 0, 0, 0),
        newest=(log, 2),
    )
    found = search(rules, restored)
    assert found.why == (None if high_water else "EQUIVOCATION: two checkpoints of size 2")


@pytest.mark.parametrize(
    ("rules", "build"),
    [
        (Rules(confirmed_reads=False, kills=0, cancels=0), UNCONFIRMED),
        (Rules(heeds_warnings=False, kills=0), CANCELLED),
    ],
    ids=["reads what is not confirmed", "acknowledges a cancelled wait"],
)
def test_a_trace_to_a_broken_promise_breaks_it_in_the_ledger_with_that_defect(rules: Rules, build: str) -> None:
    found = search(rules)
    assert found.why is not None
    seen = replay(found.trace, build)
    assert seen == in_model(follow(rules, found.trace))
    lost = [one for one in seen.acknowledged if one[0] not in seen.log]
    assert lost or seen.forked


def test_the_ledger_without_defects_shows_nothing_of_it() -> None:
    """The same crashes; what the defect did is refused or is not there."""
    trace = (
        "submit 0 0",
        "write 0 0",
        "crash kept",
        "restart",
        "read 0",
        "crash lost",
        "promote",
        "write 0 0",
        "commit 0",
    )
    seen = replay(trace, RIGHT)
    assert (seen.forked, seen.acknowledged, seen.log) == (frozenset(), {(0, 0)}, (0,))


@pytest.mark.slow
def test_random_traces_of_the_model_are_the_ledgers_own() -> None:
    differing = []
    for seed in range(60):
        trace, state = walk(SMALL, seed, 14, without=("look",))
        if replay(trace) != in_model(state):
            differing.append((seed, trace))
    assert differing == []
