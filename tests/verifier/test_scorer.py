"""Each rule of the scorer at the point where its condition turns (docs/spec/risk.md, «Rules»). What a week of accesses would
leave in its memory is put there."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.verifier.scored import HOUR, RULES
from tests.verifier.states import HOLDER, NOW, RECIPIENT
from tests.verifier.watching import BASIS, CHAIN, DAY_MS, GONE, INDEX, MIDNIGHT, Watched, ring
from verifier.records.leaf import Leaf
from verifier.rules.firing import fire, fire_about
from verifier.rules.forest import Forest
from verifier.rules.remembered import Fires, Habits, Hours, Past, Recipient
from verifier.rules.scorer import vector_of


def put(**members: Any) -> Callable[[Watched], None]:
    """This in the memory of the recipient, or of its consent (`c_…`), or of an hour (`h_…`, `m_…`)."""

    def work(world: Watched) -> None:
        places = {"c": world.habits, "h": world.own.hours, "m": world.own.consents}
        for name, value in members.items():
            first, _, rest = name.partition("_")
            if first in places:
                setattr(places[first], rest, deepcopy(value))
            else:
                setattr(world.own, name, deepcopy(value))

    return work


OLD = ["ReadAccountsDetail"]
MONTH, SLEEP = 30 * DAY_MS, 60 * DAY_MS
NIGHT = {"time": MIDNIGHT, "present": False}
NIGHTLY = {"day": MIDNIGHT // DAY_MS}
TURNS: list[tuple[str, Callable[[Watched], None], dict[str, Any], bool]] = [
    ("rate", put(h_now=49, h_before=882), {}, True),  # 168 · 50 = 8 · (882 + 168)
    ("rate", put(h_now=49, h_before=883), {}, False),
    ("rate", put(h_now=48, h_before=0), {}, False),
    ("many", put(m_now=39, m_before=952), {}, True),  # 168 · 40 = 6 · (952 + 168)
    ("many", put(m_now=39, m_before=953), {}, False),
    ("many", put(m_now=38, m_before=0), {}, False),
    ("night", put(**NIGHTLY, unattended_at_night=29, on_day=59), NIGHT, True),
    ("night", put(**NIGHTLY, unattended_at_night=29, on_day=60), NIGHT, False),
    ("night", put(**NIGHTLY, unattended_at_night=28, on_day=28), NIGHT, False),
    ("night", put(**NIGHTLY, unattended_at_night=99, on_day=99), NIGHT | {"present": True}, False),
    ("night", put(**NIGHTLY, unattended_at_night=29, on_day=29), NIGHT | {"time": MIDNIGHT + 5 * HOUR - 1}, True),
    ("night", put(**NIGHTLY, unattended_at_night=29, on_day=29), NIGHT | {"time": MIDNIGHT + 5 * HOUR}, False),
    ("new-permission", put(c_allowed=10, c_first=NOW - MONTH, c_permissions=OLD), {}, True),
    ("new-permission", put(c_allowed=10, c_first=NOW - MONTH + 1, c_permissions=OLD), {}, False),
    ("new-permission", put(c_allowed=9, c_first=NOW - MONTH, c_permissions=OLD), {}, False),
    ("new-permission", put(c_allowed=10, c_first=NOW - MONTH, c_permissions=["ReadBalances"]), {}, False),
    ("refused", put(asked=49, refused=ring(50, *[1] * 19)), {"reasons": ("FROZEN",)}, True),
    ("refused", put(asked=48, refused=ring(50, *[1] * 48)), {"reasons": ("FROZEN",)}, False),
    ("refused", put(asked=49, refused=ring(50, *[1] * 18)), {"reasons": ("FROZEN",)}, False),
    (
        "unattended",
        put(count=199, recent=ring(100, 1, *[0] * 10, *[1] * 89), earlier=ring(100, *[1] * 49)),
        {"present": False},
        True,
    ),
    (
        "unattended",
        put(count=199, recent=ring(100, 1, *[0] * 10, *[1] * 89), earlier=ring(100, *[1] * 50)),
        {"present": False},
        False,
    ),
    (
        "unattended",
        put(count=199, recent=ring(100, 1, *[0] * 11, *[1] * 88), earlier=ring(100, *[1] * 49)),
        {"present": False},
        False,
    ),
    ("unattended", put(count=198, recent=ring(100, *[1] * 100)), {"present": False}, False),
    ("woken", put(c_allowed=1, c_latest=NOW - SLEEP), {"present": False}, True),
    ("woken", put(c_allowed=1, c_latest=NOW - SLEEP + 1), {"present": False}, False),
    ("woken", put(c_allowed=1, c_latest=NOW - SLEEP), {}, False),
    ("woken", put(c_allowed=1, c_latest=NOW - SLEEP), {"present": False, "reasons": ("FROZEN",)}, False),
    ("woken", put(), {"present": False}, False),
    ("after-end", put(after_end=2), {"reasons": GONE}, True),
    ("after-end", put(after_end=1), {"reasons": GONE}, False),
    ("after-end", put(after_end=9), {"reasons": ("FROZEN",)}, False),
    ("model", put(count=99), {}, True),
    ("model", put(count=98), {}, False),
    ("model", put(count=100), {}, False),
    ("model", put(count=49), {}, False),
    ("model", put(count=149), {}, True),
]


@pytest.mark.parametrize(
    ("rule", "before", "asked", "fires"), TURNS, ids=[f"{n} {row[0]}" for n, row in enumerate(TURNS)]
)
def test_an_access_fires_a_rule_where_its_last_condition_holds(
    rule: str, before: Callable[[Watched], None], asked: dict[str, Any], fires: bool
) -> None:
    world = Watched()
    world.chain.moved = NOW - HOUR
    world.scorer.forest = Forest(700, (1,) * 700, (((1,),),))
    before(world)
    assert (rule in world.access(**asked)) is fires


FIGURES: list[tuple[str, Callable[[Watched], None], dict[str, Any], int, tuple[int, ...]]] = [
    ("rate", put(h_now=49, h_before=882), {}, 400, (50, 882)),
    ("many", put(m_now=39, m_before=952), {}, 360, (40, 952)),
    ("night", put(**NIGHTLY, unattended_at_night=59, on_day=60), NIGHT, 983, (60, 61)),
    ("new-permission", put(c_allowed=10, c_permissions=OLD), {}, 400, (1, 10)),
    ("refused", put(asked=49, refused=ring(50, *[1] * 19)), {"reasons": GONE}, 400, (20, 50)),
    ("unattended", put(count=199, recent=ring(100, *[1] * 90)), {"present": False}, 910, (91, 0)),
    ("woken", put(c_allowed=1, c_latest=NOW - SLEEP - DAY_MS + 1), {"present": False}, 600, (60,)),
    ("after-end", put(after_end=2), {"reasons": GONE}, 550, (3,)),
    ("model", put(count=99), {}, 700, (0, 0, 1, 1, 0, 1, 1, 0)),
]


@pytest.mark.parametrize(("rule", "before", "asked", "score", "features"), FIGURES, ids=[row[0] for row in FIGURES])
def test_an_alert_has_the_score_and_the_features_of_the_table(
    rule: str, before: Callable[[Watched], None], asked: dict[str, Any], score: int, features: tuple[int, ...]
) -> None:
    world = Watched()
    world.chain.moved = NOW - HOUR
    world.scorer.forest = Forest(700, (1,) * 700, (((1,),),))
    before(world)
    world.access(**asked)
    assert (world.fired[rule].score, world.fired[rule].features) == (score, features)


def test_alerts_about_rows_permissions_notices_and_legs_have_theirs() -> None:
    world = Watched()
    world.own.rows = ring(50, *[100] * 20)
    world.release(1_000)
    assert world.fired["rows"][5:7] == (500, (1_000, 2_000, 20))
    world.request(8, [4] * 20)
    assert world.fired["breadth"][5:7] == (500, (8, 80, 20))
    world.leg("access.receive", rows=7, digest="e")
    assert world.fired["legs-differ"][2:7] == ("holder", HOLDER, NOW, 800, (1_000, 7))
    world.notice(DAY_MS + HOUR - 1)
    assert world.fired["late-notice"][5:7] == (640, (24,))
    turned = Watched()
    turned.scorer.waiting.put(str(BASIS), json.dumps([CHAIN.decode()]))
    turned.leg("access.receive", rows=7)
    turned.leg("access.release", rows=9)
    assert turned.fired["legs-differ"].features == (9, 7)


def test_each_fiftieth_access_is_one_of_the_recipient_from_its_first_on() -> None:
    world = Watched()
    world.scorer.forest = Forest(1, (1,), (((1,),),))
    told = [number for number in range(1, 151) if "model" in world.access(NOW + number * 2 * HOUR)]
    assert told == [100, 150]


def test_refusals_count_among_the_last_fifty_and_from_the_fiftieth_on() -> None:
    world = Watched()
    told = [number for number in range(1, 61) if "refused" in world.access(reasons=("FROZEN",))]
    assert told == [50]
    for _ in range(49):
        world.access()
    assert world.own.refused.sum == 1
    world.access()
    assert world.own.refused.sum == 0


def test_releases_and_requests_are_compared_with_the_last_fifty() -> None:
    world = Watched()
    for rows in (9, *[1] * 49):
        world.release(rows)
    assert (world.own.rows.sum, len(world.own.rows.numbers)) == (58, 50)
    world.release(1)
    assert (world.own.rows.sum, len(world.own.rows.numbers)) == (50, 50)
    for number in range(51):
        world.request(9 if number == 0 else 1, None)
    assert json.loads(str(world.scorer.purposes.get("AIS")))[0] == [1] * 50


@pytest.mark.parametrize(("ago", "fires"), [(HOUR, True), (HOUR - 1, False)])
def test_a_refused_access_counts_as_after_the_end_from_one_hour_on(ago: int, fires: bool) -> None:
    world = Watched()
    world.chain.moved, world.own.after_end = NOW - ago, 2
    assert world.access(reasons=GONE) == ["after-end"] * fires


def test_the_counts_of_a_day_begin_anew_with_the_next_one() -> None:
    world = Watched()
    world.own.on_day, world.own.unattended_at_night, world.own.after_end = 40, 40, 2
    world.access(NOW + DAY_MS // 2 - 1, present=False)
    assert (world.own.on_day, world.own.unattended_at_night, world.own.after_end) == (41, 40, 2)
    world.access(MIDNIGHT, present=False)
    assert (world.own.on_day, world.own.unattended_at_night, world.own.after_end) == (1, 1, 0)


@pytest.mark.parametrize(("offset", "local", "night"), [(0, 0, True), (-1, 23, False), (299, 4, True), (300, 5, False)])
def test_night_is_where_the_customer_is(offset: int, local: int, night: bool) -> None:
    world = Watched(utc_offset=offset)
    world.access(MIDNIGHT, present=False)
    assert (world.own.unattended_at_night, world.own.past[-1].night) == (int(night), night), local


def test_of_the_last_200_accesses_the_first_hundred_are_the_earlier_ones() -> None:
    world = Watched()
    for _ in range(100):
        world.access(present=False)
    for _ in range(100):
        world.access()
    assert (world.own.recent.sum, world.own.earlier.sum, len(world.own.earlier.numbers)) == (0, 100, 100)
    world.access()
    assert (world.own.recent.sum, world.own.earlier.sum) == (0, 99)


def test_a_consent_is_one_of_many_once_in_each_hour() -> None:
    world = Watched()
    for time in (NOW, NOW + HOUR - 1, NOW + HOUR):
        world.access(time)
    assert (world.own.consents.now, world.own.consents.before) == (1, 1)
    assert (world.own.hours.now, world.own.hours.before) == (1, 2)


def test_an_hour_is_among_those_before_for_168_of_them() -> None:
    hours = Hours()
    hours.turn(10)
    hours.now = 5
    hours.turn(178)
    assert hours.before == 5
    hours.turn(179)
    assert hours.before == 0


def test_the_first_and_the_latest_allowed_access_of_a_consent_are_remembered_and_no_refused_one() -> None:
    world = Watched()
    world.access(NOW - 9, reasons=("FROZEN",))
    for time in (NOW, NOW + 1, NOW + 2):
        world.access(time)
    world.access(NOW + 3, reasons=("FROZEN",))
    known = world.habits
    assert (known.allowed, known.first, known.latest, known.permissions) == (3, NOW, NOW + 2, ["ReadBalances"])


ROWS: list[tuple[list[int], int, bool]] = [
    ([100] * 20, 1_000, True),
    ([100] * 19, 1_000, False),
    ([0] * 20, 999, False),
    ([0] * 20, 1_000, True),
    ([*[100] * 19, 101], 1_000, False),
    ([*[0] * 50, 100], 1_000, True),
    ([9_000, *[100] * 50], 1_000, True),  # the last fifty
]


@pytest.mark.parametrize(("before", "rows", "fires"), ROWS)
def test_a_release_of_ten_times_the_usual_rows_fires(before: list[int], rows: int, fires: bool) -> None:
    world = Watched()
    world.own.rows = ring(50, *before)
    assert world.release(rows) == ["rows"] * fires


@pytest.mark.parametrize(
    ("before", "permissions", "fires"),
    [
        ([4] * 20, 8, True),
        ([*[4] * 19, 5], 8, False),
        ([4] * 19, 8, False),
        ([1] * 20, 7, False),
        (None, 99, False),
    ],
)
def test_a_request_of_twice_the_usual_permissions_fires(
    before: list[int] | None, permissions: int, fires: bool
) -> None:
    assert Watched().request(permissions, before) == ["breadth"] * fires


@pytest.mark.parametrize(("waited", "fires"), [(DAY_MS - 1, False), (DAY_MS, True)])
def test_a_notice_is_late_from_a_day_on_and_the_first_one_alone(waited: int, fires: bool) -> None:
    world = Watched()
    assert world.notice(waited) == ["late-notice"] * fires
    again = world.facts("consent.acknowledge", {"basis": 9})
    assert [*world.scorer.notice(INDEX, world.leaf(NOW + 9 * DAY_MS), world.chain, again)] == []


@pytest.mark.parametrize(
    ("changes", "fires"), [({}, False), ({"rows": 2}, True), ({"bytes": 3}, True), ({"digest": "e"}, True)]
)
@pytest.mark.parametrize("first", ["access.release", "access.receive"])
def test_legs_differ_in_rows_bytes_or_digest_whichever_comes_first(
    changes: dict[str, Any], fires: bool, first: str
) -> None:
    world = Watched()
    world.scorer.waiting.put(str(BASIS), json.dumps([CHAIN.decode()]))
    second = ({"access.release", "access.receive"} - {first}).pop()
    assert world.leg(first) == []
    assert world.leg(first, rows=9) == []  # a second of its kind is no leg of the pair
    assert world.leg(second, **changes) == ["legs-differ"] * fires


@pytest.mark.parametrize("threshold", [700, 701])
def test_a_models_alert_is_raised_from_its_threshold_on(threshold: int) -> None:
    world = Watched()
    world.own.count, world.scorer.forest = 99, Forest(threshold, (1,) * 700, (((1,),),))
    assert world.access() == ["model"] * (threshold == 700)


def test_a_tree_is_walked_to_the_left_below_a_value_and_to_the_right_from_it_on() -> None:
    tree = ((1, 5, 1, 2), (10,), (2, 7, 3, 4), (20,), (30,))
    scale = tuple(range(40, 0, -1))
    for vector, length in (((0, 4, 0), 10), ((0, 5, 6), 20), ((0, 5, 7), 30)):
        assert Forest(1, scale, (tree,)).score(vector) == 41 - length
    assert Forest(1, scale, (tree, ((13,),))).score((0, 4, 0)) == 41 - 11  # 11.5, rounded down


def test_a_model_sees_the_last_hundred_accesses() -> None:
    own = Recipient(-1)
    minute = 60_000
    for n in range(101):
        lost = n == 0
        chain, codes = (b"x", ("p9",)) if lost else (b"ab"[n % 2 : n % 2 + 1], ("p1", "p2")[: 1 + n % 2])
        own.past.append(Past(lost or n < 4, lost or n < 5, chain, codes, lost or n < 6, 3 if n < 7 else 0, n * minute))
    assert vector_of(own) == (3, 4, 2, 2, 5, 18, 150, 99)
    own.past.append(Past(False, False, b"a", (), False, 0, (1_000_002) * minute - 1))
    assert vector_of(own)[-1] == 999_999
    own.past[-1] = own.past[-1]._replace(time=1_000_003 * minute)
    assert vector_of(own)[-1] == 1_000_000


# --- quiet ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_quiet_about_the_same_for_its_time(rule: str) -> None:
    own, habits, chain, quiet = Fires(-1), Habits(1), Watched().chain, RULES[rule][1]
    about = []
    for time in (0, quiet - 1, quiet, 2 * quiet - 1, 2 * quiet):
        about.append([one.time for one in fire(own, rule, RECIPIENT, 1, time, True, True, 1_001, (1,))])
        leaf = Leaf(1, "consent", time, b"", CHAIN)
        assert [one.time for one in fire_about(chain, habits, rule, 1, leaf, True, 1_001, (1,))] == about[-1]
    assert about == [[0], [], [quiet], [], [2 * quiet]]
    leaf = Leaf(1, "consent", 9 * quiet, b"", CHAIN)
    for score in (1_000, 1_001):
        time = 9 * quiet * score
        [told] = fire(own, rule, RECIPIENT, 1, time, True, True, score, (1,))
        [of_consent] = fire_about(chain, habits, rule, 1, leaf._replace(time=time), True, score, (1,))
        assert {(one.number, one.score) for one in (told, of_consent)} == {(RULES[rule][0], 1_000)}
