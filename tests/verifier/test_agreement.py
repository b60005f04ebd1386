"""The ledger and the verifier, written apart from one specification, agree on random histories: on what is refused, on
every state, on every decision with all its reasons; and the bundle of it all is VALID."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import migrations
from ledger.assembly import create_log, make_keys, open_ledger
from tests.clocks import HandClock
from tests.verdicts import audited
from tests.verifier.lives import Life
from tests.world import ORIGIN, World, node_config
from verifier.audit.request_files import NOT_THERE


@contextmanager
def opened(folder: Path, clock: HandClock, ruleset: int) -> Iterator[World]:
    """A new log under a ruleset."""
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    config = node_config(url, folder)
    make_keys(config, ORIGIN)
    migrations.upgrade(url)
    create_log(config, clock=clock, ruleset=ruleset)
    ledger = open_ledger(config, clock=clock)
    ledger.start()
    try:
        yield World(ledger, clock)
    finally:
        ledger.stop()


@pytest.mark.parametrize(("seed", "ruleset"), [(41, 2), (42, 2), (54, 2), (43, 1), (51, 1)])
def test_the_verifier_accepts_and_refuses_what_the_ledger_does(seed: int, ruleset: int, tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path, clock, ruleset) as world:
        life = Life(world, clock, random.Random(seed))
        for number in range(300):
            if number == 100 and ruleset == 1:
                life.document("ruleset.activated", ruleset=2)
            life.step()
        audit = audited(world.ledger, tmp_path / "bundle")
    assert [str(defect) for defect in audit.findings.defects] == []
    assert {what for what in audit.findings.unchecked if "asserted" not in what} <= {NOT_THERE}
    assert life.refused.total() > 50
    assert life.done["allow"] > 3
    assert life.done["deny"] > 20
