"""Bounds of what is read of proofs, trust files and requests to witnesses: the last that is taken, and one more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.verifier.making import BACKEND, Signer, checkpoint_note, refusal
from verifier.errors import CannotCheck, Code, Refuted
from verifier.head import Head, open_head
from verifier.merkle import hash_leaf
from verifier.proof import HEADER, Proof, parse_proof
from verifier.trust import parse_trust
from verifier.witness import Answer, decide, parse_request

LOG = Signer("ledger.example/test")
LEAVES = [hash_leaf(bytes([n])) for n in range(7)]
HASH_LINE = "A" * 43 + "="

# --- proofs ---------------------------------------------------------------------------------------------------


def test_a_proof_has_at_most_63_hashes_and_1_100_000_bytes() -> None:
    assert parse_proof(Proof(3, (bytes(32),) * 63, b"").text()).index == 3
    with refusal(Code.BAD_ENCODING):
        parse_proof(Proof(3, (bytes(32),) * 64, b"").text())
    room = 1_100_000 - len(Proof(3, (), b"").text())
    parse_proof(Proof(3, (), b"x" * room).text())
    with refusal(Code.BAD_ENCODING):
        parse_proof(Proof(3, (), b"x" * (room + 1)).text())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (f"{HEADER}\n\n", "no index line"),
        (f"{HEADER}\n7\n\n", "no index line"),
        (f"{HEADER}\nextra AAAA\n\n", "no index line"),
        (f"{HEADER}\nindex 7\n", "no blank line"),
        ("c2sp.org/tlog-proof@v2\nindex 7\n\n", "this version"),
        (f"{HEADER}\nindex 07\n\n", "canonical decimal"),
    ],
)
def test_what_is_no_proof_is_refused_with_what_it_lacks(data: str, sentence: str) -> None:
    with pytest.raises(Refuted, match=sentence):
        parse_proof(data.encode())


# --- trust files ----------------------------------------------------------------------------------------------


def trust(**changes: Any) -> bytes:
    members = {"v": 1, "version": 1, "expires": 1, "policy": f"log {LOG.vkey}\nquorum none\n", "rp_ids": [], "origins": [],
               "keys": []}  # fmt: skip
    return json.dumps({**members, **changes}).encode()


def unusable(data: bytes) -> None:
    with pytest.raises(CannotCheck):
        parse_trust(data)


def test_a_trust_file_counts_versions_and_times_from_one() -> None:
    found = parse_trust(trust())
    assert (found.version, found.expires, found.rp_ids, found.origins) == (1, 1, frozenset(), frozenset())
    assert parse_trust(f"log {LOG.vkey}\nquorum none\n".encode()).version == 0
    for name in ("v", "version", "expires"):
        unusable(trust(**{name: 0}))


@pytest.mark.parametrize("name", ["rp_ids", "origins"])
def test_a_trust_file_lists_at_most_a_thousand_places(name: str) -> None:
    assert parse_trust(trust(**{name: ["bank.example"] * 1_000}))
    unusable(trust(**{name: ["bank.example"] * 1_001}))


def test_a_trust_file_has_at_most_a_million_bytes() -> None:
    parse_trust(trust().ljust(1_000_000))
    unusable(trust().ljust(1_000_001))


def interval(vkey: str, **changes: Any) -> dict[str, Any]:
    return {"vkey": vkey, "valid_from_size": 7, "valid_to_size": 7, **changes}


def test_both_ends_of_an_interval_count_and_keys_without_one_sign_from_size_0_on() -> None:
    signed = checkpoint_note(LOG, LEAVES)
    assert parse_trust(trust(keys=[interval(LOG.vkey)])).verify(signed, BACKEND).head.size == 7
    assert parse_trust(trust()).verify(checkpoint_note(LOG, []), BACKEND).head.size == 0
    for outside in ({"valid_from_size": 8, "valid_to_size": None}, {"valid_from_size": 0, "valid_to_size": 6}):
        with refusal(Code.POLICY_REJECTED):
            parse_trust(trust(keys=[interval(LOG.vkey, **outside)])).verify(signed, BACKEND)


def test_an_interval_is_of_one_key_of_at_most_a_thousand_characters() -> None:
    unusable(trust(keys=[interval(LOG.vkey, more=1)]))
    for length in (1_000, 1_001):
        name = "n" * (length - len(Signer("").vkey))
        long = Signer(name)
        members = {"policy": f"log {long.vkey}\nquorum none\n", "keys": [interval(long.vkey)]}
        if length == 1_000:
            assert parse_trust(trust(**members)).intervals == {long.vkey: (7, 7)}
        else:
            unusable(trust(**members))


# --- witnesses ------------------------------------------------------------------------------------------------


def state(size: int) -> Head:
    return open_head(checkpoint_note(LOG, LEAVES[:size]), [LOG.key], BACKEND)


def answer(old: int, path: list[str], note: bytes, known: Head | None) -> Answer:
    request = "\n".join([f"old {old}", *path, "", ""]).encode() + note
    return decide({LOG.name: LOG.key}, known, request, BACKEND)


def test_a_witness_answers_with_the_status_that_the_specification_gives() -> None:
    note = checkpoint_note(LOG, LEAVES)
    assert answer(0, [], note, None).head == state(7)
    assert answer(7, [], note, state(7)).status == 200
    assert answer(0, [], note, state(0)).status == 200
    assert answer(8, [], note, state(8 - 1)).status == 400
    assert (answer(3, [], note, state(4)).status, answer(3, [], note, state(4)).body) == (409, "4\n")
    assert answer(0, [HASH_LINE], note, None).status == 422
    assert answer(0, [HASH_LINE], note, state(0)).status == 422
    assert answer(3, [HASH_LINE], note, state(3)).status == 422
    assert answer(0, [], note.replace(b"\n7\n", b"\n8\n"), None).status == 403
    assert answer(0, [], checkpoint_note(Signer("other.example"), LEAVES), None).status == 404
    text = f"{LOG.name}\n07\n{HASH_LINE}\n".encode()
    assert answer(0, [], text + b"\n" + LOG.line(text), None).status == 400
    assert decide({LOG.name: LOG.key}, None, b"old 0\n", BACKEND).status == 400


@pytest.mark.parametrize("request_", [b"old 0", b"0\n\nnote", "old \u0663\n\nnote".encode(), b"old 00\n\nnote"])
def test_what_is_no_request_to_a_witness_is_refused(request_: bytes) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_request(request_)


def test_a_request_has_at_most_63_hashes_and_65_536_bytes() -> None:
    head = b"old 0\n\n"
    assert parse_request(head.ljust(65_536))[0] == 0
    with refusal(Code.BAD_ENCODING):
        parse_request(head.ljust(65_537))
    for count in (63, 64):
        request = "\n".join(["old 0", *[HASH_LINE] * count, "", ""]).encode()
        if count == 63:
            assert len(parse_request(request)[1]) == 63
        else:
            with refusal(Code.BAD_ENCODING):
                parse_request(request)
