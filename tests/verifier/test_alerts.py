"""Alerts: each rule at its edges, and what a log that hides, invents or changes one is told (docs/spec/risk.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.alerting import NOON, activated, begun, legs, legs_differ, many, model, rate, rows
from tests.verifier.forge import DAY, OTHER, RECIPIENT, encode
from tests.verifier.making import refusal
from tests.verifier.replaying import replayed, told
from tests.verifier.scored import HOUR, Scored
from verifier.errors import Code
from verifier.rules.alerts import UNREAD
from verifier.rules.forest import read_model

INVALID, MISSING, CHAIN = Code.CONSENT_INVALID, Code.INCOMPLETE, Code.BAD_CHAIN


def rate_of_more(world: Scored, consent: str, less: int) -> None:
    """168·60 < 8·(b + 168) from b = 1,093 on: here with b = 52, one hour and 168 hours before."""
    many(world, consent, 52)
    world.raise_due()
    world.tick(168 * HOUR)
    many(world, consent, 50 - less)


def night(world: Scored, consent: str, less: int) -> None:
    world.tick(DAY - NOON)
    many(world, consent, 30 - less, customer_present=False)


def new_permission(world: Scored, consent: str, less: int) -> None:
    many(world, consent, 10 - less, permissions=["ReadBalances"])
    world.tick(30 * DAY)
    many(world, consent, 1, permissions=["ReadAccountsDetail", "ReadBalances", "ReadTransactionsDetail"])


def refused(world: Scored, consent: str, less: int) -> None:
    many(world, consent, 20 - less, permissions=["ReadParty"])
    many(world, consent, 30 - 1)
    world.tick(HOUR)
    many(world, consent, 1 + less)


def refused_of_strangers(world: Scored, _: str, less: int) -> None:
    for _ in range(50 - less):
        world.access(world.consent_id(), OTHER)
    assert [one["about"]["id"] for one in world.owed] == [OTHER] * (not less)


def breadth(world: Scored, _: str, less: int) -> None:
    for _ in range(20 - less):
        world.request(permissions=["ReadBalances"])
    eight = ("Balances", "DirectDebits", "Loans", "Offers", "PAN", "Party", "PartyPSU", "Products")
    world.request(permissions=[f"Read{name}" for name in eight])


def unattended(world: Scored, consent: str, less: int) -> None:
    many(world, consent, 50, HOUR // 40)
    many(world, consent, 50, HOUR // 40, customer_present=False)
    many(world, consent, 90 - less, HOUR // 40, customer_present=False)
    many(world, consent, 10 + less, HOUR // 40)
    world.owed = [one for one in world.owed if one["rule"] != "many"]


def rows_of_few(world: Scored, consent: str, less: int) -> None:
    legs(world, consent, [0] * (20 - less) + [10_000])


def woken(world: Scored, consent: str, less: int) -> None:
    many(world, consent, 1)
    world.tick(60 * DAY - 1 - less)
    many(world, consent, 1, customer_present=False)


def several(world: Scored, _: str, less: int) -> None:
    consents = [world.grant() for _ in range(40 - less)]
    for consent in consents:
        many(world, consent, 1)
    many(world, consents[0], 3)


def after_end(world: Scored, consent: str, less: int) -> None:
    world.revoke(consent)
    many(world, consent, 1)  # at once
    world.tick(HOUR - 1 - (1 if less else 0))
    many(world, consent, 1)
    world.tick(1)
    many(world, consent, 2)


SCENES: list[tuple[str, Callable[[Scored, str, int], None]]] = [
    ("rate", rate),
    ("rate", rate_of_more),
    ("night", night),
    ("new-permission", new_permission),
    ("refused", refused),
    ("refused", refused_of_strangers),
    ("breadth", breadth),
    ("unattended", unattended),
    ("rows", rows),
    ("rows", rows_of_few),
    ("legs-differ", legs_differ),
    ("woken", woken),
    ("many", several),
    ("after-end", after_end),
]
each_scene = pytest.mark.parametrize(("rule", "scene"), SCENES, ids=[scene.__name__ for _, scene in SCENES])


@each_scene
def test_a_rule_fires_when_its_last_condition_holds_and_not_one_less(rule: str, scene: Callable[..., None]) -> None:
    fired = []
    for less in (0, 1):
        world, consent = begun()
        scene(world, consent, less)
        fired.append([one["rule"] for one in world.owed if one["rule"] == rule])
        world.raise_due()
        world.tick(HOUR)
        world.index_head()
        assert told(replayed(world)) == []
    if scene in (legs_differ, after_end):
        assert fired[0] == [rule]
    else:
        assert fired == [[rule], []]


@each_scene
def test_an_alert_that_is_hidden_changed_or_invented_is_told_at_its_place(
    rule: str, scene: Callable[..., None]
) -> None:
    world, consent = begun()
    scene(world, consent, 0)
    at = next(one["at_index"] for one in world.owed if one["rule"] == rule)
    world.raise_due(hide=(rule,))
    world.time = world.times[at] + 60_000
    world.index_head()
    assert told(replayed(world)) == []  # it is not due yet
    world.tick(1)
    world.index_head()
    assert [row[:2] for row in told(replayed(world))] == [(MISSING, at)]
    for lie in ({"score": 999}, {"features": [1]}):
        world, consent = begun()
        scene(world, consent, 0)
        world.owed = [one for one in world.owed if one["rule"] == rule]
        found = [row[:2] for row in told(replayed(world))]
        [*indexes] = world.raise_due(**lie)
        found = [row[:2] for row in told(replayed(world)) if row[0] is not MISSING]
        assert found == [(INVALID, index) for index in indexes]


def test_an_alert_of_nothing_is_invented_and_one_raised_twice_or_late_is_out_of_order() -> None:
    world, consent = begun()
    rate(world, consent, 0)
    lie = world.raise_alert(RECIPIENT, at_index=len(world.entries) - 9, rule="night")
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]
    world, consent = begun()
    rate(world, consent, 0)
    [owed] = world.owed
    world.raise_due()
    again = world.document("alert.raised", **owed)
    assert [row[:2] for row in told(replayed(world))] == [(CHAIN, again)]


def test_alerts_stand_in_the_order_of_their_entries_and_rules() -> None:
    world, consent = begun()
    rate(world, consent, 0)
    world.tick(HOUR)
    several(world, consent, 0)
    world.tick(1)
    world.owed = world.owed[::-1]
    assert len(world.owed) > 1
    last = world.raise_due()[1:]
    assert [row[:2] for row in told(replayed(world))] == [(CHAIN, index) for index in last]


def test_a_rule_is_quiet_for_its_time_and_then_fires_again() -> None:
    world, consent = begun()
    rate(world, consent, 0)
    many(world, consent, 100)
    assert len(world.owed) == 1
    world.tick(HOUR - 149)
    many(world, consent, 60)
    assert [one["rule"] for one in world.owed] == ["rate"] * 2
    world.raise_due()
    assert told(replayed(world)) == []


def test_nothing_is_owed_before_scoring_was_activated() -> None:
    world = Scored(5).begun()
    rate(world, world.grant(), 0)
    world.tick(DAY)
    world.index_head()
    findings = replayed(world)
    assert (told(findings), findings.unchecked) == ([], {})


def test_nothing_is_owed_without_scoring_and_it_begins_anew_each_time() -> None:
    world, consent = begun()
    many(world, consent, 40)
    world.score(0)
    many(world, consent, 40)
    assert not world.owed
    lie = world.raise_alert(RECIPIENT, at_index=len(world.entries) - 1)
    world.score()
    many(world, consent, 40)
    world.score()  # anew
    many(world, consent, 49)
    world.tick(DAY)
    world.index_head()
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]


def test_an_alert_is_owed_though_scoring_ended_before_it_was_raised() -> None:
    world, consent = begun()
    rate(world, consent, 0)
    [owed] = world.owed
    world.score(0)
    world.tick(HOUR)
    world.index_head()
    assert [row[:2] for row in told(replayed(world))] == [(MISSING, owed["at_index"])]
    world.raise_due()
    assert told(replayed(world)) == []


# --- what cannot be known -------------------------------------------------------------------------------------


def test_an_unread_entry_leaves_open_the_rules_that_count_it_until_their_windows_have_passed() -> None:
    world, consent = begun()
    other = world.grant()
    many(world, consent, 1)
    withheld = len(world.entries) - 1
    rate(world, consent, 0)
    world.tick(169 * HOUR)
    rate(world, consent, 0)
    first, second = [one["at_index"] for one in world.owed if one["rule"] == "rate"]
    world.owed = []
    world.tick(DAY)
    world.index_head()
    assert {(MISSING, first), (MISSING, second)} <= {row[:2] for row in told(replayed(world))}
    assert [row[:2] for row in told(replayed(world, withheld=[withheld]))] == [(MISSING, second)]
    assert other


def test_an_alert_that_may_rest_on_an_unread_entry_is_counted_as_not_checked() -> None:
    world, consent = begun()
    many(world, consent, 1)
    rate(world, consent, 0)
    world.raise_due()
    findings = replayed(world, withheld=[len(world.entries) - 20])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 1
    # What cannot be the recipient's leaves it sure: another's consent, which was requested in sight.
    world, consent = begun()
    strange = world.request(OTHER, recipient=OTHER)
    rate(world, consent, 0)
    world.raise_due()
    world.access(strange, OTHER)
    gone = [index for index, (body, _) in world.evidence.items() if strange.encode() in body][1:]
    findings = replayed(world, withheld=gone)
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 0
    assert findings.checked["alerts"] == 1


def test_a_request_that_cannot_be_read_may_be_anybodys() -> None:
    world, consent = begun()
    request = len(world.entries)
    world.request(OTHER, recipient=OTHER)
    rate(world, consent, 0)
    world.raise_due()
    findings = replayed(world, withheld=[request])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 1


@pytest.mark.parametrize("lie", [False, True])
def test_entries_withheld_from_one_consent_leave_another_consents_rules_judged(lie: bool) -> None:
    world, consent = begun()
    other = world.grant()
    many(world, consent, 1)
    many(world, other, 1)
    withheld = len(world.entries) - 1
    world.tick(61 * DAY)
    many(world, consent, 1, customer_present=False)
    at = [one["at_index"] for one in world.owed]
    world.raise_due(hide=("woken",) if lie else ())
    world.tick(DAY)
    world.index_head()
    assert [row[:2] for row in told(replayed(world, withheld=[withheld]))] == [(MISSING, index) for index in at if lie]


# --- the model ------------------------------------------------------------------------------------------------


def test_the_model_sees_each_50th_access_from_the_100th_on() -> None:
    world, consent = begun()
    data = activated(world, model())
    many(world, consent, 260, 100_000, customer_present=False)
    fired = [one for one in world.owed if one["rule"] == "model"]
    assert [len(one["features"]) for one in fired] == [8] * 4
    assert {one["score"] for one in fired} == {1_000}
    world.raise_due()
    assert told(replayed(world, model=lambda _: read_model(data))) == []
    findings = replayed(world)
    assert told(findings) == []
    assert findings.unchecked["alerts of a model whose bytes are not in the bundle"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": 7},
        {"v": 2},
        {"more": 1},
        {"threshold": 0},
        {"threshold": 1_001},
        {"scale": [1] * 999},
        {"scale": [1] * 1_001},
        {"scale": [1] * 999 + [2]},
        {"scale": [1] * 999 + [True]},
        {"trees": []},
        {"trees": [[]]},
        {"trees": [[[1]]] * 257},
        {"trees": [[[1]] * 4_096]},
        {"trees": [[[0, 1, 0, 1], [1]]]},
        {"trees": [[[0, 1, 1, 2], [1]]]},
        {"trees": [[[0, 1, 1, 2], [0, 1, 1, 2], [1]]]},
        {"trees": [[[8, 1, 1, 1], [1]]]},
        {"trees": [[[-1, 1, 1, 1], [1]]]},
        {"trees": [[[1, 2]]]},
        {"trees": [[[-1]]]},
        {"trees": [["1"]]},
        {"trees": [[[0, 1, 1, True], [1]]]},
        {"trees": "x"},
    ],
)
def test_a_hostile_model_is_refused(wrong: dict[str, Any]) -> None:
    read_model(encode(model()))
    with refusal(Code.BAD_ENCODING):
        read_model(encode(model(**wrong)))


def test_a_model_is_canonical_and_of_integers() -> None:
    plain = encode(model())
    for data in (plain.replace(b"[9000]", b"[9000.0]"), plain + b"\n", b"[" * 90_000, b"x" * (2**20 + 1)):
        with refusal(Code.BAD_ENCODING):
            read_model(data)
    read_model(encode(model(trees=[[[1]] * 4_095] * 2)))
