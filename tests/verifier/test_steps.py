"""The steps of docs/spec/verdicts.md stand at the checks in the verifier's source, and no others do."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from tests.conformance import ROOT
from tests.verifier.forge import ORIGIN, World
from tests.verifier.making import BACKEND
from verifier.errors import Code
from verifier.records.disclosure import Reader
from verifier.records.leaf import parse_leaf
from verifier.rules.chain_store import Shelf
from verifier.rules.findings import Findings
from verifier.rules.replay import Replay
from verifier.tlog.trust import parse_trust


def test_each_step_of_the_specification_stands_in_the_source_and_the_reverse() -> None:
    page = (ROOT / "docs/spec/verdicts.md").read_text()
    specified = set(re.findall(r"^\| ([1-9]\.[0-9]+) \|", page, re.MULTILINE))
    written = set()
    for path in (ROOT / "verifier").rglob("*.py"):
        for numbers in re.findall(r"(?:# |\"\"\")Steps? ((?:[1-9]\.[0-9]+(?:, )?)+)", path.read_text()):
            written |= set(numbers.split(", "))
    assert written == specified
    assert len(specified) > 45


def test_each_step_of_a_set_stands_in_the_source_and_the_reverse() -> None:
    page = (ROOT / "docs/spec/sets.md").read_text()
    source = "".join(path.read_text() for path in (ROOT / "verifier").rglob("*.py"))
    specified = set(re.findall(r"^\| (S[0-9]+) \|", page, re.MULTILINE))
    assert set(re.findall(r"# Step (S[0-9]+)\.", source)) == specified
    assert len(specified) == 8
    section = page[page.index("## 3. A set proof") : page.index("## 4.")]
    numbers = set(re.findall(r"^\| ([0-9]) \|", section, re.MULTILINE))
    written = re.findall(r"# Set proof, steps? ([0-9](?: and [0-9])*)", source)
    assert {number for found in written for number in found.split(" and ")} == numbers != set()


def test_the_steps_of_a_receipt_and_of_a_completeness_file_stand_in_the_source_and_the_reverse() -> None:
    page = (ROOT / "docs/spec/receipts.md").read_text()
    source = "".join(path.read_text() for path in (ROOT / "verifier").rglob("*.py"))
    pages = {"Transparent": (ROOT / "docs/spec/cose.md").read_text() + "\n## "}
    for title, word in (("Checking one", "Receipt"), ("Complete", "Complete"), ("Checking one", "Transparent")):
        [section] = re.findall(rf"^## {title}\n(.*?)^## ", pages.get(word, page), re.MULTILINE | re.DOTALL)
        specified = set(re.findall(r"^(?:\| )?([0-9])(?:\.| \|) ", section, re.MULTILINE))
        written = set()
        for numbers in re.findall(rf"# {word}, steps? ([0-9](?:(?:, | and )[0-9])*)", source):
            written |= set(re.findall("[0-9]", numbers))
        assert written == specified != set()


def test_step_7_16_what_nobody_foresaw_is_a_defect_of_its_entry_and_ends_nothing() -> None:
    """A time that is not a number stands for all that a reader may stumble over."""
    world = World(5).open()
    world.access(world.grant())
    nonsense: Any = "noon"
    index = len(world.entries) - 1
    leaf = parse_leaf(world.entries[index])
    body, _ = world.evidence[index]
    found = Reader(ORIGIN, BACKEND, {}).read_evidence(leaf.kind, leaf.chain, nonsense, body)
    assert (found.facts, found.defects[-1][0]) == (None, "BAD_ENCODING")
    findings, trust = Findings(), parse_trust(world.policy().encode())
    replay = Replay(ORIGIN, findings, Shelf(), True, trust, BACKEND, lambda _: None)
    with closing(replay.matching):
        replay.add(index, leaf._replace(time=nonsense), None)
        replay.finish()
    assert [(defect.code, defect.place.index) for defect in findings.defects] == [(Code.BAD_ENCODING, index)]
