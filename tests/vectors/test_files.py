"""The vectors are what their program makes, small, and say something of every code and of every step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conformance import ROOT
from tests.vectors.__main__ import FOLDER, differences
from tests.vectors.reading import cases, read

VERDICTS = (ROOT / "docs/spec/verdicts.md").read_text()
BY_HAND = {"1.2", "7.16"}
"""1.2 is about where a policy came from, 7.16 is whatever nobody thought of."""
OF_NO_VERDICT = {"ERASED"}
"""A word for a body, not of a bundle, receipt or pack."""


def test_the_files_are_what_the_program_makes() -> None:
    assert differences() == []


def test_the_folder_is_small_enough_for_everybody() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 5_000_000


def test_there_is_a_case_for_every_step_of_the_algorithm() -> None:
    steps = set(re.findall(r"^\| (\d\.\d+) \|", VERDICTS, re.MULTILINE))
    assert len(steps) > 50
    assert steps - {step for path in cases() for step in json.loads(path.read_text())["steps"]} == BY_HAND


def test_there_is_a_case_for_every_code() -> None:
    table = VERDICTS[VERDICTS.index("## Codes") : VERDICTS.index("## Exit statuses")]
    codes = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    expected = [json.loads(path.read_text())["expect"] for path in cases()]
    told = {row["code"] for expect in expected for kind in ("defects", "findings", "notices") for row in expect[kind]}
    tables = ("receipts", "completeness", "packs", "compared", "continued")
    told |= {row["code"] for name in tables for row in read(name)["cases"]}
    assert codes - told == OF_NO_VERDICT
    assert {expect["exit"] for expect in expected} == {0, 1, 2, 3}


def test_there_are_enough_refusals() -> None:
    refused = sum(json.loads(path.read_text())["expect"]["exit"] == 1 for path in cases())
    objects = [row for name in ("receipts", "completeness", "packs") for row in read(name)["cases"] if row["exit"] == 1]
    assert refused + len(objects) >= 120


@pytest.mark.parametrize("language", ["typescript", "java"])
def test_the_sdks_name_every_act_and_run_or_leave_out_every_file(language: str) -> None:
    """They run the vectors themselves (`scripts/test-sdks`), which needs Node and a JDK: what a new act or file forgets in them
    shows here. Java puts the steps of a consent together: `"consent." + step`."""
    paths = [path for path in (ROOT / "sdk" / language / "src").rglob("*") if path.suffix in {".ts", ".java"}]
    sources = "".join(path.read_text() for path in paths if "test" not in path.parts)
    acts = {row["name"].partition(":")[0] for row in read("acts")["cases"]}
    assert len(acts) > 40
    named = {act for act in acts if f'"{act}"' in sources or f'"{act.removeprefix("consent.")}"' in sources}
    assert acts - named == set()
    kinds = json.loads((ROOT / "sdk/vectors.json").read_text())
    there = {path.name for path in FOLDER.iterdir() if path.suffix == ".json" or path.name in {"bundles", "cases"}}
    assert {*kinds["run"], *kinds["left_out"]} == there


def test_the_program_shares_no_code_with_what_it_judges() -> None:
    here = Path(__file__).parent
    for path in here.glob("*.py"):
        if not path.name.startswith("test_"):
            assert not re.search(r"^\s*(from|import) (verifier|ledger|api)\b", path.read_text(), re.MULTILINE), path
