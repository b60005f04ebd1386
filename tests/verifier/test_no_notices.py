"""An end that nobody takes note of: when rule 14 holds, and what stays unknown where something cannot be read
(docs/spec/risk.md, «An end that nobody takes note of»)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.verifier.forge import DAY, HOLDER, OTHER, RECIPIENT
from tests.verifier.replaying import replayed, told
from tests.verifier.scored import HOUR, Scored
from verifier.errors import Code
from verifier.rules.alerts import UNREAD

DUE = 3 * DAY
INVALID, MISSING, CHAIN = Code.CONSENT_INVALID, Code.INCOMPLETE, Code.BAD_CHAIN


def begun(scoring: int = 3) -> tuple[Scored, str]:
    """A consent in force, in a log that is scored."""
    world = Scored(14).begun()
    consent = world.grant()
    world.score(scoring)
    return world, consent


def leaf(world: Scored, wait: int = 0) -> int:
    """The next leaf, which no recipient had a part in."""
    world.tick(wait)
    return world.index_head()


def judged(world: Scored, **unread: Any) -> list[tuple[Code, int | None]]:
    """The defects, once everything that is owed by then is due."""
    world.tick(HOUR)
    world.index_head()
    return [row[:2] for row in told(replayed(world, **unread))]


def raise_one(world: Scored, at: int, hours: int = 72, about: str = RECIPIENT) -> int:
    """An alert that the world does not owe."""
    members = {"about": {"id": about, "kind": "recipient"}, "features": [hours], "rule": "no-notice", "score": 900}
    return world.document("alert.raised", at_index=at, **members)


# --- when it holds --------------------------------------------------------------------------------------------


def test_an_end_falls_due_at_the_first_leaf_that_stands_72_hours_after_it() -> None:
    world, consent = begun()
    world.revoke(consent)
    early = leaf(world, DUE - 1)
    assert world.owed == []
    due = leaf(world, 1)
    assert [(one["at_index"], one["features"]) for one in world.owed] == [(due, [72])]
    assert judged(world) == [(MISSING, due)]
    invented = raise_one(world, early, 71)
    assert (INVALID, invented) in judged(world)
    world, consent = begun()
    world.revoke(consent)
    leaf(world, DUE - 1)
    leaf(world, 9 * DAY)
    assert [one["features"] for one in world.owed] == [[287]]  # the first leaf after it may come late
    world.raise_due()
    assert judged(world) == []


@pytest.mark.parametrize("waited", [0, DUE - 1, DUE])
def test_a_notice_up_to_that_leaf_counts(waited: int) -> None:
    world, consent = begun()
    end = world.revoke(consent)
    world.tick(waited)
    world.acknowledge(consent, end)
    leaf(world, DUE)
    assert [one["rule"] for one in world.owed] == (["late-notice"] if waited >= DAY else [])
    world.raise_due()
    assert judged(world) == []


def test_a_notice_after_that_leaf_is_late_and_takes_nothing_back() -> None:
    world, consent = begun()
    end = world.revoke(consent)
    leaf(world, DUE)
    world.acknowledge(consent, end)
    assert [one["rule"] for one in world.owed] == ["no-notice", "late-notice"]
    world.raise_due()
    assert judged(world) == []


def test_a_notice_of_an_earlier_step_is_none_of_the_end() -> None:
    world, consent = begun()
    paused = world.end(consent, "consent.pause", "PAUSED")
    world.revoke(consent)
    world.acknowledge(consent, paused)
    due = leaf(world, DUE)
    assert judged(world) == [(MISSING, due)]


def test_an_end_of_the_recipients_own_needs_no_notice() -> None:
    world, consent = begun()
    world.end(consent, "consent.terminate", "TERMINATED", iss=RECIPIENT, by="recipient")
    due = leaf(world, DUE)
    assert world.owed == []
    invented = raise_one(world, due)
    assert judged(world) == [(INVALID, invented)]


@pytest.mark.parametrize("scoring", [1, 2])
def test_under_another_scoring_no_rule_gives_it(scoring: int) -> None:
    world, consent = begun(scoring)
    world.revoke(consent)
    due = leaf(world, DUE)
    assert judged(world) == []
    invented = raise_one(world, due)
    assert judged(world) == [(INVALID, invented)]


@pytest.mark.parametrize("end", [0, 3])
def test_an_end_before_scoring_was_activated_anew_is_forgotten(end: int) -> None:
    world, consent = begun()
    world.revoke(consent)
    world.tick(DUE)
    activated = world.score(end)
    due = leaf(world)
    assert world.owed == []
    lies = [raise_one(world, at) for at in (activated, due)]
    assert judged(world) == [(INVALID, lie) for lie in lies]


def test_of_one_recipient_one_end_is_told_at_one_leaf_and_quiet_covers_the_others() -> None:
    world, consent = begun()
    more = [world.grant() for _ in range(2)]
    theirs = world.request(OTHER, recipient=OTHER)
    for one, wait in ((consent, HOUR), (more[0], HOUR), (theirs, 10 * HOUR), (more[1], 62 * HOUR)):
        world.end(one, "consent.revoke", "REVOKED")
        world.tick(wait)
    leaf(world)
    owed = [(one["about"]["id"], one["features"][0]) for one in world.owed]
    assert owed == sorted([(RECIPIENT, 74), (OTHER, 72)])
    leaf(world, 10 * HOUR)
    leaf(world, 9 * DAY)
    assert len(world.owed) == 2, "the last one fell due within the quiet time of the first"
    copy = [*world.owed]
    world.raise_due()
    assert judged(world) == []
    world.owed = copy[::-1]
    [_, last] = world.raise_due()
    assert (CHAIN, last) in judged(world)


# --- what cannot be known -------------------------------------------------------------------------------------


@pytest.mark.parametrize("told_of", [True, False])
def test_an_unread_entry_above_an_end_may_be_its_notice(told_of: bool) -> None:
    world, consent = begun()
    end = world.revoke(consent)
    withheld = world.acknowledge(consent, end) if told_of else world.access(consent)
    due = leaf(world, DUE)
    assert len(world.owed) == (not told_of)
    if told_of:
        raise_one(world, due)
    else:
        world.raise_due()
    world.tick(DUE)
    world.index_head()
    findings = replayed(world, withheld=[withheld])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 1


def test_an_unread_entry_above_an_end_leaves_nothing_open_once_a_notice_is_read() -> None:
    world, consent = begun()
    end = world.revoke(consent)
    withheld = world.access(consent)
    world.acknowledge(consent, end)
    due = leaf(world, DUE)
    invented = raise_one(world, due)
    assert judged(world, withheld=[withheld]) == [(INVALID, invented)]


def test_an_unread_entry_may_be_an_end_whose_alert_is_then_not_checked_where_it_falls_due_only() -> None:
    world, consent = begun()
    world.tick()
    withheld = world.revoke(consent)
    early = leaf(world, DUE - 1)
    leaf(world, 1)
    [owed] = world.owed
    world.raise_due()
    late = leaf(world, DAY)
    findings = replayed(world, withheld=[withheld])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 1
    assert owed["at_index"] == early + 1
    for at in (early, late):
        lie = raise_one(world, at)
        assert (INVALID, lie) in [row[:2] for row in told(replayed(world, withheld=[withheld]))] or at == early
    other = raise_one(world, late, about=OTHER)
    assert (INVALID, other) in judged(world, withheld=[withheld])


@pytest.mark.parametrize("shows", ["an access", "a step", "its notice", "nothing"])
def test_an_unread_entry_is_no_end_once_its_consent_is_seen_to_go_on(shows: str) -> None:
    world, consent = begun()
    withheld = world.access(consent)
    if shows == "an access":
        world.access(consent)
    elif shows == "a step":
        world.end(consent, "consent.pause", "PAUSED")
    elif shows == "its notice":
        withheld = world.end(consent, "consent.pause", "PAUSED")
        world.acknowledge(consent, withheld)
    due = leaf(world, DUE)
    invented = raise_one(world, due)
    findings = [(INVALID, invented)] if shows != "nothing" else []
    assert judged(world, withheld=[withheld]) == findings


def test_the_first_entry_of_a_consent_and_one_after_its_end_are_no_ends() -> None:
    world, consent = begun()
    request = world.request()
    ended = world.request()
    world.end(ended, "consent.reject", "REJECTED")
    strange = world.access(ended)
    due = leaf(world, DUE)
    invented = raise_one(world, due)
    assert judged(world, withheld=[strange]) == [(INVALID, invented)]
    assert consent
    assert request


def test_an_end_of_a_consent_whose_request_cannot_be_read_may_be_anybodys() -> None:
    world, _ = begun()
    request = len(world.entries)
    consent = world.grant()
    world.revoke(consent)
    leaf(world, DUE)
    world.raise_due()
    findings = replayed(world, withheld=[request])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == 1


def test_an_unread_leaf_leaves_open_what_anybody_owes_until_an_end_in_it_would_be_due() -> None:
    world, consent = begun()
    world.revoke(consent)
    lost = leaf(world)
    after = leaf(world, HOUR)
    due = leaf(world, DUE - HOUR)
    [owed] = world.owed
    world.owed = []
    assert owed["at_index"] == due
    assert judged(world, lost=[lost]) == [], "the leaf may have been its notice"
    assert judged(world) == [(MISSING, due)]
    world.tick(DAY)
    theirs = world.request(OTHER, recipient=OTHER)
    world.end(theirs, "consent.revoke", "REVOKED")
    again = leaf(world, DUE)
    assert [one["at_index"] for one in world.owed] == [again]
    assert judged(world, lost=[lost]) == [(MISSING, again)]
    assert after


# --- whatever cannot be read, an honest log has no defect -----------------------------------------------------


def lived(seed: int) -> Scored:
    """Consents that are opened, ended, taken note of or not, in a random order; honest, and scored."""
    draw = random.Random(seed)
    world = Scored(seed).begun()
    consents = [world.grant() for _ in range(2)]
    world.score(3)
    ended: list[tuple[str, int]] = []
    for _ in range(40):
        world.tick(draw.choice([1, HOUR, 9 * HOUR, DAY, 2 * DAY]))
        what = draw.randrange(7)
        if what == 0 or not consents:
            consents.append(world.grant())
        elif what == 1:
            consent = consents.pop(draw.randrange(len(consents)))
            mine = draw.random() < 0.2
            iss, by = (RECIPIENT, "recipient") if mine else (HOLDER, "holder")
            ended.append((consent, world.end(consent, "consent.terminate", "TERMINATED", iss=iss, by=by)))
        elif what == 2 and ended:
            world.acknowledge(*ended.pop(draw.randrange(len(ended))))
        elif what == 3:
            world.access(draw.choice(consents))
        elif what == 4 and ended:
            world.access(draw.choice(ended)[0])
        else:
            world.index_head()
        if draw.random() < 0.6:
            world.raise_due()
    world.raise_due()
    return world


def test_no_honest_log_is_refuted_whatever_of_it_cannot_be_read() -> None:
    checked = 0
    for seed in range(10):
        world, draw = lived(seed), random.Random(seed)
        whole = replayed(world)
        assert told(whole) == [], seed
        checked += whole.checked["alerts"]
        for share in (0.03, 0.3):
            entries = sorted(world.evidence)
            withheld = [index for index in entries if draw.random() < share]
            assert told(replayed(world, withheld=withheld)) == [], (seed, withheld)
            kinds = [json.loads(entry)["kind"] for entry in world.entries[:-1]]
            lost = [at for at, kind in enumerate(kinds) if kind != "operator" and draw.random() < share]
            assert told(replayed(world, lost=lost)) == [], (seed, lost)
    assert checked > 10


def test_a_lie_about_a_consent_that_can_be_read_is_found_whatever_of_others_cannot() -> None:
    world, consent = begun()
    theirs = world.request(OTHER, recipient=OTHER)
    unread = [world.access(theirs, OTHER) for _ in range(3)]
    world.revoke(consent)
    due = leaf(world, DUE)
    assert judged(world, withheld=unread) == [(MISSING, due)]
