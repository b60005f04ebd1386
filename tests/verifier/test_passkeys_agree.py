"""Ledger and verifier, written apart, decide alike on every byte of a passkey's record: what one takes and the other refuses
would be in the log for ever, and every audit after it would be refuted."""

from __future__ import annotations

import json
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.entries.assertion import cose_verifier
from ledger.errors import LedgerError
from tests.verifier.forge import b64u, sha
from tests.verifier.passkey_records import (
    COSE_EC,
    COSE_ED,
    EC,
    ED,
    RP,
    SIGNED,
    Gesture,
    decided,
    ledger_accepts,
    told,
    verifier_accepts,
)
from verifier.crypto.keys import parse_cose_key
from verifier.errors import Refuted

CLIENT: Final = json.dumps(told()).encode()


@pytest.mark.parametrize("cose", [COSE_EC, COSE_ED])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\xa0", bytes(800)])
def test_ledger_and_verifier_decide_alike_on_every_flag(cose: bytes, tail: bytes) -> None:
    accepted = [flags for flags in range(256) if decided(Gesture(CLIENT, flags=flags, tail=tail, cose=cose))]
    assert len(accepted) == (0 if tail else 12)


def test_ledger_and_verifier_decide_alike_on_authenticator_data_of_any_length() -> None:
    whole = Gesture(CLIENT).record()
    for length in (0, 1, 32, 36, 37, 38, 768, 769, 1_024, 1_025):
        data = (sha(RP.encode()) + b"\x05").ljust(length, b"\0")[:length]
        signature = EC.sign(data + sha(CLIENT), ec.ECDSA(SHA256()))
        record = whole | {"authenticator_data": b64u(data), "signature": b64u(signature)}
        assert (ledger_accepts(record, COSE_EC), verifier_accepts(record, COSE_EC)) == ((length == 37),) * 2


def _spellings() -> list[bytes]:
    """COSE keys: the two of CTAP2, and every way of writing them otherwise that a CBOR library may let pass."""
    x, y, ed = COSE_EC[10:42], COSE_EC[45:], COSE_ED[10:]
    made = [COSE_EC, COSE_ED, COSE_EC + b"\0", COSE_ED[:-1], b"", b"\xa0", b"\xbf" + COSE_EC[1:] + b"\xff"]
    made += [
        COSE_EC[:at] + bytes([byte]) + COSE_EC[at + 1 :]
        for at in (*range(10), 42, 43, 44)
        for byte in (0, 1, 0x18, 0x58, 0xF5, 0xF9, 0xFF)
    ]
    made += [
        COSE_ED[:at] + bytes([byte]) + COSE_ED[at + 1 :]
        for at in range(10)
        for byte in (0, 1, 0x18, 0x58, 0xF5, 0xF9, 0xFF)
    ]
    made += [
        b"\xa5\x03\x26\x01\x02\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y,  # another order
        b"\xa5\x01\x02\x03\x26\x20\x01\x22\x58\x20" + y + b"\x21\x58\x20" + x,
        b"\xa5\x18\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y,  # long lengths
        b"\xa5\x01\x02\x03\x26\x20\x01\x21\x59\x00\x20" + x + b"\x22\x58\x20" + y,
        b"\xa6\x01\x02\x02\x40\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y,  # one member more
        b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\xf5",  # compressed
        b"\xa4\x01\xf5\x03\x27\x20\x06\x21\x58\x20" + ed,  # true for 1
        b"\xa4\x01\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00\x03\x27\x20\x06\x21\x58\x20" + ed,  # 1.0 for 1
        b"\xd8\x2a" + COSE_ED,  # a tag
        COSE_EC[:45] + bytes(32),  # not on the curve
        COSE_EC[:10] + b"\xff" * 32 + COSE_EC[42:],
        COSE_ED[:10] + bytes(32),  # small order
        COSE_ED[:10] + b"\x01" + bytes(31),
        COSE_ED[:10] + b"\xff" * 32,
    ]
    return made


def test_ledger_and_verifier_take_a_passkeys_public_key_in_one_spelling() -> None:
    accepted = []
    for cose in _spellings():
        try:
            cose_verifier(cose)
            ledger = True
        except LedgerError:
            ledger = False
        try:
            parse_cose_key(cose)
            verifier = True
        except Refuted:
            verifier = False
        assert ledger == verifier, (ledger, verifier, cose.hex())
        accepted += [cose] if ledger else []
    assert set(accepted) == {COSE_EC, COSE_ED}


def test_ledger_and_verifier_decide_alike_on_every_spelling_of_a_signature() -> None:
    record = Gesture(CLIENT).record()
    message = sha(RP.encode()) + b"\x05" + bytes(4) + sha(CLIENT)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    good = EC.sign(message, ec.ECDSA(SHA256()))
    made = [
        good,
        good + b"\0",
        good[:-1],
        b"",
        b"\x30\x81" + good[1:],
        bytes(64),
        ED.sign(message),
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
    ]
    made += [encode_dss_signature(r, s) for r in (0, 1, order, 2**256 - 1) for s in (0, 1, order)]
    made += [good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :] for at in range(len(good)) for bit in (1, 0x80)]
    for signature in made:
        record["signature"] = b64u(signature)
        assert ledger_accepts(record, COSE_EC) == verifier_accepts(record, COSE_EC), signature.hex()


@pytest.mark.parametrize("name", ["locale", "text_hash", "terms_hash", "accounts_hash", "consent_id", "act"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "en",
        "en-GB",
        "e",
        "en_GB",
        "zh-Hans-CN",
        "a" * 36,
        "en-" * 12 + "x",
        "\u00e9\u00e9",
        b64u(bytes(32)),
        1,
        None,
        True,
        [],
        {},
    ],
)
def test_ledger_and_verifier_decide_alike_on_what_was_signed(name: str, value: object) -> None:
    signed = SIGNED | {name: value}
    decided(Gesture(json.dumps(told(signed)).encode(), signed=signed))


@pytest.mark.parametrize(
    "rp_id",
    [
        "bank.example",
        "BANK.example",
        "a..example",
        "-",
        "a",
        "a" * 253,
        "a" * 254,
        "b\u00fccher",
        "a b",
        "a\x85",
        ".a",
        "a.",
        "a_b.example",
        "",
    ],
)
def test_ledger_and_verifier_decide_alike_on_every_relying_party(rp_id: str) -> None:
    origin = f"https://{rp_id}"
    decided(Gesture(json.dumps(told(origin=origin)).encode(), origin, rp_id, rp_hash_of=rp_id))
