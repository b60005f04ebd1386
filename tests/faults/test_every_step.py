"""A writer is killed at each step of a commit, and may start again: nothing acknowledged is lost, nothing stands twice, and no
size is signed with two roots (F01)."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.notes.checkpoint import open_checkpoint
from tests.faults.dying import STEPS
from tests.faults.killed import Writer, jti_of, prepared, whole
from tests.world import item


@pytest.mark.parametrize("step", STEPS)
def test_f01_a_writer_killed_at_any_step_of_a_commit_leaves_one_log(engine_url: str, tmp_path: Path, step: str) -> None:
    with prepared(tmp_path, engine_url) as (node, consent_id):
        statements = [node.fintech.sign("access.request", **item(consent_id)) for _ in range(12)]
        count = "6" if step in STEPS[:4] else "3"  # starting and housekeeping look at the head too
        dying = Writer(node.config, program=[sys.executable, "-m", "tests.faults.dying", step, count])
        with suppress(BrokenPipeError):
            for statement in statements:  # one by one, so that there is more than one commit
                dying.submit([statement])
                dying.read(1)
        dying.end()
        assert dying.process.returncode == -signal.SIGKILL, "it lived on: the step was never reached"
        signed = open_checkpoint(node.config.highwater_file.read_text(), node.ledger.vkey)
        again = Writer(node.config)
        again.submit(statements)
        again.end()
        assert again.process.returncode == 0
        told = {**again.repeated, **{name: index for name, (index, _) in again.acknowledged.items()}}
        assert told.keys() == {jti_of(statement) for statement in statements}
        assert {name: told[name] for name in dying.acknowledged} == {
            name: index for name, (index, _) in dying.acknowledged.items()
        }
        in_log = whole(node)  # every checkpoint against the one tree, among them
        assert {name: in_log[name] for name in told} == told
        assert signed.size <= max(told.values()) + 1
