"""Cases: what only the whole log can tell (verdicts.md, step 9), and what is a finding and no defect."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, b64u
from tests.vectors.story import DAY, FIRST, RECIPIENT, SECOND, Story, report


@case("9.1", told=(("BAD_CHAIN", 14),))
def _a_statement_recorded_twice(log: Story) -> None:
    """`(iss, jti)` is unique for ever."""
    word: list[str] = []

    def signed(payload: Json) -> str:
        word.append(log.sign(payload))
        return word[0]

    log.access(FIRST, log.allow(11), {"signed": signed})
    log.access(FIRST, log.allow(11, used=1), {"signed": signed})


@case("9.1", told=(("BAD_CHAIN", 14),))
def _another_statement_under_a_used_jti(log: Story) -> None:
    """Of the same signer, with other payload bytes."""
    log.access(FIRST, log.allow(11), jti=b64u(bytes(16)))
    log.access(FIRST, log.allow(11, used=1), jti=b64u(bytes(16)))


@case("9.2", told=(("CONSENT_INVALID", 14),))
def _a_gesture_that_counts_twice(log: Story) -> None:
    """A customer's challenge stands once in the log: at the later entry."""
    log.terms_of[FIRST] = log.terms(frequency_per_day=2)
    changes: Json = {"consent_id": FIRST, "previous_version": 1, "terms": log.terms_of[FIRST]}
    log.say(RECIPIENT, "consent.amend", log.state("ACTIVE"), **changes)
    log.tick().authorise(FIRST, log.state("ACTIVE", 2), beside={"assertion": log.gesture(FIRST)}, version=2)
    log.companion(FIRST)


LEGS: list[tuple[str, str, dict[str, Any]]] = [
    ("a-leg-under-a-denied-access", "An allowed access.", {"basis": 14}),
    ("a-leg-of-a-document", "Entry basis is an access.", {"basis": 0}),
    ("a-leg-of-a-transition", "Entry basis is an access.", {"basis": 11}),
    ("a-leg-of-itself", "At a lower index.", {"basis": 15}),
    ("a-leg-of-a-later-entry", "At a lower index.", {"basis": 9_007_199_254_740_991}),
    (
        "a-leg-of-another-interaction",
        "The interaction is the access's.",
        {"basis": 13, "interaction_id": "interaction-2"},
    ),
]

for _name, _why, _members in LEGS:

    def _told(log: Story, members: dict[str, Any] = _members) -> None:
        log.access(FIRST, log.allow(11), interaction_id="interaction-1")
        reasons = ("PURPOSE_MISMATCH", "PERMISSION_MISSING")
        log.access(FIRST, log.deny(11, *reasons, used=1), permissions=["ReadParty"], interaction_id="interaction-1")
        log.leg("access.release", FIRST, **members)

    _told.__name__, _told.__doc__ = _name, _why
    case("9.3", told=(("UNMATCHED", 15),))(_told)


@case("9.3", told=(("UNMATCHED", 14),))
def _a_leg_of_another_consents_access(log: Story) -> None:
    """The consent is the access's."""
    log.access(SECOND, log.deny(-1, "CONSENT_UNKNOWN", version=0), interaction_id="interaction-1")
    log.leg("access.release", FIRST, 13)


@case("9.3", at=28, told=(("UNMATCHED", 28),), gone=frozenset({12}), level="partial")
def _a_body_withheld_elsewhere_excuses_no_leg(log: Story) -> None:
    """Entry `basis` itself can be read, and is denied."""
    log.leg("access.release", FIRST, 21)


@case("9.4", at=16, told=(("UNMATCHED", 16),))
def _a_second_release(log: Story) -> None:
    """Each side has one leg under an access."""
    log.leg("access.release", FIRST, 13)


@case("9.5", exit=0, at=14, findings=(("DISPUTED", 15),))
def _two_participants_who_say_different_things(log: Story) -> None:
    """A finding about them, at the later leg; the verdict stays."""
    log.leg("access.release", FIRST, 13)
    log.leg("access.receive", FIRST, 13, rows=3)


@case("9.6", exit=0, at=14, findings=(("DISPUTED", 14),))
def _a_participant_who_says_nothing(log: Story) -> None:
    """24 hours of log time after the leg the other side's is not there."""
    log.leg("access.release", FIRST, 13)
    log.tick(2 * DAY).head()


@case("9.6", exit=0, at=14)
def _a_participant_who_may_still_answer(log: Story) -> None:
    """Less than 24 hours of log time."""
    log.leg("access.release", FIRST, 13)
    log.tick(DAY - 1_000).head()


@case("9.7", at=33, told=(("UNMATCHED", 33),))
def _a_report_that_counts_too_many(log: Story) -> None:
    """The counts are those of the entries."""
    log.operator("reconciliation.reported", **report(0, 32, 3, 1, 1, []))


@case("9.7", at=33, told=(("UNMATCHED", 33),))
def _a_report_with_a_finding_that_is_none(log: Story) -> None:
    """The findings are those of the entries."""
    log.operator("reconciliation.reported", **report(0, 32, 2, 1, 1, [{"access": 13, "finding": "rows-differ"}]))


@case("9.8", told=(("INCOMPLETE", 14),))
def _an_authorisation_without_its_companion(log: Story) -> None:
    """Every consent that was ever opened stands in one customer's chain."""
    log.request(SECOND, frequency_per_day=4)
    log.tick().authorise(SECOND)
    log.tick().head()


@case("9.8", exit=0, at=30, level="partial", gone=frozenset({30}), unchecked=True)
def _a_companion_that_is_withheld(log: Story) -> None:
    """The entry right after the authorisation is unreadable: not checked."""
    log.companion(SECOND)
    log.head()


@case("9.8", told=(("INCOMPLETE", 14),), level="partial", gone=frozenset({9}))
def _a_body_withheld_elsewhere_excuses_no_companion(log: Story) -> None:
    """Entry 15 is readable, and no companion."""
    log.request(SECOND, frequency_per_day=4)
    log.tick().authorise(SECOND)
    log.tick().head()


@case("9.1", told=(("BAD_CHAIN", 14),))
def _a_position_of_a_batch_twice(log: Story) -> None:
    """Of a batch each position once."""
    items = [log.item(FIRST)]
    first = log.batch(items, [log.allow(11)])
    body = log.bodies[first][0]
    again = body.replace(b'"used_today":0', b'"used_today":1')
    log.record("consent", FIRST, again)
