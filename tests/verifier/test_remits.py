"""Remits in a log: which orders of a regulator go beyond its remit, and that a reader always knows it
(docs/spec/ruleset-3.md, 15)."""

from __future__ import annotations

import pytest

from tests.verifier.begun import begun
from tests.verifier.replaying import replayed, told
from tests.verifier.supervised import AUTHORITY, HOLDER, OTHER, RECIPIENT, Supervised
from verifier.errors import Code
from verifier.rules.declaring import UNREAD_REMIT
from verifier.rules.judging import UNREAD_DECLARATION

INVALID = Code.CONSENT_INVALID
Remit = dict[str, list[str]]


def granted(remit: Remit) -> Supervised:
    world = begun()
    for to, names in remit.items():
        world.document("remit.granted", names=names, regulator=AUTHORITY, to=to)
    return world


def order(world: Supervised, act: str, scope: dict[str, str], iss: str = AUTHORITY) -> int:
    """A freeze, or an assessment that is asked for."""
    if act == "assessment.require":
        return world.declare(iss, act, requirement_id=f"r{len(world.entries)}", reason="law", scope=scope)
    times = {"from": 0, "until": world.time // 1000 + 60}
    return world.declare(iss, act, drill=False, freeze_id=f"f{len(world.entries)}", reason="law", scope=scope, **times)


ONE_BANK: Remit = {"holder": [HOLDER]}
ONE_APP: Remit = {"recipient": [RECIPIENT]}
ONE_COUNTRY: Remit = {"party": sorted([HOLDER, RECIPIENT])}
WITHIN: list[tuple[Remit, dict[str, str], bool]] = [
    ({}, {}, True),
    (ONE_BANK, {}, False),
    (ONE_BANK, {"holder": HOLDER}, True),
    (ONE_BANK, {"holder": HOLDER, "recipient": OTHER, "country": "DE"}, True),
    (ONE_BANK, {"holder": "bank-b"}, False),
    (ONE_BANK, {"recipient": RECIPIENT}, False),
    (ONE_APP, {"recipient": RECIPIENT}, True),
    (ONE_APP, {"holder": HOLDER}, False),
    ({**ONE_BANK, **ONE_APP}, {"holder": HOLDER}, False),
    ({**ONE_BANK, **ONE_APP}, {"holder": HOLDER, "recipient": RECIPIENT}, True),
    (ONE_COUNTRY, {"holder": HOLDER, "recipient": OTHER}, True),
    (ONE_COUNTRY, {"holder": "bank-b", "recipient": RECIPIENT}, True),
    (ONE_COUNTRY, {"holder": "bank-b", "recipient": OTHER}, False),
    (ONE_COUNTRY, {"purpose": "AIS"}, False),
    ({**ONE_COUNTRY, "recipient": [OTHER]}, {"holder": HOLDER, "recipient": RECIPIENT}, False),
]


@pytest.mark.parametrize("act", ["freeze.order", "assessment.require"])
@pytest.mark.parametrize(("remit", "scope", "within"), WITHIN)
def test_an_order_is_legal_within_the_remit_only(act: str, remit: Remit, scope: dict[str, str], within: bool) -> None:
    world = granted(remit)
    index = order(world, act, scope)
    assert [row[:2] for row in told(replayed(world))] == ([] if within else [(INVALID, index)])


@pytest.mark.parametrize(
    ("remit", "scope", "expected", "found"),
    [
        (ONE_BANK, {"holder": "bank-b", "country": "DE"}, f"holder among {HOLDER}", "bank-b"),
        (ONE_APP, {}, f"recipient among {RECIPIENT}", "none"),
        (ONE_COUNTRY, {"recipient": OTHER}, f"holder or recipient among {RECIPIENT}, {HOLDER}", OTHER),
    ],
)
def test_an_order_beyond_it_is_told_with_what_it_names_and_what_it_may_name(
    remit: Remit, scope: dict[str, str], expected: str, found: str
) -> None:
    world = granted(remit)
    order(world, "freeze.order", scope)
    [defect] = replayed(world).defects
    assert (defect.expected, defect.found) == (expected, found)


def test_a_grant_adds_to_what_was_granted_and_an_end_takes_all() -> None:
    world = granted(ONE_BANK)
    early = order(world, "freeze.order", {"holder": "bank-b"})
    world.document("remit.granted", names=["bank-b"], regulator=AUTHORITY, to="holder")
    order(world, "freeze.order", {"holder": "bank-b"})
    order(world, "freeze.order", {"holder": HOLDER})
    world.document("remit.ended", regulator=AUTHORITY)
    order(world, "freeze.order", {})
    world.document("remit.granted", names=[RECIPIENT], regulator=AUTHORITY, to="recipient")
    order(world, "freeze.order", {"recipient": RECIPIENT})
    late = order(world, "freeze.order", {"holder": HOLDER})
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, early), (INVALID, late)]


def test_only_a_remit_that_was_granted_is_ended() -> None:
    world = begun()
    ended = world.document("remit.ended", regulator=AUTHORITY)
    order(world, "freeze.order", {})
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, ended)]


def test_an_order_beyond_it_freezes_all_the_same_and_asks_for_no_assessment() -> None:
    """What an illegal one says (verdicts.md, «After a defect»): the ledger's claim is taken over for a freeze only."""
    for act, follows in (("freeze.order", True), ("assessment.require", False)):
        world = granted({"holder": ["bank-b"]})
        consent = world.grant()
        index = order(world, act, {"holder": HOLDER})
        if not follows:
            world.required.clear()
        world.access(consent)
        assert [row[:2] for row in told(replayed(world))] == [(INVALID, index)]


def test_a_freeze_of_its_own_accesses_needs_no_remit_and_lifting_needs_none() -> None:
    world = granted(ONE_BANK)
    for party, scope in ((HOLDER, {"holder": HOLDER}), (RECIPIENT, {"recipient": RECIPIENT})):
        world.document("remit.granted", names=["bank-b"], regulator=party, to="holder")
        index = order(world, "freeze.order", scope, party)
        world.document("remit.granted", names=["bank-c"], regulator=AUTHORITY, to="holder")
        world.declare(party, "freeze.lift", freeze_id=f"f{index}", reason="over")
    assert told(replayed(world)) == []


def test_it_is_known_whatever_the_regulator_said_before_that_cannot_be_read() -> None:
    world = granted(ONE_BANK)
    withheld = order(world, "freeze.order", {"holder": HOLDER})
    beyond = order(world, "assessment.require", {})
    assert [row[:2] for row in told(replayed(world, withheld=[withheld]))] == [(INVALID, beyond)]


def test_it_is_not_known_once_a_leaf_cannot_be_read() -> None:
    world = granted(ONE_BANK)
    lost = world.document("remit.granted", names=["bank-b"], regulator=AUTHORITY, to="holder")
    order(world, "freeze.order", {"holder": "bank-b"})
    findings = replayed(world, lost=[lost])
    assert told(findings) == []
    assert findings.unchecked[UNREAD_REMIT] == 1
    assert UNREAD_DECLARATION not in findings.unchecked


@pytest.mark.parametrize(
    ("approved_by", "chain", "code"), [("aa", "supervision", INVALID), ("ab", "risk", Code.BAD_CHAIN)]
)
def test_a_remit_that_one_officer_gave_or_that_stands_elsewhere_is_told_and_counts(
    approved_by: str, chain: str, code: Code
) -> None:
    world = begun()
    document = {"names": [HOLDER], "regulator": AUTHORITY, "to": "holder", "approved_by": [*approved_by]}
    index = world.operator({"type": "remit.granted", **document}, f"operator:{chain}")
    beyond = order(world, "freeze.order", {})
    assert [row[:2] for row in told(replayed(world))] == [(code, index), (INVALID, beyond)]
