"""Assessments, borders, alerts that block, holds, feedback and acknowledgements under ruleset 3, on a real log."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.entries.evidence import ConsentOutcome
from ledger.entries.leaf import consent_chain, declaration_chain, subject_chain
from ledger.errors import BadStatement, Conflict, IllegalTransition, InvalidInput, NotFound, NotPermitted
from tests.ledger.supervised import APPROVED, HASH, Place
from tests.world import BANK, DAY, FINTECH, STRANGER, about, item, reference

# -- assessments ----------------------------------------------------------------------------------------------------


def test_a_required_assessment_is_missing_then_there_then_overdue(place: Place) -> None:
    consent = place.node.grant()
    place.require(purpose="budgeting")
    assert place.reasons(consent) == ("ASSESSMENT_OVERDUE",)
    place.assess(outcome="unacceptable")
    assert place.reasons(consent) == ("ASSESSMENT_OVERDUE",)
    place.assess()  # the second one of an id replaces the first
    place.restart()
    assert place.reasons(consent) == ()
    place.node.clock.advance(seconds=DAY)
    assert place.reasons(consent) == ("ASSESSMENT_OVERDUE",)
    place.regulator.record("assessment.waive", requirement_id="r-1", reason="met")
    assert place.reasons(consent) == ()
    with pytest.raises(NotFound):
        place.regulator.record("assessment.waive", requirement_id="r-1", reason="met")
    place.verify()


def test_an_assessment_counts_for_its_scope_and_a_requirement_too(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant()
    sqlite_place.require(recipient=STRANGER)
    sqlite_place.require("r-2", country="SG")
    assert sqlite_place.reasons(consent) == ()
    sqlite_place.require("r-3", holder=BANK)
    sqlite_place.assess(scope={"recipient": STRANGER})
    assert sqlite_place.reasons(consent) == ("ASSESSMENT_OVERDUE",)
    sqlite_place.assess("a-2", scope={"recipient": FINTECH, "purpose": "budgeting"})
    assert sqlite_place.reasons(consent) == ()
    sqlite_place.node.revoke(consent)
    sqlite_place.assess("a-2", outcome="unacceptable")
    assert sqlite_place.reasons(consent) == ("CONSENT_REVOKED",)  # only of a consent that is active


# -- borders ----------------------------------------------------------------------------------------------------------


def test_data_goes_only_to_the_destinations_of_the_terms(place: Place) -> None:
    abroad = {
        "destinations": [{"country": "SG", "mechanism": "standard-contract"}],
        "separate_consents": ["cross-border", "provision", "sensitive"],
    }
    home, away = place.node.grant(), place.node.grant(**abroad)
    assert [place.reasons(home), place.reasons(home, region="SG")] == [(), ("REGION_NOT_CONSENTED",)]
    assert [place.reasons(away, region="SG"), place.reasons(away, region="US")] == [(), ("REGION_NOT_CONSENTED",)]
    with pytest.raises(BadStatement, match="decided by the log"):
        place.node.access(home, signer=place.node.bank, relayed=True, asserted=["REGION_NOT_CONSENTED"])
    place.verify()


@pytest.mark.parametrize(
    "changes",
    [
        {"destinations": [{"country": "SG", "mechanism": "assessment"}]},
        {"separate_consents": ["cross-border", "provision", "sensitive"]},
        {"once_seconds": 60},
    ],
)
def test_terms_that_ruleset_3_does_not_take(sqlite_place: Place, changes: dict[str, Any]) -> None:
    with pytest.raises(IllegalTransition):
        sqlite_place.node.request(**changes)


# -- alerts that block ------------------------------------------------------------------------------------------------


def test_an_alert_blocks_where_the_holder_says_so_until_it_is_cleared_or_old(place: Place) -> None:
    consent = place.node.grant()
    alert = place.alert("recipient", FINTECH).index
    assert place.reasons(consent) == ()
    place.block()
    place.restart()
    assert place.reasons(consent) == ("RISK_BLOCKED",)
    place.decide_alert(alert, "confirmed")
    assert place.reasons(consent) == ("RISK_BLOCKED",)
    place.decide_alert(alert, "cleared", signer=place.regulator)  # it is the holder's to clear
    assert place.reasons(consent) == ("RISK_BLOCKED",)
    place.decide_alert(alert, "cleared")
    assert place.reasons(consent) == ()
    place.decide_alert(alert, "escalated")  # a later decision replaces
    assert place.reasons(consent) == ("RISK_BLOCKED",)
    place.node.clock.advance(seconds=3_600)
    assert place.reasons(consent) == ()
    place.alert("recipient", FINTECH)
    assert place.reasons(consent) == ("RISK_BLOCKED",)
    place.node.bank.record("risk.unblock", rule="rate", reason="calm")
    assert place.reasons(consent) == ()
    with pytest.raises(NotFound):
        place.node.bank.record("risk.unblock", rule="rate", reason="calm")
    place.verify()


def test_an_alert_blocks_by_rule_level_and_what_it_is_about(sqlite_place: Place) -> None:
    one, other = sqlite_place.node.grant(), sqlite_place.node.grant()
    sqlite_place.block(about="consent", rule="woken")
    sqlite_place.alert("consent", b64u(consent_chain(one)), rule="woken", score=499)
    sqlite_place.alert("consent", b64u(consent_chain(one)), rule="refused", score=1_000)
    sqlite_place.alert("recipient", FINTECH, rule="woken", score=1_000)
    assert (sqlite_place.reasons(one), sqlite_place.reasons(other)) == ((), ())
    sqlite_place.alert("consent", b64u(consent_chain(one)), rule="woken", score=500)
    assert (sqlite_place.reasons(one), sqlite_place.reasons(other)) == (("RISK_BLOCKED",), ())


def test_only_alerts_are_decided_about_and_only_by_who_may(sqlite_place: Place) -> None:
    alert = sqlite_place.alert("recipient", FINTECH).index
    for index in (0, alert - 1, alert + 1, 10**9):
        with pytest.raises(NotFound):
            sqlite_place.decide_alert(index, "cleared")
    sqlite_place.decide_alert(alert, "cleared", signer=sqlite_place.node.fintech)
    for act in ("risk.block", "assessment.record", "assessment.require", "purpose.define"):
        made = {
            "risk.block": {"about": "recipient", "level": 1, "rule": "rate", "seconds": 60},
            "assessment.record": {
                "assessment_id": "a",
                "document_hash": HASH,
                "method": "pia",
                "next_due": sqlite_place.now + 5,
                "outcome": "acceptable",
                "scope": {},
            },
            "assessment.require": {"requirement_id": "r", "scope": {}, "reason": "x"},
            "purpose.define": limits(),
        }[act]
        with pytest.raises(NotPermitted):
            sqlite_place.node.fintech.record(act, **made)


def limits(**changes: Any) -> dict[str, Any]:
    made = {
        "code": "budgeting",
        "permissions": ["ReadBalances"],
        "max_days": 0,
        "max_frequency_per_day": 4,
        "max_history_days": 0,
        "max_retention_days": 0,
    }
    return {**made, **changes}


def test_a_regulator_defines_a_purpose_as_the_operator_does(place: Place) -> None:
    consent = place.node.grant()
    place.regulator.record("purpose.define", **limits())
    assert place.reasons(consent) == ()
    assert place.reasons(consent, permissions=["ReadTransactionsDetail"]) == ("PURPOSE_MISMATCH",)
    for terms in (
        {"permissions": ["ReadBalances"]},
        {"permissions": ["ReadBalances"], "frequency_per_day": 4, "frequency_period": "hour"},
    ):
        with pytest.raises(IllegalTransition, match="budgeting"):
            place.node.request(**terms)
    place.node.request(permissions=["ReadBalances"], frequency_per_day=4, frequency_period="month")
    with pytest.raises(InvalidInput):
        place.regulator.record("purpose.define", **limits(permissions=["ReadMinds"]))
    place.restart()
    assert place.node.ledger.registry.purposes["budgeting"].max_frequency_per_day == 4
    place.verify()


# -- holds -------------------------------------------------------------------------------------------------------------


def test_nothing_under_a_hold_is_erased_until_it_is_lifted_or_over(place: Place) -> None:
    consents = [place.node.grant() for _ in range(3)]
    chains = [consent_chain(consent) for consent in consents]
    place.hold("court-1", chains[0], chains[1])
    place.hold("court-2", chains[1], until=place.now + 60)
    place.restart()
    for held in (chains[0], chains[1]):
        with pytest.raises(IllegalTransition, match="hold"):
            place.node.ledger.erase([held], "request", ("officer-1", "officer-2"))
    place.node.ledger.erase([chains[2]], "request", ("officer-1", "officer-2"))
    place.approved("hold.lifted", hold="court-1", reason="over")
    place.node.ledger.erase([chains[0]], "request", ("officer-1", "officer-2"))
    with pytest.raises(IllegalTransition, match="court-2"):
        place.node.ledger.erase([chains[1]], "request", ("officer-1", "officer-2"))
    place.node.clock.advance(seconds=60)
    place.node.ledger.erase([chains[1]], "request", ("officer-1", "officer-2"))
    for refusal, act in (
        (NotFound, lambda: place.approved("hold.lifted", hold="court-1", reason="over")),
        (Conflict, lambda: place.hold("court-2", bytes(32))),
        (IllegalTransition, lambda: place.hold("court-3", chains[1])),
        (InvalidInput, lambda: place.approved("hold.placed", hold="x", chains=[], basis="court", until=0)),
    ):
        with pytest.raises(refusal):
            act()


def test_declarations_of_participants_are_never_erased(sqlite_place: Place) -> None:
    sqlite_place.order()
    with pytest.raises(IllegalTransition, match="declared"):
        sqlite_place.node.ledger.erase(
            [declaration_chain(sqlite_place.regulator.id)], "request", ("officer-1", "officer-2")
        )


# -- incidents -----------------------------------------------------------------------------------------------------------


def test_an_incident_stays_open_until_it_is_closed(place: Place) -> None:
    node, members = place.node, {"incident_id": "i-1", "text_hash": HASH}
    clocks = [{"due": place.now + 3_600 * hours, "name": f"{hours}h"} for hours in (4, 24, 72)]
    opened = {
        "affected": {"holder": BANK},
        "affected_consents": 3,
        "class": "leak",
        "clocks": clocks,
        "detected_at": place.now,
        "severity": 2,
    }
    at = node.bank.record("incident.open", **members, **opened).index
    with pytest.raises(Conflict):
        node.bank.record("incident.open", **members, **opened)
    told = {"told_customers": 3, "told_participants": 1}
    node.bank.record("incident.update", **members, **told, clock="4h")
    place.restart()
    with pytest.raises(IllegalTransition):
        node.bank.record("incident.update", **members, **told, clock="5h")
    with pytest.raises(NotFound):
        place.regulator.record("incident.update", **members, **told)
    incident = node.ledger.registry.supervision.incidents[BANK, "i-1"]
    assert (incident.index, dict(incident.delivered), incident.told_customers) == (at, {"4h": node.clock.now()}, 3)
    node.bank.record("incident.close", **members, reason="mended")
    with pytest.raises(NotFound):
        node.bank.record("incident.close", **members, reason="mended")
    place.verify()


# -- feedback and acknowledgements --------------------------------------------------------------------------------------


def feedback(place: Place, consent: str, number: str, customer: str = "alice", **changes: Any) -> Any:
    members = {
        "about": -1,
        "consent_id": consent,
        "due": place.now + DAY,
        "kind": "unexpected",
        "number": number,
        "subject": reference(customer),
    }
    return place.node.bank.record("subject.feedback", **{**members, **changes})


def answer(place: Place, number: str, state: str) -> Any:
    return place.node.bank.record("subject.answer", by="holder", number=number, state=state, subject=reference("alice"))


def test_feedback_is_numbered_in_the_customers_chain_and_answered_until_it_is_closed(place: Place) -> None:
    consent = place.node.grant()
    given = feedback(place, consent, "n-1", text_hash=HASH)
    assert b64u(subject_chain(BANK, reference("alice"))).encode() in given.leaf
    answer(place, "n-1", "received")
    place.restart()
    with pytest.raises(Conflict):
        feedback(place, consent, "n-1")
    answer(place, "n-1", "closed")
    for number in ("n-1", "n-2"):
        with pytest.raises((NotFound, IllegalTransition)):
            answer(place, number, "answered")
    with pytest.raises(NotFound):
        feedback(place, consent, "n-3", customer="bob")
    with pytest.raises(IllegalTransition):
        feedback(place, consent, "n-3", about=10**6)
    feedback(place, consent, "n-3", about=given.index)
    place.verify()


def test_a_recipient_acknowledges_what_moved_a_consent_also_after_its_end(place: Place) -> None:
    consent = place.node.grant()
    access = place.node.access(consent).index
    end = place.node.revoke(consent).index
    place.document("participant.suspended", participant=FINTECH, reason="audit")
    acknowledged = place.node.fintech.record("consent.acknowledge", consent_id=consent, basis=end)
    assert acknowledged.outcome == ConsentOutcome(consent_version=1, ruleset=3, status="REVOKED")
    assert place.node.ledger.records.consent(FINTECH, consent).basis == end
    for basis in (access, acknowledged.index, end + 1000, 0):
        with pytest.raises(IllegalTransition):
            place.node.fintech.record("consent.acknowledge", consent_id=consent, basis=basis)
    with pytest.raises(NotPermitted):
        place.node.bank.record("consent.acknowledge", consent_id=consent, basis=end)
    with pytest.raises(NotFound):
        place.node.stranger.record("consent.acknowledge", consent_id=consent, basis=end)
    place.verify()


def test_a_declaration_for_another_stands_in_that_participants_chain(sqlite_place: Place) -> None:
    node = sqlite_place.node
    node.ledger.record_documents(
        {
            "type": "participant.registered",
            "v": 1,
            "participant": "provider-p",
            "name": "P",
            "roles": ["technology-provider"],
        },
        about("delegation.granted", BANK, delegate="provider-p", acts=["assessment.record"]),
    )

    provider = node.party("provider-p")
    node.ledger.record_documents(provider.key_added())
    consent = node.grant()
    sqlite_place.require(holder=BANK)
    members = {
        "assessment_id": "a-1",
        "document_hash": HASH,
        "method": "pia",
        "next_due": sqlite_place.now + DAY,
        "outcome": "acceptable",
        "scope": {},
    }
    entry = provider.record("assessment.record", on_behalf_of=BANK, **members)
    assert b64u(declaration_chain(BANK)).encode() in entry.leaf
    assert sqlite_place.reasons(consent) == ()


ALERT = {"about": {"id": FINTECH, "kind": "recipient"}, "at_index": 1, "features": [1], "rule": "rate", "score": 1}
MODEL = {"model": "m", "hash": HASH, "card_hash": HASH, "from_index": 2, "to_index": 3, "approved_by": APPROVED}
REPORT = {"report": "r", "period": "day", "utc_offset": 0, "by": [], "measures": ["alerts"], "suppress": 0}


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("scoring.activated", {"scoring": 4, "approved_by": APPROVED}),
        ("alert.raised", ALERT | {"features": []}),
        ("alert.raised", ALERT | {"at_index": 10**6}),
        ("alert.raised", ALERT | {"rule": "model"}),
        ("model.activated", MODEL | {"from_index": 4}),
        ("model.activated", MODEL | {"to_index": 10**6}),
        ("report.defined", REPORT | {"period": "week"}),
        ("report.defined", REPORT | {"by": ["holder", "grade"]}),
        ("report.issued", {"report": "r", "from": 0, "to": 1, "to_index": 1, "rows": 0, "csv_hash": HASH}),
    ],
)
def test_documents_that_cannot_be_are_refused(sqlite_place: Place, kind: str, members: dict[str, Any]) -> None:
    with pytest.raises((InvalidInput, NotFound, IllegalTransition)):
        sqlite_place.document(kind, **members)


def test_a_batch_counts_what_an_earlier_statement_of_its_commit_ordered(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant()
    sqlite_place.order()
    items = [item(consent), item(consent)]
    recorded = sqlite_place.node.ledger.submit_and_wait(sqlite_place.node.batch(*items))
    assert {entry.outcome.reasons for entry in recorded} == {("FROZEN",)}  # type: ignore[union-attr]
