"""Scenario packs: each that comes along is applied by one command, and a hostile one is refused with nothing recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.partners.scenarios import packs, read_pack
from ledger.catalogue import LATEST
from ledger.errors import InvalidInput
from tests.conformance import ROOT


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(state)])


def test_the_scenarios_that_come_along() -> None:
    assert set(packs()) == {"accounting", "credit", "education", "health", "shopping", "travel"}


@pytest.mark.parametrize("name", packs())
def test_a_pack_asks_for_what_the_catalogue_has_and_may_be_shared(name: str) -> None:
    pack = read_pack(packs()[name])
    assert pack.scenario == name
    for purpose in pack.purposes:
        grade = LATEST.highest_grade(purpose.permissions)
        assert grade is not None
        assert grade <= LATEST.max_grade


def test_all_are_applied_to_one_log(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run(state, "init", "--origin", "bank.example/log").exit_code == 0
    for name in packs():
        applied = run(state, "purpose", "apply", name)
        assert applied.exit_code == 0, applied.output
        assert read_pack(packs()[name]).purposes[0].texts["en"] in applied.output


HOSTILE: dict[str, dict[str, Any]] = {
    "unknown permission": {"permissions": ["ReadMinds"]},
    "no words in Chinese": {"texts": {"en": "x", "pt-BR": "x"}},
    "terms beyond the limit": {"terms": {"days": 31, "frequency_per_day": 1, "retention_days": 30}},
    "a limit below nothing": {"max_days": -1},
    "a member more": {"colour": "red"},
    "words that hide others": {"texts": {"en": "x\n", "pt-BR": "x", "zh-CN": "x"}},
}


BEYOND_A_SCHEMA = {"unknown permission", "terms beyond the limit"}


def test_the_schema_for_schemes_takes_what_the_reader_takes_and_refuses_what_it_refuses(tmp_path: Path) -> None:
    folder = ROOT / "docs/spec/schemas"
    named = [(name, json.loads((folder / name).read_text())) for name in ("common.schema.json", "scenario.schema.json")]
    registry: Registry[Any] = Registry().with_resources(
        [(name, Resource.from_contents(schema)) for name, schema in named]
    )
    schema = Draft202012Validator(named[1][1], registry=registry)
    good = json.loads(packs()["shopping"].read_text())
    assert all(schema.is_valid(json.loads(path.read_text())) for path in packs().values())
    [purpose] = good["purposes"]
    edges = (
        [{"max_history_days": value} for value in (0, 36_500, 36_501, -1, "1")]
        + [{"max_frequency_per_day": value} for value in (10_000, 10_001)]
        + [{"texts": {**purpose["texts"], "en": text}} for text in ("x" * 200, "x" * 201, "", "x\ny")]
        + [{"permissions": []}, {"code": ""}, {"icon": "a b"}]
    )
    hostile = [changes for name, changes in HOSTILE.items() if name not in BEYOND_A_SCHEMA]
    verdicts = []
    for changes in [*edges, *hostile]:
        pack = {**good, "purposes": [{**purpose, **changes}]}
        (tmp_path / "pack").write_text(json.dumps(pack))
        try:
            read_pack(tmp_path / "pack")
            verdicts.append(True)
        except InvalidInput:
            verdicts.append(False)
        assert schema.is_valid(pack) is verdicts[-1], changes
    assert {True, False} == set(verdicts)
    assert not any(verdicts[len(edges) :])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_pack_is_refused_and_nothing_is_recorded(case: str, tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "pack.json"
    assert run(state, "init", "--origin", "bank.example/log").exit_code == 0
    pack = json.loads(packs()["shopping"].read_text())
    good = dict(pack["purposes"][0], code="good")
    pack["purposes"] = [good, {**pack["purposes"][0], **HOSTILE[case]}]
    file.write_text(json.dumps(pack))
    refused = run(state, "purpose", "apply", str(file))
    assert refused.exit_code == 1
    checked = run(state, "check")
    assert "1 entries" in checked.output or "1 entry" in checked.output, checked.output


def test_a_file_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"[]", b"{" * 1_000, b"\xff", b" " * 70_000):
        (tmp_path / "pack").write_bytes(content)
        with pytest.raises(InvalidInput):
            read_pack(tmp_path / "pack")
