"""Bounded runs of the long attacks (`scripts/attack`): nothing hostile is believed, and every change is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.attacks import damage
from tests.attacks.hostile import KINDS, Attacker, Outcome
from tests.attacks.record import PAGE, Record, page

BOUNDED = {"proofs": 6_000, "receipts": 3_000, "packs": 400}
AWAY = 500_000_000
"""Seeds that the long runs do not reach."""


@pytest.fixture(scope="module")
def attacker() -> Attacker:
    return Attacker()


@pytest.mark.parametrize("kind", KINDS)
def test_no_hostile_input_is_believed(attacker: Attacker, kind: str) -> None:
    outcomes = Counter(attacker.attempt(kind, AWAY + seed) for seed in range(BOUNDED[kind]))
    assert outcomes[Outcome.ACCEPTED] == 0
    assert outcomes[Outcome.REFUSED] > 0.9 * BOUNDED[kind]


def test_the_genuine_ones_are_believed_by_the_same_judge(attacker: Attacker) -> None:
    assert attacker.believes_the_genuine()


def test_every_single_change_of_an_export_is_found_in_its_place() -> None:
    assert damage.audit(damage.small()[0]).findings.count == 0
    touched = Counter(damage.attempt(AWAY + seed).split("/")[0] for seed in range(400))
    assert set(touched) == {"checkpoint", "evidence", "manifest.json", "tile"}


def test_the_record_holds_no_attack_that_succeeded_and_the_page_says_what_it_holds() -> None:
    record = Record()
    assert [stretch for stretch in record.stretches if stretch.accepted or stretch.uncaught] == []
    assert PAGE.read_text() == page(record), "write it anew: scripts/attack --hostile 0 --damage 0"


def test_no_seed_is_tried_twice_and_another_state_of_the_verifier_begins_anew(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.json")
    record.open("proofs", "a").tried = 10
    assert record.open("proofs", "a").first == 0
    assert record.open("proofs", "b").first == 10
    record.open("proofs", "b").tried = 5
    record.save()
    again = Record(tmp_path / "record.json")
    assert (again.tried("proofs"), again.open("proofs", "c").first) == (15, 15)
