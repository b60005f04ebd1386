"""The browser's verifying script gives every vector's verdict for what it knows: CL-JSON, hashes, notes, receipts."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import playwright

from tests.conformance import ROOT, lacking
from tests.vectors.__main__ import FOLDER
from tests.vectors.reading import read

SCRIPT = ROOT / "api/web/static/verify.js"


@cache
def answers() -> dict[str, list[tuple[str, Any]]]:
    """What the script says under Node; the browser tests run the same script in Chromium (tests/web)."""
    node = shutil.which("node") or str(Path(playwright.__file__).parent / "driver/node")
    if not Path(node).exists():
        lacking("no node, neither installed nor in playwright's driver: the script is not held against the vectors")
    judge = Path(__file__).parent / "judge.mjs"
    ran = subprocess.run(
        [node, str(judge), str(SCRIPT), str(FOLDER)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return {name: [(row[0], row[1]) for row in rows] for name, rows in json.loads(ran.stdout).items()}


def wrong(name: str, rows: list[dict[str, Any]]) -> list[str]:
    said = answers()[name]
    assert len(said) == len(rows)
    return [row["name"] for (_, accepted), row in zip(said, rows, strict=True) if accepted is not row["accept"]]


def test_encodings() -> None:
    assert wrong("cl-json", read("cl-json")["cases"]) == []
    assert wrong("base64", read("base64")["cases"]) == []


def test_hashes() -> None:
    made = read("derivations")
    assert [said for _, said in answers()["leaves"]] == [row["hash"] for row in made["leaves"]]
    assert [said for _, said in answers()["commitments"]] == [row["commitment"] for row in made["commitments"]]
    assert wrong("inclusion", [row for row in read("merkle")["proofs"] if row["kind"] == "inclusion"]) == []


def test_notes_and_keys() -> None:
    assert wrong("notes", read("notes")["notes"]) == []
    assert wrong("vkeys", read("notes")["vkeys"]) == []


def test_the_bound_of_a_receipt_is_counted_in_bytes() -> None:
    """The last size that a receipt may have, one more, and as many characters as it may have bytes, each of three."""
    assert answers()["receipt_sizes"] == [("fits", True), ("too long", False), ("too many bytes", "nothing")]


def test_receipts() -> None:
    """The script counts no witnesses, reads no trust file and knows the members of no act: a receipt that lacks only those is
    genuine to it."""
    of_form = {"a declaration with an outcome", "a declaration with a member more"}
    rows = [
        {**row, "accept": row["exit"] in (0, 3) or row["code"] == "KEY_COMPROMISED"}
        for row in read("receipts")["cases"]
    ]
    rows = [{**row, "accept": row["accept"] or row["name"] in of_form} for row in rows]
    assert wrong("receipts", rows) == []
