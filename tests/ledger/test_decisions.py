"""Access decisions: each reason alone, all in order, and what an allowed access obliges to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import decode
from ledger.catalogue import CATALOGUES
from ledger.consent.state import Consent, Status
from ledger.documents import PurposeDefined, document_of
from ledger.entries.acts import AccessItem
from ledger.entries.asserted import Asserted
from ledger.entries.evidence import AccessOutcome
from ledger.policy.decision import after_access, decide
from ledger.policy.reasons import Reason
from tests import strategies
from tests.clocks import NOW
from tests.ledger.consents import ID, REGISTRIES, consent, registry
from tests.world import BANK, FINTECH, OTHER_BANK, STRANGER, about, item, reference

REGISTRY = registry()
DAY = 86_400_000


def ask(
    before: Consent | None,
    *,
    signer: str = FINTECH,
    relayed: bool = False,
    time: int = NOW,
    rules: Any = REGISTRY,
    agent: str | None = None,
    asserted: tuple[Asserted, ...] = (),
    **changes: Any,
) -> AccessOutcome:
    asked = msgspec.convert(item(ID, **changes), AccessItem)
    return decide(rules, before, asked, signer=signer, relayed=relayed, time=time, agent=agent, asserted=asserted)


def test_an_access_that_fits_is_allowed() -> None:
    outcome = ask(consent())
    assert (outcome.decision, outcome.reasons, outcome.basis, outcome.consent_version) == ("allow", (), 10, 1)


SECONDS = NOW // 1000
ALONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{f"CONSENT_{s}": ({"status": s}, {}) for s in Status if s is not Status.ACTIVE},
    "CONSENT_NOT_STARTED": ({"terms": {"starts_at": SECONDS + 1}}, {}),
    "REAUTHENTICATION_REQUIRED": ({"terms": {"reauthenticate_days": 1}, "authenticated_at": SECONDS - 86_400}, {}),
    "RECONFIRMATION_OVERDUE": ({"terms": {"reconfirm_days": 1}, "confirmed_at": SECONDS - 86_400}, {}),
    "SEPARATE_CONSENT_MISSING": ({"separate": ("provision",)}, {}),
    "PURPOSE_MISMATCH": ({}, {"purpose": "marketing"}),
    "ACCOUNT_NOT_IN_CONSENT": ({}, {"accounts": sorted([reference("account"), reference("other")])}),
    "ACCOUNT_APPROVAL_PENDING": ({"joint": (reference("account"),)}, {"accounts": [reference("account")]}),
    "ACCOUNT_APPROVAL_WITHDRAWN": ({"withdrawn": (reference("w"),)}, {"accounts": [reference("w")]}),
    "PERMISSION_MISSING": ({}, {"permissions": ["ReadPAN"]}),
    "GRADE_EXCEEDED": ({"terms": {"grade": 2}}, {}),
    "WINDOW_EXCEEDED": ({"terms": {"history_to": 500}}, {"from": 501}),
    "FREQUENCY_EXCEEDED": ({"terms": {"frequency_per_day": 2}, "used_day": NOW // DAY, "used_today": 2}, {}),
}


OF_RULESET_3 = {"FROZEN", "ASSESSMENT_OVERDUE", "REGION_NOT_CONSENTED", "RISK_BLOCKED"}
"""They have cases of their own: test_freezes.py, test_supervision.py."""


@pytest.mark.parametrize("reason", ALONE)
def test_each_reason_applies_alone(reason: str) -> None:
    of_consent, of_item = ALONE[reason]
    outcome = ask(consent(**of_consent), **of_item)
    assert (outcome.decision, outcome.reasons, outcome.obligations) == ("deny", (reason,), type(outcome.obligations)())


@pytest.mark.parametrize("who", [BANK, FINTECH])
def test_a_suspended_party_alone_is_reason_enough(who: str) -> None:
    rules = registry(about("participant.suspended", who, reason="audit"))
    assert ask(consent(), rules=rules).reasons == ("PARTICIPANT_SUSPENDED",)


def test_every_reason_has_its_case() -> None:
    elsewhere = {"PARTICIPANT_SUSPENDED", "CONSENT_UNKNOWN", "CONSENT_NOT_YOURS", *OF_RULESET_3}
    assert {*ALONE, *elsewhere} == {r.value for r in Reason}


def test_all_reasons_of_ruleset_2_are_told_in_the_order_of_the_table() -> None:
    before = consent(
        used_day=NOW // DAY,
        used_today=1,
        authenticated_at=1,
        confirmed_at=1,
        separate=(),
        joint=(reference("account"),),
        withdrawn=(reference("w"),),
        terms={
            "starts_at": SECONDS + 1,
            "grade": 2,
            "history_to": 500,
            "frequency_per_day": 1,
            "reauthenticate_days": 1,
            "reconfirm_days": 1,
        },
    )
    outcome = ask(
        before,
        rules=registry(about("participant.suspended", BANK, reason="audit")),
        purpose="marketing",
        accounts=sorted([reference("other"), reference("account"), reference("w")]),
        permissions=["ReadPAN"],
        asserted=("CERT_EXPIRED",),
        **{"from": 501},
    )
    assert outcome.reasons == (
        "PARTICIPANT_SUSPENDED",
        "CONSENT_NOT_STARTED",
        "REAUTHENTICATION_REQUIRED",
        "RECONFIRMATION_OVERDUE",
        "SEPARATE_CONSENT_MISSING",
        "PURPOSE_MISMATCH",
        "ACCOUNT_NOT_IN_CONSENT",
        "ACCOUNT_APPROVAL_PENDING",
        "ACCOUNT_APPROVAL_WITHDRAWN",
        "PERMISSION_MISSING",
        "GRADE_EXCEEDED",
        "WINDOW_EXCEEDED",
        "FREQUENCY_EXCEEDED",
    )
    assert (outcome.asserted, outcome.ruleset) == (("CERT_EXPIRED",), 2)


def test_a_confirmation_falls_due_to_the_millisecond_and_only_while_active() -> None:
    for member, since in (("reauthenticate_days", "authenticated_at"), ("reconfirm_days", "confirmed_at")):
        before = consent(terms={member: 2}, **{since: SECONDS - 2 * 86_400})
        assert ask(before, time=NOW - 1).decision == "allow"
        assert len(ask(before).reasons) == 1
        paused = consent("PAUSED", terms={member: 2}, **{since: 5})
        assert ask(paused).reasons == ("CONSENT_PAUSED",)
    assert ask(consent("PAUSED", separate=())).reasons == ("CONSENT_PAUSED",)


def test_an_access_to_no_account_by_name_leaves_out_what_waits_or_was_withdrawn() -> None:
    assert ask(consent(joint=(reference("account"),), withdrawn=(reference("w"),))).decision == "allow"


def test_a_purpose_that_the_log_defines_covers_only_its_permissions() -> None:
    purpose = document_of(
        PurposeDefined,
        code="budgeting",
        permissions=("ReadTransactionsDetail",),
        max_days=0,
        max_frequency_per_day=0,
        max_history_days=0,
        max_retention_days=0,
    )
    rules = registry(purpose)
    assert ask(consent(), rules=rules).reasons == ("PURPOSE_MISMATCH",)
    assert ask(consent(), rules=rules, permissions=["ReadTransactionsDetail"]).decision == "allow"


def test_facts_outside_the_log_deny_without_a_reason_of_the_log() -> None:
    outcome = ask(consent(), asserted=("RATE_LIMITED",))
    assert (outcome.decision, outcome.reasons, outcome.asserted) == ("deny", (), ("RATE_LIMITED",))
    assert outcome.obligations == type(outcome.obligations)()
    for hidden in (ask(None, asserted=("RATE_LIMITED",)), ask(consent(), signer=STRANGER, asserted=("RATE_LIMITED",))):
        assert msgspec.to_builtins(hidden).get("asserted") is None


def test_either_of_two_who_act_together_can_be_the_suspended_one() -> None:
    rules = registry(about("participant.suspended", STRANGER, reason="audit"))
    assert ask(consent(), agent=STRANGER, rules=rules).reasons == ("PARTICIPANT_SUSPENDED",)
    assert ask(None, agent=STRANGER, rules=rules).reasons == ("PARTICIPANT_SUSPENDED", "CONSENT_UNKNOWN")
    assert ask(consent(), agent=OTHER_BANK, rules=rules).decision == "allow"


def test_the_consents_of_a_removed_participant_are_denied_as_terminated() -> None:
    rules = registry(about("participant.removed", BANK, reason="gone"))
    assert ask(consent(), rules=rules).reasons == ("CONSENT_TERMINATED",)


def test_ruleset_2_obliges_to_filters_and_erasure() -> None:
    filters = [{"field": "amount", "op": "lt", "value": "100"}]
    kept = ask(consent(terms={"filters": filters, "retention_days": 2}), time=NOW + 999).obligations
    assert msgspec.json.decode(msgspec.json.encode(kept))["filters"] == filters
    assert kept.keep_until == SECONDS + 2 * 86_400
    free = msgspec.to_builtins(ask(consent(terms={"retention_days": 0})).obligations)
    assert free.keys() == {"directions", "from", "masks", "to"}


def test_under_ruleset_1_nothing_of_ruleset_2_is_asked_or_said() -> None:
    before = consent(separate=(), withdrawn=(reference("w"),))
    outcome = ask(before, rules=registry(ruleset=1))
    assert (outcome.decision, outcome.ruleset) == ("allow", 1)
    assert msgspec.to_builtins(outcome.obligations).keys() == {"directions", "from", "masks", "to"}
    assert ask(before, rules=registry(ruleset=1), accounts=[reference("w")]).reasons == ("ACCOUNT_NOT_IN_CONSENT",)
    assert ask(before, rules=registry(ruleset=1), permissions=["ReadLoans"]).reasons == (
        "PERMISSION_MISSING",
        "GRADE_EXCEEDED",
    )


def test_all_reasons_are_told_in_the_order_of_the_table() -> None:
    before = consent(
        "PAUSED",
        used_day=NOW // DAY,
        used_today=1,
        terms={"starts_at": SECONDS + 1, "grade": 2, "history_to": 500, "frequency_per_day": 1},
    )
    outcome = ask(
        before,
        rules=registry(about("participant.suspended", BANK, reason="audit")),
        purpose="marketing",
        accounts=[reference("other")],
        permissions=["ReadPAN"],
        **{"from": 501},
    )
    assert outcome.reasons == (
        "PARTICIPANT_SUSPENDED",
        "CONSENT_PAUSED",
        "CONSENT_NOT_STARTED",
        "PURPOSE_MISMATCH",
        "ACCOUNT_NOT_IN_CONSENT",
        "PERMISSION_MISSING",
        "GRADE_EXCEEDED",
        "WINDOW_EXCEEDED",
        "FREQUENCY_EXCEEDED",
    )
    assert outcome.used_today == 1


@pytest.mark.parametrize(("signer", "relayed"), [(STRANGER, False), (STRANGER, True), (BANK, False), (FINTECH, True)])
def test_a_stranger_learns_nothing_of_a_consent(signer: str, relayed: bool) -> None:
    rules = registry(about("participant.suspended", BANK, reason="audit"))
    for before in (consent(), consent("REVOKED", used_day=NOW // DAY, used_today=3)):
        outcome = ask(before, signer=signer, relayed=relayed, rules=rules)
        suspended = ("PARTICIPANT_SUSPENDED",) if signer == BANK else ()
        assert outcome.reasons == (*suspended, "CONSENT_NOT_YOURS")
        assert (outcome.basis, outcome.consent_version, outcome.used_today) == (-1, 0, 0)


def test_an_unknown_consent_is_denied_and_a_suspended_stranger_told_so() -> None:
    outcome = ask(None)
    assert (outcome.reasons, outcome.basis, outcome.consent_version) == (("CONSENT_UNKNOWN",), -1, 0)
    rules = registry(about("participant.suspended", STRANGER, reason="audit"))
    assert ask(None, signer=STRANGER, rules=rules).reasons == ("PARTICIPANT_SUSPENDED", "CONSENT_UNKNOWN")
    assert ask(consent(), signer=STRANGER, rules=rules).reasons == ("PARTICIPANT_SUSPENDED", "CONSENT_NOT_YOURS")


def test_a_holder_may_relay_for_the_recipient() -> None:
    assert ask(consent(), signer=BANK, relayed=True).decision == "allow"


@pytest.mark.parametrize(
    ("asked", "history", "wanted"),
    [
        ((0, 0), (0, 0), (0, 0)),
        ((100, 200), (0, 0), (100, 200)),
        ((0, 0), (100, 200), (100, 200)),
        ((50, 150), (100, 200), (100, 150)),
        ((150, 0), (100, 200), (150, 200)),
        ((0, 150), (100, 0), (100, 150)),
        ((200, 300), (100, 200), (200, 200)),
        ((50, 100), (100, 200), (100, 100)),
        ((201, 300), (100, 200), None),
        ((50, 99), (100, 200), None),
        ((201, 0), (0, 200), None),
        ((0, 99), (100, 0), None),
        ((200, 199), (0, 0), None),
        ((300, 299), (100, 400), None),
        ((200, 200), (0, 0), (200, 200)),
    ],
)
def test_windows_are_closed_intervals_and_0_is_open(
    asked: tuple[int, int], history: tuple[int, int], wanted: tuple[int, int] | None
) -> None:
    before = consent(terms={"history_from": history[0], "history_to": history[1]})
    outcome = ask(before, **{"from": asked[0], "to": asked[1]})
    if wanted is None:
        assert outcome.reasons == ("WINDOW_EXCEEDED",)
    else:
        assert (outcome.obligations.from_, outcome.obligations.to) == wanted


REST = [mask for mask in CATALOGUES[2].masks if mask != "pan"]


@pytest.mark.parametrize("ruleset", [1, 2])
@pytest.mark.parametrize(
    ("granted", "directions", "masks"),
    [
        (["ReadBalances"], (), ("pan",)),
        (["ReadBalances", "ReadPAN"], (), ()),
        (["ReadBalances", "ReadTransactionsCredits"], ("credit",), ("pan",)),
        (["ReadBalances", "ReadTransactionsDebits"], ("debit",), ("pan",)),
        (["ReadBalances", "ReadPAN", "ReadTransactionsCredits", "ReadTransactionsDebits"], ("credit", "debit"), ()),
    ],
)
def test_obligations_follow_the_terms(
    granted: list[str], directions: tuple[str, ...], masks: tuple[str, ...], ruleset: int
) -> None:
    outcome = ask(consent(terms={"permissions": granted}), rules=registry(ruleset=ruleset))
    masks = masks if ruleset == 1 else tuple(sorted((*masks, *REST)))
    assert (outcome.obligations.directions, outcome.obligations.masks) == (directions, masks)


@pytest.mark.parametrize("mask", CATALOGUES[2].masks)
def test_each_mask_is_lifted_by_any_permission_that_lifts_it(mask: str) -> None:
    for lifting in CATALOGUES[2].masks[mask]:
        granted = sorted({"ReadBalances", lifting})
        assert mask not in ask(consent(terms={"permissions": granted})).obligations.masks  # type: ignore[operator]
    assert mask in ask(consent(terms={"permissions": ["ReadBalances"]})).obligations.masks  # type: ignore[operator]


@pytest.mark.parametrize(
    "what", ["Accounts", "Beneficiaries", "ScheduledPayments", "StandingOrders", "Statements", "Transactions"]
)
def test_detail_implies_basic_and_not_the_reverse(what: str) -> None:
    detail, basic = f"Read{what}Detail", f"Read{what}Basic"
    assert ask(consent(terms={"permissions": [detail]}), permissions=[basic]).decision == "allow"
    assert ask(consent(terms={"permissions": [basic]}), permissions=[detail]).reasons == ("PERMISSION_MISSING",)


def test_an_unknown_permission_is_missing_and_above_every_grade() -> None:
    assert ask(consent(), permissions=["ReadMinds"]).reasons == ("PERMISSION_MISSING", "GRADE_EXCEEDED")
    strange = consent(terms={"permissions": ["ReadMinds"], "grade": 5})
    assert ask(strange, permissions=["ReadMinds"]).reasons == ("GRADE_EXCEEDED",)


def test_expiry_and_start_hold_to_the_millisecond() -> None:
    ends = consent(terms={"expires_at": SECONDS})
    assert ask(ends, time=NOW - 1).decision == "allow"
    assert ask(ends, time=NOW).reasons == ("CONSENT_EXPIRED",)
    starts = consent(terms={"starts_at": SECONDS})
    assert ask(starts, time=NOW - 1).reasons == ("CONSENT_NOT_STARTED",)
    assert ask(starts, time=NOW).decision == "allow"


@settings(max_examples=200)
@given(
    before=st.none() | strategies.consents(),
    asked=strategies.items(),
    time=strategies.times,
    signer=st.sampled_from([BANK, FINTECH, STRANGER, "nobody"]),
    relayed=st.booleans(),
    ruleset=st.sampled_from([1, 2]),
)
def test_decide_is_total_and_its_outcome_is_canonical(
    before: Consent | None, asked: AccessItem, time: int, signer: str, relayed: bool, ruleset: int
) -> None:
    outcome = decide(REGISTRIES[ruleset], before, asked, signer=signer, relayed=relayed, time=time)
    assert (outcome.decision == "allow") == (not outcome.reasons)
    order = [reason.value for reason in Reason]
    assert list(outcome.reasons) == sorted(outcome.reasons, key=order.index)
    decode(msgspec.json.encode(outcome), limit=4096)
    if before is not None:
        after = after_access(before, asked, outcome, time)
        assert (after == before) == (outcome.decision == "deny" or (asked.customer_present and not before.terms.once))
        decode(msgspec.json.encode(after.terms), limit=8192)
