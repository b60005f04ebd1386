"""Bundles that must not be VALID, from whoever keeps them: any folder of vectors with an `expected.json` of this shape.

    [{"case": FOLDER, "exit": 1, "codes": [[CODE, INDEX], …]}, …]

Each case is a bundle with its own policy; `codes` are the defects that must at least be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import conformance
from verifier.cli import main

Row = dict[str, Any]


def rows_of(path: Path) -> list[Row]:
    """The cases of a file, none if it has another shape."""
    try:
        rows = json.loads(path.read_bytes())
    except ValueError:
        return []
    shaped = isinstance(rows, list) and all(
        isinstance(row, dict) and {"case", "exit", "codes"} <= row.keys() and (path.parent / row["case"]).is_dir()
        for row in rows
    )
    return rows if shaped else []


def cases() -> Iterator[Any]:
    for path in conformance.files("vectors/**/expected.json", shape=lambda path: bool(rows_of(path))):
        for row in rows_of(path):
            yield pytest.param(path.parent / row["case"], row, id=f"{path.parent.name}: {row['case']}")


@pytest.mark.conformance
@pytest.mark.parametrize(("bundle", "row"), list(cases()))
def test_nothing_that_must_be_invalid_is_valid(bundle: Path, row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["bundle", str(bundle), "--policy", str(bundle / "policy"), "--json", "--jobs", "1"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [(event["code"], event["index"]) for event in events if event["event"] == "defect"]
    assert (status, events[-1]["status"]) == (row["exit"], row["exit"]), events[-1]
    assert {tuple(code) for code in row["codes"]} <= set(told), told
    assert "internal error" not in str(events[-1]["reason"])
    if status == 1:
        assert events[-1]["code"] in {code for code, _ in told}
