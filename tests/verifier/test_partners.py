"""Attestations, maps, tariffs and statements of usage in a log: what is legal, and what a lie is told as
(docs/spec/partners.md, 1, 2 and 4; verdicts.md, steps 8.3 and 8.15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.billed import Billed, billed, month_of
from tests.verifier.forge import HOLDER, OTHER, RECIPIENT
from tests.verifier.replaying import replayed, told
from tests.verifier.supervised import AUTHORITY, PROVIDER
from verifier.errors import Code
from verifier.rules.declaring import UNKNOWN_CHAIN, UNREAD_PARTNER
from verifier.rules.usage import WRONG

INVALID, ENCODING, CHAIN, POLICY = Code.CONSENT_INVALID, Code.BAD_ENCODING, Code.BAD_CHAIN, Code.POLICY_REJECTED


def test_an_honest_life_of_partners_is_valid() -> None:
    world = billed()
    given = world.attest()
    world.approve(given)
    world.approve(given)
    world.certify()
    world.certify(AUTHORITY, passed=0, total=0)
    world.unattest()
    world.attest(PROVIDER, valid_until=world.time // 1000 + 1)
    world.publish()
    world.publish(2)
    world.publish(1, "other-api")
    offer = world.agreed()
    anyone = world.agreed(recipient="", name="any")
    world.accept(anyone, OTHER)
    consent = world.grant()
    first, second = world.use(consent), world.use(consent)
    world.next_month()
    statement = world.state(offer)
    world.answer_usage(statement, first)
    world.answer_usage(statement, first, second)
    better = world.state(offer, left_out=(first,))
    world.answer_usage(better)
    world.state(anyone)
    world.end_tariff(offer)
    world.end_tariff(anyone, OTHER)
    world.end_tariff(anyone)
    findings = replayed(world)
    assert told(findings) == []
    assert findings.unchecked == {}
    assert not any(dispute.sentence == WRONG for dispute in findings.disputes)
    assert findings.checked["declarations"] == 20
    assert findings.checked["statements of usage"] == 3


def ended(world: Billed, iss: str, months: int = 0) -> int:
    """A statement of the month after the one in which the tariff ended."""
    offer = world.agreed()
    world.end_tariff(offer, iss)
    for _ in range(2 + months):
        world.next_month()
    return world.state(offer)


def stated(world: Billed, **lies: Any) -> int:
    offer = world.agreed()
    world.next_month()
    return world.state(offer, **lies)


def answered(world: Billed, *then: Callable[[Billed, int, int], object]) -> int:
    """What happens to a tariff and a statement under it."""
    offer = world.agreed()
    world.next_month()
    statement = world.state(offer)
    for step in then:
        step(world, offer, statement)
    return len(world.entries) - 1


LIES: list[tuple[str, Code, Callable[[Billed], int]]] = [
    ("an attestation's name is used again, even when it was withdrawn", INVALID,
     lambda w: (w.attest(), w.unattest(), w.attest())[-1]),
    ("an attestation of nobody is withdrawn", INVALID, lambda w: w.unattest()),
    ("an attestation is withdrawn twice", INVALID, lambda w: (w.attest(), w.unattest(), w.unattest())[-1]),
    ("another's attestation is withdrawn", INVALID, lambda w: (w.attest(), w.unattest(HOLDER))[-1]),
    ("an attestation that is over as it is given", ENCODING, lambda w: w.attest(valid_until=w.time // 1000)),
    ("no attestation is approved", INVALID, lambda w: w.approve(len(w.entries) - 1)),
    ("an attestation above is approved", INVALID, lambda w: (w.approve(len(w.entries) + 1), w.attest())[0]),
    ("another's attestation is approved", INVALID, lambda w: w.approve(w.attest(OTHER))),
    ("a withdrawn attestation is approved", INVALID, lambda w: w.approve((w.attest(), w.unattest())[0])),
    ("an attestation is approved when it is over", INVALID,
     lambda w: w.approve((w.attest(), w.tick(600_000 - w.time % 1000))[0])),
    ("one approver approves twice", INVALID, lambda w: w.approve(w.attest(), approved_by=["a", "a"])),
    ("a stranger's attestation is approved", INVALID, lambda w: w.approve(3, "nobody.example")),
    ("an approval in the ledger's chain", CHAIN, lambda w: w.operator(
        {"type": "attestation.approved", "participant": RECIPIENT, "attestation": w.attest(), "approved_by": ["a", "b"]},
        "operator:ledger")),
    ("a stranger is certified", INVALID, lambda w: w.certify("nobody.example")),
    ("more passed than there is", ENCODING, lambda w: w.certify(passed=41)),
    ("one certifies alone", INVALID, lambda w: w.certify(approved_by=["a", "a"])),
    ("a map begins at version 2", INVALID, lambda w: w.publish(2)),
    ("a map's version is used again", INVALID, lambda w: (w.publish(), w.publish())[-1]),
    ("a map's version is left out", INVALID, lambda w: (w.publish(), w.publish(3))[-1]),
    ("a recipient publishes a map", INVALID, lambda w: w.publish(iss=RECIPIENT)),
    ("a recipient offers", INVALID, lambda w: w.offer(iss=RECIPIENT)),
    ("a tariff's name is used again", INVALID, lambda w: (w.offer(), w.offer())[-1]),
    ("a tariff that was offered to another is accepted", INVALID, lambda w: w.accept(w.offer(), OTHER)),
    ("a holder accepts", INVALID, lambda w: w.accept(w.offer(recipient=""), HOLDER)),
    ("what is no tariff is accepted", INVALID, lambda w: w.accept(len(w.entries) - 1)),
    ("a tariff above is accepted", INVALID, lambda w: (w.accept(len(w.entries) + 1), w.offer())[0]),
    ("a tariff is accepted twice", INVALID, lambda w: w.accept(w.agreed())),
    ("a tariff that was ended is accepted", INVALID,
     lambda w: w.accept(next(o for o in [w.offer(recipient="")] if w.end_tariff(o)), OTHER)),
    ("a tariff is ended by a stranger", INVALID, lambda w: w.end_tariff(w.agreed(recipient=""), OTHER)),
    ("a tariff is ended twice", INVALID, lambda w: w.end_tariff(next(o for o in [w.agreed()] if w.end_tariff(o)))),
    ("a recipient ends twice", INVALID, lambda w: w.end_tariff(
        next(o for o in [w.agreed()] if w.end_tariff(o, RECIPIENT)), RECIPIENT)),
    ("what is no tariff is ended", INVALID, lambda w: w.end_tariff(2)),
    ("a tariff is ended in the past", ENCODING, lambda w: w.end_tariff(w.agreed(), **{"from": w.time // 1000})),
    ("usage without a tariff", INVALID, lambda w: answered(
        w, lambda w, o, _: (w.offers.update({2: w.offers[o]}), w.state(2)))),
    ("usage under another's tariff", INVALID, lambda w: (
        w.register("second.example", ["holder"]), answered(w, lambda w, o, _: w.state(
            o, iss="second.example", replaces=-1)))[-1]),
    ("usage under a tariff that was not accepted", INVALID, lambda w: (o := w.offer(), w.next_month(), w.state(o))[-1]),
    ("usage of one who did not accept", INVALID, lambda w: (
        o := w.agreed(recipient=""), w.next_month(), w.state(o, recipient=OTHER))[-1]),
    ("usage of a month that is not over", INVALID, lambda w: (
        o := w.agreed(), w.state(o, w.time // 1000, to_index=len(w.entries) - 1))[-1]),
    ("usage of half a month", INVALID, lambda w: stated(w, to=month_of(w.time // 1000)[1] - 86_400)),
    ("usage of a month that begins a second late", INVALID, lambda w: stated(w, **{"from": month_of(w.time // 1000)[0] + 1})),
    ("usage of a month in another zone", INVALID, lambda w: (
        o := w.agreed(utc_offset=60), w.next_month(),
        w.state(o, **dict(zip(("from", "to"), month_of(w.time // 1000 - 1), strict=True))))[-1]),
    ("usage of a month before the tariff's", INVALID, lambda w: (
        o := w.agreed(**{"from": month_of(w.time // 1000)[0] + 1}), w.next_month(), w.state(o))[-1]),
    ("usage of a month after the holder's end", INVALID, lambda w: ended(w, HOLDER)),
    ("usage of a month after the recipient's end", INVALID, lambda w: ended(w, RECIPIENT)),
    ("usage of a month that begins with the end", INVALID, lambda w: (
        o := w.agreed(), w.end_tariff(o, **{"from": month_of(w.time // 1000)[1]}), w.next_month(), w.next_month(),
        w.state(o))[-1]),
    ("usage up to its own entry", INVALID, lambda w: stated(w, to_index=len(w.entries) + 2)),
    ("one amount too many", INVALID, lambda w: stated(w, amounts=[{"amount": 0, "count": 0}] * 2)),
    ("a second statement that replaces none", INVALID, lambda w: answered(w, lambda w, o, _: w.state(o, replaces=-1))),
    ("a statement that replaces one before the last", INVALID, lambda w: answered(
        w, lambda w, o, _: w.state(o), lambda w, o, s: w.state(o, replaces=s))),
    ("a first statement that replaces another month's", INVALID, lambda w: answered(
        w, lambda w, o, s: (w.next_month(), w.state(o, replaces=s)))),
    ("a statement that replaces one that was agreed", INVALID, lambda w: answered(
        w, lambda w, _, s: w.answer_usage(s), lambda w, o, _: w.state(o))),
    ("an answer to nothing", INVALID, lambda w: w.answer_usage(3)),
    ("an answer of another", INVALID, lambda w: answered(w, lambda w, _, s: w.answer_usage(s, iss=OTHER))),
    ("an answer to what was replaced", INVALID, lambda w: answered(
        w, lambda w, o, _: w.state(o), lambda w, _, s: w.answer_usage(s))),
    ("an answer to what was agreed", INVALID, lambda w: answered(
        w, lambda w, _, s: w.answer_usage(s), lambda w, _, s: w.answer_usage(s, 3))),
    ("entries disputed and agreed", ENCODING, lambda w: answered(w, lambda w, _, s: w.declare(
        RECIPIENT, "usage.answer", answer="agreed", disputed=[{"index": 3, "reason": "x"}], statement=s))),
    ("a holder answers", INVALID, lambda w: answered(w, lambda w, _, s: w.answer_usage(s, iss=HOLDER))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "code", "lie"), LIES, ids=[row[0] for row in LIES])
def test_a_lie_is_told_at_its_place_and_nothing_that_follows_is(
    name: str, code: Code, lie: Callable[[Billed], int]
) -> None:
    world = billed()
    index = lie(world)
    world.use(world.grant())
    findings = replayed(world)
    assert {row[:2] for row in told(findings)} == {(code, index)}, name
    assert len(told(findings)) <= 2  # the role, and that it is nobody's own


def test_a_tariff_counts_until_the_month_in_which_it_ends_is_over() -> None:
    for iss in (HOLDER, RECIPIENT):
        world = billed()
        offer = world.agreed(**{"from": month_of(world.time // 1000)[0]})
        second = world.next_month()
        world.end_tariff(offer, iss)
        world.next_month()
        world.state(offer, second - 1)
        world.state(offer, second)
        assert told(replayed(world)) == []
        lie = (world.next_month(), world.state(offer))[-1]
        assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]


def test_a_suspended_partner_declares_nothing_here() -> None:
    for declare in (Billed.attest, lambda w: w.accept(w.offer())):
        world = billed()
        world.suspend(RECIPIENT)
        index = declare(world)
        assert [row[:2] for row in told(replayed(world))] == [(POLICY, index)]


def test_a_provider_states_usage_for_its_principal() -> None:
    world = billed()
    world.delegate(HOLDER, ["tariff.offer", "usage.state"])
    offer = world.offer()
    world.accept(offer)
    world.next_month()
    since, to = month_of(world.time // 1000 - 1)
    members = {"offer": offer, "recipient": RECIPIENT, "replaces": -1, "left_out": [], "from": since, "to": to}
    world.declare(PROVIDER, "usage.state", HOLDER, **members, **world.figures(offer, RECIPIENT, since, to))
    findings = replayed(world)
    assert (told(findings), findings.checked["statements of usage"]) == ([], 1)


def test_under_ruleset_2_nothing_of_it_exists() -> None:
    for use in (Billed.attest, Billed.publish, Billed.offer, Billed.certify):
        world = Billed(3, 2)
        world.begun()
        index = use(world)
        assert [row[:2] for row in told(replayed(world))] == [(INVALID, index)]


# --- what cannot be known -------------------------------------------------------------------------------------


def test_an_unread_other_declaration_leaves_open_only_what_rests_on_it() -> None:
    world = billed()
    offer = world.offer()
    acceptance = world.accept(offer)
    stranger = world.accept(3, OTHER)
    world.next_month()
    statement = world.state(offer)
    world.answer_usage(statement)
    findings = replayed(world, withheld=[offer])
    assert [row[:2] for row in told(findings)] == [(INVALID, stranger)]
    assert findings.unchecked[UNREAD_PARTNER] == 2  # acceptance, answer
    assert findings.unchecked[UNKNOWN_CHAIN] == 1  # the statement, in the chain of the offer
    findings = replayed(world, withheld=[acceptance])
    assert [row[:2] for row in told(findings)] == [(INVALID, stranger)]
    assert findings.unchecked[UNREAD_PARTNER] == 1  # the statement
    assert findings.unchecked[UNKNOWN_CHAIN] == 1  # its answer
    assert findings.checked["statements of usage"] == 0


def test_an_answer_to_what_may_not_have_been_replaced_is_open() -> None:
    world = billed()
    offer = world.agreed()
    withheld = world.publish()
    world.next_month()
    first = world.state(offer)
    world.state(offer)
    lie = world.answer_usage(first)
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]
    findings = replayed(world, withheld=[withheld])
    assert (told(findings), findings.unchecked[UNREAD_PARTNER]) == ([], 1)
    assert findings.unchecked[UNKNOWN_CHAIN] == 2  # both statements


def test_an_approval_of_what_could_not_be_read_is_open() -> None:
    world = billed()
    given = world.attest()
    world.approve(given)
    lie = world.approve(given, OTHER)
    findings = replayed(world, withheld=[given])
    assert (told(findings), findings.unchecked[UNREAD_PARTNER]) == ([], 2)
    findings = replayed(world)
    assert [row[:2] for row in told(findings)] == [(INVALID, lie)]
