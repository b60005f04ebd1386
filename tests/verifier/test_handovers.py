"""A case that goes from one authority to another: which hand-overs and signatures are legal
(docs/spec/ruleset-3.md, 14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.begun import begun
from tests.verifier.declared import DECLARED
from tests.verifier.forge import b64u
from tests.verifier.making import refusal
from tests.verifier.replaying import replayed, told
from tests.verifier.supervised import AUTHORITY, Supervised
from verifier.errors import Code
from verifier.rules.declaring import UNREAD_CASE
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


# --- what cannot be read --------------------------------------------------------------------------------------


def opened() -> tuple[Supervised, int]:
    """A log with a second authority, and the entry by which evidence was opened to the first."""
    world = begun()
    world.register(TO, ["regulator"])
    disclosure = {"type": "disclosure", "participant": AUTHORITY, "case": "c1", "from_index": 0, "to_index": 3}
    return world, world.operator(disclosure, "operator:ledger")


def handed(world: Supervised, disclosure: int) -> int:
    members = {**DECLARED["case.hand_over"], "disclosure": disclosure, "to": TO}
    return world.declare(AUTHORITY, "case.hand_over", **members)


def test_a_hand_over_is_not_checked_once_a_leaf_below_it_cannot_be_read() -> None:
    world, disclosure = opened()
    handed(world, disclosure)
    assert told(replayed(world)) == []
    findings = replayed(world, lost=[disclosure])
    assert (told(findings), findings.unchecked[UNREAD_CASE]) == ([], 1)


def test_a_signature_is_not_checked_if_the_very_hand_over_cannot_be_read() -> None:
    world, disclosure = opened()
    first = handed(world, disclosure)
    world.declare(TO, "case.receive", handover=first, pack_hash=DECLARED["case.hand_over"]["pack_hash"])
    lie = world.declare(TO, "case.receive", handover=disclosure, pack_hash=DECLARED["case.hand_over"]["pack_hash"])
    assert [row[:2] for row in told(replayed(world))] == [(Code.CONSENT_INVALID, lie)]
    findings = replayed(world, withheld=[first])
    assert [row[:2] for row in told(findings)] == [(Code.CONSENT_INVALID, lie)]
    assert findings.unchecked[UNREAD_CASE] == 1
