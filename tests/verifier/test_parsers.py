"""Every parser, under random bytes and under changes of genuine input: it refuses in its two ways, or it gives what
reads back to the very same bytes. Nothing changed is ever accepted as evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.making import BACKEND, accepts
from tests.verifier.parsers import (
    EVIDENCE,
    GENUINE,
    LEAVES,
    LOG,
    NOTE,
    PARSERS,
    POLICY,
    PROOF,
    RECEIPT,
    W1,
    receipt,
)
from tests.verifier.trees import root_of
from verifier.bytes import cbor
from verifier.tlog import cose
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.evidence import check_evidence
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import parse_note
from verifier.tlog.proof import parse_proof, verify_proof
from verifier.tlog.witness import decide

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
