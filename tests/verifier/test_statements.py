"""Statements have one form, and a passkey's assertion is checked to the last byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.assertions import COSE_ED, EC, ED, ORIGIN, RP, SHA, SIGNED, assertion
from tests.verifier.making import BACKEND, accepts, refusal
from verifier.bytes.encoding import Object, encode_base64url, encode_canonical
from verifier.crypto.backend import Backend, select
from verifier.crypto.keys import Ed25519Key, P256Key, PublicKey, RsaKey
from verifier.crypto.p256 import raw_from_der
from verifier.errors import Code, Refuted
from verifier.records import passkey
from verifier.records.disclosure import read_payload
from verifier.records.statement import parse_envelope, verify_envelope

LOG = "ledger.example/test"
RSA = rsa.generate_private_key(65537, 2048)
KEYS: dict[str, PublicKey] = {
    "EdDSA": Ed25519Key(ED.public_key().public_bytes_raw()),
    "ES256": P256Key(EC.public_key().public_numbers().x, EC.public_key().public_numbers().y),
    "PS256": RsaKey(RSA.public_key().public_numbers().n, 65537),
}
SIGN: dict[str, Callable[[bytes], bytes]] = {
    "EdDSA": ED.sign,
    "ES256": lambda message: raw_from_der(EC.sign(message, ec.ECDSA(SHA))),
    "PS256": lambda message: RSA.sign(message, padding.PSS(padding.MGF1(SHA), 32), SHA),
}
PAYLOAD: dict[str, Any] = {
    "act": "consent.revoke",
    "aud": LOG,
    "by": "customer",
    "consent_id": "0b7c1a3e-5f62-4d7f-9c1e-2a8f4f0d6b11",
    "iat": 1_767_225_600,
    "iss": "bank-a",
    "jti": encode_base64url(b"j" * 16),
    "reason": "customers",
    "v": 1,
}


def header(alg: str, **other: Any) -> bytes:
    return encode_canonical({"alg": alg, "kid": "key-1", "typ": "consent-statement+jwt", **other})


def jws(alg: str = "EdDSA", head: bytes | None = None, payload: bytes | None = None, signer: str | None = None) -> str:
    parts = [header(alg) if head is None else head, encode_canonical(PAYLOAD) if payload is None else payload]
    signed = ".".join(map(encode_base64url, parts))
    return f"{signed}.{encode_base64url(SIGN[signer or alg](signed.encode()))}"


def check(text: str | bytes, alg: str = "EdDSA") -> Object:
    return verified(text, alg, BACKEND)


def verified(text: str | bytes, alg: str, backend: Backend) -> Object:
    envelope = parse_envelope(text)
    verify_envelope(envelope, KEYS[alg], backend)
    return read_payload(envelope.payload, LOG)


@pytest.mark.parametrize("alg", ["EdDSA", "ES256", "PS256"])
def test_a_statement_verifies_under_its_registered_key_and_no_other(alg: str) -> None:
    for backend in (BACKEND, select("pure")):
        assert verified(jws(alg), alg, backend) == PAYLOAD
    for other in KEYS.keys() - {alg}:
        with refusal(Code.BAD_SIGNATURE):  # S06: the algorithm registered for the key decides
            check(jws(alg), other)
        with refusal(Code.BAD_SIGNATURE):
            check(jws(alg, signer=other), alg)


@pytest.mark.parametrize(
    ("case", "head"),
    [
        ("S01", header("none")),
        ("S02", header("HS256")),
        ("S03 jwk", header("EdDSA", jwk={"kty": "OKP"})),
        ("S03 jku", header("EdDSA", jku="https://x.example")),
        ("S03 x5u", header("EdDSA", x5u="https://x.example")),
        ("S04 crit", header("EdDSA", crit=["b64"], b64=False)),
        ("S11", header("EdDSA", typ="JWT")),
        ("no kid", encode_canonical({"alg": "EdDSA", "typ": "consent-statement+jwt"})),
        ("kid", header("EdDSA", kid="a/b")),
        ("kid type", header("EdDSA", kid=1)),
        ("alias", header("Ed25519")),
    ],
)
def test_headers_other_than_ours_are_bad_signatures_before_any_key_is_looked_up(case: str, head: bytes) -> None:
    with refusal(Code.BAD_SIGNATURE):
        check(jws(head=head))
    with refusal(Code.BAD_SIGNATURE):
        parse_envelope(jws(head=head))


@pytest.mark.parametrize(
    "head",
    [
        header("EdDSA").replace(b'{"alg":', b'{"alg":"none","alg":'),
        header("EdDSA").replace(b",", b", "),
        b'{"kid":"key-1","alg":"EdDSA","typ":"consent-statement+jwt"}',
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_headers_in_another_spelling_are_bad_encoding(head: bytes) -> None:
    with refusal(Code.BAD_ENCODING):
        check(jws(head=head))


def test_e06_e09_sizes_and_base64_are_exact() -> None:
    good = jws()
    for bad in (
        good + "=",
        good + "\n",
        " " + good,
        good + ".x",
        good.replace(".", "..", 1),
        good[: good.rindex(".")],
        good.replace(".", ".A", 1),
        "é" + good,
        "x" * 16_385,
        "." * 3,
        "",
    ):
        with refusal(Code.BAD_ENCODING):
            check(bad)
    filler = encode_canonical({**PAYLOAD, "x": "y" * 13_000})
    with refusal(Code.BAD_ENCODING):
        check(jws(payload=filler))


@given(st.integers(0, 10_000), st.sampled_from("ABab01-_.=\n é"))
def test_s07_one_changed_character_is_refused(where: int, to: str) -> None:
    good = jws()
    at = where % len(good)
    changed = good[:at] + to + good[at + 1 :]
    assert accepts(lambda: check(changed)) is (changed == good)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "ledger.example/other"}, Code.BAD_SIGNATURE),
        ({"v": 2}, Code.BAD_ENCODING),
        ({"v": True}, Code.BAD_ENCODING),
        ({"jti": encode_base64url(b"j" * 15)}, Code.BAD_ENCODING),
        ({"jti": "?"}, Code.BAD_ENCODING),
        ({"iss": "Bank A"}, Code.BAD_ENCODING),
        ({"iat": -1}, Code.BAD_ENCODING),
        ({"iat": "1"}, Code.BAD_ENCODING),
        ({"act": ""}, Code.BAD_ENCODING),
    ],
)
def test_s10_common_members_are_checked(change: dict[str, Any], code: Code) -> None:
    with refusal(code):
        check(jws(payload=encode_canonical({**PAYLOAD, **change})))


def test_the_payload_is_not_read_before_the_signature_verified() -> None:
    with refusal(Code.BAD_SIGNATURE):
        check(jws(payload=b"not json at all", signer="EdDSA")[:-4] + "AAAA")
    with refusal(Code.BAD_ENCODING):
        check(jws(payload=b"not json at all"))


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_junk_is_refused_as_a_statement(junk: bytes | str) -> None:
    assert not accepts(lambda: parse_envelope(junk))


# --- passkeys -------------------------------------------------------------------------------------------------


def verify(made: passkey.Assertion) -> None:
    passkey.verify_assertion(made, {RP}, {ORIGIN}, BACKEND)


@pytest.mark.parametrize(
    "made",
    [
        assertion(),
        assertion(key=COSE_ED),
        assertion(flags=0x1D),
        assertion(flags=0x0D),
        assertion(client={"other_keys_can_be_added_here": "do not compare"}),
        assertion(client={"added": [1.5, 2**60, 1e308, -0.0, {"deep": None}]}),
    ],
)
def test_a_verified_gesture_over_these_terms_is_accepted(made: passkey.Assertion) -> None:
    verify(made)
    assert made.counter == 7
    record = {
        "authenticator_data": encode_base64url(made.authenticator_data),
        "client_data": encode_base64url(made.client_data),
        "credential_id": encode_base64url(made.credential_id),
        "nonce": encode_base64url(made.nonce),
        "origin": ORIGIN,
        "public_key": encode_base64url(made.public_key),
        "rp_id": RP,
        "signature": encode_base64url(made.signature),
        "signed": SIGNED,
    }
    assert passkey.parse_assertion(record) == made  # type: ignore[arg-type]
    with refusal(Code.BAD_ENCODING):
        passkey.parse_assertion({**record, "more": 1})  # type: ignore[arg-type]


DOUBLED = assertion().client_data.replace(b'{"type"', b'{"origin": "https://evil.example", "type"')


@pytest.mark.parametrize(
    ("case", "made"),
    [
        ("W01 no UV", assertion(flags=0x01)),
        ("no UP", assertion(flags=0x04)),
        ("BS without BE", assertion(flags=0x15)),
        ("AT", assertion(flags=0x45)),
        ("W02 rpId", assertion(rp="evil.example")),
        ("W02 origin", assertion(client={"origin": "https://evil.example"})),
        ("W02 http", assertion(client={"origin": "http://bank.example"})),
        ("W03 other terms", replace(assertion(), signed={**SIGNED, "terms_hash": "u"})),
        ("other nonce", replace(assertion(), nonce=b"m" * 32)),
        ("padded challenge", assertion(client={"challenge": encode_base64url(assertion().challenge) + "="})),
        ("W05 create", assertion(client={"type": "webauthn.create"})),
        ("W06 duplicate", assertion(client=DOUBLED)),
        ("crossOrigin", assertion(client={"crossOrigin": True})),
        ("crossOrigin text", assertion(client={"crossOrigin": "no"})),
        ("topOrigin", assertion(client={"topOrigin": ORIGIN})),
        ("tail", assertion(tail=b"\0")),
        ("ED", assertion(flags=0x85, tail=b"\xa0")),
        ("ED without", assertion(flags=0x85)),
        ("not json", assertion(client=b"{")),
        ("a path", replace(assertion(client={"origin": ORIGIN + "/"}), origin=ORIGIN + "/")),
        ("a port of its own", replace(assertion(client={"origin": ORIGIN + ":443"}), origin=ORIGIN + ":443")),
        ("short", replace(assertion(), authenticator_data=b"x" * 36)),
        ("other key", replace(assertion(), public_key=COSE_ED)),
        ("raw", replace(assertion(), signature=b"s" * 64)),
        ("rp not allowed", replace(assertion(), rp_id="evil.example")),
        ("origin not allowed", replace(assertion(), origin="https://evil.example")),
    ],
)
def test_any_other_gesture_does_not_show_the_customers_consent(case: str, made: passkey.Assertion) -> None:
    with refusal(Code.CONSENT_INVALID):
        verify(made)


@pytest.mark.parametrize("flags", range(256))
def test_flags_say_present_and_verified_and_nothing_that_is_not_there(flags: int) -> None:
    """UP and UV set; BS only with BE; AT and ED clear; the two reserved bits may be anything."""
    good = flags & 0x05 == 0x05 and flags & 0x18 != 0x10 and not flags & 0xC0
    assert accepts(verify, assertion(flags=flags)) is good


def test_the_place_of_a_gesture_is_one_that_is_allowed() -> None:
    for rp_ids, origins in (({"other.example"}, {ORIGIN}), ({RP}, {"https://other.example"}), (set[str](), {ORIGIN})):
        with pytest.raises(Refuted, match="is not allowed"):
            passkey.verify_assertion(assertion(), rp_ids, origins, BACKEND)


def test_a_browser_that_says_nothing_of_other_sites_is_believed() -> None:
    told = json.loads(assertion().client_data)
    del told["crossOrigin"]
    verify(assertion(client=json.dumps(told).encode()))


def test_the_counter_is_the_last_four_bytes_of_the_authenticators_data() -> None:
    made = replace(assertion(), authenticator_data=b"\xff" * 33 + bytes.fromhex("01020304") + b"\xff")
    assert made.counter == 0x01020304


def record(**changes: Any) -> dict[str, Any]:
    made = assertion()
    names = ("authenticator_data", "client_data", "credential_id", "nonce", "public_key", "signature")
    members = {name: encode_base64url(getattr(made, name)) for name in names}
    return {**members, "origin": ORIGIN, "rp_id": RP, "signed": SIGNED, **changes}


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("credential_id", 16, 1_023),
        ("public_key", 1, 1_024),
        ("client_data", 1, 3_072),
        ("authenticator_data", 37, 1_024),
        ("signature", 8, 72),
        ("nonce", 32, 32),
        ("rp_id", 1, 253),
        ("origin", 1, 255),
    ],
)
def test_the_members_of_an_assertion_are_bounded(name: str, least: int, most: int) -> None:
    for length in (least - 1, least, most, most + 1):
        value = "x" * length if name in ("rp_id", "origin") else encode_base64url(b"x" * length)
        assert accepts(passkey.parse_assertion, record(**{name: value})) is (least <= length <= most)
    with refusal(Code.BAD_ENCODING):
        passkey.parse_assertion(record(signed={**SIGNED, "more": 1}))


def test_client_data_have_at_most_3_072_bytes() -> None:
    told = assertion().client_data
    verify(assertion(client=told.ljust(3_072)))
    with refusal(Code.CONSENT_INVALID):
        verify(assertion(client=told.ljust(3_073)))


# --- bounds of the common members -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aud": "x" * 255}, Code.BAD_SIGNATURE),
        ({"aud": "x" * 256}, Code.BAD_SIGNATURE),  # no longer a name of any log, and so of another
        ({"aud": ""}, Code.BAD_SIGNATURE),
        ({"act": "a." + "b" * 62}, Code.BAD_ENCODING),  # none of the acts
        ({"act": "consent"}, Code.BAD_ENCODING),
        ({"iss": "b" * 63}, None),
        ({"iss": "b" * 64}, Code.BAD_ENCODING),
        ({"iss": "bb"}, None),
        ({"iss": "b"}, Code.BAD_ENCODING),
        ({"iat": 0}, None),
        ({"iat": 2**53}, Code.BAD_ENCODING),
        ({"v": 0}, Code.BAD_ENCODING),
        ({"jti": encode_base64url(b"j" * 17)}, Code.BAD_ENCODING),
    ],
)
def test_the_common_members_are_bounded(change: dict[str, Any], code: Code | None) -> None:
    text = jws(payload=encode_canonical({**PAYLOAD, **change}))
    if code is None:
        check(text)
    else:
        with refusal(code):
            check(text)
