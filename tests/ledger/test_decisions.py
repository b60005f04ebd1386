"""Access decisions: each reason alone, all in order, and what an allowed access obliges to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import decode
from ledger.consent.state import Consent, Status
from ledger.entries.acts import AccessItem
from ledger.entries.evidence import AccessOutcome
from ledger.policy.decision import after_access, decide
from ledger.policy.reasons import Reason
from tests import strategies
from tests.ledger.kit import BANK, FINTECH, NOW, STRANGER, about, item, reference
from tests.ledger.test_transitions import ID, consent, registry

REGISTRY = registry()
DAY = 86_400_000


def ask(
    before: Consent | None,
    *,
    signer: str = FINTECH,
    relayed: bool = False,
    time: int = NOW,
    rules: Any = REGISTRY,
    **changes: Any,
) -> AccessOutcome:
    asked = msgspec.convert(item(ID, **changes), AccessItem)
    return decide(rules, before, asked, signer=signer, relayed=relayed, time=time)


def test_an_access_that_fits_is_allowed() -> None:
    outcome = ask(consent())
    assert (outcome.decision, outcome.reasons, outcome.basis, outcome.consent_version) == ("allow", (), 10, 1)


SECONDS = NOW // 1000
ALONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{f"CONSENT_{s}": ({"status": s}, {}) for s in Status if s is not Status.ACTIVE},
    "CONSENT_NOT_STARTED": ({"terms": {"starts_at": SECONDS + 1}}, {}),
    "PURPOSE_MISMATCH": ({}, {"purpose": "marketing"}),
    "ACCOUNT_NOT_IN_CONSENT": ({}, {"accounts": sorted([reference("account"), reference("other")])}),
    "PERMISSION_MISSING": ({}, {"permissions": ["ReadPAN"]}),
    "GRADE_EXCEEDED": ({"terms": {"grade": 2}}, {}),
    "WINDOW_EXCEEDED": ({"terms": {"history_to": 500}}, {"from": 501}),
    "FREQUENCY_EXCEEDED": ({"terms": {"frequency_per_day": 2}, "used_day": NOW // DAY, "used_today": 2}, {}),
}  # fmt: skip


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
    assert {*ALONE, "PARTICIPANT_SUSPENDED", "CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"} == {r.value for r in Reason}


def test_all_reasons_are_told_in_the_order_of_the_table() -> None:
    before = consent(
        "PAUSED", used_day=NOW // DAY, used_today=1,
        terms={"starts_at": SECONDS + 1, "grade": 2, "history_to": 500, "frequency_per_day": 1},
    )  # fmt: skip
    outcome = ask(
        before, rules=registry(about("participant.suspended", BANK, reason="audit")), purpose="marketing",
        accounts=[reference("other")], permissions=["ReadPAN"], **{"from": 501},
    )  # fmt: skip
    assert outcome.reasons == (
        "PARTICIPANT_SUSPENDED", "CONSENT_PAUSED", "CONSENT_NOT_STARTED", "PURPOSE_MISMATCH", "ACCOUNT_NOT_IN_CONSENT",
        "PERMISSION_MISSING", "GRADE_EXCEEDED", "WINDOW_EXCEEDED", "FREQUENCY_EXCEEDED",
    )  # fmt: skip
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
def test_obligations_follow_the_terms(granted: list[str], directions: tuple[str, ...], masks: tuple[str, ...]) -> None:
    outcome = ask(consent(terms={"permissions": granted}))
    assert (outcome.obligations.directions, outcome.obligations.masks) == (directions, masks)


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


def uses(before: Consent, *, time: int, present: bool = False) -> tuple[Consent, AccessOutcome]:
    asked = msgspec.convert(item(ID, customer_present=present), AccessItem)
    outcome = decide(REGISTRY, before, asked, signer=FINTECH, relayed=False, time=time)
    return after_access(before, asked, outcome, time), outcome


def test_frequency_counts_allowed_accesses_without_the_customer_per_utc_day() -> None:
    state = consent(terms={"frequency_per_day": 2})
    midnight = NOW // DAY * DAY + DAY
    state, outcome = uses(state, time=NOW, present=True)
    assert (outcome.decision, outcome.used_today) == ("allow", 0)
    for used in (0, 1):
        state, outcome = uses(state, time=NOW)
        assert (outcome.decision, outcome.used_today) == ("allow", used)
    state, outcome = uses(state, time=midnight - 1)
    assert (outcome.reasons, outcome.used_today) == (("FREQUENCY_EXCEEDED",), 2)
    state, outcome = uses(state, time=midnight - 1, present=True)
    assert outcome.decision == "allow"
    state, outcome = uses(state, time=midnight)
    assert (outcome.decision, outcome.used_today) == ("allow", 0)
    assert state.used_on(midnight // DAY) == 1


@pytest.mark.parametrize("present", [True, False])
def test_a_consent_for_once_is_consumed_by_its_first_allowed_access(present: bool) -> None:
    once = consent(terms={"once": True})
    same, outcome = uses(once, time=(once.terms.starts_at - 1) * 1000 if once.terms.starts_at else NOW, present=present)
    assert (outcome.decision, same.status, same.basis) == ("allow", Status.CONSUMED, 10)
    _, again = uses(same, time=NOW)
    assert again.reasons == ("CONSENT_CONSUMED",)
    denied, outcome = uses(consent("PAUSED", terms={"once": True}), time=NOW)
    assert (outcome.decision, denied.status) == ("deny", Status.PAUSED)


@settings(max_examples=200)
@given(
    before=st.none() | strategies.consents(), asked=strategies.items(), time=strategies.times,
    signer=st.sampled_from([BANK, FINTECH, STRANGER, "nobody"]), relayed=st.booleans(),
)  # fmt: skip
def test_decide_is_total_and_its_outcome_is_canonical(
    before: Consent | None, asked: AccessItem, time: int, signer: str, relayed: bool
) -> None:
    outcome = decide(REGISTRY, before, asked, signer=signer, relayed=relayed, time=time)
    assert (outcome.decision == "allow") == (not outcome.reasons)
    order = [reason.value for reason in Reason]
    assert list(outcome.reasons) == sorted(outcome.reasons, key=order.index)
    decode(msgspec.json.encode(outcome), limit=4096)
    if before is not None:
        after = after_access(before, asked, outcome, time)
        assert (after == before) == (outcome.decision == "deny" or (asked.customer_present and not before.terms.once))
        decode(msgspec.json.encode(after.terms), limit=8192)
