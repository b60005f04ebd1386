"""CL-JSON, base64 and decimals: one spelling for each value, everything else refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import MAX_INTEGER, b64, b64u, decimal, decode, encode, unb64, unb64u
from ledger.errors import BadEncoding
from ledger.tags import PREFIX, TAGS

KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
STRINGS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), STRINGS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@given(OBJECTS.filter(lambda value: _depth(value) <= 8))
def test_inside_the_profile_the_bytes_are_those_of_rfc_8785_and_come_back(value: dict[str, Any]) -> None:
    data = encode(value)
    assert data == rfc8785.dumps(value)
    assert decode(data, limit=len(data)) == value


@given(st.text(max_size=20))
def test_a_string_is_accepted_exactly_when_it_holds_no_control_character(text: str) -> None:
    allowed = not any(c < " " or "\x7f" <= c <= "\x9f" for c in text)
    data = rfc8785.dumps({"a": text, "b": ["\\", {"c": text}]})
    if allowed:
        assert decode(data, limit=1000) == {"a": text, "b": ["\\", {"c": text}]}
        assert encode({"a": text, "b": ("\\", {"c": text})}) == data
    else:
        with pytest.raises(BadEncoding):
            decode(data, limit=1000)
        with pytest.raises(BadEncoding):
            encode({"a": [text]})


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_decoded_to_themselves_or_refused(data: bytes) -> None:
    try:
        value = decode(data, limit=60)
    except BadEncoding:
        return
    assert encode(value) == data


@given(OBJECTS.filter(lambda value: _depth(value) <= 8), st.data())
def test_no_changed_byte_is_read_as_the_same_value(value: dict[str, Any], data: st.DataObject) -> None:
    changed = bytearray(encode(value))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    with suppress(BadEncoding):
        assert decode(bytes(changed), limit=len(changed)) != value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"a"',
        b"1",
        b' {"a":1}',
        b'{"a":1}\n',
        b'{"a": 1}',
        b'{"a":1,}',
        b'{"a":1}{}',
        b'{"a":1}\x00',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1.0}',
        b'{"a":1.5}',
        b'{"a":1e2}',
        b'{"a":1E400}',
        b'{"a":-0}',
        b'{"a":-0.0}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":18446744073709551616}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\u0061"}',
        b'{"a":"\\/"}',
        b'{"a":"\\n"}',
        b'{"a":"\\u0000"}',
        b'{"a":"\x00"}',
        b'{"a":"\x7f"}',
        b'{"a":"\xc2\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\xaf"}',
        b"\xef\xbb\xbf{}",
        b'{"A":1}',
        b'{"":1}',
        b'{"1a":1}',
        b'{"a-b":1}',
        b'{"a\\n":1}',
        '{"ä":1}'.encode(),
        '{"a":1}'.encode("utf-16"),
        b"//\n{}",
        b"{'a':1}",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_every_other_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        decode(data, limit=1_000_000)


@pytest.mark.parametrize("value", [MAX_INTEGER, -MAX_INTEGER, 0, True, None, 'é"\\🏦', [], {}])
def test_the_edges_of_the_profile_are_accepted(value: Any) -> None:
    assert decode(encode({"a": value}), limit=100) == {"a": value}


def test_eight_levels_are_accepted_and_nine_refused() -> None:
    assert decode(encode(_nested(8)), limit=1000) == _nested(8)
    too_deep: list[dict[str, Any]] = [_nested(9), {"a": [[[[[[[[]]]]]]]]}]
    for nine in too_deep:
        with pytest.raises(BadEncoding):
            encode(nine)
        with pytest.raises(BadEncoding):
            decode(json.dumps(nine, separators=(",", ":")).encode(), limit=1000)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.0},
        {"a": MAX_INTEGER + 1},
        {"a": 2**80},
        {"a": "\ud800"},
        {"a": b"x"},
        {"a": {1, 2}},
        {"A": 1},
        {1: 1},
        {None: 1},
        {"a\n": 1},
        {"a": {"B": 1}},
        {"a": [{"B": 1}]},
        {"a": type("Text", (str,), {})("x")},
        [],
        None,
    ],
)
def test_values_without_a_cl_json_form_are_not_encoded(value: Any) -> None:
    with pytest.raises(BadEncoding):
        encode(value)


def test_the_size_is_bounded_before_anything_is_parsed() -> None:
    assert decode(b'{"a":1}', limit=7) == {"a": 1}
    with pytest.raises(BadEncoding, match="7 bytes where at most 6"):
        decode(b'{"a":1}', limit=6)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["a"] = value
    with pytest.raises(BadEncoding):
        encode(value)


@given(st.binary(max_size=80))
def test_base64_comes_back_in_both_alphabets(data: bytes) -> None:
    assert unb64u(b64u(data), size=len(data)) == unb64(b64(data), size=len(data)) == data
    for read, text in ((unb64u, b64u(data)), (unb64, b64(data))):
        with pytest.raises(BadEncoding):
            read(text, size=len(data) + 1)


@pytest.mark.parametrize(
    "text",
    [
        "QR",
        "QQ==",
        "Q",
        "+A",
        "/w",
        "QQ\n",
        " QQ",
        "Q Q",
        "QUI\u200b",
        "\uff31\uff31",
        "\ud800",
        "QUJD=",
        "=",
        "*",
    ],
)
def test_only_the_canonical_base64url_is_accepted(text: str) -> None:
    with pytest.raises(BadEncoding):
        unb64u(text)


@pytest.mark.parametrize(
    "text",
    [
        "QR==",
        "QQ",
        "QQ=",
        "QQ===",
        "-A==",
        "_w==",
        "QQ==\n",
        "Q Q==",
        "QQ==QQ==",
        "\uff31\uff31==",
        "\ud800",
        "=",
        "QUJDRB==",
    ],
)
def test_only_the_canonical_base64_is_accepted(text: str) -> None:
    with pytest.raises(BadEncoding):
        unb64(text)


@given(st.text(st.sampled_from("AQgwEIMUYcksoz048-_+/=\n \0é"), max_size=12))
def test_base64url_is_read_exactly_if_it_is_what_would_be_written(text: str) -> None:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
    except ValueError:
        data = b""
    if b64u(data) == text:
        assert unb64u(text) == data
    else:
        with pytest.raises(BadEncoding):
            unb64u(text)


@given(st.integers(0, 10**19 - 1))
def test_decimals_come_back(number: int) -> None:
    assert decimal(str(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+5",
        "-1",
        " 5",
        "5 ",
        "5\n",
        "1_0",
        "05",
        "00",
        "\u0663",
        "\uff15",
        "²",
        "0x1",
        "1e3",
        "1.0",
        "1" * 20,
        "1" * 100_000,
    ],
)
def test_any_other_spelling_of_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadEncoding):
        decimal(text)


def test_no_domain_tag_is_the_beginning_of_another() -> None:
    tags = list(TAGS.values())
    assert len(set(tags)) == len(tags) == len(TAGS)
    for name, tag in TAGS.items():
        assert tag == PREFIX + name.encode("ascii") + b"\0"
        assert tag.isascii()
        assert tag.count(b"\0") == 1
        assert not [other for other in tags if other != tag and other.startswith(tag)]


def test_errors_quote_nothing_of_the_input() -> None:
    secret = "do-not-log-me"
    refused: list[Callable[[], object]] = [
        lambda: unb64u(secret + "="),
        lambda: unb64(secret),
        lambda: decimal(secret),
        lambda: encode({secret: 1}),
        lambda: decode(json.dumps({"a": secret, "b": 1.5}).encode(), limit=100),
    ]
    for refuse in refused:
        with pytest.raises(BadEncoding) as caught:
            refuse()
        assert secret not in caught.value.detail
