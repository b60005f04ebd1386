"""A case that goes from one authority to another: which hand-overs and signatures are legal
(docs/spec/ruleset-3.md, 14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.forge import b64u
from tests.verifier.making import refusal
from verifier.errors import Code
from verifier.rules.handovers import Handovers
from verifier.rules.registered import Participant

FROM, TO, THIRD, REMOVED, BANK = "authority-a", "authority-b", "authority-c", "authority-d", "bank"
OPENED, FILE, OTHER_FILE = 5, b64u(b"f" * 32), b64u(b"g" * 32)


def known() -> Handovers:
    """Evidence was opened to the first authority at entry 5, and to another one at entry 6."""
    regulator = frozenset({"regulator"})
    participants = {name: Participant(name, regulator) for name in (FROM, TO, THIRD)}
    participants[REMOVED] = Participant(REMOVED, regulator, removed=True)
    participants[BANK] = Participant(BANK, frozenset({"holder", "recipient"}))
    return Handovers(participants, {OPENED: FROM, 6: THIRD})


def hand_over(cases: Handovers, index: int = 20, party: str = FROM, **changes: Any) -> None:
    plain = {"handover_id": "h1", "to": TO, "disclosure": OPENED, "pack_hash": FILE}
    cases.declare("case.hand_over", party, {**plain, **changes}, index)


def receive(cases: Handovers, handover: int = 20, party: str = TO, pack_hash: str = FILE) -> None:
    cases.declare("case.receive", party, {"handover": handover, "pack_hash": pack_hash}, 30)


def test_a_case_is_handed_over_and_signed_for_once() -> None:
    cases = known()
    hand_over(cases)
    receive(cases)
    with refusal(Code.CONSENT_INVALID):
        receive(cases)
    hand_over(cases, 21, handover_id="h2")
    receive(cases, 21)
    hand_over(cases, 22, THIRD, disclosure=6)  # ids are each authority's own


@pytest.mark.parametrize(
    "changes",
    [
        {"disclosure": 6},
        {"disclosure": 7},
        {"to": FROM},
        {"to": BANK},
        {"to": REMOVED},
        {"to": "authority-z"},
    ],
)
def test_a_case_goes_to_another_authority_in_force_by_whom_it_was_opened_to(changes: dict[str, Any]) -> None:
    cases = known()
    with refusal(Code.CONSENT_INVALID):
        hand_over(cases, **changes)
    with refusal(Code.CONSENT_INVALID):
        receive(cases)  # it says nothing
    with refusal(Code.CONSENT_INVALID):
        hand_over(cases, 21)  # but that its id was used


def test_an_id_is_used_once() -> None:
    cases = known()
    hand_over(cases)
    with refusal(Code.CONSENT_INVALID):
        hand_over(cases, 21, to=THIRD)
    receive(cases)


@pytest.mark.parametrize(
    "wrong", [{"handover": 19}, {"handover": 21}, {"party": THIRD}, {"party": FROM}, {"pack_hash": OTHER_FILE}]
)
def test_a_case_is_signed_for_by_whom_it_was_handed_to_and_with_its_very_file(wrong: dict[str, Any]) -> None:
    cases = known()
    hand_over(cases)
    with refusal(Code.CONSENT_INVALID):
        receive(cases, **wrong)
    receive(cases)
