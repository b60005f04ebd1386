"""Passkeys in log order, one act after the other: what is enrolled, by whom, for which place, and what it may confirm."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.verifier.assertions import ORIGIN, RP, SIGNED, assertion
from tests.verifier.making import BACKEND, Signer, refusal
from verifier.bytes.encoding import encode_base64url
from verifier.errors import Code, Refuted
from verifier.records.commitment import accounts_hash
from verifier.records.passkey import Assertion
from verifier.rules.gestures import Gestures
from verifier.tlog.trust import parse_trust

HOLDER, CHAIN = "bank-a", b"chain-of-a-subject"
ACCOUNTS = ["account-1", "account-2"]
CONTENT: dict[str, Any] = {"consent_id": "c", "terms_hash": "t", "accounts": ACCOUNTS}
AGREED = {**SIGNED, "accounts_hash": encode_base64url(accounts_hash(ACCOUNTS))}


def gestures(**places: list[str]) -> Gestures:
    policy = f"log {Signer('ledger.example/test').vkey}\nquorum none\n"
    members = {"v": 1, "version": 1, "expires": 1, "policy": policy, "rp_ids": [], "origins": [], "keys": [], **places}
    return Gestures(parse_trust(json.dumps(members).encode()), BACKEND)


def content_of(made: Assertion, rp_id: str = RP) -> dict[str, Any]:
    return {
        "credential_id": encode_base64url(made.credential_id),
        "public_key": encode_base64url(made.public_key),
        "rp_id": rp_id,
    }


def record_of(made: Assertion) -> dict[str, Any]:
    names = ("authenticator_data", "client_data", "credential_id", "nonce", "signature")
    raw = {name: encode_base64url(getattr(made, name)) for name in names}
    return {**raw, "origin": made.origin, "rp_id": made.rp_id, "signed": made.signed}


def enrolled(made: Assertion, rp_id: str = RP, **places: list[str]) -> Gestures:
    found = gestures(**places)
    found.enrol(CHAIN, HOLDER, content_of(made, rp_id))
    return found


MADE = assertion(signed=AGREED)


def confirm(found: Gestures, made: Assertion = MADE, **changes: Any) -> Any:
    """The confirmation of the authorisation; `changes` are of the act, the holder or the content."""
    content = {**CONTENT, **{name: value for name, value in changes.items() if name in CONTENT}}
    act, holder = changes.get("act", "consent.authorise"), changes.get("holder", HOLDER)
    return found.confirm(record_of(made), act, holder, content)


@pytest.mark.parametrize(
    "places",
    [{}, {"rp_ids": [RP]}, {"origins": [ORIGIN]}, {"rp_ids": ["other.example", RP], "origins": [ORIGIN]}],
)
def test_an_enrolled_passkey_confirms_an_authorisation(places: dict[str, list[str]]) -> None:
    found, enrolment = confirm(enrolled(MADE, **places))
    assert (found, enrolment.chain, enrolment.holder, enrolment.rp_id) == (MADE, CHAIN.decode(), HOLDER, RP)


@pytest.mark.parametrize("places", [{"rp_ids": ["other.example"]}, {"origins": ["https://login.bank.example"]}])
def test_a_place_that_the_auditor_does_not_trust_is_refused(places: dict[str, list[str]]) -> None:
    with refusal(Code.CONSENT_INVALID):
        confirm(enrolled(MADE, **places))


@pytest.mark.parametrize("places", [{}, {"origins": [ORIGIN, "https://evil.example"]}])
def test_a_gesture_made_elsewhere_is_refused_whatever_the_auditor_trusts(places: dict[str, list[str]]) -> None:
    """The passkey's own signature over another site's page: who trusts no places in particular is not fooled by it."""
    made = assertion(signed=AGREED, client={"origin": "https://evil.example"})
    with pytest.raises(Refuted, match="does not belong to the passkey's place") as caught:
        confirm(enrolled(MADE, **places), replace(made, origin="https://evil.example"))
    assert (caught.value.defect.code, caught.value.defect.place.field) == (Code.CONSENT_INVALID, "assertion.origin")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"act": "consent.amend"}, "authorisations only"),
        ({"holder": "bank-b"}, "not enrolled by this holder"),
        ({"consent_id": "d"}, "confirmed something else"),
        ({"terms_hash": "u"}, "confirmed something else"),
        ({"accounts": ACCOUNTS[:1]}, "confirmed something else"),
        ({"accounts": []}, "list of the expected length"),
        ({"accounts": ["x"] * 101}, "list of the expected length"),
    ],
)
def test_an_agreement_other_than_the_customer_confirmed_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Refuted, match=told):
        confirm(enrolled(MADE), **changes)


def test_a_confirmation_covers_one_to_a_hundred_accounts() -> None:
    for count in (1, 100):
        accounts = [f"account-{number}" for number in range(count)]
        made = assertion(signed={**SIGNED, "accounts_hash": encode_base64url(accounts_hash(accounts))})
        confirm(enrolled(made), made, accounts=accounts)


def test_the_customer_signs_the_act_that_is_recorded() -> None:
    made = assertion(signed={**AGREED, "act": "consent.amend"})
    with pytest.raises(Refuted, match="confirmed something else"):
        confirm(enrolled(made), made)


def test_a_signature_over_other_terms_is_refused_though_the_record_says_these() -> None:
    other = assertion(signed={**AGREED, "text_hash": encode_base64url(b"y" * 32)})
    record = {**record_of(other), "signed": AGREED}
    with refusal(Code.CONSENT_INVALID):
        enrolled(MADE).confirm(record, "consent.authorise", HOLDER, CONTENT)


def test_authenticator_data_with_something_behind_them_are_refused() -> None:
    made = assertion(signed=AGREED, tail=b"\0")
    with pytest.raises(Refuted, match="wrong length"):
        confirm(enrolled(made), made)


def test_the_key_is_the_enrolments_and_never_the_records() -> None:
    record = {**record_of(MADE), "public_key": encode_base64url(MADE.public_key)}
    with pytest.raises(Refuted, match="the enrolment's"):
        enrolled(MADE).confirm(record, "consent.authorise", HOLDER, CONTENT)


def test_a_passkey_of_another_place_or_of_nobody_is_refused() -> None:
    with pytest.raises(Refuted, match="enrolled for another place"):
        confirm(enrolled(MADE, "other.example"))
    with pytest.raises(Refuted, match="not enrolled by this holder"):
        confirm(gestures())


def test_a_credential_is_enrolled_once_and_ended_in_its_own_chain() -> None:
    found = enrolled(MADE)
    with pytest.raises(Refuted, match="enrolled before"):
        found.enrol(CHAIN, HOLDER, content_of(MADE))
    with pytest.raises(Refuted, match="not enrolled for this subject"):
        found.unenrol(b"another-chain", content_of(MADE))
    confirm(found)
    found.unenrol(CHAIN, content_of(MADE))
    with pytest.raises(Refuted, match="not enrolled by this holder"):
        confirm(found)
    with pytest.raises(Refuted, match="not enrolled for this subject"):
        found.unenrol(CHAIN, content_of(MADE))
    with pytest.raises(Refuted, match="enrolled before"):
        found.enrol(CHAIN, HOLDER, content_of(MADE))
