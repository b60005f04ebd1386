"""What stands in a customer's chain: companions of authorisations, passkeys, and what may be missing of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.verifier.forge import (
    HOLDER,
    PROVIDER,
    Json,
    World,
)
from tests.verifier.replaying import BAD, begun, replayed, told
from tests.verifier.test_gestures import Passkey, Signing
from verifier.errors import Code


@pytest.mark.parametrize("subject", [True, False])
def test_an_entry_that_may_rest_on_a_missing_one_is_not_called_wrong(subject: bool) -> None:
    """An authorisation whose companion is withheld, and a companion whose authorisation is."""
    world, consent = begun()
    missing = 9 if subject else 8
    found = replayed(world, withheld=[missing])
    assert told(found) == []
    whose = "authorisations whose companion" if subject else "companions whose authorisation"
    wanted = {f"{whose} may be withheld": 1}
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
    elsewhere = replayed(world, lost=[first - 1])  # what is lost elsewhere was not a companion of theirs
    assert [row[:2] for row in told(elsewhere) if row[0] is Code.INCOMPLETE] == [
        (Code.INCOMPLETE, first),
        (Code.INCOMPLETE, second),
    ]
    companion(consent)
    assert told(replayed(world)) == [(Code.INCOMPLETE, second, None)]
    companion(consent)
    found = replayed(world)
    assert (told(found), found.checked["companions of authorisations"]) == ([], 2)
    third = companion(consent)
    assert told(replayed(world)) == [(BAD, third, "consent_id")]
    assert told(replayed(world, lost=[6]))[-1] == (BAD, third, "consent_id")  # that was not an authorisation of it
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


# --- passkeys -------------------------------------------------------------------------------------------------


def trust_of(world: World, **more: Any) -> str:
    return json.dumps(
        {
            "v": 1,
            "version": 1,
            "expires": 2**52,
            "policy": world.policy(),
            "keys": [],
            "rp_ids": [],
            "origins": [],
            **more,
        }
    )


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
        "evidence withheld": 1,
        "passkey confirmations whose enrolment may be withheld": 1,
    }
    assert found.checked["passkey confirmations"] == 0
    stranger = Signing()
    at = stranger.signed_consent(Passkey("a stranger's").agree)
    assert told(replayed(stranger)) == [(BAD, at, "assertion.credential_id")]
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
