"""Freezes: who may order them, what they deny, and that they deny it from the very next entry on, on both engines."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ledger.documents import activation
from ledger.entries.evidence import AccessOutcome
from ledger.errors import BadStatement, Conflict, IllegalTransition, InvalidInput, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import Recorded
from tests.ledger.supervised import APPROVED, Place, supervised
from tests.world import BANK, DAY, FINTECH, OTHER_BANK, STRANGER, about, item


def test_a_freeze_denies_until_it_is_lifted_and_survives_a_restart_and_another_node(place: Place) -> None:
    consent = place.node.grant()
    assert place.reasons(consent) == ()
    place.order()
    assert place.reasons(consent) == ("FROZEN",)
    place.restart()
    assert place.reasons(consent) == ("FROZEN",)
    other = place.node.beside("other")
    other.start()
    try:
        place.lift()
        statement = place.node.fintech.sign("access.request", **item(consent))
        outcome = other.record(statement)[0].outcome
        assert isinstance(outcome, AccessOutcome)
        assert outcome.decision == "allow"
        other.record(
            place.regulator.sign(
                "freeze.order",
                freeze_id="f-2",
                scope={},
                reason="again",
                drill=False,
                until=place.now + DAY,
                **{"from": 0},
            )
        )
    finally:
        other.stop()
    assert place.reasons(consent) == ("FROZEN",)
    place.verify()


def test_the_first_access_after_the_freeze_is_denied_whoever_writes_at_the_same_time(place: Place) -> None:
    consents = [place.node.grant() for _ in range(4)]
    node, started, stop = place.node, threading.Barrier(5), threading.Event()
    recorded: list[Recorded] = []
    failed: list[LedgerError] = []

    def write(consent: str) -> None:
        started.wait()
        while not stop.is_set():
            try:
                recorded.append(node.access(consent))
            except LedgerError as error:
                failed.append(error)
                return

    writers = [threading.Thread(target=write, args=(consent,)) for consent in consents]
    for writer in writers:
        writer.start()
    started.wait()
    while len(recorded) < 8:
        node.access(consents[0])
    at = place.order().index
    while not any(entry.index > at for entry in list(recorded)):
        node.access(consents[0])
    stop.set()
    for writer in writers:
        writer.join()
    assert failed == []
    told = {entry.index: entry.outcome.decision for entry in recorded if isinstance(entry.outcome, AccessOutcome)}
    assert {decision for index, decision in told.items() if index < at} == {"allow"}
    assert {decision for index, decision in told.items() if index > at} == {"deny"}
    place.verify()


def test_a_drill_is_recorded_as_one_and_denies_nothing(place: Place) -> None:
    consent = place.node.grant()
    place.order("drill-1", drill=True)
    place.freeze("drill-2", drill=True)
    assert place.reasons(consent) == ()
    marked = {name: freeze.drill for name, freeze in place.node.ledger.registry.supervision.freezes.items()}
    assert marked == {("regulator-r", "drill-1"): True, ("", "drill-2"): True}
    place.lift("drill-1")
    place.verify()


@pytest.mark.parametrize(
    ("scope", "denied"),
    [
        ({}, True),
        ({"holder": BANK}, True),
        ({"holder": OTHER_BANK}, False),
        ({"recipient": FINTECH, "purpose": "budgeting"}, True),
        ({"recipient": FINTECH, "purpose": "credit"}, False),
        ({"recipient": STRANGER}, False),
        ({"permission": "ReadBalances"}, True),
        ({"permission": "ReadTransactionsDetail"}, False),
        ({"country": "SG"}, False),
    ],
)
def test_a_freeze_denies_what_all_members_of_its_scope_match(
    sqlite_place: Place, scope: dict[str, str], denied: bool
) -> None:
    consent = sqlite_place.node.grant()
    sqlite_place.order(scope=scope)
    assert (sqlite_place.reasons(consent) == ("FROZEN",)) is denied


def test_a_freeze_of_a_country_denies_what_is_taken_there(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant(
        destinations=[
            {"country": "SG", "mechanism": "standard-contract"},
            {"country": "US", "mechanism": "assessment"},
        ],
        separate_consents=["cross-border", "provision", "sensitive"],
    )
    sqlite_place.order(scope={"country": "SG"})
    assert sqlite_place.reasons(consent, region="SG") == ("FROZEN",)
    assert sqlite_place.reasons(consent, region="US") == ()
    assert sqlite_place.reasons(consent) == ()


def test_a_freeze_holds_between_its_times(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant()
    sqlite_place.order(**{"from": sqlite_place.now + 10, "until": sqlite_place.now + 20})
    told = []
    for _ in range(5):
        told.append(sqlite_place.reasons(consent))
        sqlite_place.node.clock.advance(seconds=5)
    assert told == [(), (), ("FROZEN",), ("FROZEN",), ()]
    sqlite_place.order("f-2")  # what is past is forgotten now, and denies as little as before
    sqlite_place.lift("f-2")
    assert sqlite_place.reasons(consent) == ()
    with pytest.raises(Conflict):
        sqlite_place.order("f-2")


def test_a_freeze_stands_before_all_reasons_of_the_consent_itself(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant()
    sqlite_place.node.revoke(consent)
    sqlite_place.order()
    sqlite_place.document("participant.suspended", participant=BANK, reason="audit")
    assert sqlite_place.reasons(consent) == ("PARTICIPANT_SUSPENDED", "FROZEN", "CONSENT_REVOKED")


def test_parties_freeze_what_is_their_own_and_regulators_everything(sqlite_place: Place) -> None:
    node = sqlite_place.node
    consent = node.grant()
    sqlite_place.order("b-1", signer=node.bank, scope={"holder": BANK, "recipient": STRANGER})
    sqlite_place.order("a-1", signer=node.fintech, scope={"recipient": FINTECH})
    assert sqlite_place.reasons(consent) == ("FROZEN",)
    for signer, scope in (
        (node.bank, {}),
        (node.bank, {"holder": OTHER_BANK}),
        (node.bank, {"recipient": BANK}),
        (node.fintech, {}),
        (node.fintech, {"holder": FINTECH}),
        (node.fintech, {"recipient": STRANGER}),
    ):
        with pytest.raises(NotPermitted):
            sqlite_place.order("no", signer=signer, scope=scope)
    sqlite_place.document("participant.suspended", participant=FINTECH, reason="audit")
    sqlite_place.lift("a-1", signer=node.fintech)  # a suspended one may: it does not widen what it may do
    sqlite_place.order("a-2", signer=node.fintech, scope={"recipient": FINTECH})


def test_ids_are_compared_within_their_author(sqlite_place: Place) -> None:
    sqlite_place.order("same")
    sqlite_place.order("same", signer=sqlite_place.other)
    sqlite_place.freeze("same")
    for again in (lambda: sqlite_place.order("same"), lambda: sqlite_place.freeze("same")):
        with pytest.raises(Conflict):
            again()
    with pytest.raises(NotFound):
        sqlite_place.lift("same", signer=sqlite_place.node.bank)
    sqlite_place.lift("same")
    with pytest.raises(NotFound):
        sqlite_place.lift("same")
    assert len(sqlite_place.node.ledger.registry.supervision.freezing) == 2


def test_the_operators_freeze_needs_two_officers_and_ends_in_ninety_days(sqlite_place: Place) -> None:
    consent = sqlite_place.node.grant()
    for refused in (
        {"approved_by": ["officer-1", "officer-1"]},
        {"approved_by": ["officer-1"]},
        {"approved_by": APPROVED[::-1]},
        {"until": sqlite_place.now + 7_776_001},
        {"scope": {"who": "all"}},
    ):
        with pytest.raises(InvalidInput):
            sqlite_place.freeze(**refused)
    sqlite_place.freeze(until=sqlite_place.now + 7_776_000)
    assert sqlite_place.reasons(consent) == ("FROZEN",)
    sqlite_place.approved("freeze.lifted", freeze_id="f-1", reason="over")
    assert sqlite_place.reasons(consent) == ()
    with pytest.raises(NotFound):
        sqlite_place.approved("freeze.lifted", freeze_id="f-1", reason="over")


def test_nothing_of_it_exists_before_ruleset_3(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path, ruleset=2) as place:
        consent = place.node.grant()
        orders: list[Any] = [
            place.order,
            place.require,
            place.assess,
            place.block,
            lambda: place.decide_alert(1, "cleared"),
            lambda: place.node.fintech.record("consent.acknowledge", consent_id=consent, basis=10),
            lambda: place.node.access(consent, region="SG"),
            lambda: place.node.ledger.submit_and_wait(place.node.batch(item(consent, region="SG"))),
        ]
        for order in orders:
            with pytest.raises(BadStatement, match="ruleset 3"):
                order()
        for document in (place.freeze, lambda: place.hold("h-1", bytes(32)), lambda: place.alert("recipient", FINTECH)):
            with pytest.raises(IllegalTransition, match="ruleset 3"):
                document()
        with pytest.raises(InvalidInput, match="ruleset 3"):
            place.node.ledger.record_documents(
                about("delegation.granted", BANK, delegate=OTHER_BANK, acts=["freeze.order"])
            )
        with pytest.raises(IllegalTransition, match="ruleset 3"):
            place.node.request(frequency_period="month")
        place.node.ledger.record_documents(activation(3))
        place.order()
        assert place.reasons(consent) == ("FROZEN",)
        place.verify()
