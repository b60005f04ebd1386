"""Each rule of docs/spec/risk.md at its boundary: it fires there, and not one step before."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from ledger.orders import RULES
from ledger.scoring.rules import Scorer
from ledger.scoring.seen import DAY_MS, HOUR_MS, Raised, Seen, SeenAccess, SeenForeign, SeenLeg, SeenNotice, SeenRequest

NOON = 20_000 * DAY_MS + 12 * HOUR_MS
MINUTE_MS = 60_000


class Stream:
    """Entries one after the other, an index each."""

    def __init__(self) -> None:
        self.scorer = Scorer()
        self.index = count()
        self.raised: list[Raised] = []

    def access(self, time: int, **changes: Any) -> list[Raised]:
        values: dict[str, Any] = {
            "recipient": "app",
            "consent": "c",
            "refused": False,
            "unattended": False,
            "utc_offset": 0,
            "permissions": ("ReadBalances",),
            "accounts": 1,
        }
        return self.read(SeenAccess(next(self.index), time, **{**values, **changes}))

    def read(self, seen: Seen) -> list[Raised]:
        found = self.scorer.read(seen)
        self.raised += found
        return found

    def request(self, time: int, permissions: int, purpose: str = "budgeting") -> list[Raised]:
        return self.read(SeenRequest(next(self.index), time, "app", purpose, permissions))

    def notice(self, time: int, ended_at: int, consent: str = "c") -> list[Raised]:
        return self.read(SeenNotice(next(self.index), time, "app", consent, ended_at))

    def leg(self, time: int, kind: Any, basis: int, rows: int, **changes: Any) -> list[Raised]:
        values: dict[str, Any] = {"bytes": 10, "digest": "d", **changes}
        return self.read(SeenLeg(next(self.index), time, kind, "bank", "app", basis, rows, **values))


def only(alerts: Iterable[Raised], rule: str) -> list[Raised]:
    return [alert for alert in alerts if alert.rule == rule]


def test_a_notice_is_late_from_a_day_on_and_only_the_first_one_counts() -> None:
    stream = Stream()
    assert not stream.notice(NOON + DAY_MS - 1, NOON, "in-time")
    assert not stream.notice(NOON + 3 * DAY_MS, NOON, "in-time"), "it was acknowledged before"
    [alert] = stream.notice(NOON + 3 * DAY_MS, NOON + 2 * DAY_MS, "late")
    assert (alert.rule, alert.kind, alert.about) == ("late-notice", "recipient", "app")
    assert (alert.score, alert.features) == (640, (24,))
    assert not stream.notice(NOON + 4 * DAY_MS - 1, NOON, "another"), "it is quiet for a day"
    [alert] = stream.notice(NOON + 4 * DAY_MS, NOON, "a third")
    assert (alert.score, alert.features) == (1_000, (96,))


def test_scoring_1_knows_no_late_notices() -> None:
    assert not Scorer(1).read(SeenNotice(0, NOON + 9 * DAY_MS, "app", "c", NOON))


def test_rate_against_the_own_week() -> None:
    stream = Stream()
    for _ in range(49):
        assert not stream.access(NOON, consent="c")
    [alert] = only(stream.access(NOON), "rate")
    assert (alert.kind, alert.about, alert.at_index) == ("recipient", "app", 49)
    assert (alert.score, alert.features) == (1_000, (50, 0)), "50·168·50 / 168 is more than a score can be"


def test_rate_is_measured_against_what_was_usual() -> None:
    stream = Stream()
    for hour in range(168):
        for _ in range(10):
            stream.access(NOON + hour * HOUR_MS)
    later = NOON + 168 * HOUR_MS
    needed = -(-8 * (1680 + 168) // 168)
    assert needed == 88
    for _ in range(needed - 1):
        assert not only(stream.access(later), "rate")
    [alert] = only(stream.access(later), "rate")
    assert alert.features == (88, 1680)
    assert alert.score == 50 * 168 * 88 // (1680 + 168)


def test_hours_older_than_a_week_count_no_more() -> None:
    stream = Stream()
    for _ in range(49):
        stream.access(NOON)
    alerts = [alert for _ in range(50) for alert in stream.access(NOON + 169 * HOUR_MS)]
    assert only(alerts, "rate")[0].features == (50, 0)


@pytest.mark.parametrize(
    ("minutes", "offset", "fires"), [(299, 0, True), (300, 0, False), (300, -1, True), (0, -1, False)]
)
def test_night_is_before_five_by_the_consents_own_time(minutes: int, offset: int, fires: bool) -> None:
    stream = Stream()
    midnight = 20_000 * DAY_MS
    alerts = [
        alert
        for number in range(30)
        for alert in stream.access(
            midnight + minutes * MINUTE_MS, unattended=True, utc_offset=offset, consent=str(number % 3)
        )
    ]
    assert bool(only(alerts, "night")) is fires
    if fires:
        assert only(alerts, "night")[0].features == (30, 30)
        assert only(alerts, "night")[0].score == 1_000


def test_a_new_permission_of_an_old_consent() -> None:
    stream = Stream()
    for _ in range(9):
        stream.access(NOON)
    month = NOON + 30 * DAY_MS
    assert not only(stream.access(month, permissions=("ReadBalances",)), "new-permission")
    [alert] = only(stream.access(month, permissions=("ReadParty", "ReadPAN")), "new-permission")
    assert (alert.kind, alert.about, alert.score, alert.features) == ("consent", "c", 500, (2, 10))


def test_a_month_less_a_millisecond_is_too_young() -> None:
    stream = Stream()
    for _ in range(10):
        stream.access(NOON)
    assert not only(stream.access(NOON + 30 * DAY_MS - 1, permissions=("ReadParty",)), "new-permission")


def test_refusals_among_the_last_fifty_count_those_of_strangers_consents() -> None:
    stream = Stream()
    for _ in range(30):
        stream.access(NOON)
    for _ in range(19):
        assert not stream.read(SeenForeign(next(stream.index), NOON, "app"))
    [alert] = only(stream.read(SeenForeign(next(stream.index), NOON, "app")), "refused")
    assert (alert.score, alert.features, alert.about) == (400, (20, 50), "app")


def test_breadth_against_others_with_the_same_purpose() -> None:
    stream = Stream()
    for _ in range(20):
        stream.request(NOON, 4)
    assert not stream.request(NOON, 7)
    [alert] = stream.request(NOON, 9)
    assert (alert.rule, alert.features) == ("breadth", (9, 87, 21))
    assert alert.score == 250 * 9 * 21 // 87
    assert not stream.request(NOON, 30, purpose="credit"), "of another purpose there is nothing to compare with"


def test_attendance_that_turns_around() -> None:
    stream = Stream()
    for number in range(100):
        stream.access(NOON + number * HOUR_MS, unattended=number % 2 == 0)
    alerts = [
        alert
        for number in range(100, 200)
        for alert in stream.access(NOON + number * HOUR_MS, unattended=number >= 110)
    ]
    [alert] = only(alerts, "unattended")
    assert (alert.at_index, alert.features, alert.score) == (199, (90, 50), 900)


def test_rows_against_the_last_releases() -> None:
    stream = Stream()
    for basis in range(1_000, 1_020):
        assert not stream.leg(NOON, "access.release", basis, 100)
    assert not stream.leg(NOON, "access.release", 1_020, 999)
    stream = Stream()
    for basis in range(1_000, 1_020):
        stream.leg(NOON, "access.release", basis, 100)
    [alert] = stream.leg(NOON, "access.release", 1_020, 1_000)
    assert (alert.rule, alert.score, alert.features) == ("rows", 500, (1_000, 2_000, 20))


@pytest.mark.parametrize("first", ["access.release", "access.receive"])
def test_legs_that_differ_are_the_holders(first: str) -> None:
    second = "access.receive" if first == "access.release" else "access.release"
    stream = Stream()
    assert not stream.leg(NOON, first, 5, 10)
    [alert] = stream.leg(NOON, second, 5, 10, digest="e")
    assert (alert.rule, alert.kind, alert.about) == ("legs-differ", "holder", "bank")
    assert (alert.score, alert.features) == (800, (10, 10))
    assert not stream.leg(NOON, first, 6, 10)
    assert not stream.leg(NOON, second, 6, 10)


@pytest.mark.parametrize(
    ("milliseconds", "unattended", "fires"), [(0, True, True), (-1, True, False), (0, False, False)]
)
def test_a_sleeping_consent_is_woken(milliseconds: int, unattended: bool, fires: bool) -> None:
    stream = Stream()
    stream.access(NOON)
    alerts = only(stream.access(NOON + 60 * DAY_MS + milliseconds, unattended=unattended), "woken")
    assert [(alert.score, alert.features) for alert in alerts] == ([(600, (60,))] if fires else [])


def test_many_consents_in_one_hour() -> None:
    stream = Stream()
    for number in range(39):
        assert not only(stream.access(NOON, consent=str(number)), "many")
    assert not only(stream.access(NOON, consent="0"), "many"), "the same consent again is no other one"
    [alert] = only(stream.access(NOON, consent="39"), "many")
    assert alert.features == (40, 0)


def test_accesses_after_the_end() -> None:
    stream = Stream()
    for _ in range(2):
        assert not stream.access(NOON, refused=True, ended_at=NOON - HOUR_MS)
    assert not stream.access(NOON, refused=True, ended_at=NOON - HOUR_MS + 1), "an app may take an hour to hear of it"
    [alert] = only(stream.access(NOON, refused=True, ended_at=NOON - HOUR_MS), "after-end")
    assert (alert.score, alert.features) == (550, (3,))


def test_a_rule_is_quiet_for_its_time() -> None:
    stream = Stream()
    for basis in (1, 2):
        stream.leg(NOON, "access.release", basis, 10)
    assert stream.leg(NOON, "access.receive", 1, 11)
    assert not stream.leg(NOON + HOUR_MS - 1, "access.receive", 2, 11)
    stream.leg(NOON + HOUR_MS, "access.release", 3, 10)
    assert stream.leg(NOON + HOUR_MS, "access.receive", 3, 11)


def test_alerts_of_one_entry_stand_in_the_order_of_the_rules() -> None:
    stream = Stream()
    for number in range(50):
        stream.access(NOON, consent=str(number), refused=number >= 30)
    for alerts in _by_entry(stream.raised).values():
        places = [RULES.index(alert.rule) for alert in alerts]
        assert places == sorted(places)
    assert {alert.rule for alert in stream.raised} == {"rate", "refused", "many"}


def _by_entry(alerts: list[Raised]) -> dict[int, list[Raised]]:
    found: dict[int, list[Raised]] = {}
    for alert in alerts:
        found.setdefault(alert.at_index, []).append(alert)
    return found
