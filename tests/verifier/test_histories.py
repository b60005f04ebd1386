"""Attested history in a log: which acts are legal, what a lie is told as, that nothing rests on it (docs/spec/history.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.forge import HOLDER, PROVIDER, RECIPIENT, Json, b64u, chain_of
from tests.verifier.historical import ALICE, BOB, CSV, FIRST, QLDB, Historical, block, row, sheets_of, usual
from tests.verifier.replaying import replayed, told
from tests.verifier.supervised import AUTHORITY
from verifier.errors import Code
from verifier.rules.sheets import NOT_WHOLE, UNREAD

INVALID, CHAIN, POLICY = Code.CONSENT_INVALID, Code.BAD_CHAIN, Code.POLICY_REJECTED
SECOND_BANK = "bank-2.example"


def begun() -> Historical:
    world = Historical(9)
    world.begun()
    world.register(SECOND_BANK, ["holder"])
    return world


def defects(world: Historical, **unread: Any) -> list[tuple[Code, int | None]]:
    return [row[:2] for row in told(replayed(world, **unread))]


def disputes(world: Historical, **unread: Any) -> list[tuple[int | None, str | None]]:
    return [(one.place.index, one.place.field) for one in replayed(world, **unread).disputes]


def erase(world: Historical, chain: str) -> None:
    world.operator(
        {"type": "erasure", "chains": [b64u(chain_of(chain))], "basis": "court", "approved_by": ["a1", "b2"]}
    )


# --- what is legal --------------------------------------------------------------------------------------------


def test_a_whole_history_is_valid_and_held_against_its_sheets_in_whatever_order_they_come() -> None:
    world = begun()
    consent = world.grant()
    world.attest(usual())
    for position in (2, 0):
        world.sheet(position)
    world.access(consent)
    world.sheet(1)
    journal = [row(3, place=block(7)), row(4, "redacted", place=block(99))]
    world.history(sheets_of({ALICE: [journal]}), source=QLDB)
    findings = replayed(world)
    assert told(findings) == []
    assert findings.disputes == []
    assert not findings.unchecked
    assert findings.checked["attested histories"] == 2
    assert findings.checked["sheets of attested histories"] == 4


def test_nothing_that_is_counted_or_decided_rests_on_it() -> None:
    with_history, without = begun(), begun()
    with_history.history()
    for world in (with_history, without):
        world.access(world.grant())
    counted = [replayed(world) for world in (with_history, without)]
    for name in ("decisions", "reasons", "denials"):
        assert getattr(counted[0], name) == getattr(counted[1], name), name
    assert counted[0].checked["access decisions"] == counted[1].checked["access decisions"] == 1


def test_a_holder_or_its_delegate_attests_and_brings_sheets_and_nobody_else() -> None:
    world = begun()
    world.delegate(HOLDER, ["history.attest", "history.sheet", "history.withdraw"])
    world.attest(usual(), PROVIDER, HOLDER)
    for position in range(3):
        world.sheet(position, PROVIDER, HOLDER)
    assert defects(world) == []
    wrong = [world.sheet(0, HOLDER)]
    world.attest(usual(), RECIPIENT, source={**CSV, "files": 2})
    wrong.append(world.at)
    world.attest(usual(), AUTHORITY, source={**CSV, "files": 3})
    wrong.append(world.at)
    assert [index for code, index in defects(world) if code is INVALID] == wrong
    world = begun()
    world.attest(usual())
    world.suspend(HOLDER)
    late = [world.sheet(0), world.declare(HOLDER, "history.withdraw", history=f"history-{world.at}", reason="over")]
    assert defects(world) == [(POLICY, index) for index in late]


def test_a_file_is_brought_once_a_name_used_once_and_what_was_withdrawn_may_come_again() -> None:
    world = begun()
    world.attest(usual(), history="h1")
    again = world.attest(usual(), history="h2")
    same = world.attest(usual(), history="h1", source={**CSV, "hash": b64u(bytes(32))})
    world.attest(usual(), SECOND_BANK, history="h1")
    unknown = world.declare(HOLDER, "history.withdraw", history="h9", reason="wrong-mapping")
    world.declare(HOLDER, "history.withdraw", history="h1", reason="wrong-mapping")
    twice = world.declare(HOLDER, "history.withdraw", history="h1", reason="wrong-mapping")
    used = world.attest(usual(), history="h2")
    world.attest(usual(), history="h3")
    assert defects(world) == [(INVALID, index) for index in (again, same, unknown, twice, used)]


WRONG: dict[str, Callable[[Historical], int]] = {
    "of an entry that attests nothing": lambda w: w.sheet(0, history=2),
    "of an entry above it": lambda w: w.sheet(0, history=len(w.entries) + 3),
    "of another bank's history": lambda w: w.sheet(0, SECOND_BANK),
    "beyond the last one": lambda w: w.sheet(0, bend=lambda s: s.update(position=3)),
    "with another row": lambda w: w.sheet(0, bend=lambda s: s.update(rows=[row(0, note="changed")])),
    "without its path": lambda w: w.sheet(0, path=[]),
    "with a path that is too long": lambda w: w.sheet(0, path=[b64u(bytes(32))] * 3),
    "with an id of its own": lambda w: w.sheet(0, jti=b64u(bytes(16))),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_sheet_that_is_none_of_its_history_is_told(how: str) -> None:
    world = begun()
    world.attest(usual())
    index = WRONG[how](world)
    assert defects(world) == [(INVALID, index)]


OUTSIDE: dict[str, tuple[Json, dict[str, Any]]] = {
    "before the first": (row(0), {"first": FIRST + 1}),
    "after the last": (row(9), {"last": FIRST + 8}),
    "in a file that was not read": (row(0, place={"file": 1, "record": 1}), {}),
    "in a journal where there is none": (row(0, place=block(3)), {}),
    "in a file where there is a journal": (row(0), {"source": QLDB}),
    "in a block above the last": (row(0, place=block(100)), {"source": QLDB}),
    "in a block below the first": (row(0, place=block(4)), {"source": {**QLDB, "first_block": 5}}),
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_a_row_that_lies_outside_its_history_is_told(how: str) -> None:
    world = begun()
    bad, changes = OUTSIDE[how]
    inside = {"place": block(7)} if "source" in changes else {}
    world.attest(
        sheets_of({ALICE: [[row(1, **inside)]], BOB: [[bad]]}), **{"first": FIRST, "last": FIRST + 9, **changes}
    )
    right, wrong = world.sheet(0), world.sheet(1)
    found = defects(world)
    assert (INVALID, wrong) in found
    assert found == [(INVALID, wrong)] or changes.get("first") == FIRST + 1
    assert right < wrong


def test_history_ends_where_the_record_of_the_customer_begins() -> None:
    world = begun()
    world.tick(1000 - world.time % 1000)
    world.grant()
    customer, began = "s" * 22, world.time // 1000  # the customer of the companion
    sheets = sheets_of({customer: [[row(0, time=began - 1)], [row(1, time=began)]], BOB: [[row(2, time=began)]]})
    world.tick(60_000)
    world.attest(sheets)
    world.sheet(0)
    late = world.sheet(1)
    world.sheet(2)
    assert defects(world) == [(INVALID, late)]


def test_a_record_that_begins_after_the_sheet_takes_nothing_back() -> None:
    world = begun()
    world.history(sheets_of({"s" * 22: [[row(0, time=world.time // 1000)]]}))
    world.grant()
    assert defects(world) == []


def test_no_history_is_told_of_a_customer_who_was_erased() -> None:
    world = begun()
    world.attest(usual())
    world.sheet(2)
    erase(world, f"subject:{HOLDER}:{ALICE}")
    index = world.sheet(0)
    assert defects(world) == [(INVALID, index)]
    world = begun()
    [gone, *_] = world.history()
    erase(world, f"history:{HOLDER}:{ALICE}")
    findings = replayed(world, withheld=[gone, gone + 1])
    assert told(findings) == []
    assert findings.unchecked[NOT_WHOLE] == 1


def test_a_sheet_stands_in_its_own_chain_alone_and_nothing_else_stands_there() -> None:
    world = begun()
    world.attest(usual())
    index = world.sheet(0, chain=f"subject:{HOLDER}:{ALICE}")
    assert defects(world) == [(CHAIN, index)]
    world = begun()
    consent = world.grant()
    payload = world.payload(HOLDER, "subject.consent", consent_id=consent, subject=ALICE)
    index = world.submit(payload, None, kind="subject", name=f"history:{HOLDER}:{ALICE}")
    assert (CHAIN, index) in defects(world)


def test_before_ruleset_3_there_is_none() -> None:
    world = Historical(9, 2)
    world.open()
    index = world.attest(usual())
    sheet = world.sheet(0)
    assert {(INVALID, index), (INVALID, sheet)} <= set(defects(world))


def test_a_sheet_that_is_recorded_twice_is_told_at_the_second() -> None:
    world = begun()
    world.history()
    index = world.sheet(1)
    assert defects(world) == [(CHAIN, index)]


# --- the whole ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"rows": 6}, "rows"),
        ({"customers": 3}, "customers"),
        ({"first": FIRST - 1, "last": FIRST + 6}, "first, last"),
        ({"rows": 4, "customers": 1}, "customers, rows"),
    ],
)
def test_totals_that_the_sheets_do_not_give_are_a_finding_about_the_holder(changes: Json, fields: str) -> None:
    world = begun()
    world.history(**changes)
    assert defects(world) == []
    [(index, found)] = disputes(world)
    assert index == world.at
    assert sorted(str(found).split(", ")) == sorted(fields.split(", "))


BROKEN: dict[str, Callable[[list[Json]], list[Json]]] = {
    "a part is missing": lambda s: [s[0], s[2]],
    "the parts are exchanged": lambda s: [s[1], s[0], s[2]],
    "another stands between": lambda s: [s[0], s[2], s[1]],
    "it begins with the second": lambda s: [{**s[0], "part": 1, "parts": 3}, *s[1:]],
    "the parts disagree on their number": lambda s: [s[0], {**s[1], "parts": 3}, s[2]],
    "time falls from one to the next": lambda s: [s[0], {**s[1], "rows": [row(0)]}, s[2]],
    "the last lacks its next": lambda s: [*s[:2], {**s[2], "parts": 2}],
}


@pytest.mark.parametrize("how", BROKEN)
def test_the_sheets_of_a_customer_stand_one_after_another(how: str) -> None:
    world = begun()
    sheets = [{**one, "position": at} for at, one in enumerate(BROKEN[how](usual()))]
    world.history(sheets)
    assert defects(world) == []
    assert disputes(world) == [(world.at, "order")]


def test_a_history_that_lacks_a_sheet_is_counted_and_a_withdrawn_one_is_not_compared() -> None:
    world = begun()
    world.attest(usual(), rows=9)
    world.sheet(0)
    findings = replayed(world)
    assert (told(findings), findings.disputes, findings.unchecked[NOT_WHOLE]) == ([], [], 1)
    world.declare(HOLDER, "history.withdraw", history=f"history-{world.at}", reason="over")
    findings = replayed(world)
    assert not findings.unchecked
    late = world.sheet(1)
    assert defects(world) == [(INVALID, late)]


# --- what cannot be known -------------------------------------------------------------------------------------


def test_a_sheet_that_rests_on_an_unread_entry_of_the_holder_is_not_checked() -> None:
    world = begun()
    withheld = world.declare(HOLDER, "attestation.give", **attestation(world))
    world.history()
    wrong = world.sheet(0, jti=b64u(bytes(16)))
    findings = replayed(world, withheld=[withheld])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 4
    assert (INVALID, wrong) in defects(world)
    findings = replayed(world, withheld=[world.at])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 4


def attestation(world: Historical) -> Json:
    until = world.time // 1000 + 99
    return {
        "attestation": "l1",
        "document_hash": b64u(bytes(32)),
        "issuer": "x",
        "kind": "licence",
        "valid_until": until,
    }


def test_a_leaf_that_cannot_be_read_may_have_begun_the_record_of_a_customer() -> None:
    world = begun()
    lost = world.index_head()
    world.history()
    findings = replayed(world, lost=[lost])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 3
    known = begun()
    known.grant()
    lost = known.index_head()
    known.tick(1_000)
    known.attest(sheets_of({"s" * 22: [[row(0, time=known.time // 1000)]]}))
    late = known.sheet(0)
    assert defects(known, lost=[lost]) == [(INVALID, late)], "here it is known when it began"


def test_a_sheet_that_cannot_be_read_says_nothing_about_others() -> None:
    world = begun()
    [first, second, _] = world.history()
    wrong = world.sheet(0, jti=b64u(bytes(16)))
    assert defects(world, withheld=[first, second]) == [(INVALID, wrong)]
