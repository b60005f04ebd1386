"""What an entry of a consent is worth: decisions, claims that are taken over, legs. A lie is told once, and all that rests
on it is judged on its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.verifier.forge import (
    DAY,
    HOLDER,
    OTHER,
    RECIPIENT,
    Json,
    World,
    b64u,
)
from tests.verifier.replaying import BAD, begun, replayed, told
from verifier.errors import Code
from verifier.rules.judging import UNKNOWN_STATE


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
    assert found.reasons == {
        "PURPOSE_MISMATCH": 2,
        "PERMISSION_MISSING": 1,
        "RATE_LIMITED": 1,
        "RISK_BLOCKED": 1,
        "TOKEN_EXPIRED": 2,
        "HOLDER_UNAVAILABLE": 1,
    }
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
    state |= {
        "terms": payload["terms"],
        "status": "AWAITING",
        "basis": len(world.entries),
        "withdrawn": set(),
        "given": {"approvals": {}, "joint": set(), "separate": set()},
        "used": {},
    }
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
    [
        count_of_the_day,
        stranger_ends_it,
        requested_again,
        for_other_terms,
        for_other_terms_to_come,
        superfluous_while_others_wait,
        for_a_version_that_nobody_asked_for,
    ],
)
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
        "consent_version 1; status REVOKED",
        "consent_version 7; status ACTIVE",
    )
    assert [row[1] for row in told(found)] == [at]
    assert lied > at
    world.override = lambda given: given.update(reasons=[], asserted=["RATE_LIMITED"])
    again = world.access(consent)
    second = replayed(world).defects[-1]
    assert (second.place.index, second.expected, second.found) == (again, "reasons CONSENT_REVOKED", "reasons none")


# --- legs -----------------------------------------------------------------------------------------------------


def test_legs_are_signed_by_the_parties_of_the_consent() -> None:
    world, consent = begun()
    world.register("second.example", ["holder"])
    basis = world.access(consent, interaction_id="interaction-1")
    legs = {}
    for act, right, wrong in (
        ("access.release", HOLDER, "second.example"),
        ("access.receive", RECIPIENT, OTHER),
    ):
        for iss in (right, wrong):
            members = {
                "consent_id": consent,
                "interaction_id": "interaction-1",
                "basis": basis,
                "rows": 1,
                "bytes": 1,
                "digest": b64u(bytes(32)),
            }
            legs[iss] = world.submit(world.payload(iss, act, **members), None)
    found = told(replayed(world))
    assert [row for row in found if row[0] is BAD] == [(BAD, legs["second.example"], "iss"), (BAD, legs[OTHER], "iss")]
    assert [row[1] for row in found if row[0] is Code.UNMATCHED] == [legs["second.example"], legs[OTHER]]
