"""Members, numbers and texts at their bounds: the last that is taken, and one more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.verifier.making import accepts, refusal
from verifier.bytes import encoding
from verifier.bytes.encoding import (
    Json,
    Object,
    decode_base64,
    decode_base64url,
    decode_decimal,
    decode_json,
    encode_base64url,
)
from verifier.errors import Code, Refuted
from verifier.records import disclosure
from verifier.records.evidence_lines import line_index, read_base64url, read_canonical, split_line
from verifier.records.leaf import parse_leaf
from verifier.records.statement import parse_envelope

LARGEST = 2**53 - 1


@pytest.mark.parametrize("number", [LARGEST, -LARGEST, 0, -1])
def test_integers_reach_to_2_53_minus_1(number: int) -> None:
    for read in (encoding.decode_canonical, decode_json):
        assert read(b'{"a":%d}' % number, 100) == {"a": number}
        if abs(number) == LARGEST:
            with refusal(Code.BAD_ENCODING):
                read(b'{"a":%d}' % (number + (1 if number > 0 else -1)), 100)


def test_a_limit_is_the_largest_length_that_is_read() -> None:
    for read in (encoding.decode_canonical, decode_json):
        assert read(b'{"a":1}', 7) == {"a": 1}
        with refusal(Code.BAD_ENCODING):
            read(b'{"a":1}', 6)


def test_an_escaped_lone_surrogate_is_not_text() -> None:
    assert decode_json(b'{"a":"\\ud83d\\ude00"}', 100) == {"a": "\U0001f600"}
    for data in (b'{"a":"\\ud83d"}', b'{"a":["\\ude00x"]}', b'{"\\ud83d":1}'):
        with refusal(Code.BAD_ENCODING):
            decode_json(data, 100)


def test_the_canonical_spelling_holds_letters_of_every_script_as_they_are() -> None:
    assert encoding.encode_canonical({"b": "é", "a": "中"}) == '{"a":"中","b":"é"}'.encode()


def test_decimals_have_at_most_20_digits_and_end_at_their_limit() -> None:
    assert decode_decimal(str(2**63 - 1)) == 2**63 - 1
    for text, limit in ((str(2**63), 2**63 - 1), ("8", 7), ("1" * 21, 10**30)):
        with refusal(Code.BAD_ENCODING):
            decode_decimal(text, limit)
    with refusal(Code.BAD_ENCODING):
        decode_decimal(str(2**63))
    assert (decode_decimal("7", 7), decode_decimal("1" * 20, 10**30)) == (7, int("1" * 20))


@pytest.mark.parametrize("length", range(6))
def test_base64_of_another_length_than_asked_for_is_refused(length: int) -> None:
    raw = b"\xff" * length
    for read, text in ((decode_base64, encoding.encode_base64(raw)), (decode_base64url, encode_base64url(raw))):
        assert read(text) == read(text, length) == raw
        for other in (length - 1, length + 1):
            with refusal(Code.BAD_ENCODING):
                read(text, other)


# --- members --------------------------------------------------------------------------------------------------

Read = Callable[[Object], object]
TAKEN: list[tuple[Read, list[Json], list[Json]]] = [
    (lambda v: encoding.get_text(v, "a", 3), ["x", "xyz", "中中中"], ["", "wxyz", 1, None, ["x"]]),
    (lambda v: encoding.get_text(v, "a", 3, re.compile("[0-9]+")), ["1", "123"], ["", "1x", "x1", "1\n", "1234"]),
    (lambda v: encoding.get_integer(v, "a"), [0, 1, LARGEST], [-1, LARGEST + 1, True, False, "1", None]),
    (lambda v: encoding.get_integer(v, "a", 1, 3), [1, 2, 3], [0, 4, True, "2", None]),
    (lambda v: encoding.get_flag(v, "a"), [True, False], [0, 1, "true", None]),
    (lambda v: encoding.get_object(v, "a"), [{}, {"b": 1}], [[], "{}", None]),
    (
        lambda v: encoding.get_texts(v, "a", 1, 3),
        [["x"], ["x", "", "x"]],
        [[], ["w", "x", "y", "z"], [1], ["x", None], "xyz", {"x": "y"}, None],
    ),
    (lambda v: encoding.get_texts(v, "a", 0, 1), [[], ["x"]], [["x", "y"], None]),
    (
        lambda v: encoding.get_bytes(v, "a", 2),
        [encode_base64url(b"xy")],
        ["", encode_base64url(b"x"), encode_base64url(b"xyz"), "eHk=", 1, None],
    ),
    (
        lambda v: encoding.get_bytes(v, "a", 2, 3),
        [encode_base64url(b"xy"), encode_base64url(b"xyz")],
        ["", encode_base64url(b"x"), encode_base64url(b"wxyz"), None],
    ),
    (lambda v: encoding.get_bytes(v, "a", 0, 1), ["", encode_base64url(b"x")], [encode_base64url(b"xy")]),
]


@pytest.mark.parametrize(("read", "good", "bad"), TAKEN)
def test_a_member_is_of_its_kind_and_within_its_bounds(read: Read, good: list[Json], bad: list[Json]) -> None:
    for value in good:
        read({"a": value})
    for value in bad:
        with pytest.raises(Refuted) as caught:
            read({"a": value})
        assert caught.value.defect.code is Code.BAD_ENCODING
    with refusal(Code.BAD_ENCODING):
        read({"b": good[0]})


def test_members_are_those_that_must_be_and_may_be_there_and_no_others() -> None:
    for value, accepted in (
        ({"a": 1}, True),
        ({"a": 1, "b": 1}, True),
        ({}, False),
        ({"b": 1}, False),
        ({"a": 1, "c": 1}, False),
        ({"c": 1}, False),
    ):
        assert accepts(encoding.check_members, value, {"a"}, {"b"}) is accepted


# --- sizes of what is signed and hashed (docs/spec/encoding.md) -----------------------------------------------


def padded(before: str, length: int, after: str) -> bytes:
    return (before + "x" * (length - len(before) - len(after)) + after).encode()


def line(length: int, first: str = "é") -> bytes:
    """A line of evidence of so many characters, by default one of them beyond ASCII."""
    return f'{{"evidence":"{first}{"x" * (length - 1)}","index":1,"opening":"{encode_base64url(bytes(32))}"}}'.encode()


def statement(length: int) -> bytes:
    header = encode_base64url(b'{"alg":"EdDSA","kid":"key-1","typ":"consent-statement+jwt"}')
    return padded(f"{header}.", length, ".AAAA")


SIZES: list[tuple[Callable[[int], object], int, str]] = [
    (lambda length: parse_leaf(padded('{"x":"', length, '"}')), 1_024, "too long"),
    (lambda length: parse_envelope(statement(length)), 16_384, "too long"),
    (lambda length: disclosure._read_item({"body": "x" * length, "path": [], "position": 0}, {}), 8_192, "field body"),
    (lambda length: split_line(line(length)), 49_152, "field evidence"),
    (lambda length: split_line(line(length, "x")), 49_152, "field evidence"),
    (lambda length: split_line(line(length, '\\"')), 49_152, "field evidence"),
]


@pytest.mark.parametrize(("read", "most", "told"), SIZES)
def test_sizes_are_bounded_before_parsing(read: Callable[[int], object], most: int, told: str) -> None:
    """Up to the bound it is refused, if at all, for what it says; beyond it for its length."""
    with pytest.raises(Refuted, match=told):
        read(most + 1)
    for length in (most - 2, most):
        found: list[str] = []
        with suppress(Refuted), noted(found):
            read(length)
        assert told not in " ".join(found)


NUMBERS = (0, 1, 10**14, 10**15 - 1, 10**15, 2**53 - 1, 2**53, 10**16 - 1, 10**16)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_line_names_an_index_that_is_a_number_of_cl_json(number: int) -> None:
    """Also where it is read the quick way: a line that is none is told at its place in the file, not at an index."""
    text = f'{{"evidence":"x","index":{number},"opening":"{encode_base64url(bytes(32))}"}}'.encode()
    assert accepts(line_index, text + b"\n") is accepts(split_line, text) is (number <= 2**53 - 1)


TEXTS = (
    b'{"a":1}',
    b'{"a": 1}',
    b'{"b":1,"a":1}',
    b'{"a":1,"a":1}',
    b"[]",
    b"[1]",
    b"1",
    b'"a"',
    b"null",
    b"{}",
    b"",
    b"{",
    b'{"a":1.0}',
    b'{"a":NaN}',
    b'{"a":"\\u0041"}',
    b'{"a":"\\""}',
    b'{"a":"\\n"}',
    b'{"a":"\x7f"}',
    b'{"a":"\xc2\x80"}',
    b'{"a":"\xc2\x9f"}',
    b'{"a":"\xc2\xa0"}',
    b'{"a":"\xff"}',
    b'{"a":{"b":[{"c":1}]}}',
    b'{"a":9007199254740993}',
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_the_quick_reader_of_objects_takes_no_other_than_the_strict_one(text: bytes, spare: int) -> None:
    """Sizes of integers and depth are looked at by whoever reads the members; so only what the strict one takes is asked
    for back, and what it refuses for its spelling or its length is refused."""
    limit = len(text) + spare
    if accepts(encoding.decode_canonical, text, limit):
        assert read_canonical(text, limit) == encoding.decode_canonical(text, limit)
    elif b"9007199254740993" not in text:
        assert not accepts(read_canonical, text, limit)


@pytest.mark.parametrize(
    "text", ["", "A", "AA", "AB", "AAA", "AAB", "AAAA", "AAAAA", "AA==", "A-_A", "A+/A", "AA\n", "ÄA", "A A"]
)
def test_the_quick_reader_of_base64url_takes_what_the_strict_one_takes(text: str) -> None:
    assert accepts(read_base64url, text) is accepts(encoding.decode_base64url, text)
    if accepts(read_base64url, text):
        assert read_base64url(text) == encoding.decode_base64url(text)


@contextmanager
def noted(found: list[str]) -> Iterator[None]:
    """Keeps what a refusal said."""
    try:
        yield
    except Refuted as refusal_:
        found.append(str(refusal_))
        raise
