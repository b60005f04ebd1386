"""Logs replayed entry by entry: each rule that looks at more than one entry, what follows from what is missing, and that a
lie is told once while all that rests on it is judged on its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any

import pytest

from tests.verifier.forge import (
    DAY,
    HOLDER,
    ORIGIN,
    OTHER,
    PROVIDER,
    RECIPIENT,
    Json,
    Signer,
    World,
    b64u,
    chain_of,
)
from tests.verifier.making import BACKEND
from tests.verifier.test_gestures import SUBJECT, Signing
from verifier.crypto.keys import parse_jwk
from verifier.disclosure import Reader
from verifier.errors import Code
from verifier.findings import Findings
from verifier.judging import UNKNOWN_STATE
from verifier.leaf import parse_leaf
from verifier.legs import UNREAD
from verifier.links import Links
from verifier.replay import OTHER_RULES, Replay
from verifier.shelf import Shelf
from verifier.trust import parse_trust

HOUR = 3_600_000
LOST_KEY = "statements whose key may stand in an entry that could not be read"


def replayed(world: World, *, withheld: Collection[int] = (), lost: Collection[int] = (), full: bool = False,
             origin: str = ORIGIN, trust: str = "", times: Callable[[int], int | None] | None = None) -> Findings:  # fmt: skip
    """`withheld`: entries without their evidence; `lost`: entries that cannot be read."""
    findings, shelf = Findings(), Shelf()
    links, leaves = Links(findings, shelf), [parse_leaf(entry) for entry in world.entries]
    keys = {}
    for at, leaf in enumerate(leaves):
        if at not in lost and leaf.document and leaf.document["type"] == "key.added":
            keys[str(leaf.document["kid"])] = parse_jwk(leaf.document["jwk"])  # type: ignore[arg-type]
    reader = Reader(ORIGIN, BACKEND, keys)
    policy = parse_trust((trust or world.policy()).encode())
    replay = Replay(origin, findings, shelf, full, policy, BACKEND, times or (lambda index: leaves[index].time))
    with closing(replay.matching):
        for at, (entry, leaf) in enumerate(zip(world.entries, leaves, strict=True)):
            if at in lost:
                links.skip(at, world.hashes[at])
                replay.lose(at)
                continue
            links.add(at, entry, world.hashes[at])
            shown = None if at in withheld or at not in world.evidence else world.line(at)[:-1]
            replay.add(at, leaf, shown and reader.read(leaf.kind, leaf.chain, leaf.commitment, leaf.time, shown))
        replay.finish()
    return findings


def told(findings: Findings) -> list[tuple[Code, int | None, str | None]]:
    return [(defect.code, defect.place.index, defect.place.field) for defect in findings.defects]


def begun(**terms: Any) -> tuple[World, str]:
    """A consent in force at entries 7 to 9."""
    world = World(5).open()
    return world, world.grant(**terms)


BAD, CHAIN = Code.CONSENT_INVALID, Code.BAD_CHAIN


# --- what is counted ------------------------------------------------------------------------------------------


def test_decisions_reasons_and_what_somebody_asserts_are_counted() -> None:
    world, consent = begun()
    world.access(consent)
    world.access(consent, purpose="MKT", permissions=["ReadParty"])
    world.tick(DAY)
    world.access(consent, word=("RATE_LIMITED", "RISK_BLOCKED"))
    world.access(consent, HOLDER, relayed=True, asserted=["TOKEN_EXPIRED"])
    world.access(consent, HOLDER, relayed=True, asserted=["TOKEN_EXPIRED"], word=("HOLDER_UNAVAILABLE",), purpose="MKT")
    found = replayed(world)
    assert told(found) == []
    assert found.decisions == {"allow": 1, "deny": 4}
    assert found.denials == {(world.time - DAY) // DAY: 1, world.time // DAY: 3}
    assert found.reasons == {"PURPOSE_MISMATCH": 2, "PERMISSION_MISSING": 1, "RATE_LIMITED": 1, "RISK_BLOCKED": 1,
                             "TOKEN_EXPIRED": 2, "HOLDER_UNAVAILABLE": 1}  # fmt: skip
    assert found.unchecked == {
        "asserted reasons: the holder's word, signed by it": 2,
        "asserted reasons: the ledger's own word": 3,
    }
    assert found.checked["access decisions"] == 5
    assert found.checked["consent transitions"] == 2
    assert found.checked["companions of authorisations"] == 1
    assert found.checked["operator documents"] == 7
    assert found.checked["evidence bodies"] == found.checked["signed statements"] == 8
    assert found.checked["identities (iss, jti)"] == 8
    assert found.acts["participant.registered"] == 3
    assert found.acts["access.request"] == 5


# --- a lie is told once ---------------------------------------------------------------------------------------


def goes_on(world: World, consent: str) -> None:
    """Everything after the lie is as if it had been true."""
    world.override = None
    world.tick()
    world.access(consent)
    world.access(consent, customer_present=True)
    world.access(consent)


def count_of_the_day(world: World) -> str:
    consent = world.grant(frequency_per_day=4)
    world.override = lambda given: given.update(used_today=2)
    world.access(consent)
    [day] = world.consents[consent]["used"]
    world.consents[consent]["used"][day] = 3
    return consent


def stranger_ends_it(world: World) -> str:
    consent = world.grant()
    world.end(consent, "consent.revoke", "REVOKED", iss=OTHER)
    return consent


def requested_again(world: World) -> str:
    consent = world.grant()
    payload = world.payload(
        RECIPIENT, "consent.request", consent_id=consent, terms=world.terms(permissions=["ReadParty"])
    )
    state = world.consents[consent]
    state |= {"terms": payload["terms"], "status": "AWAITING", "basis": len(world.entries), "withdrawn": set(),
              "given": {"approvals": {}, "joint": set(), "separate": set()}, "used": {}}  # fmt: skip
    world.submit(payload, {"consent_version": 1, "ruleset": 2, "status": "AWAITING"})
    world.authorise(consent)
    return consent


def for_other_terms(world: World) -> str:
    consent = world.request()
    world.authorise(consent, terms_hash=b64u(bytes(32)))
    return consent


def for_other_terms_to_come(world: World) -> str:
    consent = world.grant()
    world.amend(consent, permissions=["ReadBalances"])
    world.authorise(consent, terms_hash=b64u(bytes(32)))
    world.access(consent, permissions=["ReadAccountsBasic"])
    return consent


def for_a_version_that_nobody_asked_for(world: World) -> str:
    consent = world.request()
    world.consents[consent]["version"] = 2
    world.authorise(consent)
    return consent


def superfluous_while_others_wait(world: World) -> str:
    consent = world.grant()
    world.amend(consent, permissions=["ReadBalances"])
    world.authorise(consent, present=True)
    world.access(consent, permissions=["ReadAccountsBasic"])
    return consent


@pytest.mark.parametrize(
    "lie",
    [count_of_the_day, stranger_ends_it, requested_again, for_other_terms, for_other_terms_to_come,
     superfluous_while_others_wait, for_a_version_that_nobody_asked_for],
)  # fmt: skip
def test_a_lie_is_told_once_and_then_taken_over(lie: Callable[[World], str]) -> None:
    world = World(5).open()
    goes_on(world, lie(world))
    found = replayed(world)
    assert [row[0] for row in told(found)] == [BAD]
    assert found.unchecked == {}


def test_an_access_of_what_was_never_requested_is_denied_whatever_is_claimed() -> None:
    world = World(5).open()
    stranger = world.consent_id()
    world.access(stranger)
    world.access(stranger, HOLDER, relayed=True, asserted=["TOKEN_EXPIRED"])
    found = replayed(world)
    assert (told(found), found.unchecked) == ([], {})  # nothing rests on the holder's word here
    for claim in ({"used_today": 3}, {"decision": "allow"}, {"decision": "allow", "used_today": 3}):
        world.override = lambda given, claim=claim: given.update(claim)  # type: ignore[misc]
        at = world.access(stranger)
        assert told(replayed(world))[-1] == (BAD, at, "outcome")
    assert len(told(replayed(world))) == 3


@pytest.mark.parametrize("claim", [{"status": "WHATEVER"}, {"status": "active"}])
def test_after_a_claimed_state_that_there_is_not_nothing_of_the_consent_is_judged(claim: Json) -> None:
    world, consent = begun()
    world.override = lambda given: given.update(claim)
    refused = world.end(consent, "consent.revoke", "REVOKED", iss=OTHER)
    goes_on(world, consent)
    found = replayed(world)
    assert told(found) == [(BAD, refused, None)]
    assert found.unchecked == {UNKNOWN_STATE: 3}


def test_after_an_end_of_what_was_never_requested_nothing_of_it_is_judged() -> None:
    world, consent = begun()
    stranger = world.consent_id()
    world.consents[stranger] = {**world.consents[consent], "used": {}}
    first = len(world.entries)
    world.authorise(stranger)
    world.access(stranger)
    world.access(consent)
    found = replayed(world)
    assert told(found) == [(BAD, first, None)]
    assert found.unchecked == {UNKNOWN_STATE: 1}


def test_a_wrong_state_is_told_with_what_differs() -> None:
    world, consent = begun()
    world.override = lambda given: given.update(status="ACTIVE", consent_version=7)
    at = world.revoke(consent)
    world.override = None
    lied = world.access(consent, word=())
    [first, *_] = (found := replayed(world)).defects
    assert (first.place.index, first.place.field) == (at, "outcome")
    assert (first.expected, first.found) == (
        "consent_version 1; status REVOKED", "consent_version 7; status ACTIVE",
    )  # fmt: skip
    assert [row[1] for row in told(found)] == [at]
    assert lied > at
    world.override = lambda given: given.update(reasons=[], asserted=["RATE_LIMITED"])
    again = world.access(consent)
    second = replayed(world).defects[-1]
    assert (second.place.index, second.expected, second.found) == (again, "reasons CONSENT_REVOKED", "reasons none")


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


def test_a_report_over_evidence_that_was_refused_is_not_checked() -> None:
    world, consent = begun()
    world.submit(
        world.payload(RECIPIENT, "access.request", **world.item(consent), more=1),
        world.decide(RECIPIENT, world.item(consent)),
    )
    world.tick(2 * HOUR)
    world.reconcile()
    assert replayed(world).unchecked[UNREAD] == 1


@pytest.mark.parametrize("subject", [True, False])
def test_what_may_rest_on_a_missing_entry_is_not_called_wrong(subject: bool) -> None:
    """An authorisation whose companion is withheld, and a companion whose authorisation is."""
    world, consent = begun()
    missing = 9 if subject else 8
    found = replayed(world, withheld=[missing])
    assert told(found) == []
    wanted = {"authorisations whose companion may be withheld": 1} if subject else {}
    assert found.unchecked == {"evidence withheld": 1, **wanted}
    lost = replayed(world, lost=[missing])
    assert told(lost) == []
    assert lost.unchecked == wanted
    assert consent


def test_each_authorisation_is_followed_by_its_own_companion() -> None:
    world = World(5).open()
    consent = world.request(authorisers_required=2)
    companion, world.companion = world.companion, lambda *_, **__: -1  # type: ignore[method-assign]
    first, second = world.authorise(consent), world.authorise(consent)
    assert told(replayed(world)) == [(Code.INCOMPLETE, first, None), (Code.INCOMPLETE, second, None)]
    assert replayed(world, lost=[first - 1]).unchecked["authorisations whose companion may be withheld"] == 2
    companion(consent)
    assert told(replayed(world)) == [(Code.INCOMPLETE, second, None)]
    companion(consent)
    found = replayed(world)
    assert (told(found), found.checked["companions of authorisations"]) == ([], 2)
    third = companion(consent)
    assert told(replayed(world)) == [(BAD, third, "consent_id")]
    assert told(replayed(world, lost=[6])) == []  # an entry that could not be read may have been its authorisation
    stranger = companion(world.consent_id())
    assert told(replayed(world))[1:] == [(BAD, stranger, "consent_id")]


def test_a_companion_is_signed_by_whoever_signed_its_authorisation() -> None:
    world = World(5).open()
    world.delegate(HOLDER, ["consent.authorise", "subject.consent"])
    for iss, behalf in ((HOLDER, None), (PROVIDER, HOLDER)):
        consent = world.request()
        companion = world.companion
        world.companion = lambda *_, **__: -1  # type: ignore[method-assign]
        world.authorise(consent)
        world.companion = companion  # type: ignore[method-assign]
        at = world.companion(consent, iss=iss, behalf=behalf)
        assert told(replayed(world)) == ([] if behalf is None else [(BAD, at, "iss")])


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


# --- signers --------------------------------------------------------------------------------------------------


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


def asked(world: World, consent: str, signer: Signer, **changes: Any) -> int:
    """An access of the recipient, signed with any key."""
    payload = world.payload(RECIPIENT, "access.request", **world.item(consent), **changes)
    return world.submit(payload, world.decide(RECIPIENT, payload), jws=signer.sign(payload))


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


def test_what_was_lost_excuses_no_forgery_and_no_late_statement() -> None:
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
    empty.record("consent", consent, {"act": "consent.expire", "statements": [],
                                      "outcome": {"consent_version": 1, "ruleset": 2, "status": "EXPIRED"}})  # fmt: skip
    empty.record("consent", consent, {"act": "consent.expire", "statements": [],
                                      "outcome": {"consent_version": 1, "ruleset": 2, "status": "EXPIRED"}})  # fmt: skip
    found = replayed(empty)
    assert told(found) == [(BAD, 0, "kind")]
    assert found.unchecked == {OTHER_RULES: 2}


def test_under_a_ruleset_that_nobody_knows_nothing_is_judged() -> None:
    world, consent = begun()
    world.tick(2 * HOUR)
    world.reconcile()
    world.activate(3)
    world.access(consent, OTHER)
    world.tick(2 * HOUR)
    world.reconcile()
    found = replayed(world)
    assert told(found) == []
    assert found.unchecked == {OTHER_RULES: 1, UNREAD: 1}
    assert found.checked["reconciliation reports"] == 1


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


@pytest.mark.parametrize(("early", "fine"), [(0, True), (-1, False), (1, False)])
def test_a_report_ends_with_the_last_entry_that_was_an_hour_old(early: int, fine: bool) -> None:
    world, consent = begun()
    world.access(consent)
    world.tick(1)
    last = world.access(consent)
    world.tick(1)
    world.access(consent)
    world.tick(HOUR - 1)
    world.reconcile()
    if early == 0:
        assert told(replayed(world)) == []
        assert told(replayed(world, times=lambda index: None if index == last else 0)) == []
        assert told(replayed(world, times=lambda index: None if index == last + 1 else 0)) == []
    for before, after, right in ((0, 0, False), (0, 1, True), (-1, 1, True), (1, 2, False), (-1, 0, False)):
        hour = world.time - HOUR
        shown = {last: hour + before, last + 1: hour + after}
        found = told(replayed(world, times=lambda index, shown=shown: shown.get(index)))  # type: ignore[misc]
        assert (found == []) is right, (before, after)
    unread = replayed(world, times=lambda _: None)
    assert unread.unchecked == {"ranges of reconciliation reports whose entries could not be read": 1}
    assert fine is (early == 0)


# --- legs -----------------------------------------------------------------------------------------------------


def test_legs_are_signed_by_the_parties_of_the_consent() -> None:
    world, consent = begun()
    world.register("second.example", ["holder"])
    basis = world.access(consent, interaction_id="interaction-1")
    legs = {}
    for act, right, wrong in (
        ("access.release", HOLDER, "second.example"), ("access.receive", RECIPIENT, OTHER),
    ):  # fmt: skip
        for iss in (right, wrong):
            members = {"consent_id": consent, "interaction_id": "interaction-1", "basis": basis, "rows": 1, "bytes": 1,
                       "digest": b64u(bytes(32))}  # fmt: skip
            legs[iss] = world.submit(world.payload(iss, act, **members), None)
    found = told(replayed(world))
    assert [row for row in found if row[0] is BAD] == [(BAD, legs["second.example"], "iss"), (BAD, legs[OTHER], "iss")]
    assert [row[1] for row in found if row[0] is Code.UNMATCHED] == [legs["second.example"], legs[OTHER]]


# --- passkeys -------------------------------------------------------------------------------------------------


def trust_of(world: World, **more: Any) -> str:
    import json

    return json.dumps({"v": 1, "version": 1, "expires": 2**52, "policy": world.policy(), "keys": [], "rp_ids": [],
                       "origins": [], **more})  # fmt: skip


def test_a_passkey_is_the_customers_in_whose_chain_the_companion_stands() -> None:
    world = Signing()
    at = world.signed_consent()
    found = replayed(world)
    assert (told(found), found.checked["passkey confirmations"]) == ([], 1)
    assert found.unchecked == {"places of passkey confirmations (your policy names none)": 1}
    named = replayed(world, trust=trust_of(world, origins=["https://bank.example"]))
    assert (told(named), named.unchecked) == ([], {})
    companion = world.companion
    world.companion = lambda consent_id, **_: companion(consent_id, "t" * 22)  # type: ignore[method-assign]
    second = world.signed_consent()
    assert told(replayed(world)) == [(BAD, second + 1, "chain")]
    assert at < second


def test_one_gesture_of_a_customer_is_one_approval() -> None:
    world = Signing()
    consent, accounts = world.request(authorisers_required=2), [world.reference()]
    record = world.passkey.agree(consent, world.consents[consent]["terms"], accounts)

    def beside(_: int, evidence: Json) -> None:
        if evidence["act"] == "consent.authorise":
            evidence["assertion"] = record

    world.bend_evidence = beside
    world.authorise(consent, accounts)
    assert told(replayed(world)) == []
    second = world.authorise(consent, accounts)
    assert told(replayed(world)) == [(BAD, second, "assertion")]


def test_a_passkey_signs_authorisations_only() -> None:
    world = Signing()
    consent = world.grant()
    world.bend_evidence = lambda _, evidence: evidence.update(assertion={})
    at = world.revoke(consent)
    assert told(replayed(world)) == [(BAD, at, "act")]


def test_a_passkey_whose_enrolment_may_be_withheld_is_not_called_unknown() -> None:
    world = Signing()
    enrolment = len(world.entries) - 1
    world.signed_consent()
    found = replayed(world, withheld=[enrolment])
    assert told(found) == []
    assert found.unchecked == {
        "evidence withheld": 1, "passkey confirmations whose enrolment may be withheld": 1,
    }  # fmt: skip
    assert found.checked["passkey confirmations"] == 0
    # One that is enrolled is judged all the same.
    other = Signing()
    other.companion(other.request(), "t" * 22)
    withheld = len(other.entries) - 1
    other.signed_consent(lambda *about: other.passkey.agree(*about, flags=0x01))  # type: ignore[arg-type]
    assert [row[0] for row in told(replayed(other, withheld=[withheld]))] == [BAD]


def test_a_passkey_is_removed_from_the_customer_who_has_it() -> None:
    world = Signing()
    enrolment = len(world.entries) - 1
    world.enrol(world.passkey, "subject.unenrol")
    again = len(world.entries)
    world.enrol(world.passkey, "subject.unenrol")
    assert told(replayed(world)) == [(BAD, again, "credential_id")]
    for missing in ({"withheld": [enrolment]}, {"lost": [enrolment]}):
        assert told(replayed(world, **missing)) == []
    assert SUBJECT
