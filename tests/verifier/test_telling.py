"""What stands at the top of an answer: what the verdict leaves open, and what it is not (docs/spec/verdicts.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.verifier.forge import HOLDER, RECIPIENT, World, write
from tests.verifier.running import run
from verifier.cli import main
from verifier.inputs import OWN_POLICY
from verifier.telling.messages import word


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the policy of every forged log."""
    (tmp_path / "policy").write_text(World(3).policy())
    return tmp_path


def test_l08_figures_that_differ_are_told_of_the_two_but_refute_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(3).open()
    consent = world.grant()
    basis = world.access(consent, interaction_id="interaction-1")
    release = world.leg("access.release", consent, basis, "interaction-1")
    receipt = world.leg("access.receive", consent, basis, "interaction-1", rows=9)
    write(world.files(), place / "differ")
    status, events = run(capsys, "bundle", place / "differ", "--policy", place / "policy", "--jobs", 1)
    [finding] = [event for event in events if event["event"] == "finding"]
    assert (status, finding["code"], finding["index"], finding["field"]) == (0, "DISPUTED", receipt, "rows")
    assert finding["expected"].startswith(f"{HOLDER} (entry {release}): rows ")
    assert finding["found"].startswith(f"{RECIPIENT} (entry {receipt}): rows 9")
    assert (events[-1]["code"], events[-1]["findings"], events[-1]["defects"]) == ("VALID", 1, 0)
    for language, words in (
        ("en", "Findings about participants: 1. They say nothing against the log."),
        ("zh", "涉及参与方的发现：1 项"),
    ):
        assert main(["bundle", str(place / "differ"), "--policy", str(place / "policy"), "--lang", language]) == 0
        assert words in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_explanation_is_not_a_verification(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    for code in ("UNMATCHED", "VALID", "RATE_LIMITED", "rows-differ"):
        assert main(["explain", code, "--lang", language]) == 0
        shown = capsys.readouterr().out
        assert word("EXPLAINED", language) in shown.splitlines()[0]
        assert word("VERIFIED", language) not in shown
        assert main(["explain", code, "--json"]) == 0
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (last["code"], last["status"]) == (None, 0)
    assert main(["explain", "NOTHING"]) == 2
    assert "COULD NOT CHECK" in capsys.readouterr().out


def test_a_policy_out_of_the_bundle_itself_is_told_everywhere(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(3).open()
    world.grant()
    bundle = write(world.files(), place / "own")
    for policy, own in ((bundle / "policy", True), (place / "policy", False), (bundle / ".." / "own" / "policy", True)):
        report = place / "report.html"
        arguments = ["bundle", str(bundle), "--policy", str(policy), "--lang", "en", "--report", str(report)]
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        assert (OWN_POLICY in shown) is own
        assert ("VALID, NOT ALL CHECKED" in shown) is own
        assert (OWN_POLICY in report.read_text()) is own
        status, events = run(capsys, "bundle", bundle, "--policy", policy)
        told = {event["what"]: event["count"] for event in events if event["event"] == "unchecked"}
        assert (status, told.get(OWN_POLICY, 0), events[-1]["unchecked"]) == (0, int(own), int(own))


def test_a_later_audit_knows_what_was_withheld_and_who_said_what(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The access of one leg is withheld below the state; the other leg's sides stand on both sides of it."""
    world = World(3).open()
    first, second = world.grant(), world.grant()
    withheld = world.access(first, interaction_id="interaction-1")
    basis = world.access(second, interaction_id="interaction-2")
    world.leg("access.release", second, basis, "interaction-2")
    size = len(world.entries)
    write(world.files("partial", frozenset({withheld}), size=size), place / "before")
    world.leg("access.receive", second, basis, "interaction-2", rows=9)
    world.leg("access.release", first, withheld, "interaction-1")
    world.leg("access.release", second, basis, "interaction-2")
    write(world.files("partial", frozenset({withheld})), place / "after")
    policy, state = ("--policy", place / "policy"), place / "state"
    assert run(capsys, "bundle", place / "before", *policy, "--keep", state)[0] == 0
    told = []
    for more in ((), ("--since", state)):
        status, events = run(capsys, "bundle", place / "after", *policy, *more)
        names = ("finding", "defect")
        told.append([event for event in events if event["event"] in names])
        assert status == 1
        assert {"event": "unchecked", "what": "legs of accesses that may be withheld", "count": 1} in events
    assert told[0] == told[1]
    assert [row["code"] for row in told[0]] == ["DISPUTED", "UNMATCHED"]
    assert str(told[0][0]["expected"]).startswith(HOLDER)
