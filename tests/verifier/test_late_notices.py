"""A withdrawal that is acknowledged late: when rule 13 holds, and what a log is told that hides it or makes it up."""

from __future__ import annotations

import pytest

from tests.verifier.forge import DAY, RECIPIENT
from tests.verifier.replaying import replayed, told
from tests.verifier.scored import HOUR, Scored
from verifier.errors import Code
from verifier.rules.alerts import UNREAD


def ended(scoring: int = 2) -> tuple[Scored, str, int]:
    """A consent that was just withdrawn, and the entry that ended it."""
    world = Scored(7).begun()
    consent = world.grant()
    world.score(scoring)
    return world, consent, world.revoke(consent)


def later(world: Scored) -> None:
    """Whatever is owed is due."""
    world.tick(HOUR)
    world.index_head()


def test_it_is_owed_from_a_day_on_and_for_the_first_notice_only() -> None:
    for waited, owed in ((DAY - 1, []), (DAY, [24])):
        world, consent, end = ended()
        world.tick(waited - (world.time - world.times[end]))
        world.acknowledge(consent, end)
        assert [one["features"][0] for one in world.owed] == owed
        world.tick(3 * DAY)
        world.acknowledge(consent, end)
        assert len(world.owed) == len(owed)
        world.raise_due()
        later(world)
        assert told(replayed(world)) == []


def test_a_late_notice_that_is_hidden_is_named_at_its_entry() -> None:
    world, consent, end = ended()
    world.tick(50 * HOUR)
    at = world.acknowledge(consent, end)
    later(world)
    assert [row[:2] for row in told(replayed(world))] == [(Code.INCOMPLETE, at)]


def test_a_notice_of_another_step_is_none_of_the_end() -> None:
    world = Scored(7).begun()
    consent = world.request()
    agreed = world.authorise(consent)
    world.score()
    world.tick(9 * DAY)
    world.acknowledge(consent, agreed)
    world.revoke(consent)
    world.tick(9 * DAY)
    world.acknowledge(consent, agreed)
    assert world.owed == []
    later(world)
    assert told(replayed(world)) == []


def test_under_scoring_1_no_rule_gives_it() -> None:
    world, consent, end = ended(1)
    world.tick(2 * DAY)
    at = world.acknowledge(consent, end)
    later(world)
    assert told(replayed(world)) == []
    about = {"id": RECIPIENT, "kind": "recipient"}
    made_up = world.document("alert.raised", about=about, at_index=at, features=[48], rule="late-notice", score=880)
    assert [row[:2] for row in told(replayed(world))] == [(Code.CONSENT_INVALID, made_up)]


@pytest.mark.parametrize("which", ["an access", "the first notice"])
def test_a_notice_that_may_rest_on_an_unread_entry_of_the_consent_is_not_checked(which: str) -> None:
    world, consent, end = ended()
    withheld = len(world.entries)
    if which == "an access":
        world.access(consent)
    else:
        world.acknowledge(consent, end)
    world.tick(2 * DAY)
    world.acknowledge(consent, end)
    world.raise_due()
    later(world)
    findings = replayed(world, withheld=[withheld])
    assert told(findings) == []
    assert findings.unchecked[UNREAD] == len([one for one in ("an access",) if one == which])
