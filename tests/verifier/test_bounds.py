"""Bounds of notes, evidence, proofs, trust files and requests to witnesses: the last that is taken, and one more."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.verifier.making import BACKEND, Signer, checkpoint_note, refusal
from tests.verifier.trees import subtree_path
from verifier.bytes.encoding import encode_base64
from verifier.bytes.merkle import hash_leaf
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog.evidence import check_evidence, encode_evidence, judge
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import parse_note, parse_vkey, verify_note
from verifier.tlog.proof import HEADER, Proof, parse_proof
from verifier.tlog.trust import parse_trust
from verifier.tlog.witness import Answer, decide, parse_request

LOG = Signer("ledger.example/test")
LEAVES = [hash_leaf(bytes([n])) for n in range(7)]
HASH_LINE = "A" * 43 + "="

# --- notes ----------------------------------------------------------------------------------------------------

WITNESS = Signer("w1.example", 4)


def test_a_note_has_at_most_100_lines_and_a_million_bytes() -> None:
    line = LOG.line(b"text\n")
    assert len(parse_note(b"text\n\n" + line * 100).lines) == 100
    with refusal(Code.BAD_ENCODING):
        parse_note(b"text\n\n" + line * 101)
    room = 1_000_000 - len(b"\n\n" + line)
    parse_note(b"x" * room + b"\n\n" + line)
    with refusal(Code.BAD_ENCODING):
        parse_note(b"x" * (room + 1) + b"\n\n" + line)


def test_a_note_needs_text_before_its_blank_line_and_an_empty_line_is_text() -> None:
    line = LOG.line(b"\n")
    assert verify_note(parse_note(b"\n\n" + line), [LOG.key], BACKEND)
    for data in (b"x" + line, b"x\n" + line, b"\n" + line, line, b"\n\n", b"text\n\n", b"text\n\n" + line[:-1]):
        with pytest.raises(Refuted, match="no signature lines"):
            parse_note(data)


@pytest.mark.parametrize("data", [b"te\xffxt", b"te\rxt", b"te\txt", b"te\0xt", b"te\x1fxt"])
def test_a_note_is_text_without_control_characters(data: bytes) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_note(data + b"\n\n" + LOG.line(data + b"\n"))


@pytest.mark.parametrize(
    "line",
    [
        "— {name} {blob} {blob}",
        "— {name}",
        "- {name} {blob}",
        "—  {blob}",
        "— a+b {blob}",
        "— a\u00a0b {blob}",
        "— {name} {short}",
        "— {name} {blob}=",
        "",
    ],
)
def test_anything_but_a_signature_line_is_refused(line: str) -> None:
    fill = {"name": LOG.name, "blob": encode_base64(b"12345"), "short": encode_base64(b"1234")}
    assert parse_note("text\n\n— {name} {blob}\n".format(**fill).encode()).lines[0].blob == b"5"
    with refusal(Code.BAD_ENCODING):
        parse_note(f"text\n\n{line.format(**fill)}\n".encode())


@pytest.mark.parametrize("length", range(10))
@pytest.mark.parametrize("kind", [1, 4])
def test_a_signature_of_a_few_bytes_is_a_bad_signature(kind: int, length: int) -> None:
    signer = Signer("short.example", kind)
    blob = encode_base64(signer.key_id + bytes(1 + length))
    with refusal(Code.BAD_SIGNATURE):
        verify_note(parse_note(f"text\n\n— {signer.name} {blob}\n".encode()), [signer.key], BACKEND)


def test_a_witness_signs_a_time_below_2_63() -> None:
    latest = verify_note(parse_note(b"text\n\n" + WITNESS.line(b"text\n", 2**63 - 1)), [WITNESS.key], BACKEND)
    assert [signed.time_ms for signed in latest] == [(2**63 - 1) * 1_000]
    with pytest.raises(Refuted, match="out of range"):
        verify_note(parse_note(b"text\n\n" + WITNESS.line(b"text\n", 2**63)), [WITNESS.key], BACKEND)


@pytest.mark.parametrize("name", ["", "a b", "a\x01b", "a\u2003b", "a\x1fb"])
def test_a_name_of_a_key_has_no_space_and_no_control_character(name: str) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_vkey(Signer(name).vkey)


def test_the_name_of_a_verifier_key_has_at_most_255_bytes_and_its_type_is_known() -> None:
    assert parse_vkey(Signer("n" * 255).vkey).name == "n" * 255
    with refusal(Code.BAD_ENCODING):
        parse_vkey(Signer("n" * 256).vkey)
    for kind in (0, 3, 7):
        with pytest.raises(Refuted, match="unknown type"):
            parse_vkey(Signer("log.example", kind).vkey)


def test_an_ecdsa_note_is_refused_when_its_text_is_another() -> None:
    private = ec.derive_private_key(78, ec.SECP256R1())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key_id = hashlib.sha256(spki).digest()[:4]
    key = parse_vkey(f"rekor.example+{key_id.hex()}+{encode_base64(bytes([2]) + spki)}")
    blob = encode_base64(key_id + private.sign(b"text\n", ec.ECDSA(hashes.SHA256())))
    assert verify_note(parse_note(f"text\n\n— rekor.example {blob}\n".encode()), [key], BACKEND)[0].key == key
    with refusal(Code.BAD_SIGNATURE):
        verify_note(parse_note(f"more\n\n— rekor.example {blob}\n".encode()), [key], BACKEND)


# --- evidence of two histories --------------------------------------------------------------------------------


def fork(**changes: Any) -> bytes:
    """The log signed 5 entries, and 9 that do not begin with them."""
    other = [hash_leaf(b"other"), *LEAVES[1:], *LEAVES[:2]]
    a, b = (open_head(checkpoint_note(LOG, leaves), [LOG.key], BACKEND) for leaves in (LEAVES[:5], other))
    members = json.loads(encode_evidence(judge(a, b, subtree_path(0, 5, other)), 0, ["here"]))
    return json.dumps({**members, **changes}, ensure_ascii=False).encode()


def test_evidence_of_a_fork_convicts_the_log() -> None:
    for keys in ([], [LOG.key]):
        found = check_evidence(fork(), BACKEND, keys)
        assert (found.kind, found.proven, found.a.size, found.b.size) == ("fork", True, 5, 9)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 0},
        {"v": "1"},
        {"seen": -1},
        {"sources": ["x"] * 17},
        {"sources": "x"},
        {"vkeys": []},
        {"vkeys": [LOG.vkey] * 17},
        {"proof": [HASH_LINE] * 65},
        {"proof": [encode_base64(bytes(31))]},
        {"more": 1},
        {"note_a": ""},
        {"origin": "x" * 256},
        {"kind": "x" * 17},
    ],
)
def test_anything_but_evidence_is_refused(changes: dict[str, Any]) -> None:
    with refusal(Code.BAD_ENCODING):
        check_evidence(fork(**changes), BACKEND)


def test_evidence_of_a_later_version_is_left_open() -> None:
    with pytest.raises(CannotCheck, match="version 2"):
        check_evidence(fork(v=2, more=1), BACKEND)


def test_evidence_is_read_up_to_its_bounds() -> None:
    for name, texts in (("sources", list[str]()), ("sources", ["x"] * 16), ("vkeys", [LOG.vkey] * 16)):
        assert check_evidence(fork(**{name: texts}), BACKEND).proven
    with refusal(Code.BAD_PROOF):  # a path of the wrong length, not a list that is too long
        check_evidence(fork(proof=[HASH_LINE] * 64), BACKEND)
    with refusal(Code.BAD_SIGNATURE):  # another log's name
        check_evidence(fork(origin="x" * 255), BACKEND)
    with refusal(Code.BAD_PROOF):
        check_evidence(fork(kind="x" * 16), BACKEND)
    assert check_evidence(fork().ljust(4_000_000), BACKEND).proven
    with refusal(Code.BAD_ENCODING):
        check_evidence(fork().ljust(4_000_001), BACKEND)


def test_evidence_shows_what_it_says_in_the_order_it_says() -> None:
    members = json.loads(fork())
    with pytest.raises(Refuted, match="order of size"):
        check_evidence(fork(note_a=members["note_b"], note_b=members["note_a"]), BACKEND)
    with pytest.raises(Refuted, match="another kind"):
        check_evidence(fork(kind="same-size"), BACKEND)
    same = {"kind": "same-size", "note_a": checkpoint_note(LOG, [hash_leaf(b"x")] * 9).decode()}
    assert check_evidence(fork(**same, proof=[]), BACKEND).proven
    with pytest.raises(Refuted, match="another kind"):
        check_evidence(fork(**same), BACKEND)
    with pytest.raises(Refuted, match="order of size"):
        check_evidence(fork(note_a=checkpoint_note(LOG, []).decode()), BACKEND)
    with pytest.raises(Refuted, match="agree"):
        check_evidence(fork(kind="same-size", note_a=members["note_b"], proof=[]), BACKEND)


def test_two_logs_or_two_keys_of_one_name_are_not_one_log_with_two_histories() -> None:
    """A log may change its key; that another key signed another tree shows nothing of the first."""
    second = Signer("second.example")
    a = open_head(checkpoint_note(LOG, LEAVES[:5]), [LOG.key], BACKEND)
    for other in (
        open_head(checkpoint_note(second, LEAVES), [second.key], BACKEND),
        open_head(checkpoint_note(second, LEAVES, origin=LOG.name), [second.key], BACKEND, origin=LOG.name),
        open_head(checkpoint_note(LOG, LEAVES, origin="x"), [LOG.key], BACKEND, origin="x"),
    ):
        with pytest.raises(Refuted, match="one key of one log"):
            judge(a, other)


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
def test_anything_but_a_proof_is_refused_with_what_it_lacks(data: str, sentence: str) -> None:
    with pytest.raises(Refuted, match=sentence):
        parse_proof(data.encode())


# --- trust files ----------------------------------------------------------------------------------------------


def trust(**changes: Any) -> bytes:
    members = {
        "v": 1,
        "version": 1,
        "expires": 1,
        "policy": f"log {LOG.vkey}\nquorum none\n",
        "rp_ids": [],
        "origins": [],
        "keys": [],
    }
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


def test_an_interval_is_of_one_key_whose_name_has_at_most_255_bytes() -> None:
    unusable(trust(keys=[interval(LOG.vkey, more=1)]))
    for length in (255, 256):
        long = Signer("n" * length)
        members = {"policy": f"log {long.vkey}\nquorum none\n", "keys": [interval(long.vkey)]}
        if length == 255:
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
def test_anything_but_a_request_to_a_witness_is_refused(request_: bytes) -> None:
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
