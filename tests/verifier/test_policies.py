"""Policies and trust files: who counts, how many are asked for, until when."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.verifier.making import BACKEND, Signer, refusal
from tests.verifier.policies import LOG, POLICY, W1, W2, W3, note, rename
from verifier.errors import CannotCheck, Code
from verifier.tlog.policy import parse_policy
from verifier.tlog.trust import Trust, parse_trust


def test_m10_the_quorum_decides_between_valid_and_unwitnessed() -> None:
    policy = parse_policy(POLICY.encode())
    for witnesses, level in (
        ((), "VALID_UNWITNESSED"),
        ((W1,), "VALID_UNWITNESSED"),
        ((W1, W3), "VALID"),
        ((W1, W1), "VALID_UNWITNESSED"),
        ((W1, W2, W3), "VALID"),
    ):
        found = policy.verify(note(*witnesses), BACKEND)
        assert found.level.value == level
    assert not policy.is_satisfied(["most"])
    assert not policy.is_satisfied(["one", "one", "nobody"])


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace("quorum most", "quorum most\nquorum most"),
        lambda p: p[:-1],
        lambda p: p + "quorum",
        lambda p: p.replace("most 2", "most 4"),
        lambda p: p.replace("most 2", "most 0"),
        lambda p: p.replace("most 2", "most 02"),
        lambda p: p.replace("most 2", "most +2"),
        lambda p: p.replace("group most", "group one"),
        lambda p: p.replace("group most", "group none"),
        lambda p: p.replace("one two three", "one two most"),
        lambda p: p.replace("one two three", "one one two"),
        lambda p: p.replace("one two three", "one two none"),
        lambda p: p.replace(W2.vkey, Signer("w2.example").vkey),
        lambda p: p.replace(f"log {LOG.vkey}", f"log {W1.vkey}"),
        lambda p: p + f"log {LOG.vkey}\n",
        lambda p: p.replace("quorum most", "quorum most # all of them"),
        lambda p: p.replace("\n", "\r\n"),
        lambda p: p + "\x7f\n",
        lambda p: p.replace("witness two", "Witness two"),
        lambda p: p + "#" * 300_000 + "\n",
        lambda p: p + "\n" * 5_000,
        lambda p: "quorum most\n" + p.replace("quorum most\n", ""),
        lambda p: p[:0],
        lambda p: p.replace(" two ", "\u00a0two "),
    ],
)
def test_a_policy_that_is_not_one_cannot_be_used(change: Any) -> None:
    with pytest.raises(CannotCheck):
        parse_policy(change(POLICY).encode())


@pytest.mark.parametrize(
    ("quorum", "least"),
    [
        ("quorum none", 0),
        ("quorum one", 1),
        ("group g any one two\nquorum g", 1),
        ("group g all one two\nquorum g", 2),
        ("group g 1 one two\nquorum g", 1),
        ("group g 2 one two\nquorum g", 2),
    ],
)
def test_a_quorum_is_met_by_exactly_as_many_as_it_says(quorum: str, least: int) -> None:
    policy = parse_policy(f"witness one {W1.vkey}\nwitness two {W2.vkey}\n{quorum}\n".encode())
    assert [policy.is_satisfied(["one", "two"][:count]) for count in range(3)] == [count >= least for count in range(3)]


def test_an_unknown_line_of_a_policy_is_refused_by_its_word() -> None:
    with pytest.raises(CannotCheck, match="not a line of a policy: 'quorums'"):
        parse_policy(f"{POLICY}quorums\n".encode())


def test_one_public_key_under_two_key_names_is_not_a_second_witness() -> None:
    again = Signer(W1.name, 4)
    again.name = "w9.example"
    with pytest.raises(CannotCheck, match="same public key"):
        parse_policy(POLICY.replace(W2.vkey, rename(again)).encode())


def _nested(depth: int) -> bytes:
    lines = [f"log {LOG.vkey}", f"witness w0 {W1.vkey}", *(f"group w{n} all w{n - 1}" for n in range(1, depth + 1))]
    return "\n".join([*lines, f"quorum w{depth}", ""]).encode()


def test_groups_are_nested_at_most_32_deep() -> None:
    policy = parse_policy(_nested(32))
    assert policy.is_satisfied(["w0"])
    assert not policy.is_satisfied([])
    for depth in (33, 3_000):
        with pytest.raises(CannotCheck, match="policy line 35: groups are nested more than 32 deep"):
            parse_policy(_nested(depth))


def test_a_policy_names_at_most_256_of_each() -> None:
    logs = [Signer(f"log{n}.example").vkey for n in range(257)]
    witnesses = [Signer(f"w{n}.example", 4).vkey for n in range(257)]
    for what, lines in (
        ("logs", [f"log {v}" for v in logs]),
        ("witnesses", [f"witness w{n} {v}" for n, v in enumerate(witnesses)]),
    ):
        assert parse_policy("\n".join([*lines[:256], "quorum none", ""]).encode())
        with pytest.raises(CannotCheck, match=f"policy line 257: more than 256 {what}"):
            parse_policy("\n".join([*lines, "quorum none", ""]).encode())


def test_nobody_counts_twice_and_nobody_witnesses_itself() -> None:
    """The review's cases: each was accepted, and one signer made a quorum of two, or the operator its own."""
    other = Signer("w1.example", 4, seed=b"another")
    itself, named = rename(Signer(LOG.name, 4)), Signer(LOG.name, 4, seed=b"another").vkey
    for line, said in (
        (f"witness four {other.vkey}", "second key of the witness 'w1.example'"),
        (f"witness four {itself}", "same public key"),
        (f"witness four {named}", "is a log"),
        (f"log {Signer('w1.example', seed=b'another').vkey}", "is a witness"),
    ):
        with pytest.raises(CannotCheck, match=said):
            parse_policy(POLICY.replace("group most", f"{line}\ngroup most").encode())


def test_a_log_whose_key_was_exchanged_has_two() -> None:
    assert len(parse_policy((f"log {Signer(LOG.name, seed=b'retired').vkey}\n" + POLICY).encode()).logs) == 2


def ml_dsa(name: str, length: int = 1_312) -> str:
    data = b"\x06" + b"k" * length
    identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{identity.hex()}+{base64.b64encode(data).decode()}"


def test_a_witness_with_an_ml_dsa_key_is_understood_and_not_counted_where_nobody_can_verify_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONSENT_VERIFY_CRYPTO", "pure")
    vkey = ml_dsa("w4.example")
    text = POLICY.replace("group most 2", f"witness four {vkey}\ngroup most 2").replace(
        "one two three", "one two three four"
    )
    policy = parse_policy(text.encode())
    assert (policy.uncounted, "four" in policy.witnesses) == (("four",), False)
    assert not policy.is_satisfied(["one", "four"])
    assert policy.is_satisfied(["one", "two"])
    assert policy.verify(note(W1, W2), BACKEND).witnessed
    alone = parse_policy(f"log {LOG.vkey}\nwitness four {vkey}\nquorum four\n".encode())
    assert not alone.verify(note(), BACKEND).witnessed
    wrong = vkey.replace("w4.example+", "w4.example+0", 1)
    for bad in (wrong, ml_dsa("w4.example", length=1_311), ml_dsa("w4.example", length=32)):
        with pytest.raises(CannotCheck):
            parse_policy(text.replace(vkey, bad).encode())
    with pytest.raises(CannotCheck, match="second key of the witness"):
        parse_policy(text.replace(vkey, ml_dsa("w1.example")).encode())


def test_a_cosignature_of_an_ml_dsa_key_beside_the_others_is_passed_over() -> None:
    line = "\u2014 w4.example " + base64.b64encode(b"idid" + bytes(8) + b"s" * 2_420).decode() + "\n"
    found = parse_policy(POLICY.encode()).verify(note(W1, W2) + line.encode(), BACKEND)
    assert found.witnessed
    assert found.witnesses == ("one", "two")


def trust(**change: Any) -> bytes:
    members = {
        "v": 1,
        "version": 3,
        "expires": 2_000_000_000_000,
        "policy": POLICY,
        "rp_ids": ["bank.example"],
        "origins": ["https://bank.example"],
        "keys": [
            {"vkey": LOG.vkey, "valid_from_size": 0, "valid_to_size": 7},
            {"vkey": W1.vkey, "valid_from_size": 8, "valid_to_size": None},
        ],
    }
    return json.dumps({**members, **change}).encode()


def test_s09_keys_count_only_within_their_interval() -> None:
    usable: Trust = parse_trust(trust())
    assert usable.verify(note(W2, W3), BACKEND).level is Code.VALID
    assert usable.verify(note(W1, W2), BACKEND).level is Code.VALID_UNWITNESSED
    retired = parse_trust(trust(keys=[{"vkey": LOG.vkey, "valid_from_size": 0, "valid_to_size": 6}]))
    with refusal(Code.POLICY_REJECTED):
        retired.verify(note(W2, W3), BACKEND)
    bare = parse_trust(POLICY.encode())
    assert bare.verify(note(W1, W2), BACKEND).level is Code.VALID
    assert not bare.rp_ids


def test_a_trust_file_expires() -> None:
    usable = parse_trust(trust())
    usable.check_current(1_999_999_999_999)
    with pytest.raises(CannotCheck):
        usable.check_current(2_000_000_000_000)


@pytest.mark.parametrize(
    "data",
    [
        trust(more=1),
        trust(v=2),
        trust(version="3"),
        trust(policy="quorum none"),
        trust(keys={}),
        trust(keys=[1]),
        trust(keys=[{"vkey": W1.vkey}]),
        trust(keys=[{"vkey": "x", "valid_from_size": 0, "valid_to_size": None}]),
        trust(keys=[{"vkey": W1.vkey, "valid_from_size": 5, "valid_to_size": 4}]),
        trust(keys=[{"vkey": W1.vkey, "valid_from_size": 5, "valid_to_size": 5}] * 2),
        trust(rp_ids="bank.example"),
        trust(origins=[1]),
        trust(expires=1.5),
        trust().replace(b'"v": 1', b'"v": 1, "v": 1'),
        b"{",
        trust()[:-1],
    ],
)
def test_a_trust_file_that_is_not_one_cannot_be_used(data: bytes) -> None:
    with pytest.raises(CannotCheck):
        parse_trust(data)
