"""Ledger and verifier, written apart, decide alike on every byte of a passkey's record: what one takes and the other refuses
would be in the log for ever, and every audit after it would be refuted."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any, Final, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.entries.acts import ConsentAuthorise
from ledger.entries.assertion import Credential, check_ceremony, check_credential, cose_verifier, parse_assertion
from ledger.entries.payload import Sca
from ledger.errors import LedgerError
from tests.verifier.forge import b64u, encode, sha
from tests.verifier.making import BACKEND, Signer
from verifier.bytes.encoding import MAX_EVIDENCE, decode_canonical
from verifier.crypto.keys import parse_cose_key
from verifier.errors import Refuted
from verifier.rules.gestures import Gestures
from verifier.tlog.trust import parse_trust

EC: Final = ec.derive_private_key(int.from_bytes(sha(b"passkey")) >> 2, ec.SECP256R1())
ED: Final = ed25519.Ed25519PrivateKey.from_private_bytes(sha(b"passkey"))
POINT: Final = EC.public_key().public_numbers()
COSE_EC: Final = bytes.fromhex("a5010203262001215820") + POINT.x.to_bytes(32) + b"\x22\x58\x20" + POINT.y.to_bytes(32)
COSE_ED: Final = bytes.fromhex("a4010103272006215820") + ED.public_key().public_bytes_raw()
RP, HERE = "bank.example", "https://bank.example"
CREDENTIAL, CHAIN, CONSENT = b64u(b"c" * 16), bytes(32), "7b0f4f7c-8b0a-4d6e-9d3a-2f1e5c7a9b11"
ACCOUNTS: Final = ("a" * 22, "b" * 22)
SIGNED: Final = {
    "accounts_hash": b64u(sha(b"consent-ledger/v1/accounts\0" + encode({"accounts": list(ACCOUNTS)}))),
    "act": "consent.authorise", "consent_id": CONSENT, "locale": "en-GB", "terms_hash": b64u(sha(b"terms")),
    "text_hash": b64u(sha(b"words")),
}  # fmt: skip
STATEMENT: Final = ConsentAuthorise(
    accounts=ACCOUNTS,
    act="consent.authorise",
    aud="ledger.example/1",
    authoriser="z" * 22,
    consent_id=CONSENT,
    iat=1_800_000_000,
    iss="bank-a",
    jti=b64u(bytes(16)),
    sca=Sca(acr="sca", amr=("otp",), at=1_800_000_000),
    subject="s" * 22,
    terms_hash=SIGNED["terms_hash"],
    v=1,
    version=1,
)
NONCE: Final = b"n" * 32
POLICY: Final = f"log {Signer('ledger.example/1').vkey}\nquorum none\n".encode()


class Gesture(NamedTuple):
    """What a browser and an authenticator could have said; each is signed by the customer's own key."""

    client: bytes
    origin: str = HERE
    rp_id: str = RP
    flags: int = 0x05
    tail: bytes = b""
    rp_hash_of: str = RP
    signed: dict[str, Any] = SIGNED
    cose: bytes = COSE_EC
    signature: bytes | None = None

    def record(self) -> dict[str, Any]:
        data = sha(self.rp_hash_of.encode()) + bytes([self.flags]) + bytes(4) + self.tail
        message = data + sha(self.client)
        made = ED.sign(message) if self.cose == COSE_ED else EC.sign(message, ec.ECDSA(SHA256()))
        return {
            "authenticator_data": b64u(data),
            "client_data": b64u(self.client),
            "credential_id": CREDENTIAL,
            "nonce": b64u(NONCE),
            "origin": self.origin,
            "rp_id": self.rp_id,
            "signature": b64u(made if self.signature is None else self.signature),
            "signed": self.signed,
        }


def ledger_accepts(record: dict[str, Any], cose: bytes, rp_id: str = RP) -> bool:
    """Whether the ledger would record the authorisation with this record beside it."""
    credential = Credential(credential_id=CREDENTIAL, subject_chain=CHAIN, public_key=cose, rp_id=rp_id, enrolled_at=1)
    try:
        cose_verifier(cose)
        assertion = parse_assertion(encode(record).decode("utf-8", "surrogatepass"))
        check_ceremony(assertion, STATEMENT)
        check_credential(assertion, credential, CHAIN)
    except LedgerError:
        return False
    return True


def verifier_accepts(record: dict[str, Any], cose: bytes, rp_id: str = RP) -> bool:
    """Whether the verifier would take the same record out of the evidence of the entry."""
    gestures = Gestures(parse_trust(POLICY), BACKEND)
    content: Any = {"accounts": list(ACCOUNTS), "consent_id": CONSENT, "terms_hash": SIGNED["terms_hash"]}
    enrolment: Any = {"credential_id": CREDENTIAL, "public_key": b64u(cose), "rp_id": rp_id}
    try:
        parse_cose_key(cose)
        gestures.enrol(b"chain", "bank-a", enrolment)
        evidence = decode_canonical(encode({"assertion": record}), MAX_EVIDENCE)
        gestures.confirm(evidence["assertion"], "consent.authorise", "bank-a", content)  # type: ignore[arg-type]
    except (Refuted, UnicodeEncodeError):
        return False
    return True


def decided(gesture: Gesture) -> bool:
    """What both say of it; they must say the same."""
    record, rp_id = gesture.record(), gesture.rp_id
    verdicts = ledger_accepts(record, gesture.cose, rp_id), verifier_accepts(record, gesture.cose, rp_id)
    assert verdicts[0] == verdicts[1], (verdicts, gesture)
    return verdicts[0]


def told(signed: dict[str, Any] = SIGNED, origin: str = HERE) -> dict[str, Any]:
    challenge = b64u(sha(b"consent-ledger/v1/challenge\0" + NONCE + encode(signed)))
    return {"type": "webauthn.get", "challenge": challenge, "origin": origin, "crossOrigin": False}


# --- client data ------------------------------------------------------------------------------------------------

NUMBERS = [
    *(
        "0",
        "-0",
        "1.5",
        "1e2",
        "1E+2",
        "-1e-2",
        "1152921504606846976",
        "9007199254740993",
        "1e400",
        "-1e400",
        "01",
        "1.",
        ".5",
    ),
    *(
        "+1",
        "0x1",
        "1_0",
        "1e",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "true",
        "false",
        "null",
        "True",
        "None",
    ),
]
NUMBERS += ["9" * 2_000, "1" + "0" * 2_500, "0." + "3" * 2_000, "-", "1e" + "9" * 400, "\u0661", "1\u0661"]
TEXTS = [
    '""', '"x"', r'"\u0000"', r'"\ud800"', r'"\udfff\ud800"', r'"\ud83d\ude00"', r'"\uD800\uDC00"', r'"\ud800\u0041"',
    r'"\/\b\f\n\r\t"', r'"\x41"', r'"\u004"', r'"\u+041"', r'"\u00_1"', '"\x7f\x80\u2028\ufeff\uffff"', '"\n"', '"\x00"',
    '"\t"', '"\U0001f600"', '"', "'x'",
]  # fmt: skip
SHAPES = [
    "[]",
    "{}",
    "[1,]",
    "[,]",
    '{"a":1,}',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"":{},"":[]}',
    "[" * 15 + "]" * 15,
]
SHAPES += ["[" * depth + "]" * depth for depth in (14, 16, 17, 500, 1_200)] + ['{"a":' * 15 + "1" + "}" * 15]
AROUND = ["", " ", "\n", "\t\r\n ", "\x0b", "\xa0", "\ufeff", "\x00", "//", ",", "{}", "\u2028"]
ODD_BYTES = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\x00", b"\xe2\x82"]
NAMES = [
    "other",
    "type",
    "challenge",
    "origin",
    "crossOrigin",
    "topOrigin",
    r"\u0074ype",
    r"top\u004frigin",
    "",
    r"\ud800",
    "__proto__",
]


def one_client_data(dice: random.Random) -> tuple[bytes, str]:
    """Client data as a browser writes them, with one to three things changed, and the origin of the record."""
    members = [(json.dumps(name)[1:-1], json.dumps(value)) for name, value in told().items()]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        place, value = dice.randrange(len(members) + 1), dice.choice(dice.choice((NUMBERS, TEXTS, SHAPES)))
        match dice.randrange(6):
            case 0 | 1 | 2:
                members.insert(place, (dice.choice(NAMES), value))
            case 3 if members:
                members[place % len(members)] = (members[place % len(members)][0], value)
            case 4 if members:
                name, old = members[place % len(members)]
                escaped = "".join(f"\\u{ord(c):04x}" if dice.random() < 0.2 and c.isalnum() else c for c in old)
                members[place % len(members)] = (name, escaped)
            case _ if members:
                del members[place % len(members)]
    gap = dice.choice(("", "", " ", "\n", "\x0c"))
    text = "{" + ",".join(f'{gap}"{name}"{gap}:{gap}{value}' for name, value in members) + gap + "}"
    data = (dice.choice(AROUND[:4] * 4 + AROUND) + text + dice.choice(AROUND[:4] * 4 + AROUND)).encode(
        "utf-8", "surrogatepass"
    )
    if dice.random() < 0.2:
        at = dice.randrange(len(data) + 1)
        data = data[:at] + dice.choice((*ODD_BYTES, bytes([dice.randrange(256)]))) + data[at + dice.randrange(2) :]
    if dice.random() < 0.05:
        data = data.ljust(dice.choice((3_071, 3_072, 3_073, 4_096)))
    return data, HERE


@pytest.mark.parametrize("seed", range(4))
def test_ledger_and_verifier_decide_alike_on_any_client_data(seed: int) -> None:
    dice = random.Random(f"client data {seed}")
    outcomes = Counter(decided(Gesture(*one_client_data(dice))) for _ in range(1_500))
    assert min(outcomes[True], outcomes[False]) > 40, "the generator must reach both sides"


@pytest.mark.parametrize("value", [*NUMBERS, *TEXTS, *SHAPES])
def test_ledger_and_verifier_decide_alike_on_every_member_that_nobody_knows(value: str) -> None:
    members = ",".join(f"{json.dumps(name)}:{json.dumps(text)}" for name, text in told().items())
    decided(Gesture(f'{{{members},"other":{value}}}'.encode("utf-8", "surrogatepass")))


def test_a_number_that_nobody_reads_does_not_spoil_a_gesture() -> None:
    """The review's cases: each was recorded by the ledger and refuted by every audit after."""
    members = ",".join(f"{json.dumps(name)}:{json.dumps(text)}" for name, text in told().items())
    for value, accepted in (("1.5", True), (str(2**60), True), ("1e400", True), ("NaN", False), (r'"\ud800"', False)):
        assert decided(Gesture(f'{{{members},"other":{value}}}'.encode())) is accepted


# --- origins ----------------------------------------------------------------------------------------------------

PARTS = [
    *(
        "https",
        "http",
        "HTTPS",
        "ftp",
        "://",
        ":",
        "/",
        "//",
        "bank",
        ".",
        "example",
        "bank.example",
        "localhost",
        "Bank",
    ),
    *(
        "443",
        "80",
        "8443",
        "0",
        "0443",
        "65535",
        "65536",
        "00080",
        "?",
        "#",
        "q",
        "@",
        "user",
        "[",
        "]",
        "::1",
        "127.0.0.1",
    ),
    *(
        " ",
        "\t",
        "\n",
        "\x00",
        "\x7f",
        "\x85",
        "\xa0",
        "%41",
        "\\",
        "\u00fc",
        "\u3002",
        "\uff0f",
        "\u212a",
        "\u0668",
        "_",
    ),
    *("-", "xn--", "a" * 63, "a" * 64, "a." * 90),
]


def one_origin(dice: random.Random) -> str:
    """Something like an origin, near one of the good ones or far from all."""
    good = dice.choice((HERE, "https://login.bank.example:8443", "http://localhost:3000", "https://localhost"))
    match dice.randrange(4):
        case 0:
            return good + dice.choice(PARTS)
        case 1:
            at = dice.randrange(len(good) + 1)
            return good[:at] + dice.choice(PARTS) + good[at + dice.randrange(2) :]
        case 2:
            return (
                "https://"
                + "".join(dice.choice(PARTS) for _ in range(dice.randrange(4)))
                + "bank.example"
                + dice.choice(("", ":8", ":443"))
            )
        case _:
            return "".join(dice.choice(PARTS) for _ in range(dice.randrange(6)))


@pytest.mark.parametrize("seed", range(2))
def test_ledger_and_verifier_decide_alike_on_any_origin(seed: int) -> None:
    dice = random.Random(f"origins {seed}")
    outcomes: Counter[bool] = Counter()
    for _ in range(1_500):
        origin, rp_id = one_origin(dice), dice.choice((RP, RP, "localhost", "example", "evil.example"))
        client = json.dumps(told(origin=origin)).encode()
        outcomes[decided(Gesture(client, origin, rp_id, rp_hash_of=rp_id))] += 1
    assert min(outcomes.values()) > 50, "the generator must reach both sides"


# --- authenticator data, keys, signatures, the record itself ------------------------------------------------------

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
