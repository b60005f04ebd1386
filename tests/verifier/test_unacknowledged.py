"""Reports count the ends that nobody has acknowledged, for as long as nobody does (docs/spec/reports.md, Measures)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.verifier.forge import DAY, RECIPIENT, write
from tests.verifier.reported import Reported, begun, told
from verifier.cli import main

WAITED = ["unacknowledged", "unacknowledged_late"]


def waited(world: Reported, **counts: tuple[int, int]) -> str:
    lines = [
        f"{name},{measure},{number}"
        for name, numbers in sorted(counts.items())
        for measure, number in zip(WAITED, numbers, strict=True)
    ]
    return "\n".join(["recipient,measure,value", *lines]) + "\n"


def test_an_end_that_is_never_acknowledged_counts_in_every_period_and_is_late_after_72_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(by=["recipient"], measures=WAITED)
    world.tick()
    consents = [world.grant() for _ in range(4)]
    silent, late, own, prompt = consents
    world.revoke(silent)
    ended = world.revoke(late)
    world.end(own, "consent.revoke", "REVOKED", RECIPIENT)
    world.acknowledge(prompt, world.revoke(prompt))
    world.time = world.day(4) * 1000 - 1  # on the fourth day, after more than 72 hours
    world.acknowledge(late, ended)
    world.tick(1)
    for last, numbers in ((1, (2, 0)), (2, (2, 0)), (3, (2, 0)), (4, (1, 1))):
        world.issue(waited(world, **{RECIPIENT: numbers}), first=last - 1, last=last)
    assert told(world, tmp_path, capsys)[0] == []
    lies = [world.issue(waited(world, **{RECIPIENT: numbers}), first=3, last=4) for numbers in ((0, 0), (1, 0))]
    assert told(world, tmp_path, capsys)[0] == [("UNMATCHED", index) for index in lies]


@pytest.mark.parametrize(("early", "number"), [(0, 1), (1, 0)])
def test_the_last_late_end_was_72_hours_before_the_periods_end(
    early: int, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(measures=["unacknowledged_late"])
    consent = world.grant()
    world.time = world.day(1) * 1000 + early
    end = world.revoke(consent)
    world.time = world.day(4) * 1000
    world.acknowledge(consent, end)  # the period is over
    world.issue(f"measure,value\nunacknowledged_late,{number}\n", first=3, last=4)
    assert told(world, tmp_path, capsys)[0] == []


def test_an_entry_that_cannot_be_read_leaves_open_whether_an_end_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(measures=["unacknowledged"])
    end = world.revoke(world.grant())
    world.tick(2 * DAY)
    world.issue("measure,value\nunacknowledged,9\n", first=1, last=2)
    write(world.files("partial", frozenset({end})), tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    words = ["bundle", str(tmp_path / "bundle"), "--policy", str(tmp_path / "policy"), "--jobs", "1", "--json"]
    assert main(words) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    unchecked = {one["what"]: one["count"] for one in events if one["event"] == "unchecked"}
    assert unchecked["reports that rest on entries which were withheld, erased or unreadable"] == 1
