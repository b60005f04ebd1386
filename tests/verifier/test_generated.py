"""Bundles by chance: legal, illegal, ill-formed and nonsense, each with its expected exit status, code and place.

A few hundred here; as many as you like with `python -m tests.verifier.generated`.
"""

from __future__ import annotations

import json
import random
import re

import pytest

from tests.conformance import ROOT
from tests.verifier.generated.__main__ import DOCS, tables
from tests.verifier.generated.containers import CONTAINERS, Container
from tests.verifier.generated.damage import DAMAGES, Damage
from tests.verifier.generated.judge import Made, check, contained, damaged, judged, legal, lying, places
from tests.verifier.generated.lies import LIES, Lie
from tests.verifier.generated.lives import Life
from verifier.rules.judging import UNKNOWN_STATE

ELSEWHERE = {"1.1", "1.2", "3.4", "5.5", "7.16", "7.17", "8.17", "9.5", "9.6", "9.11", "9.12", "9.14", "9.15"}
"""Steps that find no defect in a bundle of one file of entries: test_telling, test_exits, test_bundles, test_usage,
test_histories; those of request texts: test_request_texts; those of the log's own keys: test_succession."""


def agrees(made: Made) -> None:
    result = judged(made)
    found = places(result)
    assert int(result.status) == made.exit, (made.kind, found, result.reason)
    assert found == made.told if made.exactly else made.told <= found, (made.kind, found, made.told)


@pytest.mark.parametrize("lie", LIES, ids=[f"{lie.step} {lie.name}" for lie in LIES])
def test_a_lie_is_told_with_its_code_and_place_and_nothing_else_is(lie: Lie) -> None:
    for seed in range(4):
        agrees(lying(random.Random(seed), lie))


@pytest.mark.parametrize("hurt", DAMAGES, ids=[f"{hurt.step} {hurt.name}" for hurt in DAMAGES])
def test_damage_is_told_with_its_code_and_place(hurt: Damage) -> None:
    for seed in range(4):
        agrees(damaged(random.Random(seed), hurt))


@pytest.mark.parametrize("how", CONTAINERS, ids=[how.name for how in CONTAINERS])
def test_a_zip_is_read_or_refused_at_its_file(how: Container) -> None:
    for seed in range(12):
        agrees(contained(random.Random(seed), how))


def test_each_step_of_the_specification_is_lied_about() -> None:
    steps = set(re.findall(r"^\| ([1-9]\.[0-9]+) \|", (ROOT / "docs/spec/verdicts.md").read_text(), re.MULTILINE))
    assert {lie.step for lie in LIES} | {hurt.step for hurt in DAMAGES} == steps - ELSEWHERE


def test_a_legal_life_is_never_refuted_whatever_is_withheld_or_erased() -> None:
    for seed in range(60):
        agrees(legal(random.Random(seed)))


def test_bundles_of_all_kinds_by_chance() -> None:
    for seed in range(150):
        check(seed)


def test_the_page_of_what_ran_is_that_of_the_kept_log() -> None:
    kept = json.loads((DOCS / "generated.json").read_text())
    assert tables(kept) in (DOCS / "generated.md").read_text()
    assert all(sum(one["by_kind"].values()) + len(one["wrong"]) == one["bundles"] for one in kept)


def test_withheld_entries_leave_unknown_only_what_rested_on_them() -> None:
    """One body at a time: the entries of all other consents are judged as if nothing was missing."""
    life = Life(random.Random(7), 2)
    life.go_on(20)
    whole = judged(Made("whole", life.files(), life.policy())).findings
    assert whole.unchecked == {}
    for index in life.evidence:
        found = judged(Made("one", life.files("partial", frozenset({index})), life.policy())).findings
        chain = life.chain_at(index)
        later = sum(life.chain_at(other) == chain for other in life.evidence if other > index)
        assert found.unchecked[UNKNOWN_STATE] <= later
        for what in ("access decisions", "consent transitions"):
            assert whole.checked[what] - found.checked[what] <= later + 1
