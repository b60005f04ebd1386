"""Declarations between partners: what each may say, in which order, and that a refused one leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.entries.statement import parse_payload
from ledger.errors import BadStatement, Conflict, IllegalTransition, InvalidInput, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import Recorded
from tests.clocks import NOW
from tests.ledger.billed import Billed, billed
from tests.ledger.supervised import HASH, supervised
from tests.world import BANK, FINTECH, STRANGER, payload

LINE = {"free": 0, "tiers": [{"from": 0, "price": 1_000}]}


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Iterator[Billed]:
    with billed(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def quick(sqlite_url: str, tmp_path: Path) -> Iterator[Billed]:
    with billed(sqlite_url, tmp_path) as made:
        yield made


def refused(place: Billed, kind: type[LedgerError], member: str, tried: Callable[[], Any]) -> None:
    """The act is refused as this, with this member named, and the log is as long as before."""
    before = place.node.ledger.registry.size
    with pytest.raises(kind) as caught:
        tried()
    assert type(caught.value) is kind
    assert caught.value.member == member
    assert place.node.ledger.registry.size == before


# -- attestations and certificates --------------------------------------------------------------------------------------


def test_an_attestation_is_given_approved_by_two_and_withdrawn(place: Billed) -> None:
    given = place.attest()
    approved = place.approve(given.index)
    known = place.partners.attestations[FINTECH, "licence-1"]
    assert (known.index, known.approved_at) == (given.index, approved.index)
    place.node.fintech.record("attestation.withdraw", attestation="licence-1", reason="ended")
    refused(place, IllegalTransition, "attestation", lambda: place.approve(given.index))
    place.restart()
    assert place.partners.attestations[FINTECH, "licence-1"].withdrawn_at is not None
    place.verify()


def test_attestations_that_cannot_be(quick: Billed) -> None:
    given = quick.attest(valid_until=quick.now + 60)
    refused(quick, Conflict, "attestation", quick.attest)
    refused(quick, NotFound, "attestation", lambda: quick.approve(given.index, participant=BANK))
    refused(quick, NotFound, "attestation", lambda: quick.approve(1))
    refused(quick, NotFound, "participant", lambda: quick.approve(given.index, participant="nobody"))
    withdraw = {"attestation": "other", "reason": "ended"}
    refused(
        quick,
        NotFound,
        "attestation",
        lambda: quick.node.fintech.record("attestation.withdraw", **withdraw),
    )
    quick.node.clock.advance(seconds=61)
    refused(quick, IllegalTransition, "attestation", lambda: quick.approve(given.index))


def test_a_certificate_stands_in_its_participants_chain(quick: Billed) -> None:
    members = {"participant": FINTECH, "suite": "sandbox", "suite_version": "1", "log_hash": HASH, "total": 40}
    entry = quick.approved("conformance.certified", passed=38, **members)
    [certificate] = quick.partners.certificates[FINTECH]
    assert (certificate.index, certificate.says.passed) == (entry.index, 38)
    with pytest.raises(InvalidInput):
        quick.approved("conformance.certified", passed=41, **members)


# -- maps -----------------------------------------------------------------------------------------------------------------


def test_versions_of_a_map_follow_each_other(quick: Billed) -> None:
    def publish(version: int) -> Recorded:
        return quick.node.bank.record("map.publish", map="accounts", map_version=version, map_hash=HASH, fields=12)

    refused(quick, IllegalTransition, "map_version", lambda: publish(2))
    publish(1)
    refused(quick, IllegalTransition, "map_version", lambda: publish(1))
    publish(2)
    assert [each.says.map_version for each in quick.partners.maps[BANK, "accounts"]] == [1, 2]


# -- tariffs --------------------------------------------------------------------------------------------------------------


def test_a_tariff_binds_whom_it_was_offered_to_once(quick: Billed) -> None:
    offer = quick.offer()
    refused(quick, Conflict, "tariff", quick.offer)
    refused(quick, NotFound, "offer", lambda: quick.accept(offer.index, quick.node.stranger))
    refused(quick, NotFound, "offer", lambda: quick.accept(offer.index + 1))
    quick.accept(offer.index)
    refused(quick, Conflict, "offer", lambda: quick.accept(offer.index))
    refused(quick, NotFound, "offer", lambda: quick.end(offer.index, quick.node.stranger))


def test_nobody_accepts_an_offer_that_its_holder_has_ended(quick: Billed) -> None:
    offer = quick.offer(recipient="")
    quick.accept(offer.index)
    quick.end(offer.index)
    refused(quick, IllegalTransition, "offer", lambda: quick.accept(offer.index, quick.node.stranger))
    refused(quick, IllegalTransition, "offer", lambda: quick.end(offer.index))
    quick.end(offer.index, quick.node.fintech)
    assert [each.by for each in quick.partners.tariffs[offer.index].ended] == [BANK, FINTECH]


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": []},
        {"lines": [LINE] * 17},
        {"lines": [{**LINE, "tiers": []}]},
        {"lines": [{**LINE, "tiers": [{"from": 1, "price": 1}]}]},
        {"lines": [{**LINE, "tiers": [{"from": 0, "price": 1}, {"from": 0, "price": 1}]}]},
        {"lines": [{**LINE, "tiers": [{"from": 0, "price": "1"}]}]},
        {"lines": [{**LINE, "tiers": [{"from": 0, "price": 10**12 + 1}]}]},
        {"lines": [{**LINE, "rows_from": 2, "rows_to": 1}]},
        {"lines": [{**LINE, "free": -1}]},
        {"lines": [{**LINE, "colour": "red"}]},
        {"currency": "cny"},
        {"currency": "CNYX"},
        {"utc_offset": 841},
        {"recipient": "Not an id"},
    ],
)
def test_a_tariff_that_does_not_read_is_refused(changes: dict[str, Any]) -> None:
    members = {"currency": "CNY", "from": 0, "lines": [LINE], "recipient": FINTECH, "tariff": "t", "utc_offset": 0}
    parse_payload(payload("tariff.offer", BANK, NOW, **members))
    with pytest.raises(BadStatement):
        parse_payload(payload("tariff.offer", BANK, NOW, **{**members, **changes}))


def test_only_the_role_may_declare(quick: Billed) -> None:
    offer = quick.offer()
    for tried in (
        lambda: quick.offer(signer=quick.node.fintech),
        lambda: quick.accept(offer.index, quick.node.bank),
    ):
        with pytest.raises(NotPermitted):
            tried()


def test_a_suspended_participant_declares_nothing_of_this(quick: Billed) -> None:
    offer = quick.offer()
    quick.document("participant.suspended", participant=FINTECH, reason="case")
    with pytest.raises(NotPermitted):
        quick.accept(offer.index)
    with pytest.raises(NotPermitted):
        quick.attest()


def test_before_ruleset_3_there_is_nothing_of_this(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path, ruleset=2) as place, pytest.raises(BadStatement) as caught:
        place.node.fintech.record(
            "attestation.give",
            attestation="a",
            document_hash=HASH,
            issuer="x",
            kind="licence",
            valid_until=place.now + 60,
        )
    assert caught.value.member == "act"


# -- usage ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "changes"),
    [
        ("from", {"from": 1}),
        ("from", {"to": 1}),
        ("offer", {"recipient": STRANGER}),
        ("amounts", {"amounts": [{"amount": 0, "count": 0}] * 2}),
        ("to_index", {"to_index": 10**6}),
        ("replaces", {"replaces": 3}),
    ],
)
def test_a_statement_that_cannot_be(quick: Billed, member: str, changes: dict[str, Any]) -> None:
    quick.a_month_of(2)
    refused(quick, IllegalTransition, member, lambda: quick.state(**changes))


def test_a_statement_is_made_after_its_month_under_a_tariff_in_force(quick: Billed) -> None:
    offer = quick.agreed()
    month = quick.month
    early = {**quick.members_of_nothing(offer), "from": month.first, "to": month.end}
    refused(quick, IllegalTransition, "to", lambda: quick.node.bank.record("usage.state", **early))
    quick.end(offer, from_=month.end)
    quick.after(month)
    assert quick.state(offer=offer).index
    quick.after(quick.month)
    with pytest.raises(IllegalTransition, match="not in force"):
        quick.count(offer=offer, month=quick.month_before())


def test_a_statement_is_disputed_replaced_and_agreed_and_then_final(place: Billed) -> None:
    place.a_month_of(3)
    first = place.state()
    disputed = [{"index": place.releases[0], "reason": "never-received"}]
    place.answer(first.index, "disputed", disputed)
    refused(place, IllegalTransition, "replaces", place.state_again)
    second = place.state(replaces=first.index, left_out={place.releases[0]: "agreed-by-phone"})
    refused(place, IllegalTransition, "statement", lambda: place.answer(first.index))
    place.answer(second.index)
    refused(place, IllegalTransition, "statement", lambda: place.answer(second.index))
    refused(place, IllegalTransition, "replaces", lambda: place.state(replaces=second.index))
    states = {index: each.state for index, each in place.partners.statements.items()}
    assert states == {first.index: "replaced", second.index: "agreed"}
    place.restart()
    assert {index: each.state for index, each in place.partners.statements.items()} == states
    place.verify()


def test_nobody_else_answers(quick: Billed) -> None:
    quick.a_month_of(1)
    stated = quick.state()
    refused(quick, NotFound, "statement", lambda: quick.answer(stated.index, signer=quick.node.stranger))
    refused(quick, NotFound, "statement", lambda: quick.answer(stated.index - 1))


def test_an_answer_disputes_exactly_if_it_names_entries() -> None:
    members = {"answer": "agreed", "disputed": [], "statement": 4}
    parse_payload(payload("usage.answer", FINTECH, NOW, **members))
    named = [{"index": 1, "reason": "r"}]
    for changes in (
        {"disputed": named},
        {"answer": "disputed"},
        {"answer": "disputed", "disputed": named * 2},
        {"answer": "disputed", "disputed": [{"index": at, "reason": "r"} for at in range(101)]},
        {"answer": "ignored"},
    ):
        with pytest.raises(BadStatement):
            parse_payload(payload("usage.answer", FINTECH, NOW, **{**members, **changes}))
    assert b64u(bytes(32)) == HASH


def test_each_declaration_is_read_by_those_whom_it_concerns_and_by_nobody_else(quick: Billed) -> None:
    own = quick.offer(tariff="own")
    everybodys = quick.offer(tariff="everybodys", recipient="")
    accepted = quick.accept(everybodys.index)
    ended = quick.end(everybodys.index)
    left = quick.end(everybodys.index, quick.node.fintech)
    quick.a_month_of(1, tariff="billed")
    stated = quick.state()
    answered = quick.answer(stated.index)
    attested = quick.attest()
    readers = {
        (name, entry.act, viewer)
        for name, entry in {
            "own": own,
            "everybodys": everybodys,
            "accepted": accepted,
            "ended": ended,
            "left": left,
            "stated": stated,
            "answered": answered,
            "attested": attested,
        }.items()
        for viewer in (BANK, FINTECH, STRANGER)
        if _may_read(quick, viewer, entry.index)
    }
    of_both = {"own", "everybodys", "accepted", "ended", "left", "stated", "answered", "attested"}
    assert {name for name, _, viewer in readers if viewer == BANK} == of_both
    assert {name for name, _, viewer in readers if viewer == FINTECH} == of_both
    assert {name for name, _, viewer in readers if viewer == STRANGER} == {"everybodys", "ended", "attested"}


def _may_read(place: Billed, viewer: str, index: int) -> bool:
    try:
        place.node.ledger.records.receipt_for(viewer, index)
    except NotFound:
        return False
    return True
