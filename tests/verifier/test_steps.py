"""The steps of docs/spec/verdicts.md stand at the checks in the verifier's source, and no others do."""

from __future__ import annotations

import re

from tests.conformance import ROOT


def test_each_step_of_the_specification_stands_in_the_source_and_the_reverse() -> None:
    page = (ROOT / "docs/spec/verdicts.md").read_text()
    specified = set(re.findall(r"^\| ([1-9]\.[0-9]+) \|", page, re.MULTILINE))
    written = set()
    for path in (ROOT / "verifier").rglob("*.py"):
        for numbers in re.findall(r"(?:# |\"\"\")Steps? ((?:[1-9]\.[0-9]+(?:, )?)+)", path.read_text()):
            written |= set(numbers.split(", "))
    assert written == specified
    assert len(specified) > 45
