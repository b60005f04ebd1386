"""A node of several processes: which of them opens what, seen from inside each by what Python audits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.node.founding import initialise
from api.node.settings import Settings
from tests.api.fleet import await_until, fleet, is_ready
from tests.ports import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(state_dir=tmp_path / "state", port=free_port())
    initialise(settings, "ledger.example/fleet")
    return settings


@pytest.mark.timeout(300)
def test_no_process_that_speaks_with_strangers_opens_the_logs_signing_key_or_the_kek(
    settings: Settings, tmp_path: Path
) -> None:
    """Review S26: whatever takes a front over finds no key in its memory that signs for the log, or opens all its bodies."""
    with fleet(settings, tmp_path / "heard") as running:
        await_until(lambda: len(running.fronts()) == 2, "two fronts listen")
        opened = running.opened()
        before = {one.pid for one in running.fronts()}
        for key in (settings.log_key_file, settings.kek_file):
            key.rename(key.with_name(f"{key.name}-away"))
        running.fronts()[0].kill()
        await_until(lambda: len({one.pid for one in running.fronts()} | before) == 3, "a front is started again")
        await_until(lambda: len(running.fronts()) == 2 and is_ready(settings), "it answers without the keys")
        opened |= running.opened()
    signing, wrapping = ({process for process, name in opened if name == key} for key in ("log.key", "kek"))
    fronts = {process for process, name in opened if name == "token.key" and process.startswith("front")}
    assert fronts == {"front 1", "front 2"}, "the fronts were heard"
    assert signing == {"MainProcess", "sequencer"}
    assert wrapping == {"MainProcess", "sequencer", "keeper"}


@pytest.mark.timeout(300)
def test_a_sequencing_process_that_may_not_sign_says_so_in_a_line_and_does_not_run_hot(
    settings: Settings, tmp_path: Path
) -> None:
    with fleet(settings, tmp_path / "heard") as running:
        (settings.highwater_dir / "refused").write_text("witness.example has seen another history\n")
        running.behind(writes=True).kill()
        await_until(lambda: running.said.read_text().count("this node has stopped signing") >= 2, "it is tried again")
        said = running.said.read_text()
        assert not is_ready(settings)
    assert "witness.example has seen another history" in said
    assert "sign-here --this-is-the-newest-copy" in said, "and what to do"
    assert "Traceback" not in said
    pauses = [float(found) for found in re.findall(r'"in_seconds": ?([0-9.]+)', said)]
    assert len(pauses) >= 2
    assert pauses == sorted(pauses)


@pytest.mark.timeout(300)
def test_a_keeper_of_the_kek_that_is_killed_is_started_again_and_asked_again(
    settings: Settings, tmp_path: Path
) -> None:
    with fleet(settings, tmp_path / "heard") as running:
        killed = running.behind(writes=False)
        killed.kill()
        await_until(lambda: "a process ended and is started again" in running.said.read_text(), "it is missed")
        await_until(lambda: killed not in running.workers() and len(running.workers()) == 4, "there is another")
        await_until(lambda: all(is_ready(settings) for _ in range(6)), "each front asks the new one")
        assert running.behind(writes=False) != killed
