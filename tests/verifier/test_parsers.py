"""Every parser, under random bytes and under changes of genuine input: it refuses in its two ways, or it gives what
reads back to the very same bytes. Nothing changed is ever accepted as evidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.making import BACKEND, Signer, accepts, checkpoint_note
from tests.verifier.trees import inclusion_path, root_of
from verifier.bytes import cbor, merkle, patricia
from verifier.bytes.encoding import decode_json
from verifier.crypto.keys import parse_cose_key, parse_spki
from verifier.records.statement import parse_envelope
from verifier.tlog import cose, ct
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.evidence import check_evidence, encode_evidence, judge
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import parse_note, parse_vkey
from verifier.tlog.policy import parse_policy
from verifier.tlog.proof import Proof, parse_proof, verify_proof
from verifier.tlog.tiles import parse_tile_path, split_entries
from verifier.tlog.trust import parse_trust
from verifier.tlog.witness import decide, parse_request

LOG, W1 = Signer("ledger.example/test"), Signer("w1.example", 4)
LEAVES = [merkle.hash_leaf(bytes([n])) for n in range(7)]
NOTE = checkpoint_note(LOG, LEAVES, W1)
POLICY_TEXT = f"log {LOG.vkey}\nwitness one {W1.vkey}\nquorum one\n".encode()
POLICY = parse_policy(POLICY_TEXT)
PROOF = Proof(3, tuple(inclusion_path(3, LEAVES)), NOTE).text()


def evidence() -> bytes:
    other = checkpoint_note(LOG, LEAVES[::-1], W1)
    a, b = (open_head(data, [LOG.key], BACKEND) for data in (NOTE, other))
    return encode_evidence(judge(a, b), 1, ["here"])


def receipt(protected: str = "a2012719018b01") -> bytes:
    """A COSE receipt of our own making: EdDSA, index 3 of 7."""

    def bstr(raw: bytes) -> bytes:
        return cbor.encode_head(2, len(raw)) + raw

    header = bytes.fromhex(protected)
    path = inclusion_path(3, LEAVES)
    inner = b"\x83\x07\x03" + cbor.encode_head(4, len(path)) + b"".join(map(bstr, path))
    signed = b"\x84\x6aSignature1" + bstr(header) + b"\x40" + bstr(root_of(LEAVES))
    unprotected = b"\xa1\x19\x01\x8c\xa1\x20\x81" + bstr(inner)
    return b"\xd2\x84" + bstr(header) + unprotected + b"\xf6" + bstr(LOG.private.sign(signed))


EVIDENCE, RECEIPT = evidence(), receipt()
PARSERS: dict[str, Callable[[bytes], object]] = {
    "note": parse_note,
    "checkpoint": parse_checkpoint,
    "policy": parse_policy,
    "trust": parse_trust,
    "proof": parse_proof,
    "cbor": cbor.decode_cbor,
    "receipt": cose.parse_receipt,
    "ct": lambda d: ct.split_leaves(d, 256),
    "ct leaf": ct.hash_tile_leaf,
    "bundle": split_entries,
    "statement": parse_envelope,
    "cose key": parse_cose_key,
    "spki": parse_spki,
    "request": parse_request,
    "json": lambda d: decode_json(d, 10_000),
    "evidence": lambda d: check_evidence(d, BACKEND, [LOG.key]),
    "vkey": lambda d: parse_vkey(d.decode("latin-1")),
    "path": lambda d: parse_tile_path(d.decode("latin-1")),
    "map": lambda d: patricia.verify_absent(b"\0" * 32, b"\1" * 32, d),
    "witness": lambda d: decide({LOG.name: LOG.key}, None, d, BACKEND),
}
GENUINE = [
    NOTE,
    NOTE.partition(b"\n\n")[0] + b"\n",
    POLICY_TEXT,
    PROOF,
    EVIDENCE,
    RECEIPT,
    LOG.vkey.encode(),
    b"old 0\n\n" + NOTE,
    b"tile/0/x001/067.p/7",
    b'{"a":[1,"b"]}',
]
pieces = st.sampled_from(
    [b"", b"\n", b"\n\n", b" ", b"\0", b"=", b"0", b"-", b"\xff", "—".encode(), "٣".encode(), b"\xe2"]
)


@st.composite
def changed(draw: st.DrawFn, genuine: bytes) -> bytes:
    """Genuine bytes with one stretch replaced, repeated or removed."""
    start = draw(st.integers(0, len(genuine)))
    end = min(len(genuine), start + draw(st.integers(0, 6)))
    middle = draw(pieces | st.binary(max_size=6) | st.just(genuine[start:end] * 2))
    return genuine[:start] + middle + genuine[end:]


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=120) | st.sampled_from(GENUINE).flatmap(changed))
def test_no_input_makes_a_parser_fail_otherwise_than_by_refusing(name: str, data: bytes) -> None:
    accepts(lambda: PARSERS[name](data))


@settings(max_examples=300)
@given(changed(PROOF))
def test_a_changed_proof_is_never_accepted(data: bytes) -> None:
    if data != PROOF and accepts(lambda: verify_proof(parse_proof(data), b"\x03", POLICY, BACKEND)):
        # What may differ: lines of unknown keys, an `extra` nobody signed, a cosignature gone or repeated.
        read = parse_proof(data)
        assert (read.index, read.path) == (parse_proof(PROOF).index, parse_proof(PROOF).path)
        assert parse_note(read.checkpoint).text == parse_note(NOTE).text
        assert read.text() == data


@settings(max_examples=200)
@given(changed(NOTE))
def test_a_changed_checkpoint_says_nothing_new(data: bytes) -> None:
    heads: list[Head] = []
    if accepts(lambda: heads.append(open_head(data, [LOG.key], BACKEND, witnesses=[W1.key]))):
        assert heads[0].checkpoint == parse_checkpoint(parse_note(NOTE).text)
        assert {s.key for s in heads[0].cosignatures} <= {W1.key}


@settings(max_examples=200)
@given(changed(RECEIPT))
def test_a_changed_cose_receipt_shows_no_other_root(data: bytes) -> None:
    roots: list[bytes] = []
    key = LOG.key.key
    if accepts(lambda: roots.append(cose.parse_receipt(data).verify_inclusion(b"\x03", key, BACKEND))):
        assert roots == [root_of(LEAVES)]
        assert data == RECEIPT or cose.parse_receipt(data).signature == cose.parse_receipt(RECEIPT).signature


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("a2012719018b01", True),
        ("a2013219018b01", True),  # EdDSA, and its fully specified spelling
        ("a2012619018b01", False),
        ("a2012819018b01", False),  # the algorithms of other keys
        ("a3012702810119018b01", True),
        ("a3012702811863 19018b01", False),
        ("a30127028019018b01", False),
        ("a2012719018b02", False),
        ("a119018b01", False),
        ("a10127", False),
    ],
)
def test_a_cose_receipt_is_read_under_the_algorithm_and_headers_it_protects(header: str, accepted: bool) -> None:
    data, key = receipt(header), LOG.key.key
    assert accepts(lambda: cose.parse_receipt(data).verify_inclusion(b"\x03", key, BACKEND)) is accepted


def test_the_genuine_inputs_are_accepted() -> None:
    verify_proof(parse_proof(PROOF), b"\x03", POLICY, BACKEND)
    assert cose.parse_receipt(RECEIPT).verify_inclusion(b"\x03", LOG.key.key, BACKEND) == root_of(LEAVES)
    assert check_evidence(EVIDENCE, BACKEND, [LOG.key]).proven
    assert decide({LOG.name: LOG.key}, None, b"old 0\n\n" + NOTE, BACKEND).status == 200


@pytest.mark.parametrize(
    "data",
    [
        "9fff",
        "bf6161 01ff",
        "5f4101ff",
        "7f6161ff",
        "1800",
        "1817",
        "190001",
        "1a00000001",
        "1b0000000000000001",
        "f97e00",
        "f7",
        "f820",
        "a201010102",
        "a1f501",
        "a1418001",
        "61ff",
        "810101",
        "58ff01",
        "9affffffff",
        "bbffffffffffffffff",
        "1c",
        "",
        "81" * 20 + "01",
        "d2",
        "ff",
        "f814",
    ],
)
def test_cbor_has_one_spelling(data: str) -> None:
    assert not accepts(lambda: cbor.decode_cbor(bytes.fromhex(data)))


def test_cbor_reads_what_receipts_and_passkeys_need() -> None:
    data = bytes.fromhex("d2 87 00 20 3903e7 43010203 62c3bc a2 20f4 6161f6 f5")
    assert cbor.decode_cbor(data) == cbor.Tagged(18, [0, -1, -1000, b"\1\2\3", "ü", {-1: False, "a": None}, True])
    for number in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1):
        assert cbor.decode_cbor(cbor.encode_head(0, number)) == number
