"""Nothing acknowledged is lost, doubled or decided wrongly, and no two roots are shown at one size, whatever fails at
whichever call (docs/simulation.md)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.defects import (
    BELIEVING,
    BROKEN,
    CANCELLED,
    FORGETFUL,
    HASTY,
    PAPER,
    STALE,
    UNCONFIRMED,
)
from tests.simulation.run import simulate
from tests.simulation.weather import SEASONS

ROOT = Path(__file__).parents[2]
SEEDS = 300
"""The first so many are played here; more by `scripts/simulate`."""
PARTS = 6
SEASON = {HASTY: 0, CANCELLED: 1, UNCONFIRMED: 1, FORGETFUL: 4, PAPER: 0, STALE: 0, BELIEVING: 3}
"""In which season a defect is met soon."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_holds_whatever_fails(part: int) -> None:
    complaints, faults = [], 0
    for seed in range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS):
        outcome = simulate(seed)
        complaints += [f"scripts/simulate --from {seed} --tell: {complaint}" for complaint in outcome.complaints]
        faults += outcome.faults.total()
        assert outcome.acknowledged or outcome.complaints, f"seed {seed} proves nothing: nothing was acknowledged"
    assert complaints == []
    assert faults > 5 * SEEDS // PARTS, "the weather was too fine to prove anything"


@pytest.mark.slow
@pytest.mark.parametrize("build", BROKEN)
def test_a_broken_build_is_found_out_within_few_seeds(build: str) -> None:
    assert any(simulate(seed, build, season=SEASON[build]).complaints for seed in range(100)), build


def test_a_seed_is_the_same_run_byte_for_byte_in_every_process() -> None:
    """Also where Python orders its sets in another way, and whatever ran in the process before."""
    program = (
        "import json; from tests.simulation.run import simulate; "
        "print(json.dumps([simulate(seed).digest for seed in ({})]))"
    )
    told = []
    # in 2009 a node names a file of its own, which it finds damaged
    for hashing, seeds in (("1", "3, 4, 2009"), ("77", "4, 2009, 3")):
        environment = os.environ | {"PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program.format(seeds)]
        ran = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        told.append(json.loads(ran.stdout))
    assert len(set(told[0])) == 3
    assert told[1] == [told[0][1], told[0][2], told[0][0]]


def test_seeds_differ_in_what_happens() -> None:
    kinds = set().union(*(simulate(seed, season=season).faults for season in range(len(SEASONS)) for seed in (0, 1)))
    for kind in ("kill", "power cut", "delay", "cut before", "cut after", "disk error", "lost message"):
        assert kind in kinds
    for kind in ("server crash", "restore", "failover", "clock jump"):
        assert any(name.startswith(kind) for name in kinds), kind
