"""An end that nobody takes note of: when rule 14 of docs/spec/risk.md fires, and at which entry of a real log."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from ledger.entries.leaf import consent_chain
from ledger.planning.commands import RecordIndexHead
from ledger.queries.scoring import AlertReader
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import DAY_MS, HOUR_MS, Raised, SeenEnd, SeenLeaf, SeenNotice
from tests.ledger.supervised import Place, supervised

NOON = 20_000 * DAY_MS + 12 * HOUR_MS
DUE = 3 * DAY_MS
Told = list[tuple[str, str, int, tuple[int, ...]]]


class Days:
    """Ends and notices one after the other; times are after NOON (ms)."""

    def __init__(self, scoring: int = 3) -> None:
        self.scorer = Scorer(scoring)
        self.index = count()

    def end(self, at: int, consent: str, recipient: str = "app") -> Told:
        return told(self.scorer.read(SeenEnd(next(self.index), NOON + at, recipient, consent)))

    def notice(self, at: int, consent: str, ended: int, recipient: str = "app") -> Told:
        return told(self.scorer.read(SeenNotice(next(self.index), NOON + at, recipient, consent, NOON + ended)))

    def anything(self, at: int) -> Told:
        return told(self.scorer.read(SeenLeaf(next(self.index), NOON + at)))


def told(alerts: list[Raised]) -> Told:
    return [(alert.rule, alert.about, alert.score, alert.features) for alert in alerts]


def test_a_recipient_that_is_silent_for_three_days_is_named_once_by_whatever_comes_next() -> None:
    days = Days()
    days.end(0, "c")
    assert days.anything(DUE - 1) == []
    assert days.anything(DUE) == [("no-notice", "app", 900, (72,))]
    assert days.anything(DUE + 1) == days.anything(9 * DUE) == []


def test_a_notice_in_time_or_at_the_very_entry_keeps_this_rule_silent() -> None:
    days = Days()
    days.end(0, "soon")
    days.end(0, "late")
    days.end(0, "at the last moment")
    assert days.notice(HOUR_MS, "soon", 0) == []
    assert [rule for rule, *_ in days.notice(DUE - 1, "late", 0)] == ["late-notice"]
    assert [rule for rule, *_ in days.notice(DUE, "at the last moment", 0)] == [], "late-notice is quiet for a day"
    assert days.anything(9 * DUE) == []


def test_a_notice_that_comes_after_all_is_late_as_well() -> None:
    days = Days()
    days.end(0, "c")
    days.anything(DUE)
    assert days.notice(DUE + DAY_MS, "c", 0) == [("late-notice", "app", 1_000, (96,))]


def test_ends_that_fall_due_together_name_each_recipient_once_in_the_order_of_names() -> None:
    days = Days()
    for at, consent, recipient in ((0, "1", "zed"), (HOUR_MS, "2", "app"), (2 * HOUR_MS, "3", "zed"), (3, "4", "bee")):
        days.end(at, consent, recipient)
    days.notice(4 * HOUR_MS, "4", 3, "bee")
    assert days.anything(2 * DUE) == [("no-notice", "app", 900, (143,)), ("no-notice", "zed", 900, (144,))]


def test_it_is_quiet_about_one_recipient_for_a_day() -> None:
    days = Days()
    for at in (0, DAY_MS - 1, DAY_MS):
        days.end(at, str(at))
    assert len(days.anything(DUE)) == 1
    assert days.anything(DUE + DAY_MS - 1) == []
    assert len(days.anything(DUE + DAY_MS)) == 1


@pytest.mark.parametrize("scoring", [1, 2])
def test_older_scoring_does_not_know_it_and_remembers_no_end(scoring: int) -> None:
    days = Days(scoring)
    days.end(0, "c")
    assert [*days.scorer.ends] == []
    assert days.anything(9 * DUE) == []


def test_thousands_of_ends_that_leave_out_of_order_cost_each_a_step() -> None:
    days = Days()
    for number in range(50_000):
        days.end(number, str(number), f"app-{number % 7}")
    for number in range(1, 50_000, 2):
        days.notice(50_000 + number, str(number), number)
    assert len([*days.scorer.ends]) == 25_000
    assert len(days.anything(2 * DUE)) == 7
    assert [*days.scorer.ends] == []


# -- in a log -------------------------------------------------------------------------------------------------------------


def alerts_of(place: Place) -> list[tuple[int, str, str]]:
    ledger = place.node.ledger
    reader = AlertReader(ledger.store, ledger.keystore)
    reader.read()
    return [(alert.at_index, alert.rule, alert.about) for alert in reader.waiting]


def index_head(place: Place) -> int:
    return place.node.ledger.submit_and_wait(RecordIndexHead())[0].index


def a_document(place: Place) -> int:
    return place.freeze().index


@pytest.mark.parametrize("what", [index_head, a_document])
def test_only_a_withdrawal_that_was_told_to_the_recipient_and_not_answered_is_named(
    what: Callable[[Place], int], engine_url: str, tmp_path: Path
) -> None:
    with supervised(engine_url, tmp_path) as place:
        node = place.node
        silent, answered, own, before = (node.grant(expires_at=0) for _ in range(4))
        node.revoke(before)
        place.approved("scoring.activated", scoring=3)
        node.revoke(silent)
        end = node.step("consent.terminate", answered, by="holder").index
        node.step("consent.revoke", own, signer=node.fintech)
        node.fintech.record("consent.acknowledge", consent_id=answered, basis=end)
        node.clock.advance(seconds=3 * 86_400)
        assert alerts_of(place) == []
        at = what(place)
        assert alerts_of(place) == [(at, "no-notice", node.fintech.id)]
        place.verify()


def test_an_entry_that_was_erased_still_tells_that_three_days_have_passed(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        node = place.node
        consent = node.grant(expires_at=0)
        other = node.grant(expires_at=0)
        place.approved("scoring.activated", scoring=3)
        node.revoke(consent)
        node.clock.advance(seconds=3 * 86_400)
        at = node.access(other).index
        node.ledger.erase([consent_chain(other)], "gdpr-17", ("anna", "bert"))
        assert alerts_of(place) == [(at, "no-notice", node.fintech.id)]


def test_scoring_that_begins_or_goes_on_under_other_rules_knows_nothing_of_older_ends(
    sqlite_url: str, tmp_path: Path
) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        node = place.node
        first, second = node.grant(expires_at=0), node.grant(expires_at=0)
        place.approved("scoring.activated", scoring=2)
        node.revoke(first)
        place.approved("scoring.activated", scoring=3)
        node.clock.advance(seconds=3 * 86_400)
        node.revoke(second)
        assert alerts_of(place) == []
        node.clock.advance(seconds=3 * 86_400)
        place.approved("scoring.activated", scoring=3)
        assert alerts_of(place) == [], (
            "it is no leaf at which anything falls due, and what came after remembers nothing"
        )
