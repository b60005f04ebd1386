"""Parsers accept one spelling: every trap of Python's own parsers is refused."""

from __future__ import annotations

import itertools
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.making import accepts, refusal
from verifier.bytes import tags
from verifier.bytes.encoding import (
    MAX_INTEGER,
    decode_base64,
    decode_base64url,
    decode_canonical,
    decode_decimal,
    decode_json,
    encode_base64url,
    encode_canonical,
)
from verifier.errors import Code, Defect, Place, located, printable, refuted
from verifier.records.commitment import accounts_hash, chain_of, check_commitment, commit, terms_hash

text = st.text(st.characters(blacklist_categories=("Cs", "Cc")))
names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | text
documents = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    ).filter(lambda v: depth(v) < 8),
    max_size=6,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(documents)
def test_canonical_json_is_that_of_rfc_8785_and_reads_back(document: dict[str, object]) -> None:
    data = rfc8785.dumps(document)  # type: ignore[arg-type]
    assert encode_canonical(document) == data  # type: ignore[arg-type]
    assert decode_canonical(data, len(data)) == document
    with refusal(Code.BAD_ENCODING):
        decode_canonical(data, len(data) - 1)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a": 1}',
        b'{"a":1} ',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\n"}',
        b'{"a":"\\u0001"}',
        b'{"a":"\x7f"}',
        '{"a":"\x85"}'.encode(),
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":01}',
        b'{"b":1,"a":1}',
        b'{"A":1}',
        b'{"":1}',
        b'{"1":1}',
        b"[]",
        b"[1]",
        b'"a"',
        b"1",
        b"null",
        b"",
        b"{",
        b'{"a":1}{"a":1}',
        b'{"a\\u0062":1}',
        b'{"a":' + b"[" * 8 + b"]" * 8 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 50_000 + b"}",
    ],
)
def test_e01_to_e05_any_other_spelling_is_bad_encoding(data: bytes) -> None:
    with refusal(Code.BAD_ENCODING):
        decode_canonical(data, 1_000_000)


def test_seven_levels_inside_the_object_are_allowed() -> None:
    data = b'{"a":' + b"[" * 7 + b"]" * 7 + b"}"
    assert encode_canonical(decode_canonical(data, 100)) == data


@given(st.binary(max_size=60) | documents.map(lambda d: json.dumps(d).encode()))
def test_accepted_bytes_encode_to_themselves(data: bytes) -> None:
    if accepts(decode_canonical, data, 1_000):
        assert encode_canonical(decode_canonical(data, 1_000)) == data


def test_plain_json_may_be_spelled_freely_but_not_ambiguously() -> None:
    assert decode_json(b' {"B": "\\u0041\\n", "a": [1]} ', 100) == {"B": "A\n", "a": [1]}
    for data in (
        b'{"a":1,"a":1}',
        b'{"a":1.5}',
        b'{"a":NaN}',
        b"[]",
        b'{"a":{"b":1,"b":2}}',
        b"\xef\xbb\xbf{}",
    ):
        with refusal(Code.BAD_ENCODING):
            decode_json(data, 100)


@given(st.binary(max_size=40))
def test_base64url_has_one_spelling(raw: bytes) -> None:
    spelled = encode_base64url(raw)
    assert decode_base64url(spelled) == raw
    for other in (
        spelled + "=",
        spelled + "A",
        spelled + "\n",
        " " + spelled,
        spelled[:-1] + "٣",
        spelled + "==",
    ):
        if other != spelled and accepts(decode_base64url, other):
            assert encode_base64url(decode_base64url(other)) == other


@pytest.mark.parametrize("spelled", ["QR", "Q", "QQ==", "Q Q", "Q+", "Q/", "QQ\n", "Qé"])
def test_e09_other_base64url_is_refused(spelled: str) -> None:
    with refusal(Code.BAD_ENCODING):
        decode_base64url(spelled)


@pytest.mark.parametrize("spelled", ["QR==", "QQ", "QQ=", "QQ===", "QQ==\n", "Q-==", "Q_==", "Q Q=", "QQ==QQ=="])
def test_other_base64_is_refused(spelled: str) -> None:
    with refusal(Code.BAD_ENCODING):
        decode_base64(spelled)


@pytest.mark.parametrize(
    "spelled",
    ["", "+5", "-5", " 5", "5 ", "1_0", "05", "00", "٣", "²", "5\n", "1e3", "0x1", "9" * 5000, str(2**63)],
)
def test_m04_other_decimals_are_refused(spelled: str) -> None:
    with refusal(Code.BAD_ENCODING):
        decode_decimal(spelled)


@given(st.integers(0, 2**63 - 1))
def test_decimals_read_back(number: int) -> None:
    assert decode_decimal(str(number)) == number


def test_e10_no_tag_is_a_prefix_of_another_and_all_end_in_one_nul() -> None:
    for a, b in itertools.permutations(tags.ALL, 2):
        assert not a.startswith(b)
    for tag in tags.ALL:
        assert tag.isascii()
        assert tag.startswith(b"consent-ledger/v1/")
        assert tag.endswith(b"\0")
        assert tag.count(b"\0") == 1


def test_a_commitment_opens_with_its_own_evidence_and_a_32_byte_opening_only() -> None:
    commitment = commit(b"o" * 32, b"evidence")
    check_commitment(commitment, b"o" * 32, b"evidence")
    for opening, evidence in (
        (b"p" * 32, b"evidence"),
        (b"o" * 32, b"evidencf"),
        (b"o" * 31, b"evidence"),
        (b"o" * 32 + b"\0", b"evidence"),
    ):
        with refusal(Code.BAD_COMMITMENT):
            check_commitment(commitment, opening, evidence)
    assert len({chain_of("x"), terms_hash({"x": 1}), accounts_hash(["x"]), commitment}) == 4


def test_a_defect_names_place_expected_and_found_and_cannot_drive_a_terminal() -> None:
    def fail() -> None:
        with located(index=7, file="tile/0/000", line=3):
            raise refuted(Code.BAD_PROOF, "wrong", expected=b"\1" * 32, found="\x1b[2J\n" + "x" * 500, line=2)

    with pytest.raises(Exception) as caught:  # noqa: PT011
        fail()
    defect = caught.value.defect  # type: ignore[attr-defined]
    assert isinstance(defect, Defect)
    assert defect.place == Place(7, "tile/0/000", 2, None)
    assert defect.expected == "01" * 32
    assert "\x1b" not in str(caught.value)
    assert len(defect.found) <= 160
    assert str(caught.value).startswith("BAD_PROOF: entry 7, tile/0/000:2: wrong (expected 0101")
    assert printable(10**5000).startswith("an integer of")
