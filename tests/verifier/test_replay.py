"""Logs replayed entry by entry: what follows from what is missing, who may have signed, and the operator's documents."""

from __future__ import annotations

import pytest

from tests.verifier.forge import (
    HOLDER,
    ORIGIN,
    OTHER,
    PROVIDER,
    RECIPIENT,
    Signer,
    World,
    b64u,
    chain_of,
)
from tests.verifier.replaying import BAD, CHAIN, HOUR, LOST_KEY, asked, begun, replayed, told
from tests.verifier.supervised import Supervised
from verifier.errors import Code
from verifier.records.leaf import parse_leaf
from verifier.rules.access_legs import UNREAD
from verifier.rules.judging import UNKNOWN_STATE
from verifier.rules.replay import OTHER_RULES

# --- what is missing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_after_an_entry_without_evidence_nothing_of_its_consent_is_judged(full: bool) -> None:
    world, consent = begun()
    other = world.grant()
    missing = world.access(consent)
    world.access(consent)
    world.revoke(consent)
    world.access(other)
    found = replayed(world, withheld=[missing], full=full)
    assert told(found) == ([(Code.BODY_MISSING, missing, None)] if full else [])
    assert found.unchecked == {UNKNOWN_STATE: 2} | ({} if full else {"evidence withheld": 1})
    assert found.checked["access decisions"] == 1


def test_a_consent_is_not_superseded_by_one_whose_state_is_unknown() -> None:
    for withheld, unchecked, defects in ((False, 0, 0), (True, 1, 0)):
        world, consent = begun()
        other = world.request()
        world.consents[other]["subject"] = world.consents[consent]["subject"]
        world.authorise(other)
        last = world.access(other)
        at = world.supersede(consent, other)
        world.access(consent)
        found = replayed(world, withheld=[last] if withheld else [])
        assert len(told(found)) == defects, told(found)
        assert found.unchecked.get(UNKNOWN_STATE, 0) == 2 * unchecked
        assert at > last
    world, consent = begun()
    request = len(world.entries)
    other = world.request()
    world.supersede(consent, other)
    found = replayed(world, withheld=[request])
    assert (told(found), found.unchecked[UNKNOWN_STATE]) == ([], 1)
    world, consent = begun()  # by one of which nobody ever spoke
    at = world.supersede(consent, world.consent_id())
    assert told(replayed(world)) == [(BAD, at, None)]
    world, consent = begun()  # by one that has a chain, but never was requested
    stranger = world.consent_id()
    world.access(stranger)
    at = world.supersede(consent, stranger)
    assert told(replayed(world)) == [(BAD, at, None)]


def test_evidence_that_is_refused_ends_what_is_known_of_its_chain() -> None:
    world, consent = begun()
    at = len(world.entries)
    world.submit(
        world.payload(RECIPIENT, "access.request", **world.item(consent), more=1),
        world.decide(RECIPIENT, world.item(consent)),
    )
    world.access(consent)
    found = replayed(world)
    assert told(found) == [(Code.BAD_ENCODING, at, None)]
    assert found.unchecked == {"evidence that was refused (see the defects)": 1, UNKNOWN_STATE: 1}


def test_evidence_of_a_later_version_is_not_called_refused() -> None:
    world, consent = begun()
    world.bend_evidence = lambda _, evidence: evidence.update(v=2)
    world.access(consent)
    found = replayed(world)
    assert told(found) == []
    assert "evidence that was refused (see the defects)" not in found.unchecked
    assert found.verdict(witnessed=True) is None


def test_a_report_over_evidence_that_was_refused_is_not_checked() -> None:
    world, consent = begun()
    world.submit(
        world.payload(RECIPIENT, "access.request", **world.item(consent), more=1),
        world.decide(RECIPIENT, world.item(consent)),
    )
    world.tick(2 * HOUR)
    world.reconcile()
    assert replayed(world).unchecked[UNREAD] == 1


def test_a_signer_that_may_stand_in_a_lost_entry_is_not_called_a_stranger() -> None:
    world, consent = begun()
    key = 4  # of the recipient
    assert parse_leaf(world.entries[key]).document["kid"] == f"{RECIPIENT}.1"  # type: ignore[index]
    world.access(consent)
    found = replayed(world, lost=[key])
    assert told(found) == []
    assert found.unchecked[LOST_KEY] == 2
    assert found.unchecked[UNKNOWN_STATE] == 3
    registration = replayed(world, lost=[1])  # of the holder, which the terms name
    assert (registration.unchecked[UNKNOWN_STATE], [row[0] for row in told(registration)]) == (3, [BAD])
    # What was lost before is no excuse for a known participant.
    world.revoke(consent)
    at = world.end(consent, "consent.revoke", "REVOKED")
    assert told(replayed(world, lost=[6])) == [(BAD, at, None)]


def test_after_a_lost_entry_of_a_consent_nothing_of_it_is_judged_and_every_other_is() -> None:
    world, consent = begun()
    other = world.grant()
    missing = world.access(consent)
    for one in (consent, other, other):
        world.access(one)
    found = replayed(world, lost=[missing])
    assert (told(found), found.unchecked, found.checked["access decisions"]) == ([], {UNKNOWN_STATE: 1}, 2)


def test_everything_that_was_looked_at_is_counted_once() -> None:
    world, consent = begun()
    world.access(consent)
    found = replayed(world)
    counts = ("operator documents", "evidence bodies", "signed statements", "access decisions")
    assert [found.checked[name] for name in counts] == [7, 4, 4, 1]
    once = ("ledger.opened", "consent.request", "consent.authorise", "subject.consent", "access.request")
    assert found.acts == {"participant.registered": 3, "key.added": 3, **dict.fromkeys(once, 1)}


@pytest.mark.parametrize("ruleset", [1, 2, 3])
def test_leaves_of_participants_exist_from_ruleset_3_onwards(ruleset: int) -> None:
    world = Supervised(5, ruleset)
    world.open()
    at = world.freeze(HOLDER, scope={"holder": HOLDER})
    assert told(replayed(world)) == ([] if ruleset == 3 else [(BAD, at, "kind")])


# --- signers --------------------------------------------------------------------------------------------------


def test_a_holder_of_its_own_scope_is_asked_again_about_another_freeze() -> None:
    world = Supervised(5)
    world.begun()
    world.freeze(HOLDER, "f1", scope={"holder": HOLDER})
    world.freeze(HOLDER, "f2", scope={"holder": HOLDER})
    at = world.freeze(HOLDER, "f3", scope={"recipient": OTHER})
    assert told(replayed(world)) == [(BAD, at, "iss")]


def test_a_signer_is_asked_about_again_after_every_operator_document() -> None:
    world, consent = begun()
    world.access(consent)
    world.operator({"type": "key.revoked", "participant": RECIPIENT, "kid": f"{RECIPIENT}.1", "reason": "stolen"})
    first, second = world.access(consent), world.access(consent)
    assert told(replayed(world)) == [(Code.POLICY_REJECTED, at, "kid") for at in (first, second)]


def test_a_signer_is_asked_about_for_each_act_and_each_party() -> None:
    world, consent = begun()
    world.delegate(RECIPIENT, ["access.request"])
    world.access(consent, PROVIDER, behalf=RECIPIENT)
    fine = world.batch([consent])[0]
    batch = world.batch([consent], PROVIDER, RECIPIENT)[0]
    relayed = world.access(consent, RECIPIENT, relayed=True)
    other = world.access(consent, PROVIDER, behalf=OTHER)
    found = [row for row in told(replayed(world)) if row[2] != "outcome"]
    assert found == [(BAD, batch, "on_behalf_of"), (BAD, relayed, "iss"), (BAD, other, "on_behalf_of")]
    assert fine < batch


def test_a_forged_signature_is_told_once_and_does_not_spoil_the_next() -> None:
    world, consent = begun()
    for forger in (Signer("nobody.1", RECIPIENT), Signer(f"{HOLDER}.1", RECIPIENT)):
        forger.key = Signer("forger", "x").key
        payload = world.payload(RECIPIENT, "access.request", **world.item(consent))
        at = world.submit(payload, world.decide(RECIPIENT, payload), jws=forger.sign(payload))
        world.access(consent)
        found = [row for row in told(replayed(world)) if row[1] == at]
        assert {row[:2] for row in found} == {(Code.BAD_SIGNATURE, at)}
        assert len(found) == (1 if forger.kid == "nobody.1" else 2)
    assert len(told(replayed(world))) == 3


def test_a_key_that_is_added_later_signs_nothing_before_whoever_forged_it_meanwhile() -> None:
    world, consent = begun()
    late, forged = Signer("late", RECIPIENT), Signer("late", RECIPIENT)
    forged.key = Signer("forger", "x").key
    entries = [asked(world, consent, signer) for signer in (late, forged, late)]
    world.add_key(RECIPIENT, "late")
    world.access(consent)
    assert told(replayed(world)) == [
        (Code.BAD_SIGNATURE, at, field) for at, field in zip(entries, ("kid", None, "kid"), strict=True)
    ]


def test_a_strangers_statement_is_told_for_that_and_for_its_time() -> None:
    world, consent = begun()
    at = asked(world, consent, Signer("nobody.1", RECIPIENT), iat=world.time // 1000 - 301)
    assert told(replayed(world)) == [(Code.BAD_SIGNATURE, at, "kid"), (Code.TIME_INVALID, at, "iat")]


def test_lost_entries_excuse_neither_a_forgery_nor_a_late_statement() -> None:
    world, consent = begun()
    forger = Signer(f"{RECIPIENT}.1", RECIPIENT)
    forger.key = Signer("forger", "x").key
    forged = asked(world, consent, forger)
    late = asked(world, consent, world.signers[RECIPIENT], iat=world.time // 1000 - 301)
    for lost in ([], [6]):
        found = told(replayed(world, lost=lost))
        assert found == [(Code.BAD_SIGNATURE, forged, None), (Code.TIME_INVALID, late, "iat")]


def test_terms_of_an_unknown_holder_are_refused_unless_an_entry_was_lost() -> None:
    world, _ = begun()
    at = len(world.entries)
    world.request(holder="nobody.example")
    assert told(replayed(world)) == [(BAD, at, None)]
    found = replayed(world, lost=[6])
    assert (told(found), found.unchecked[UNKNOWN_STATE]) == ([], 1)


def test_participants_who_are_all_there_are_known_after_a_loss() -> None:
    world = World(5)
    world.operator({"type": "ledger.opened", "origin": ORIGIN, "ruleset": 2})
    world.register(HOLDER, ["holder"])
    world.register(RECIPIENT, ["recipient"])
    lost = world.index_head()
    world.grant()
    found = replayed(world, lost=[lost])
    assert (told(found), found.unchecked, found.checked["consent transitions"]) == ([], {}, 2)


def test_under_ruleset_1_what_exists_from_ruleset_2_on_is_told() -> None:
    for ruleset in (1, 2):
        world = World(5, ruleset).open()
        consent = world.grant()
        at = world.reconfirm(consent)
        world.access(consent)
        found = told(replayed(world))
        assert (BAD, at, "act") in found if ruleset == 1 else found == []


# --- operator documents ---------------------------------------------------------------------------------------


def test_the_log_opens_with_its_own_name_and_its_documents_stand_in_their_chains() -> None:
    world, _ = begun()
    assert told(replayed(world, origin="ledger.example/other")) == [(Code.BAD_ENCODING, 0, "document.origin")]
    at = world.operator({"type": "participant.suspended", "participant": OTHER, "reason": "case"}, "operator:ledger")
    disclosure = {"type": "disclosure", "participant": HOLDER, "case": "case-1", "from_index": 0, "to_index": 1}
    world.operator(disclosure, "operator:ledger")
    assert told(replayed(world)) == [(CHAIN, at, "chain")]
    other = world.operator(disclosure)
    assert told(replayed(world)) == [(CHAIN, at, "chain"), (CHAIN, other, "chain")]
    empty = World(5)
    consent = empty.consent_id()
    empty.record(
        "consent",
        consent,
        {
            "act": "consent.expire",
            "statements": [],
            "outcome": {"consent_version": 1, "ruleset": 2, "status": "EXPIRED"},
        },
    )
    empty.record(
        "consent",
        consent,
        {
            "act": "consent.expire",
            "statements": [],
            "outcome": {"consent_version": 1, "ruleset": 2, "status": "EXPIRED"},
        },
    )
    found = replayed(empty)
    assert told(found) == [(BAD, 0, "kind")]
    assert found.unchecked == {OTHER_RULES: 2}


def test_an_illegal_document_is_held_against_its_chain_and_one_that_cannot_be_read_is_not() -> None:
    world, _ = begun()
    illegal = world.operator(
        {"type": "participant.suspended", "participant": "nobody.example", "reason": "case"}, "operator:ledger"
    )
    world.operator({"type": "participant.suspended", "participant": OTHER}, "operator:ledger")
    found = told(replayed(world))
    assert found[:2] == [(BAD, illegal, "document"), (CHAIN, illegal, "chain")]
    assert [row[0] for row in found[2:]] == [Code.BAD_ENCODING]


def test_under_a_ruleset_that_nobody_knows_nothing_is_judged() -> None:
    world, consent = begun()
    world.tick(2 * HOUR)
    world.reconcile()
    world.activate(4)
    world.access(consent, OTHER)
    world.tick(2 * HOUR)
    world.reconcile()
    found = replayed(world)
    assert told(found) == []
    assert found.unchecked == {OTHER_RULES: 2}
    assert found.checked["reconciliation reports"] == 1
    assert found.verdict(witnessed=True) is None
    assert "ruleset 4, and this verifier knows 1, 2, 3: " in found.open


def test_above_an_unknown_ruleset_what_a_leaf_commits_to_is_still_checked() -> None:
    world, consent = begun()
    world.activate(4)
    at = world.access(consent)
    body, _ = world.evidence[at]
    world.evidence[at] = body, bytes(32)
    found = replayed(world)
    assert told(found) == [(Code.BAD_COMMITMENT, at, None)]
    assert found.verdict(witnessed=True) is Code.BAD_COMMITMENT  # a defect is one under any rules


def test_defects_below_an_unknown_ruleset_are_reported() -> None:
    world, consent = begun()
    world.revoke(consent)
    at = world.end(consent, "consent.revoke", "REVOKED")
    world.activate(4)
    found = replayed(world)
    assert (told(found), found.verdict(witnessed=True)) == ([(BAD, at, None)], BAD)


def test_an_erased_chain_takes_no_more_entries() -> None:
    world, consent = begun()
    other = world.grant()
    world.operator(
        {"type": "erasure", "chains": [b64u(chain_of(consent))], "basis": "request", "approved_by": ["a1", "b2"]}
    )
    world.access(other)
    at = world.access(consent)
    found = replayed(world)
    assert told(found) == [(BAD, at, "chain")]


def test_a_report_ends_with_the_last_entry_that_was_an_hour_old() -> None:
    world, consent = begun()
    world.access(consent)
    world.tick(1)
    last = world.access(consent)
    world.tick(1)
    world.access(consent)
    world.tick(HOUR - 1)
    world.reconcile()
    assert told(replayed(world)) == []
    hour = world.time - HOUR
    for before, after, right in ((0, 0, False), (0, 1, True), (-1, 1, True), (1, 2, False), (-1, 0, False)):
        shown = {last: hour + before, last + 1: hour + after}
        found = told(replayed(world, times=lambda index, shown=shown: shown.get(index)))  # type: ignore[misc]
        assert found == ([] if right else [(BAD, len(world.entries) - 1, "document.to_index")]), (before, after)
    for missing in (last, last + 1):
        unread = replayed(world, times=lambda index, missing=missing: None if index == missing else 0)  # type: ignore[misc]
        assert told(unread) == []
        assert unread.unchecked == {"ranges of reconciliation reports whose entries could not be read": 1}
