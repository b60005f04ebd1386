"""Attested history: what a holder may bring from before, what is refused, and that nothing ever rests on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.canonical import b64u, encode
from ledger.documents import activation
from ledger.entries.leaf import history_chain, subject_chain
from ledger.entries.statement import parse_payload
from ledger.errors import BadStatement, Conflict, IllegalTransition, JtiReused, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import RecordDocuments, Recorded
from tests.clocks import NOW
from tests.histories import BEFORE, Told, row, sheet
from tests.ledger.desk import Desk
from tests.ledger.supervised import APPROVED, Place
from tests.world import BANK, FINTECH, Party, new_consent_id, payload, reference

ALICE, BOB = reference("alice"), reference("bob")
HELD = {"file": 0, "record": 2}


def told(salt: str = "", **changes: Any) -> Told:
    """Three sheets of two customers."""
    return Told(
        sheet(ALICE, [row("consent"), row(record=2, time=BEFORE + 5)], 0, 0, 2, salt),
        sheet(ALICE, [row("revocation", record=3, time=BEFORE + 9, reason="moved")], 1, 1, 2, salt),
        sheet(BOB, [row(record=4, result="refused")], 2, salt=salt),
        **changes,
    )


def attest(place: Place, brought: Told, **changes: Any) -> Recorded:
    return place.node.bank.record("history.attest", **(brought.attest | changes))


def bring(place: Place, history: Told, at: int, position: int, signer: Party | None = None, **changes: Any) -> Recorded:
    return (signer or place.node.bank).record("history.sheet", **history.of(position, at, **changes))


def refused(place: Place, kind: type[LedgerError], tried: Callable[[], Any], member: str | None = None) -> None:
    before = place.node.ledger.registry.size
    with pytest.raises(kind) as caught:
        tried()
    assert (type(caught.value), caught.value.member) == (kind, member)
    assert place.node.ledger.registry.size == before


def test_a_history_is_attested_and_its_sheets_stand_in_the_customers_own_history_chain(place: Place) -> None:
    history = told()
    at = attest(place, history).index
    indexes = [bring(place, history, at, position).index for position in (2, 0, 1)]
    assert indexes == [at + 1, at + 2, at + 3]
    records = place.node.ledger.records
    [first, second] = records.history_of_chain(history_chain(BANK, ALICE))
    assert (first.index, second.index) == (at + 2, at + 3)
    assert records.history_of_chain(subject_chain(BANK, ALICE)) == ()
    place.restart()
    place.verify()
    [known] = place.node.ledger.registry.histories.of(BANK)
    assert (known.index, known.says.rows, known.withdrawn_at) == (at, 4, None)


def test_the_same_source_and_the_same_name_are_brought_once_until_withdrawn(sqlite_place: Place) -> None:
    place, history = sqlite_place, told()
    attest(place, history)
    refused(place, Conflict, lambda: attest(place, history, history="again"), "source")
    refused(
        place,
        Conflict,
        lambda: attest(place, told(source=history.attest["source"] | {"hash": b64u(b"1" * 32)})),
        "history",
    )
    withdraw = {"history": "before-2020", "reason": "wrong-columns"}
    refused(place, NotFound, lambda: place.node.other_bank.record("history.withdraw", **withdraw), "history")
    place.node.bank.record("history.withdraw", **withdraw)
    refused(place, NotFound, lambda: place.node.bank.record("history.withdraw", **withdraw), "history")
    refused(place, Conflict, lambda: attest(place, history), "history")
    refused(place, IllegalTransition, lambda: bring(place, history, history_of(place), 0), "history")
    attest(place, history, history="again")


def history_of(place: Place) -> int:
    return place.node.ledger.registry.histories.of(BANK)[0].index


def test_a_sheet_is_one_of_the_root_that_was_signed_and_comes_once(sqlite_place: Place) -> None:
    place, history = sqlite_place, told()
    at = attest(place, history).index
    other = history.of(1, at)
    wrong = sheet(ALICE, [row("consent", recipient="Another Ltd"), row(record=2, time=BEFORE + 5)], 0, 0, 2)
    refused(place, BadStatement, lambda: bring(place, history, at, 0, sheet=wrong), "path")
    refused(place, BadStatement, lambda: bring(place, history, at, 0, path=other["path"]), "path")
    refused(place, BadStatement, lambda: bring(place, history, at, 0, path=[]), "path")
    refused(place, BadStatement, lambda: bring(place, history, at, 0, jti=other["jti"]), "jti")
    refused(place, BadStatement, lambda: bring(place, history, at, 0, sheet=history.sheets[0] | {"position": 3}), "jti")
    for elsewhere in (at - 1, at + 1, 10**9):
        refused(place, NotFound, lambda elsewhere=elsewhere: bring(place, history, elsewhere, 0), "history")
    refused(place, NotFound, lambda: bring(place, history, at, 0, place.node.other_bank), "history")
    with pytest.raises(NotPermitted):
        bring(place, history, at, 0, place.node.fintech)
    first = bring(place, history, at, 0)
    place.node.clock.advance(
        seconds=400
    )  # whoever was interrupted signs again, with another `iat`: the jti is the same
    refused(place, JtiReused, lambda: bring(place, history, at, 0))
    assert first.index == at + 1


def test_history_ends_where_the_customers_own_record_begins(sqlite_place: Place) -> None:
    place = sqlite_place
    place.node.grant()
    began = place.node.ledger.records.history_of_chain(subject_chain(BANK, ALICE))[0].time // 1000
    place.node.clock.advance(seconds=600)
    history = Told(sheet(ALICE, [row(time=began - 1), row(time=began)], 0), sheet(BOB, [row(time=began)], 1))
    at = attest(place, history).index
    refused(place, IllegalTransition, lambda: bring(place, history, at, 0), "sheet")
    bring(place, history, at, 1)


def test_a_record_that_begins_in_the_same_commit_ends_history_too() -> None:
    """What is signed may lead the log's clock by minutes, so that a row can be as young as the record."""
    desk, asked = Desk(), new_consent_id()
    desk.plan(RecordDocuments((activation(3),)), desk.request(asked))
    history = Told(sheet(ALICE, [row(time=NOW // 1000)], 0))
    at = desk.world.size
    attest, bring = (
        desk.say(BANK, "history.attest", **history.attest),
        desk.say(BANK, "history.sheet", **history.of(0, at)),
    )
    attested, agreed, brought = desk.plan(attest, desk.authorise(asked), bring).results
    assert not isinstance(attested, LedgerError)
    assert not isinstance(agreed, LedgerError)
    assert (type(brought), getattr(brought, "member", None)) == (IllegalTransition, "sheet")


def test_rows_keep_to_what_was_attested(sqlite_place: Place) -> None:
    place = sqlite_place
    for number, (changes, one) in enumerate(
        [
            ({"first": BEFORE + 1}, row()),
            ({"last": BEFORE - 1, "first": 0}, row()),
            ({}, row(place={"file": 1, "record": 1})),
            ({}, row(place={"block": 1, "document": "d", "hash": b64u(bytes(32)), "version": 0})),
        ]
    ):
        history = Told(sheet(ALICE, [one, row(record=9, time=BEFORE + 1)], 0), name=f"h{number}", **changes)
        at = attest(place, history).index
        refused(place, IllegalTransition, lambda history=history, at=at: bring(place, history, at, 0), "sheet")


def test_an_erasure_takes_the_history_or_the_customer_and_nothing_is_added_after_it(place: Place) -> None:
    history = told()
    at = attest(place, history).index
    for position in (0, 2):
        bring(place, history, at, position)
    ledger = place.node.ledger
    ledger.erase([history_chain(BANK, ALICE)], "retention", tuple(APPROVED))
    refused(place, NotFound, lambda: bring(place, history, at, 1))
    [kept] = ledger.records.history_of_chain(history_chain(BANK, BOB))
    assert kept.evidence is not None
    again = told("again", name="again")
    second = attest(place, again).index
    ledger.erase([subject_chain(BANK, BOB)], "gdpr-17", tuple(APPROVED))
    refused(place, NotFound, lambda: bring(place, again, second, 2))
    place.verify()


def test_no_decision_and_no_state_rests_on_a_history(sqlite_place: Place) -> None:
    place = sqlite_place
    consent = place.node.grant()
    before = place.node.ledger.records.consent(BANK, consent)
    place.node.clock.advance(seconds=600)
    history = Told(
        sheet(reference("carol"), [row("revocation", consent=consent, recipient=FINTECH, recipient_id=FINTECH)], 0)
    )
    bring(place, history, attest(place, history).index, 0)
    assert place.node.ledger.records.consent(BANK, consent) == before
    assert place.node.access(consent).outcome.decision == "allow"


SHEET = told().of(0, 7)
LONG = [row(record=number, note="x" * 150) for number in range(1, 40)]


@pytest.mark.parametrize(
    "changes",
    [
        {"sheet": sheet(ALICE, [])},
        {"sheet": sheet(ALICE, [row()] * 65)},
        {"sheet": sheet(ALICE, LONG)},
        {"sheet": sheet(ALICE, [row(), row(time=BEFORE - 1)])},
        {"sheet": sheet(ALICE, [row()], part=1)},
        {"sheet": sheet(ALICE, [row(recipient=None)])},
        {"sheet": sheet(ALICE, [row(time=0)])},
        {"sheet": sheet(ALICE, [row(until=5)])},
        {"sheet": sheet(ALICE, [row("consent", result="allowed")])},
        {"sheet": sheet(ALICE, [row(permissions=["b", "a"])])},
        {"sheet": sheet(ALICE, [row(place=HELD | {"block": 1})])},
        {"sheet": sheet(ALICE, [row("redacted", recipient=None)])},
        {"sheet": sheet(ALICE, [row(decision="allow")])},
        {"path": [b64u(bytes(32))] * 64},
    ],
)
def test_a_sheet_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    parse_payload(payload("history.sheet", BANK, NOW, **SHEET))
    with pytest.raises(BadStatement):
        parse_payload(payload("history.sheet", BANK, NOW, **(SHEET | changes)))


QLDB = {
    "checked": True,
    "files": 3,
    "first_block": 0,
    "hash": b64u(bytes(32)),
    "kind": "qldb",
    "last_block": 9,
    "mapping_hash": b64u(bytes(32)),
    "redacted": 1,
    "revisions": 12,
    "strand": "JdxjkR9bSYB5jMHWcI464T",
    "tip": b64u(bytes(32)),
}


@pytest.mark.parametrize(
    "changes",
    [
        {"last": NOW // 1000 + 1},
        {"first": BEFORE + 100},
        {"customers": 0},
        {"customers": 4},
        {"sheets": 5},
        {"title": ""},
        {"source": {"files": 0, "hash": b64u(bytes(32)), "kind": "csv"}},
        {"source": {"checked": True, "files": 1, "hash": b64u(bytes(32)), "kind": "csv"}},
        {"source": {name: value for name, value in QLDB.items() if name != "tip"}},
        {"source": QLDB | {"first_block": 10}},
        {"source": QLDB | {"redacted": 13}},
    ],
)
def test_an_attestation_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    honest = told().attest
    for source in (honest["source"], QLDB):
        parse_payload(payload("history.attest", BANK, NOW, **(honest | {"source": source})))
    with pytest.raises(BadStatement):
        parse_payload(payload("history.attest", BANK, NOW, **(honest | changes)))


def test_a_statement_of_the_largest_sheet_fits() -> None:
    least = encode(sheet(ALICE, [row(note="x")]))
    filled = sheet(ALICE, [row(note="x" * 100, record=number) for number in range(1, 40)])
    while len(encode(filled)) <= 8_192:
        filled["rows"].append(row(note="x", record=99))
    filled["rows"].pop()
    assert len(least) < 500
    text = payload("history.sheet", BANK, NOW, **(SHEET | {"sheet": filled, "path": [b64u(bytes(32))] * 63}))
    parse_payload(text)
    assert (len(text) + 512) * 4 / 3 + 200 < 16_384
