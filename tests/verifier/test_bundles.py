"""Bundles: an honest one is VALID; every kind of tampering and lying is refuted, with its code and place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verifier import later_cases
from tests.verifier.auditing import audit
from tests.verifier.cases import CASES, Case, honest
from tests.verifier.forge import World
from verifier.errors import Code
from verifier.rules.access_legs import UNREAD
from verifier.rules.judging import HOLDERS_WORD, LEDGERS_WORD

ROWS: list[str] = []


def test_an_honest_bundle_is_valid(tmp_path: Path) -> None:
    files, world = honest()
    found = audit(files, world, tmp_path)
    assert [str(defect) for defect in found.findings.defects] == []
    assert found.verdict is Code.VALID
    assert not found.findings.unchecked
    assert found.findings.checked["access decisions"] > 250


@pytest.mark.parametrize("make", [later_cases.honest_of_1, later_cases.honest_of_2, later_cases.honest_of_both])
def test_an_honest_bundle_of_either_ruleset_or_of_both_is_valid(make: Callable[[], World], tmp_path: Path) -> None:
    world = make()
    found = audit(world.files(), world, tmp_path).findings
    assert [str(defect) for defect in found.defects] == []
    assert found.checked["access decisions"] > 3
    assert {what for what in found.unchecked if "asserted" not in what} == set()


def test_a_report_over_withheld_evidence_is_counted_as_not_checked(tmp_path: Path) -> None:
    world = later_cases.honest_of_2()
    last = max(index for index in world.evidence if index in world.legs)
    found = audit(world.files("partial", frozenset({last})), world, tmp_path).findings
    assert [str(defect) for defect in found.defects] == []
    assert found.checked["reconciliation reports"] == 1
    assert found.unchecked[UNREAD] == 1


def test_asserted_reasons_are_counted_as_somebodys_word(tmp_path: Path) -> None:
    world = later_cases.honest_of_2()
    found = audit(world.files(), world, tmp_path).findings
    assert {what: count for what, count in found.unchecked.items() if "word" in what} == {
        HOLDERS_WORD: 2,
        LEDGERS_WORD: 3,
    }
    assert found.reasons["HOLDER_UNAVAILABLE"] == 1


def test_worker_processes_find_the_same(tmp_path: Path) -> None:
    files, world = next(case for case in CASES if case.name == "an opening is changed").make()
    alone, shared = audit(files, world, tmp_path / "1"), audit(files, world, tmp_path / "2", jobs=2)
    assert alone.findings.defects == shared.findings.defects
    assert alone.findings.checked == shared.findings.checked


EVERY = [*CASES, *later_cases.CASES]


@pytest.mark.parametrize("case", EVERY, ids=[f"{case.case}: {case.name}" if case.case else case.name for case in EVERY])
def test_is_refuted_with_code_and_place(case: Case, tmp_path: Path) -> None:
    files, world = case.make()
    found = audit(files, world, tmp_path).findings
    told = [str(defect) for defect in found.defects]
    named = [
        defect
        for defect in found.defects
        if defect.code == case.code
        and (case.index is None or defect.place.index == case.index)
        and (case.file is None or defect.place.file == case.file)
        and case.expected in defect.expected
    ]
    assert named, told
    assert found.first_bad == case.index if case.index is not None else True, told
    if not case.file:
        assert found.count <= 6, told  # one cause does not drown the report
    ROWS.append(
        f"{case.case or '–':4} {case.code:16} "
        f"{case.index if case.index is not None else case.file!s:>24}  {found.count:2} defects  {case.name}"
    )


def test_the_matrix_has_at_least_a_hundred_and_forty_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EVERY) >= 140
    with capsys.disabled():
        print("\n" + "\n".join(ROWS))
