"""Cases: declarations, feedback and acknowledgements that no honest ledger records (ruleset-3.md, What a reader says)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.story import ACCOUNT, FIRST, HELPER, HOLDER, PERMISSIONS, RECIPIENT, SECOND
from tests.vectors.story_3 import BALANCES, REGULATOR
from tests.vectors.told_in_tables import BASIS, END, both, honest, rows


@case("8.15", base="ruleset-3", at=None, exit=0)
def _an_honest_log_of_ruleset_3(log: Any) -> None:
    """Nothing is wrong; the body of one request was erased, with a document that says so."""


# --- form --------------------------------------------------------------------------------------------------------

rows(
    "active",
    "7.8",
    code="BAD_ENCODING",
    a_freeze_with_one_member_more=("Exactly the members of the act.", lambda log: log.freeze(more=1)),
    a_freeze_without_a_scope=("`scope` is an object.", lambda log: log.freeze(scope="all")),
    a_freeze_of_an_unknown_kind=("No other member than the five.", lambda log: log.freeze(scope={"account": ACCOUNT})),
    a_freeze_of_a_country_in_small_letters=("Two letters A–Z.", lambda log: log.freeze(scope={"country": "sg"})),
    a_freeze_that_ends_before_it_is_signed=("`until` above `iat`.", lambda log: log.freeze(until=log.now)),
    a_freeze_for_too_long=("At most 7,776,000 s.", lambda log: log.freeze(until=log.now + 7_776_001)),
    a_drill_that_is_a_number=("`drill` is true or false.", lambda log: log.freeze(drill=1)),
    a_requirement_of_a_permission=("No `permission`.", lambda log: log.require(scope={"permission": "ReadPAN"})),
    an_assessment_of_a_holder=("No `holder`.", lambda log: log.assess(scope={"holder": HOLDER})),
    an_assessment_that_is_due_already=("`next_due` above `iat`.", lambda log: log.assess(next_due=log.now)),
    an_assessment_with_another_outcome=("One of three.", lambda log: log.assess(outcome="fine")),
    a_block_of_a_holder=("`about` consent or recipient.", lambda log: log.block(about="holder")),
    a_block_for_a_moment=("At least 60 s.", lambda log: log.block(seconds=59)),
    a_block_above_all_scores=("Level at most 1000.", lambda log: log.block(level=1_001)),
    a_decision_with_unsorted_reasons=("Sorted, unique.", lambda log: log.decide(0, proposal_reasons=["b", "a"])),
    a_decision_that_ignores=("cleared, confirmed, escalated.", lambda log: log.decide(0, decision="ignored")),
    an_incident_detected_tomorrow=("At most `iat`.", lambda log: log.incident(detected_at=log.now + 1)),
    an_incident_whose_clocks_run_backwards=(
        "Sorted by `due`.",
        lambda log: log.incident(clocks=[{"due": 2, "name": "b"}, {"due": 1, "name": "a"}]),
    ),
    an_incident_with_two_clocks_of_a_name=(
        "Names unique.",
        lambda log: log.incident(clocks=[{"due": 1, "name": "a"}, {"due": 2, "name": "a"}]),
    ),
    a_purpose_with_unsorted_permissions=("Sorted.", lambda log: log.define(permissions=PERMISSIONS[::-1])),
    feedback_that_is_due_already=("`due` above `iat`.", lambda log: log.feedback(FIRST, due=log.now)),
    feedback_about_an_entry_below_all=("−1 or an index.", lambda log: log.feedback(FIRST, about=-2)),
    a_region_of_three_letters=(
        "Two letters.",
        lambda log: log.access(FIRST, log.allow(BASIS), region="SGP", **BALANCES),
    ),
    masks_of_a_recipient=(
        "`access.release` may have masks.",
        lambda log: log.leg("access.receive", FIRST, BASIS, masks=["pan"]),
    ),
    terms_with_a_destination_twice=(
        "Each country once.",
        lambda log: log.request(
            SECOND,
            frequency_per_day=1,
            destinations=[{"country": "SG", "mechanism": "assessment"}] * 2,
            separate_consents=["cross-border", "provision", "sensitive"],
        ),
    ),
    terms_that_count_by_the_week=(
        "hour, day, month, year.",
        lambda log: log.request(SECOND, frequency_per_day=1, frequency_period="week"),
    ),
)
rows(
    "active",
    "7.4",
    code="BAD_ENCODING",
    a_declaration_with_an_outcome=("No outcome.", lambda log: log.freeze(beside={"outcome": log.state("ACTIVE")})),
)
rows(
    "active",
    "7.15",
    code="BAD_CHAIN",
    a_declaration_in_the_chain_of_a_consent=("Kind participant.", lambda log: log.freeze(chain=("consent", FIRST))),
    a_declaration_in_the_chain_of_somebody_else=(
        "The principal's own.",
        lambda log: log.freeze(chain=("participant", f"participant:{HOLDER}")),
    ),
    a_declaration_for_another_in_the_signers_chain=(
        "Named after `on_behalf_of`.",
        lambda log: log.assess(HELPER, on_behalf_of=HOLDER, chain=("participant", f"participant:{HELPER}")),
    ),
)

# --- signers -----------------------------------------------------------------------------------------------------

rows(
    "active",
    "8.7",
    a_freeze_of_everything_by_a_holder=("Only what is its own.", lambda log: log.freeze(HOLDER, scope={})),
    a_freeze_by_a_recipient_as_a_holder=(
        "A recipient names itself as `recipient`.",
        lambda log: log.freeze(RECIPIENT, scope={"holder": RECIPIENT}),
    ),
    a_purpose_defined_by_a_holder=("A regulator.", lambda log: log.define(HOLDER)),
    an_assessment_by_a_recipient=("A holder.", lambda log: log.assess(RECIPIENT)),
    a_freeze_by_a_helper_without_a_delegation_of_it=(
        "The delegation names `assessment.record` alone.",
        lambda log: log.freeze(HELPER, on_behalf_of=HOLDER, scope={"holder": HOLDER}),
    ),
)
rows(
    "active",
    "8.7",
    code="POLICY_REJECTED",
    more=1,
    a_suspended_holder_that_assesses=(
        "It may freeze, lift and decide about alerts, and nothing else.",
        both(
            lambda log: log.operator("participant.suspended", participant=HOLDER, reason="case"),
            lambda log: log.assess(),
        ),
    ),
)
honest(
    "a-suspended-holder-that-freezes",
    "It may.",
    "active",
    both(
        lambda log: log.operator("participant.suspended", participant=HOLDER, reason="case"),
        lambda log: log.freeze(HOLDER, scope={"holder": HOLDER}),
        lambda log: log.access(FIRST, log.deny(BASIS, "PARTICIPANT_SUSPENDED", "FROZEN")),
    ),
    "8.7",
)

# --- legality ----------------------------------------------------------------------------------------------------

rows(
    "frozen",
    "8.15",
    a_freeze_whose_id_was_used=("Unique within its principal's.", lambda log: log.freeze()),
    a_lift_by_somebody_else=("Who ordered it.", lambda log: log.lift(HOLDER)),
    a_lift_of_a_freeze_that_never_was=("Ordered, not lifted.", lambda log: log.lift(freeze_id="freeze-2")),
)
rows(
    "frozen",
    "8.15",
    more=1,
    a_freeze_lifted_twice=("Not lifted.", both(lambda log: log.lift(), lambda log: log.lift())),
    an_id_used_after_its_freeze_was_lifted=("Stays used.", both(lambda log: log.lift(), lambda log: log.freeze())),
)
rows(
    "required",
    "8.15",
    a_requirement_whose_id_was_used=("Unique.", lambda log: log.require()),
    a_waiver_of_what_was_not_required=(
        "Required, not waived.",
        lambda log: log.say(REGULATOR, "assessment.waive", requirement_id="other", reason="met"),
    ),
)
rows(
    "incident",
    "8.15",
    an_incident_whose_id_was_used=("Unique.", lambda log: log.incident()),
    an_update_of_an_unknown_incident=("Open.", lambda log: log.incident_goes_on(incident_id="incident-2")),
    an_update_by_somebody_else=("Who opened it.", lambda log: log.incident_goes_on(REGULATOR)),
    an_update_by_a_clock_that_is_none=("A name of its clocks.", lambda log: log.incident_goes_on(clock="72h")),
)
rows(
    "incident",
    "8.15",
    more=1,
    an_incident_closed_twice=("Open.", both(lambda log: log.close(), lambda log: log.close())),
)
rows(
    "active",
    "8.15",
    an_unblocking_of_what_was_not_blocked=(
        "Blocked, not unblocked.",
        lambda log: log.say(HOLDER, "risk.unblock", rule="woken", reason="calm"),
    ),
    a_decision_about_an_entry_that_is_no_alert=("An `alert.raised`.", lambda log: log.decide(BASIS)),
    a_decision_about_an_alert_that_is_not_there_yet=("Below this entry.", lambda log: log.decide(10_000)),
    a_purpose_with_a_permission_that_is_none=(
        "In the catalogue.",
        lambda log: log.define(code="PIS", permissions=["ReadNothing"]),
    ),
    feedback_about_a_consent_of_nobody=("In this subject chain.", lambda log: log.feedback(SECOND)),
    feedback_about_what_is_not_there_yet=("Below this entry.", lambda log: log.feedback(FIRST, about=10_000)),
    feedback_of_another_customer=("In this subject chain.", lambda log: log.feedback(FIRST, subject="s" * 22)),
    an_answer_to_no_feedback=("Given in this chain.", lambda log: log.answer("received")),
    an_acknowledgement_of_a_companion=(
        "An entry that moved the consent.",
        lambda log: log.acknowledge(FIRST, BASIS + 1, "ACTIVE"),
    ),
    an_acknowledgement_by_the_holder=(
        "The recipient.",
        lambda log: log.say(HOLDER, "consent.acknowledge", log.state("ACTIVE"), consent_id=FIRST, basis=BASIS),
    ),
    an_acknowledgement_that_ends_the_consent=(
        "The state is as before.",
        lambda log: log.acknowledge(FIRST, BASIS, "REVOKED"),
    ),
)
rows(
    "feedback",
    "8.15",
    a_number_given_twice=("Unique in this chain.", lambda log: log.feedback(SECOND)),
)
rows("closed", "8.15", an_answer_after_the_end=("Not closed.", lambda log: log.answer("received")))
rows(
    "ended",
    "8.15",
    more=1,
    an_acknowledgement_of_an_acknowledgement=(
        "None that acknowledges.",
        both(
            lambda log: log.acknowledge(FIRST, END, "REVOKED"),
            lambda log: log.acknowledge(FIRST, len(log.entries) - 1, "REVOKED"),
        ),
    ),
)
