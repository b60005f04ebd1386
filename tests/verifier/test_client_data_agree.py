"""Ledger and verifier, written apart, decide alike on all client data and origins that a browser or a forger could write."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from tests.verifier.passkey_records import (
    HERE,
    RP,
    Gesture,
    decided,
    told,
)

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
    '""',
    '"x"',
    r'"\u0000"',
    r'"\ud800"',
    r'"\udfff\ud800"',
    r'"\ud83d\ude00"',
    r'"\uD800\uDC00"',
    r'"\ud800\u0041"',
    r'"\/\b\f\n\r\t"',
    r'"\x41"',
    r'"\u004"',
    r'"\u+041"',
    r'"\u00_1"',
    '"\x7f\x80\u2028\ufeff\uffff"',
    '"\n"',
    '"\x00"',
    '"\t"',
    '"\U0001f600"',
    '"',
    "'x'",
]
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
