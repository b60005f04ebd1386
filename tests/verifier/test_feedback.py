"""What an auditor is told of customers' feedback (docs/spec/ruleset-3.md, 11)."""

from __future__ import annotations

from tests.verifier.begun import begun
from tests.verifier.replaying import replayed, told
from verifier.errors import Code


def test_feedback_is_counted_with_its_answers_and_what_is_wrong_with_one_is_told_once() -> None:
    world = begun()
    consent = world.grant()
    world.feedback(consent, about=len(world.entries) - 1)
    world.answer(state="closed")
    wrong = world.feedback(consent, about=len(world.entries))  # the number was given before, too
    findings = replayed(world)
    assert [row[:2] for row in told(findings)] == [(Code.CONSENT_INVALID, wrong)]
    assert findings.checked["feedback of customers"] == 3


def test_feedback_about_an_entry_that_is_not_below_it_is_told_with_the_last_that_is() -> None:
    world = begun()
    consent = world.grant()
    index = len(world.entries)
    world.feedback(consent, about=index)
    [defect] = replayed(world).defects
    assert (defect.expected, defect.found) == (f"at most {index - 1}", str(index))
