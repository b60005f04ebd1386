"""Cases: documents and decisions of ruleset 3 that no honest ledger records (ruleset-3.md, What a reader says)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import b64u, chain_of, sha
from tests.vectors.log import Files
from tests.vectors.story import FIRST, HOLDER, RECIPIENT, SECOND, THIRD, chain_text
from tests.vectors.story_3 import BALANCES, CSV, DETAIL, MARKS, MIDNIGHT, OFFICERS, ROWS, WORDS
from tests.vectors.told_in_tables import BASIS, ONCE, PRESENT, Tell, both, honest, rows

# --- documents ---------------------------------------------------------------------------------------------------

rows(
    "active",
    "8.2",
    code="BAD_ENCODING",
    an_order_with_one_member_more=("Exactly its members.", lambda log: log.ordered(more=1)),
    an_order_that_one_officer_approved=("Two codes.", lambda log: log.ordered(approved_by=["officer-1"])),
    an_order_whose_officers_are_not_sorted=("Sorted.", lambda log: log.ordered(approved_by=["officer-2", "officer-1"])),
    a_scoring_of_another_version=("0 to 3.", lambda log: log.operator("scoring.activated", scoring=4, **OFFICERS)),
    a_report_by_what_is_no_dimension=(
        "One of the list.",
        lambda log: log.operator(
            "report.defined", report="r", period="day", utc_offset=0, by=["colour"], measures=["alerts"], suppress=0
        ),
    ),
    an_alert_without_features=("1–8 counts.", lambda log: log.alert(0, features=[])),
)
rows(
    "active",
    "8.3",
    an_order_that_one_officer_approved_twice=(
        "Two different codes.",
        lambda log: log.ordered(approved_by=["officer-1", "officer-1"]),
    ),
    a_disclosure_that_one_person_approved_twice=(
        "Two different codes.",
        lambda log: log.operator(
            "disclosure", participant=HOLDER, case="case-1", from_index=0, to_index=1, approved_by=["a", "a"]
        ),
    ),
    an_order_for_too_long=("At most 7,776,000 s.", lambda log: log.ordered(until=log.now + 7_776_001)),
    an_order_lifted_that_never_was=(
        "Ordered.",
        lambda log: log.operator("freeze.lifted", freeze_id="freeze-1", reason="over", **OFFICERS),
    ),
    a_hold_lifted_that_never_was=(
        "Placed.",
        lambda log: log.operator("hold.lifted", hold="hold-1", reason="over", **OFFICERS),
    ),
    a_model_trained_on_what_is_not_there_yet=(
        "`to_index` below its own.",
        lambda log: log.operator(
            "model.activated", model="m", hash=WORDS, card_hash=WORDS, from_index=0, to_index=10_000, **OFFICERS
        ),
    ),
)
rows(
    "frozen",
    "8.3",
    more=1,
    an_order_whose_id_was_used=(
        "Unique within the operator's.",
        both(lambda log: log.ordered(), lambda log: log.ordered()),
    ),
)
honest(
    "an-order-with-the-id-of-a-participants",
    "Ids are compared within their author.",
    "frozen",
    lambda log: log.ordered(),
    "8.3",
)
rows(
    "held",
    "8.3",
    an_erasure_under_a_hold=(
        "Illegal while the hold is in force.",
        lambda log: log.operator("erasure", chains=[chain_text(THIRD)], basis="request", **OFFICERS),
    ),
)


@case("8.3", base="ruleset-3", at=MARKS["held"], told=(("CONSENT_INVALID", MARKS["held"]),))
def _a_hold_whose_name_was_used(log: Any) -> Files:
    """Unique."""
    log.hold()
    return dict(log.files())  # nothing is erased yet


@case("8.3", base="ruleset-3", at=MARKS["held"], exit=0, unchecked=False)
def _an_erasure_after_a_hold(log: Any) -> Files:
    """`until` has passed."""
    log.hold(hold="hold-3", chains=[b64u(chain_of("nobody"))], until=log.now)
    log.operator("erasure", chains=[b64u(chain_of("nobody"))], basis="request", **OFFICERS)
    return dict(log.files())


rows(
    "active",
    "8.4",
    code="BAD_CHAIN",
    a_freeze_in_the_chain_of_the_ledger=("operator:supervision.", lambda log: log.ordered(chain="operator:ledger")),
)

# --- decisions ---------------------------------------------------------------------------------------------------

rows(
    "frozen",
    "8.11",
    an_access_allowed_under_a_freeze=("FROZEN.", lambda log: log.access(FIRST, log.allow(BASIS, used=2), **PRESENT)),
)
rows(
    "active",
    "8.11",
    an_access_denied_by_no_freeze=(
        "Nothing is frozen.",
        lambda log: log.access(FIRST, log.deny(BASIS, "FROZEN"), **BALANCES),
    ),
    an_access_to_a_country_that_was_not_named=(
        "REGION_NOT_CONSENTED.",
        lambda log: log.access(FIRST, log.allow(BASIS), region="US", **BALANCES),
    ),
    an_access_whose_region_is_asserted=(
        "Asserted no longer.",
        lambda log: log.access(FIRST, log.deny(BASIS, asserted=["REGION_NOT_CONSENTED"]), **BALANCES),
    ),
)
rows(
    "active",
    "8.11",
    more=1,
    an_access_denied_by_a_drill=(
        "A drill changes no decision.",
        both(lambda log: log.freeze(drill=True), lambda log: log.access(FIRST, log.deny(BASIS, "FROZEN"), **BALANCES)),
    ),
    an_access_denied_by_a_freeze_of_others=(
        "All members match.",
        both(
            lambda log: log.freeze(scope={"recipient": RECIPIENT, "purpose": "PIS"}),
            lambda log: log.access(FIRST, log.deny(BASIS, "FROZEN"), **BALANCES),
        ),
    ),
)
rows(
    "used",
    "8.11",
    an_access_too_many_of_a_unit=(
        "Two a day of each.",
        lambda log: log.access(FIRST, log.allow(BASIS, used=2), **BALANCES),
    ),
    an_access_denied_for_another_unit=(
        "Each unit by itself.",
        lambda log: log.access(FIRST, log.deny(BASIS, "FREQUENCY_EXCEEDED", used=2), **ROWS),
    ),
    an_access_counted_over_all_units=(
        "The highest count of a unit of the item.",
        lambda log: log.access(FIRST, log.allow(BASIS, used=3), **ROWS),
    ),
)
rows(
    "required",
    "8.11",
    an_access_without_the_assessment=(
        "ASSESSMENT_OVERDUE.",
        lambda log: log.access(FIRST, log.allow(BASIS, used=2), **PRESENT),
    ),
)
rows(
    "required",
    "8.11",
    more=1,
    an_access_after_a_bad_assessment=(
        "Not unacceptable.",
        both(
            lambda log: log.assess(outcome="unacceptable"),
            lambda log: log.access(FIRST, log.allow(BASIS, used=2), **PRESENT),
        ),
    ),
    an_access_denied_despite_an_assessment=(
        "It matches, is acceptable and not due.",
        both(
            lambda log: log.assess(),
            lambda log: log.access(FIRST, log.deny(BASIS, "ASSESSMENT_OVERDUE", used=2), **PRESENT),
        ),
    ),
)
rows(
    "blocked",
    "8.11",
    an_access_under_an_alert_that_blocks=(
        "RISK_BLOCKED.",
        lambda log: log.access(FIRST, log.allow(BASIS, used=1), **BALANCES),
    ),
)
rows(
    "blocked",
    "8.11",
    more=1,
    an_access_denied_by_an_alert_that_was_cleared=(
        "Cleared by the holder.",
        both(
            lambda log: log.decide(MARKS["alerted"] - 1),
            lambda log: log.access(FIRST, log.deny(BASIS, "RISK_BLOCKED", used=1), **BALANCES),
        ),
    ),
)
rows(
    "taken",
    "8.11",
    a_unit_given_twice_of_a_one_off_consent=(
        "CONSENT_CONSUMED.",
        lambda log: log.access(SECOND, log.allow(ONCE, used=1), **PRESENT),
    ),
    a_one_off_consent_consumed_too_early=(
        "Other units remain.",
        lambda log: log.access(SECOND, log.deny(ONCE, "CONSENT_CONSUMED"), **ROWS),
    ),
)


@case("8.11", base="ruleset-3", at=MARKS["taken"], told=(("CONSENT_INVALID", MARKS["taken"]),))
def _a_one_off_consent_after_its_window(log: Any) -> None:
    """CONSUMED."""
    log.tick(600_000).access(SECOND, log.allow(ONCE), **DETAIL)


@case("8.10", base="ruleset-3", at=MARKS["taken"], told=(("CONSENT_INVALID", MARKS["taken"]),))
def _a_revocation_of_a_consumed_consent(log: Any) -> None:
    """Its effective status is CONSUMED."""
    log.tick(600_000).step(HOLDER, "consent.revoke", SECOND, log.state("REVOKED"))


rows(
    "active",
    "8.10",
    destinations_without_a_separate_consent=(
        "Rule T.",
        lambda log: log.request(
            SECOND, frequency_per_day=1, destinations=[{"country": "SG", "mechanism": "assessment"}]
        ),
    ),
    a_separate_consent_without_destinations=(
        "Rule T.",
        lambda log: log.request(
            SECOND, frequency_per_day=1, separate_consents=["cross-border", "provision", "sensitive"]
        ),
    ),
    a_window_without_once=("Rule T.", lambda log: log.request(SECOND, frequency_per_day=1, once_seconds=60)),
    a_frequency_by_the_hour_under_a_daily_bound=(
        "Rule T.",
        lambda log: log.request(SECOND, frequency_per_day=1, frequency_period="hour"),
    ),
)

# --- before ruleset 3 ----------------------------------------------------------------------------------------------


@case("8.8", base="ruleset-2", at=13, told=(("CONSENT_INVALID", 13),))
def _an_act_of_ruleset_3_under_ruleset_2(log: Any) -> None:
    """`consent.acknowledge` exists from ruleset 3 on."""
    log.say(RECIPIENT, "consent.acknowledge", log.state("ACTIVE"), consent_id=FIRST, basis=11)


@case("8.8", base="ruleset-2", at=13, told=(("CONSENT_INVALID", 13),))
def _a_region_under_ruleset_2(log: Any) -> None:
    """`region` exists from ruleset 3 on."""
    log.access(FIRST, log.allow(11), region="SG")


@case("8.3", base="ruleset-2", at=13, told=(("CONSENT_INVALID", 13),))
def _a_document_of_ruleset_3_under_ruleset_2(log: Any) -> None:
    """It exists from ruleset 3 on."""
    log.operator("hold.placed", hold="hold-1", chains=[b64u(bytes(32))], basis="court", until=0, **OFFICERS)


@case("8.10", base="ruleset-2", at=13, told=(("CONSENT_INVALID", 13),))
def _terms_of_ruleset_3_under_ruleset_2(log: Any) -> None:
    """`frequency_period` exists from ruleset 3 on."""
    log.request(SECOND, frequency_per_day=4, frequency_period="month")


# --- what a withheld declaration leaves unknown ----------------------------------------------------------------------


def withheld(name: str, why: str, mark: str, gone: int, tell: Tell, *, unchecked: bool) -> None:
    """A partial bundle without the body of one declaration."""

    def told(log: Any) -> None:
        tell(log)

    told.__name__, told.__doc__ = name, why
    case(
        "8.11", base="ruleset-3", at=MARKS[mark], exit=0, unchecked=unchecked, level="partial", gone=frozenset({gone})
    )(told)


withheld(
    "a-freeze-that-is-withheld",
    "Whether the access was frozen, nobody knows.",
    "frozen",
    MARKS["frozen"] - 1,
    lambda log: log.access(FIRST, log.deny(BASIS, "FROZEN", used=2), **PRESENT),
    unchecked=True,
)


@case(
    "8.11",
    base="ruleset-3",
    at=MARKS["frozen"],
    told=(("CONSENT_INVALID", MARKS["frozen"]),),
    level="partial",
    gone=frozenset({MARKS["active"] - 1}),
)
def _a_companion_withheld_that_excuses_no_decision(log: Any) -> None:
    """What a customer's chain says cannot freeze anything."""
    log.access(FIRST, log.allow(BASIS, used=2), **PRESENT)


@case(
    "8.15",
    base="ruleset-3",
    at=MARKS["frozen"],
    exit=0,
    unchecked=True,
    level="partial",
    gone=frozenset({MARKS["frozen"] - 1}),
)
def _a_lift_whose_order_is_withheld(log: Any) -> None:
    """Whether there was an order, nobody knows."""
    log.lift(freeze_id="freeze-9")


# --- alerts ----------------------------------------------------------------------------------------------------------

rows(
    "woken",
    "8.16",
    an_alert_with_another_score=("10 for each day.", lambda log: log.alert(MARKS["woken"] - 1, score=610)),
    an_alert_about_what_no_rule_found=(
        "No rule gives it.",
        lambda log: log.alert(MARKS["woken"] - 1, about={"id": RECIPIENT, "kind": "recipient"}, rule="rate"),
    ),
)
rows(
    "woken",
    "8.16",
    code="BAD_CHAIN",
    more=1,
    an_alert_raised_twice=(
        "Each once.",
        both(lambda log: log.alert(MARKS["woken"] - 1), lambda log: log.alert(MARKS["woken"] - 1)),
    ),
)


@case("9.10", base="ruleset-3", at=MARKS["woken"], told=(("INCOMPLETE", MARKS["woken"] - 1),))
def _an_alert_that_is_not_raised(log: Any) -> None:
    """It is due a minute after what it is about."""
    log.tick(60_000).step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"))


@case("9.10", base="ruleset-3", at=MARKS["woken"], exit=0)
def _an_alert_that_is_not_due_yet(log: Any) -> None:
    """More than a minute must have passed."""
    log.tick(58_000).step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"))


@case("4.3", base="ruleset-3", at=MARKS["before-waking"], told=(("BAD_ENCODING", f"models/{WORDS}.json"),))
def _a_model_that_is_another(log: Any) -> Files:
    """The file's name is the hash of its bytes."""
    return {**log.files(), f"models/{WORDS}.json": b'{"features":8}'}


# --- reports ---------------------------------------------------------------------------------------------------------


def issued(csv: bytes, lines: int = 1) -> Tell:
    """The report of the annotated log once more, with this CSV."""

    def tell(log: Any) -> None:
        period = {"from": MIDNIGHT - 86_400, "to": MIDNIGHT}
        figures = {"to_index": len(log.entries) - 1, "rows": lines, "csv_hash": b64u(sha(csv))}
        log.operator("report.issued", report="requests", **period, **figures)

    return tell


rows(
    "once",
    "9.13",
    code="UNMATCHED",
    a_report_with_one_more_than_the_entries_give=("The entries'.", issued(CSV.replace(b",1", b",2"))),
    a_report_with_another_number_of_lines=("The lines below the first.", issued(CSV, 2)),
)
honest("a-report-that-is-issued-again", "The second one replaces the first.", "once", issued(CSV), "9.13")
