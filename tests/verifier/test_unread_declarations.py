"""What cannot be read leaves open what it may have said, for whom it can concern, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.begun import alerted, begun
from tests.verifier.replaying import replayed, told
from tests.verifier.scored import Scored
from tests.verifier.supervised import HOLDER, OTHER, PROVIDER, RECIPIENT
from verifier.errors import Code
from verifier.rules.declaring import UNKNOWN_CHAIN, UNREAD_ALERT
from verifier.rules.feedback import UNKNOWN
from verifier.rules.judging import UNKNOWN_STATE, UNREAD_DECLARATION, UNREAD_LIMITS


def open_questions(withheld: Callable[[Scored], int], **then: Any) -> tuple[Any, int]:
    """The findings of a log in which an access follows on what is withheld."""
    world = begun()
    consent = world.grant(**then)
    index = withheld(world)
    world.access(consent)
    findings = replayed(world, withheld=[index])
    assert told(findings) == []
    return findings, findings.unchecked[UNREAD_DECLARATION]


@pytest.mark.parametrize(
    ("declare", "unknown"),
    [
        (lambda w: w.freeze(), 1),
        (lambda w: w.freeze(HOLDER, scope={"holder": HOLDER}), 1),
        (lambda w: w.freeze(RECIPIENT, scope={"recipient": RECIPIENT}), 1),
        (lambda w: w.freeze(OTHER, scope={"recipient": OTHER}), 0),
        (lambda w: w.incident(PROVIDER), 0),
        (lambda w: w.require(recipient=OTHER), 1),
        (lambda w: w.assess(), 1),
    ],
)
def test_an_unread_declaration_leaves_open_only_the_decisions_it_can_concern(
    declare: Callable[[Scored], int], unknown: int
) -> None:
    findings, found = open_questions(declare)
    assert found == unknown
    assert findings.checked["access decisions"] == 1 - unknown


def test_a_lost_declaration_leaves_open_what_it_can_concern_once_the_next_leaf_of_its_chain_names_it() -> None:
    world = begun()
    consent = world.grant()
    lost = world.freeze(HOLDER, "f1", scope={"holder": HOLDER})
    world.freeze(HOLDER, "f2", scope={"holder": HOLDER}, drill=True)
    world.access(consent)
    findings = replayed(world, lost=[lost])
    assert (told(findings), findings.unchecked[UNREAD_DECLARATION]) == ([], 1)
    assert findings.checked["access decisions"] == 0


def test_after_an_unread_declaration_of_a_regulator_the_limits_of_purposes_are_open() -> None:
    world = begun()
    world.define(permissions=["ReadBalances"])
    second = world.define(permissions=["ReadParty"])
    world.request(permissions=["ReadParty"])
    findings = replayed(world, withheld=[second])
    assert told(findings) == []
    assert findings.unchecked[UNREAD_LIMITS] == 1


def test_an_unread_declaration_leaves_open_only_what_rests_on_it() -> None:
    world = begun()
    first = world.freeze()
    lift = world.lift()
    again = world.lift(HOLDER, "f9")
    findings = replayed(world, withheld=[first])
    assert [row[:2] for row in told(findings)] == [(Code.CONSENT_INVALID, again)]  # another's chain
    assert findings.unchecked[UNKNOWN_CHAIN] == 1
    assert lift


def test_a_decision_about_an_alert_that_was_lost_is_open() -> None:
    world = begun()
    alert = alerted(world)
    world.decide_alert(alert)
    findings = replayed(world, lost=[alert])
    assert told(findings) == []
    assert findings.unchecked[UNREAD_ALERT] == 1


def test_feedback_and_acknowledgements_after_an_unread_entry_of_their_chain_are_open() -> None:
    world = begun()
    consent = world.grant()
    companion = len(world.entries) - 1
    world.feedback(consent)
    end = world.revoke(consent)
    world.acknowledge(consent, end)
    findings = replayed(world, withheld=[companion, end])
    assert told(findings) == []
    assert findings.unchecked[UNKNOWN] == 1
    assert findings.unchecked[UNKNOWN_STATE] == 1
