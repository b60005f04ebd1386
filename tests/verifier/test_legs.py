"""The legs of accesses and the ledger's reports about them (docs/spec/reconciliation.md), each fact alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.legs_read import CHAIN, DAY_MS, LAST, OTHER_CHAIN, SIDES, Read, after, told
from verifier.errors import Code
from verifier.rules.access_legs import RECEIVE, RELEASE, UNREAD
from verifier.rules.findings import Findings


def test_both_legs_of_an_access_with_equal_figures_are_in_order() -> None:
    found = after(lambda read: read.both(300), time=9 * DAY_MS)
    assert (told(found), found.disputes, found.checked["legs of accesses"]) == ([], [], 2)
    lone = after(lambda read: read.access(300), time=9 * DAY_MS)
    assert (told(lone), lone.disputes, lone.checked.total()) == ([], [], 0)


@pytest.mark.parametrize("figures", [{"rows": 4}, {"bytes": 901}, {"digest": LAST}])
def test_legs_whose_figures_differ_are_a_finding_about_the_two_and_no_defect(figures: dict[str, Any]) -> None:
    found = after(lambda read: read.both(5, **figures))
    assert told(found) == []
    [dispute] = found.disputes
    assert (dispute.code, dispute.place.index, dispute.place.field) == (Code.DISPUTED, 7, next(iter(figures)))
    assert dispute.expected.startswith("bank.example (entry 6): ")
    assert dispute.found.startswith("app.example (entry 7): ")
    assert ("digest" in dispute.expected, "digest" in dispute.found) == ("digest" in figures,) * 2
    assert found.verdict(witnessed=True) is Code.VALID


def test_a_leg_belongs_to_an_access_before_it_of_its_consent_and_interaction() -> None:
    for kind in (RELEASE, RECEIVE):
        for wrong in ({"interaction": "two"}, {"chain": OTHER_CHAIN}, {"basis": 4}, {"index": 3}):
            read = Read()
            read.access(5)
            read.put(kind, **{"basis": 5, "index": 6, **wrong})  # type: ignore[arg-type]
            found = read.finish()
            assert told(found) == [(Code.UNMATCHED, wrong.get("index", 6))]
            assert found.checked["legs of accesses"] == 0
        alone = after(lambda read, kind=kind: read.put(kind, 5, 6))  # type: ignore[misc]
        assert told(alone) == [(Code.UNMATCHED, 6)]
        for unread in (lambda read: read.legs.miss(CHAIN, 5), lambda read: read.legs.lose(5)):
            unknown = after(unread, lambda read, kind=kind: read.put(kind, 5, 6))  # type: ignore[misc]
            assert told(unknown) == []
            assert unknown.unchecked == {"legs of accesses that may be withheld": 1}
            twice = after(unread, *[lambda read, kind=kind, at=at: read.put(kind, 5, at) for at in (6, 7)])  # type: ignore[misc]
            assert (told(twice), twice.unchecked.total()) == (
                [(Code.UNMATCHED, 7)],
                2,
            )  # a second one under whatever it is
        mixed = Read()
        mixed.access(5)
        mixed.put(kind, 5, 6, interaction="two")
        mixed.put(kind, 5, 7)
        found = mixed.finish()
        assert (told(found), found.checked["legs of accesses"]) == ([(Code.UNMATCHED, 6)], 1)
    # What is withheld excuses nobody whose access is there.
    read = Read()
    read.access(5)
    read.put(RELEASE, 5, 6, interaction="two")
    read.legs.miss(CHAIN, 4)
    assert told(read.finish()) == [(Code.UNMATCHED, 6)]


def test_each_side_speaks_once_and_its_first_word_counts() -> None:
    for kind in (RELEASE, RECEIVE):
        read = Read()
        read.access(5)
        read.put(kind, 5, 6)
        read.put(kind, 5, 7, rows=4)
        read.put(3 - kind, 5, 8)
        found = read.finish()
        assert told(found) == [(Code.UNMATCHED, 7)]
        assert found.defects[0].found == "entries 6 and 7"
        assert found.checked["legs of accesses"] == 3


@pytest.mark.parametrize(("kind", "name"), [(RELEASE, "access.receive"), (RECEIVE, "access.release")])
def test_a_side_that_is_silent_for_more_than_a_day_is_told(kind: int, name: str) -> None:
    def steps(read: Read) -> None:
        read.access(5, time=50)
        read.put(kind, 5, 6, time=100)

    assert after(steps, time=100 + DAY_MS).disputes == []
    [dispute] = (found := after(steps, time=101 + DAY_MS)).disputes
    assert (dispute.code, dispute.place.index, dispute.expected, told(found)) == (Code.DISPUTED, 6, name, [])
    assert dispute.found == f"{SIDES[kind]} (entry 6) alone"
    assert (
        dispute.sentence
        == f"{'access.release' if kind == RELEASE else 'access.receive'} without {name} within 24 hours"
    )
    # What is unread at the access's own place may be the access, and no word of the other side.
    hidden = after(lambda read: read.legs.miss(CHAIN, 5), lambda read: read.put(kind, 5, 6), time=1 + DAY_MS)
    assert ([one.place.index for one in hidden.disputes], hidden.unchecked.total()) == ([6], 1)
    # The other side's word may stand in an entry above the access that cannot be read: of this consent, or of nobody knows.
    for unread, silent in (
        (lambda read: read.legs.miss(CHAIN, 7), 0),
        (lambda read: read.legs.lose(7), 0),
        (lambda read: read.legs.miss(CHAIN, 4), 1),
        (lambda read: read.legs.lose(4), 1),
        (lambda read: read.legs.miss(OTHER_CHAIN, 7), 1),
    ):
        found = after(unread, steps, time=101 + DAY_MS)
        assert (len(found.disputes), found.unchecked.total()) == (silent, 1 - silent)


def every_finding(read: Read) -> None:
    """Accesses at entries 2, 10, 20 … 600, of which five are not in order."""
    read.both(2)
    read.access(10)
    read.put(RELEASE, 10, 11)
    read.access(20)
    read.put(RECEIVE, 20, 21)
    read.both(30, rows=4, bytes=901, digest=LAST)
    read.access(40)
    read.both(600, bytes=901)


EVERY = [
    (10, "receipt-missing"),
    (20, "release-missing"),
    (30, "rows-differ"),
    (30, "bytes-differ"),
    (30, "digest-differ"),
    (600, "bytes-differ"),
]


def of_report(found: Findings, index: int) -> list[str]:
    return [defect.expected for defect in found.defects if defect.place.index == index]


def test_a_report_says_what_the_entries_give() -> None:
    for last in (600, 620):
        found = after(every_finding, lambda read, last=last: read.report(700, 0, last, (6, 4, 4), EVERY))  # type: ignore[misc]
        assert of_report(found, 700) == []
        assert found.checked["reconciliation reports"] == 1
        assert found.unchecked == {}


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ({"accesses": 7}, "accesses 6"),
        ({"releases": 5}, "releases 4"),
        ({"receipts": 3}, "receipts 4"),
        ({"findings": 5}, "findings 6"),
        ({"accesses": 5, "receipts": 5}, "accesses 6, receipts 4"),
    ],
)
def test_a_report_that_says_anything_else_is_unmatched(lie: dict[str, int], expected: str) -> None:
    found = after(every_finding, lambda read: read.report(700, 0, 620, (6, 4, 4), EVERY, **lie))
    assert of_report(found, 700) == [expected]
    for wrong in (EVERY[::-1], [*EVERY[:-1], (600, "rows-differ")], [*EVERY[:-1], (599, "bytes-differ")]):
        found = after(every_finding, lambda read, wrong=wrong: read.report(700, 0, 620, (6, 4, 4), wrong))  # type: ignore[misc]
        assert [text.split()[0] for text in of_report(found, 700)] == ["findings_hash"]


def test_each_access_counts_in_the_report_that_covers_its_entry() -> None:
    def read_all(read: Read, *, missing: int | None = None) -> None:
        every_finding(read)
        read.report(650, 0, 10, (2, 2, 1), EVERY[:1])
        if missing is not None:
            read.legs.miss(CHAIN, missing)
        read.report(660, 11, 30, (2, 1, 2), EVERY[1:5])
        read.report(670, 31, 599, (1, 0, 0), [])
        read.report(680, 600, 600, (1, 1, 1), EVERY[5:])

    found = after(read_all)
    assert [of_report(found, index) for index in (650, 660, 670, 680)] == [[], [], [], []]
    assert found.checked["reconciliation reports"] == 4
    # A report over an entry that could not be read, or after which one was lost, is not checked; the others are.
    for missing, unchecked in ((10, 0), (11, 1), (30, 1), (31, 2)):
        found = after(lambda read, missing=missing: read_all(read, missing=missing))  # type: ignore[misc]
        assert found.unchecked.get(UNREAD, 0) == unchecked
        assert found.checked["reconciliation reports"] == 4 - unchecked


def test_nothing_between_reports_is_asked_for() -> None:
    """A gap is refused where the report is read; what lies in it belongs to no report."""
    found = after(every_finding, lambda read: read.report(650, 3, 10, (1, 1, 0), EVERY[:1]))
    assert of_report(found, 650) == []


def test_legs_after_a_report_or_of_another_access_do_not_count_in_it() -> None:
    def steps(read: Read) -> None:
        read.access(5)
        read.put(RELEASE, 5, 6, interaction="two")
        read.put(RELEASE, 5, 7, chain=OTHER_CHAIN)
        read.put(RELEASE, 5, 4)
        read.put(RELEASE, 5, 51)
        read.put(RECEIVE, 5, 8)
        read.put(RECEIVE, 5, 9, rows=8)
        read.report(50, 0, 5, (1, 0, 1), [(5, "release-missing")])

    assert of_report(after(steps), 50) == []


def test_findings_of_a_report_are_told_by_holder_and_recipient_unless_somebody_is_not_known() -> None:
    def read_until_a_report(last: int | None = None) -> Read:
        read = Read()
        one, other = (read.legs.between(*pair) for pair in (("bank", "app"), ("app", "bank")))
        for index, parties in ((10, one), (20, one), (30, other if last is None else last)):
            read.access(index, parties=parties)
            read.put(RELEASE, index, index + 1)
        read.report(40, 0, 39, (3, 3, 0), [(index, "receipt-missing") for index in (10, 20, 30)])
        read.legs.parted = {40}
        assert told(read.finish()) == []
        return read

    assert read_until_a_report().legs.findings_of(40) == {("bank", "app"): 2, ("app", "bank"): 1}
    assert read_until_a_report().legs.findings_of(41) is None
    assert read_until_a_report(last=0).legs.findings_of(40) is None
