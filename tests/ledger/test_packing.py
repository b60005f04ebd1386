"""Packed evidence: smaller, and the same bytes again; what older versions stored stays readable."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import b64u, encode
from ledger.errors import Corrupt
from ledger.storage.packing import VERSION, WORDS, pack, unpack
from tests.world import Node

PACKED_ONCE = (
    "7b22616374223a226163636573732e72657175657374222c2273746174656d656e7473223a5b22017b22616c67223a224564445341222c"
    "226b6964223a227470702d312d31222c22747970223a22636f6e73656e742d73746174656d656e742b6a7774227d027b22616374223a22"
    "6163636573732e726571756573741f"
)
WORDS_HASH = "3ae78e83967751f3f8e4d4da8ccb6d938fa206f60fec11280c6c5f2a77a2d0ac"
HEADER = encode({"alg": "EdDSA", "kid": "tpp-1-1", "typ": "consent-statement+jwt"})


def statement(payload: bytes, signature: bytes = bytes(range(64)), header: bytes = HEADER) -> str:
    return ".".join(map(b64u, (header, payload, signature)))


def evidence(*statements: str, **more: object) -> bytes:
    return encode({"act": "access.request", "statements": list(statements), "v": 1, **more})


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(st.characters(blacklist_categories=("Cs", "Cc")))
            ),
            st.binary(min_size=64, max_size=64),
        ),
        max_size=3,
    ),
    st.text(st.characters(blacklist_categories=("Cs", "Cc"))),
)
def test_unpacking_gives_the_packed_evidence(said: list[tuple[dict[str, str], bytes]], note: str) -> None:
    original = evidence(*(statement(encode(payload), signature) for payload, signature in said), note=note)
    assert unpack(pack(original)) == original


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c",
        statement(b"{}", bytes(63)),
        statement(b"{}", bytes(256)),
        statement(b"\x01\x02\x03"),
        statement(b"{}", header=b"\x02"),
        statement(b"{}")[:-1] + "B",
        f"x{statement(b'{}')}",
        "é" * 40,
    ],
)
def test_a_near_statement_is_kept_as_it_is(text: str) -> None:
    original = evidence(text)
    assert unpack(pack(original)) == original


def test_evidence_that_holds_a_mark_of_the_packed_form_is_kept_unpacked() -> None:
    for payload in (b"{}\x01", b"\x02\x03", b"{\x04}"):
        original = evidence(statement(b'{"act":"access.request","v":1}'), statement(payload))
        assert pack(original) == original


def test_an_access_takes_less_than_half(sqlite_node: Node) -> None:
    recorded = sqlite_node.access(sqlite_node.grant())
    assert recorded.evidence is not None
    packed = pack(recorded.evidence)
    assert unpack(packed) == recorded.evidence
    assert len(packed) < len(recorded.evidence) / 2


def test_evidence_of_older_versions_is_read_as_it_stands() -> None:
    assert unpack(evidence("whatever")) == evidence("whatever")


def test_evidence_packed_by_version_1_stays_readable() -> None:
    packed = bytes((1, 1)) + bytes(range(64)) + bytes.fromhex(PACKED_ONCE)
    assert unpack(packed) == evidence(statement(b'{"act":"access.request","v":1}'))
    assert (VERSION, hashlib.sha256(b"\n".join(WORDS)).hexdigest()) == (1, WORDS_HASH)


@pytest.mark.parametrize(
    "damage", [b"", b"\x02", b"\x01", b"\x01\x05abc", b"\x01\x00\x01abc", b"\x01\x01" + bytes(64) + b"\x01a"]
)
def test_damaged_packing_is_told_and_never_guessed_at(damage: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(damage)
