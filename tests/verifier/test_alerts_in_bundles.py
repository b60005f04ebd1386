"""Alerts and models in a whole bundle, as an auditor asks for them: `bundle`, `alerts`, an audit that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.alerting import activated, begun, many, model, rate
from tests.verifier.forge import b64u, encode, sha, write
from tests.verifier.scored import Scored
from verifier.cli import main
from verifier.rules.alerts import UNREAD

Told = tuple[int, list[dict[str, Any]]]


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> Told:
    status = main([*map(str, arguments), "--jobs", "1", "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def defects(told: Told) -> list[tuple[str, int | None, str | None]]:
    return [(one["code"], one["index"], one["file"]) for one in told[1] if one["event"] == "defect"]


def unchecked(told: Told) -> dict[str, int]:
    return {one["what"]: one["count"] for one in told[1] if one["event"] == "unchecked"}


def bundle(world: Scored, place: Path, files: dict[str, bytes] | None = None) -> list[object]:
    write({**world.files(), **(files or {})}, place / "bundle")
    (place / "policy").write_text(world.policy())
    return [place / "bundle", "--policy", place / "policy"]


def test_alerts_are_listed_each_with_what_became_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, consent = begun()
    rate(world, consent, 0)
    [given] = world.raise_due()
    lie = world.raise_alert("other.example", at_index=given - 1, rule="woken")
    world.tick(3_600_000)
    many(world, consent, 60)
    [hidden] = [one["at_index"] for one in world.owed]
    world.tick(3_600_000)
    world.index_head()
    place = bundle(world, tmp_path)
    told = asked(capsys, "alerts", *place)
    lines = [str(one["text"]) for one in told[1] if one["event"] == "text"]
    assert [(int(line.split()[0]), line.rpartition("; ")[2]) for line in lines] == [
        (given, "as the rules give it"),
        (lie, "INVENTED: no rule gives it"),
        (hidden, "MISSING: the rules give it, and it was not raised"),
    ]
    assert defects(told) == [("CONSENT_INVALID", lie, None), ("INCOMPLETE", hidden, None)]
    assert told[0] == 1
    assert main(["alerts", *map(str, place), "--jobs", "1", "--lang", "zh"]) == 1
    assert "缺失：规则得出了它，却没有发出" in capsys.readouterr().out


def test_a_bundle_without_alerts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, _ = begun()
    status, events = asked(capsys, "alerts", *bundle(world, tmp_path))
    assert status == 0
    assert [one["text"] for one in events if one["event"] == "text"] == ["The bundle holds no alert, and owes none."]


def modelled() -> tuple[Scored, str, bytes]:
    world, consent = begun()
    data = activated(world, model())
    many(world, consent, 110, 100_000, customer_present=False)
    world.raise_due()
    return world, f"models/{b64u(sha(data))}.json", data


def test_a_model_is_read_from_the_bundle_and_its_alerts_are_recomputed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, name, data = modelled()
    assert unchecked(asked(capsys, "bundle", *bundle(world, tmp_path / "a", {name: data}))) == {}
    without = asked(capsys, "bundle", *bundle(world, tmp_path / "b"))
    assert (without[0], defects(without)) == (0, [])
    assert unchecked(without) == {"alerts of a model whose bytes are not in the bundle": 1}


def test_a_model_of_another_hash_of_nobody_or_of_no_form_is_a_defect_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, name, data = modelled()
    stranger = f"models/{b64u(bytes(32))}.json"
    for number, (files, file) in enumerate((({name: data + b" "}, name), ({name: data, stranger: b"{}"}, stranger))):
        told = asked(capsys, "bundle", *bundle(world, tmp_path / str(number), files))
        assert defects(told) == [("BAD_ENCODING", None, file)]
    world, _ = begun()
    wrong = encode(model(trees=[[[0, 1, 0, 0]]]))
    members = {"hash": b64u(sha(wrong)), "card_hash": b64u(bytes(32)), "from_index": 0, "to_index": 0}
    world.document("model.activated", model="m1", **members)
    name = f"models/{b64u(sha(wrong))}.json"
    told = asked(capsys, "bundle", *bundle(world, tmp_path / "c", {name: wrong}))
    assert defects(told) == [("BAD_ENCODING", None, name)]


def test_without_evidence_alerts_are_not_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, consent = begun()
    rate(world, consent, 0)
    world.raise_due()
    told = asked(capsys, "bundle", *bundle(world, tmp_path), "--no-evidence")
    assert (told[0], defects(told)) == (0, [])
    assert unchecked(told)["alerts (left out with the evidence, on request)"] == 1


def test_a_resumed_audit_says_what_it_forgot_and_misses_no_alert_that_was_due(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, consent = begun()
    rate(world, consent, 0)
    [owed] = world.owed
    kept = bundle(world, tmp_path / "a")
    assert asked(capsys, "bundle", *kept, "--keep", tmp_path / "state")[0] == 0
    world.tick(60_001)
    world.index_head()
    told = asked(capsys, "bundle", *bundle(world, tmp_path / "b"), "--since", tmp_path / "state")
    assert defects(told) == [("INCOMPLETE", owed["at_index"], None)]
    world.raise_due()
    told = asked(capsys, "bundle", *bundle(world, tmp_path / "c"), "--since", tmp_path / "state")
    assert defects(told) == []
    assert unchecked(told)["alerts whose rules reach back before the kept state"] == 1


def test_an_audit_that_goes_on_knows_no_end_of_before_and_judges_those_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, consent = begun()
    world.score(3)
    world.revoke(consent)
    later = world.grant()
    state = tmp_path / "state"
    assert asked(capsys, "bundle", *bundle(world, tmp_path / "a"), "--keep", state)[0] == 0
    world.tick(3 * 86_400_000)
    world.revoke(later)
    assert [one["rule"] for one in world.owed] == ["no-notice"]
    world.raise_due()
    told = asked(capsys, "bundle", *bundle(world, tmp_path / "b"), "--since", state)
    assert (told[0], unchecked(told)[UNREAD]) == (0, 1)
    world.tick(4 * 86_400_000)
    due = world.index_head()
    assert [one["at_index"] for one in world.owed] == [due]
    world.tick(86_400_000)
    world.index_head()
    told = asked(capsys, "bundle", *bundle(world, tmp_path / "c"), "--since", state)
    assert defects(told) == [("INCOMPLETE", due, None)]
