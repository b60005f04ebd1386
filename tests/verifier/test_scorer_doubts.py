"""Where an entry that cannot be read leaves a rule of the scorer unknown, and the point where that ends
(docs/spec/risk.md, «The document»)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.verifier.scored import HOUR
from tests.verifier.states import HOLDER, NOW, OTHER, RECIPIENT
from tests.verifier.watching import BASIS, CHAIN, DAY_MS, GONE, INDEX, Watched
from verifier.rules.forest import Forest
from verifier.rules.remembered import Doubt, Fires

LONG_AGO = NOW - 400 * DAY_MS
DAWN = NOW - NOW % DAY_MS
WINDOWS: list[tuple[str, Doubt, int, dict[str, Any]]] = [
    ("refused", Doubt(LONG_AGO, 451, 0), 1, {}),  # at the 500th and 501st, once 50 were read after it
    ("unattended", Doubt(LONG_AGO, 301, 0), 1, {}),
    ("rate", Doubt(NOW - 168 * HOUR, 0, 0), -1, {}),
    ("many", Doubt(NOW - 168 * HOUR, 0, 0), -1, {}),
    ("night", Doubt(DAWN, 0, 0), -1, {}),
    ("after-end", Doubt(DAWN, 0, 0), -1, {"reasons": GONE}),
]


@pytest.mark.parametrize(("rule", "doubt", "more", "asked"), WINDOWS, ids=[row[0] for row in WINDOWS])
def test_a_doubt_ends_once_no_window_holds_the_unread_entry(
    rule: str, doubt: Doubt, more: int, asked: dict[str, Any]
) -> None:
    """One access more, or an entry one millisecond earlier, and the window is past it."""
    for past in (False, True):
        world = Watched()
        own = world.own
        own.asked = own.count = 499 + max(0, more) * past
        own.doubt(rule, 5, 0, 0)
        own.doubts[rule] = replace(doubt, time=doubt.time + min(0, more) * past)
        world.chain.moved = NOW - HOUR
        world.access(NOW, **asked)
        assert (rule in own.doubts) is not past
        assert [own.was_unsure(rule, at) for at in (4, 5, INDEX - 1, INDEX)] == [False, True, True, not past]


@pytest.mark.parametrize(("after", "open_"), [(50, False), (49, True)])
def test_a_doubt_about_rows_ends_after_fifty_more_releases(after: int, open_: bool) -> None:
    world = Watched()
    world.own.releases = 500
    world.own.doubt("rows", 5, LONG_AGO, 500)
    world.own.releases += after
    world.release(1)
    assert ("rows" in world.own.doubts) is open_


@pytest.mark.parametrize(
    ("since", "seen", "open_"), [(50, 1, False), (49, 1, True), (90, 0, True)], ids=["51st", "50th", "a new one"]
)
def test_a_doubt_about_a_purpose_ends_after_fifty_more_requests_with_it(since: int, seen: int, open_: bool) -> None:
    world = Watched()
    world.scorer.miss(5, LONG_AGO, None)
    world.request(1, [1] * 50, since, seen)
    assert ("breadth" in world.own.doubts) is open_
    assert json.loads(str(world.scorer.purposes.get("AIS")))[1:] == [1 + since * seen, 1]
    unseen = Watched()
    unseen.scorer.miss(5, LONG_AGO, None)
    unseen.request(1, None)
    assert "breadth" in unseen.own.doubts
    assert json.loads(str(unseen.scorer.purposes.get("AIS")))[1:] == [1, 1]
    del unseen.own.doubts["breadth"]  # it ended for another purpose
    unseen.own.seen = 1
    assert unseen.request(8, [4] * 20, 9, 1) == []
    assert "breadth" in unseen.own.doubts


def test_a_doubt_lasts_until_the_condition_has_not_held_for_the_quiet_time() -> None:
    own, quiet = Fires(-1), HOUR
    own.doubt("rate", 5, 1_000, 0)
    own.doubt("rate", 6, 900, 0)
    assert own.doubts["rate"].until == 1_000 + quiet
    assert not own.is_sure("rate", 7, 999 + quiet, True, False)
    assert not own.is_sure("rate", 8, 999 + quiet, True, True)  # it may have fired: as long again
    assert not own.is_sure("rate", 9, 998 + 2 * quiet, True, False)
    assert own.is_sure("rate", 10, 999 + 2 * quiet, True, False)
    assert own.is_sure("night", 10, 0, False, True), "of another rule all is known"
    assert [own.was_unsure("rate", at) for at in (4, 5, 9, 10)] == [False, True, True, False]
    own.doubt("rate", 12, 0, 0)
    assert [own.was_unsure("rate", at) for at in (9, 10, 11, 12, 99)] == [True, False, False, True, True]
    assert not own.is_sure("rate", 13, 9 * DAY_MS, False, False), "a window holds the entry"
    assert own.doubts["rate"].until == 9 * DAY_MS + quiet
    assert own.is_sure("rate", 20, 9 * DAY_MS + quiet, True, False)
    assert [own.was_unsure("rate", at) for at in (9, 10, 12, 19, 20)] == [True, False, True, True, False]


def test_a_doubt_stays_with_its_entries_when_scoring_begins_anew() -> None:
    world = Watched()
    world.scorer.miss(50, NOW, world.chain.consent)
    world.scorer.begin(60)
    unsure = [world.scorer.was_unsure("recipient", RECIPIENT, "rate", at, None) for at in (49, 50, 60, 61)]
    assert unsure == [False, True, True, False]
    assert not world.scorer.was_unsure("recipient", OTHER, "rate", 55, None)
    world.scorer.miss(70, NOW, None)
    world.scorer.begin(80)
    for about in (OTHER, RECIPIENT):
        told = [world.scorer.was_unsure("recipient", about, "rate", at, None) for at in (60, 61, 80, 81)]
        assert told == [about == RECIPIENT, True, True, False], about
    sure = Watched()
    sure.scorer.recipient(OTHER)
    sure.scorer.miss(20, NOW, None)
    sure.scorer.begin(30)
    told = [sure.scorer.was_unsure("recipient", "third.example", "rate", at, None) for at in (0, 1, 30, 31)]
    assert told == [False, True, True, False]
    sure.scorer.recipient(OTHER).last = 40
    sure.scorer.miss(50, NOW, None)
    sure.scorer.recipient(OTHER)
    sure.scorer.begin(60)
    told = [sure.scorer.was_unsure("recipient", OTHER, "rate", at, None) for at in (40, 41, 60, 61)]
    assert told == [False, True, True, False], "what was known of it before its last entry stays known"


def test_of_holders_whom_nobody_saw_before_all_is_open_from_the_beginning_of_scoring() -> None:
    world = Watched()
    world.leg("access.release")
    world.scorer.waiting.put(str(BASIS), json.dumps([CHAIN.decode()]))
    world.leg("access.release")
    world.leg("access.receive")
    world.scorer.miss(INDEX + 5, NOW, None)
    for holder, from_ in ((HOLDER, INDEX + 1), (OTHER, 1)):
        unsure = [world.scorer.was_unsure("holder", holder, "legs-differ", at, None) for at in (from_ - 1, from_)]
        assert unsure == [False, True], holder


def test_a_consent_is_unsure_once_an_entry_of_it_could_not_be_read() -> None:
    world = Watched()
    told = [world.scorer.was_unsure("consent", "c", "woken", 5, chain) for chain in (None, world.chain)]
    world.chain.known = False
    assert [*told, world.scorer.was_unsure("consent", "c", "woken", 5, world.chain)] == [False, False, True]


def test_an_access_under_a_request_that_cannot_be_read_is_its_signers() -> None:
    world = Watched()
    world.chain.consent, world.chain.known = None, False
    world.access()
    assert {"rate", "refused", "model"} <= world.own.doubts.keys()
    assert world.own.count == 0
    known = Watched()
    known.chain.known = False
    known.access()
    assert known.own.doubts.keys() == {"night", "after-end", "model"}


def test_a_model_stays_in_doubt_for_ever() -> None:
    world = Watched()
    world.scorer.forest = Forest(1, (1,), (((1,),),))
    world.own.doubt("model", 5, LONG_AGO)
    world.own.count = 99
    assert world.access() == []
    assert "model" in world.own.doubts


def test_the_habits_of_a_consent_are_forgotten_when_scoring_begins_anew() -> None:
    world = Watched()
    world.access()
    assert world.scorer.habits(world.chain).allowed == 1
    world.scorer.begin(60)
    assert world.scorer.habits(world.chain).allowed == 0


@pytest.mark.parametrize(("resumed", "open_"), [(BASIS, False), (BASIS + 1, True)])
def test_legs_of_an_access_below_the_kept_state_leave_the_rule_open(resumed: int, open_: bool) -> None:
    world = Watched()
    world.scorer.resumed = resumed
    world.release(1)
    assert ("legs-differ" in world.scorer.holder(HOLDER).doubts) is open_
