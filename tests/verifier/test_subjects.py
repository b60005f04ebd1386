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
from tests.verifier.gestures import Passkey, Signing
from tests.verifier.replaying import BAD, begun, replayed, told
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


def test_an_unreadable_entry_may_be_the_companion_of_the_authorisation_right_before_it_alone() -> None:
    world = World(5).open()
    consent = world.request(authorisers_required=2)
    companion, world.companion = world.companion, lambda *_, **__: -1  # type: ignore[method-assign]
    first = world.authorise(consent)
    world.access(consent)
    world.authorise(consent)
    companion(consent)
    for missing in ({"withheld": [len(world.entries) - 1]}, {"lost": [len(world.entries) - 1]}):
        found = replayed(world, **missing)
        assert told(found) == [(Code.INCOMPLETE, first, None)]
        assert found.unchecked["authorisations whose companion may be withheld"] == 1


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


def test_a_companion_that_cannot_be_read_still_stands_in_a_customers_chain() -> None:
    world = Signing()
    companion = world.companion
    world.companion = lambda consent_id, **_: companion(consent_id, "t" * 22)  # type: ignore[method-assign]
    at = world.signed_consent()
    assert told(replayed(world, withheld=[at + 1])) == [(BAD, at + 1, "chain")]
    assert told(replayed(world, lost=[at + 1])) == []  # nobody knows whose it is


def test_a_passkey_of_nobody_known_is_in_doubt_only_where_its_enrolment_or_its_customer_may_be_hidden() -> None:
    doubt = "passkey confirmations whose enrolment may be withheld"
    hidden = Signing()
    enrolment = len(hidden.entries) - 1
    at = hidden.signed_consent()
    found = replayed(hidden, withheld=[enrolment], lost=[at + 1])  # the customer's chain may be another
    assert (told(found), found.unchecked[doubt]) == ([], 1)
    nowhere = Signing()
    nowhere.companion = lambda *_, **__: -1  # type: ignore[method-assign]
    at = nowhere.signed_consent()
    found = replayed(nowhere, withheld=[len(Signing().entries) - 1])
    assert (told(found), found.unchecked[doubt]) == ([(Code.INCOMPLETE, at, None)], 1)
    known = Signing()  # another customer's entry is hidden, and this one's chain is whole
    known.companion(known.request(), "t" * 22)
    other = len(known.entries) - 1
    at = known.signed_consent(Passkey("a stranger's").agree)
    assert (BAD, at, "assertion.credential_id") in told(replayed(known, withheld=[other]))
    lone = Signing()
    lone.companion = lambda *_, **__: -1  # type: ignore[method-assign]
    at = lone.signed_consent(Passkey("a stranger's").agree)
    assert told(replayed(lone)) == [(BAD, at, "assertion.credential_id"), (Code.INCOMPLETE, at, None)]


def test_a_passkey_is_removed_from_the_customer_who_has_it() -> None:
    world = Signing()
    enrolment = len(world.entries) - 1
    world.enrol(world.passkey, "subject.unenrol")
    again = len(world.entries)
    world.enrol(world.passkey, "subject.unenrol")
    assert told(replayed(world)) == [(BAD, again, "credential_id")]
    for missing in ({"withheld": [enrolment]}, {"lost": [enrolment]}):
        found = replayed(world, **missing)
        assert told(found) == []
        assert found.unchecked["passkeys ended whose enrolment may be withheld"] == 2


def test_a_passkey_may_have_been_ended_in_an_entry_of_its_customer_that_cannot_be_read() -> None:
    world = Signing()
    world.enrol(Passkey("another"))
    hidden = len(world.entries) - 1
    world.signed_consent()
    doubt = "passkeys that may have been ended in an entry that could not be read"
    assert replayed(world).unchecked[doubt] == 0
    found = replayed(world, withheld=[hidden])
    assert (told(found), found.unchecked[doubt]) == ([], 1)
