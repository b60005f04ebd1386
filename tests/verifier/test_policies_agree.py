"""Ledger and verifier read one policy alike: what the operator's file means to it is what it means to an auditor."""

from __future__ import annotations

import hashlib
import random
from base64 import b64encode
from collections import Counter
from pathlib import Path

import pytest

from ledger.errors import BadEncoding
from ledger.notes import policy as ledger
from tests.verifier.making import Signer
from verifier.errors import CannotCheck
from verifier.tlog import policy as verifier

LOG = Signer("ledger.example/1")
OLD = Signer("ledger.example/1", seed=b"retired")
WITNESSES = [Signer(f"w{n}.example", 4) for n in range(5)]
ODD = [
    Signer("w1.example", 4, seed=b"second"),
    Signer(LOG.name, 4),
    Signer(LOG.name, 4, seed=b"other"),
    Signer("w2.example", 1),
]


def ml_dsa(name: str) -> str:
    data = b"\x06" + hashlib.sha256(name.encode()).digest() * 41
    identity = hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    return f"{name}+{identity}+{b64encode(data).decode()}"


VKEYS = [signer.vkey for signer in (LOG, OLD, *WITNESSES, *ODD)] + [ml_dsa("q1.example"), ml_dsa("w3.example")]
NAMES = ["a", "b", "c", "d", "g", "h", "none", "a\u00a0b", "\u212a", "K", "#x"]
BLANKS = [" ", " ", " ", "  ", "\t", " \t ", "\u00a0", "\x0b", "\r", "\u2003"]
ENDS = ["\n"] * 12 + ["", "\r\n", "\n\n", " \n", "\n\x00", " # why\n"]


def one_policy(dice: random.Random) -> bytes:
    """Lines of a policy, nearly in order, with a slip here and there."""
    names, lines = dice.sample(NAMES[:6], 6), [f"log {LOG.vkey}"]
    lines += [f"witness {names[n]} {WITNESSES[n].vkey}" for n in range(dice.randrange(1, 4))]
    lines += [
        f"group {names[4]} {dice.choice(('all', 'any', '1', '1', '02', '2'))} {' '.join(names[: dice.randrange(1, 4)])}"
    ]
    lines += [f"quorum {dice.choice([*names[:5], 'none'])}"]
    for _ in range(dice.choice((0, 0, 0, 1, 1, 2))):
        at = dice.randrange(len(lines) + 1)
        slip = [
            f"log {dice.choice(VKEYS)}",
            f"witness {dice.choice(NAMES)} {dice.choice(VKEYS)} https://w.example",
            f"group {dice.choice(NAMES)} any {dice.choice(NAMES)}",
            f"quorum {dice.choice(NAMES)}",
            "  # a comment",
            "\t#",
            "",
            " ",
            "policy",
            "witness",
            f"log {LOG.vkey[:-1]}",
            f"log {LOG.vkey} a b",
        ]
        match dice.randrange(4):
            case 0 | 1:
                lines.insert(at, dice.choice(slip))
            case 2 if len(lines) > 1:
                del lines[at % len(lines)]
            case _:
                dice.shuffle(lines)
    text = "".join(
        line.replace(" ", dice.choice(BLANKS)) if dice.random() < 0.04 else line
        for line in (line + dice.choice(ENDS) if dice.random() < 0.04 else line + "\n" for line in lines)
    )
    data = text.encode("utf-8")
    if dice.random() < 0.1:
        at = dice.randrange(len(data) + 1)
        data = data[:at] + bytes([dice.randrange(256)]) + data[at + dice.randrange(2) :]
    return data


def compared(data: bytes) -> bool:
    """Whether it is a policy; both must say so, and mean the same by it."""
    try:
        ours = ledger.parse_policy(data)
    except BadEncoding:
        ours = None
    try:
        theirs = verifier.parse_policy(data)
    except CannotCheck:
        theirs = None
    assert (ours is None) == (theirs is None), data
    if ours is None or theirs is None:
        return False
    names = {witness.name.encode("utf-8", "surrogateescape"): witness for witness in ours.witnesses}
    assert set(names) == {name.encode("latin-1") for name in theirs.witnesses}
    for chosen in range(1 << len(names)):
        some = [name for at, name in enumerate(sorted(names)) if chosen >> at & 1]
        met = ours.is_witnessed([names[name].vkey for name in some])
        expected = theirs.quorum != "none" and theirs.is_satisfied([name.decode("latin-1") for name in some])
        assert met == expected, (data, some)
    return True


@pytest.mark.parametrize("seed", range(4))
def test_ledger_and_verifier_read_any_policy_alike(seed: int) -> None:
    dice = random.Random(f"policies {seed}")
    outcomes = Counter(compared(one_policy(dice)) for _ in range(1_500))
    assert min(outcomes[True], outcomes[False]) > 200, "the generator must reach both sides"


def _policy(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in (f"log {LOG.vkey}", *lines)).encode()


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        (["  # an indented comment", "quorum none"], True),
        ([f"witness a {WITNESSES[0].vkey}", "quorum g", "group g any a"], False),
        ([f"witness a\u00a0b {WITNESSES[0].vkey}", "quorum a\u00a0b"], True),
        ([f"witness a\u00a0b {WITNESSES[0].vkey}", "quorum a"], False),
        ([f"witness a {WITNESSES[1].vkey}", f"witness b {ODD[0].vkey}", "quorum none"], False),
        ([f"witness a {ODD[1].vkey}", "quorum a"], False),
        ([f"witness a {ODD[2].vkey}", "quorum a"], False),
        ([f"witness a {WITNESSES[2].vkey}", f"log {ODD[3].vkey}", "quorum a"], False),
        ([f"log {OLD.vkey}", "quorum none"], True),
        ([f"witness a {ml_dsa('q.example')}", "group g any a", "quorum g"], True),
        ([f"log {ml_dsa('q.example')}", "quorum none"], True),
        ([], False),
        (["quorum none", "quorum none"], False),
    ],
)
def test_the_cases_of_the_reviews_have_one_answer(lines: list[str], accepted: bool) -> None:
    assert compared(_policy(*lines)) is accepted


def test_a_policy_without_a_quorum_says_what_to_write() -> None:
    for refused in (lambda: ledger.parse_policy(_policy()), lambda: verifier.parse_policy(_policy())):
        with pytest.raises((BadEncoding, CannotCheck), match="write «quorum none»"):
            refused()


def test_the_smallest_policy_of_the_specification_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs/spec/policies.md").read_text("utf-8")
    smallest = page.split("```")[1].strip() + "\n"
    assert compared(smallest.replace("ledger.example/1+<8 hex digits>+<base64>", LOG.vkey).encode())
