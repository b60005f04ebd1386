"""Parsers that accept exactly one spelling: CL-JSON, strict JSON, base64, base64url, decimal.

Python's own parsers accept more than one spelling of a value (`int(" 4_2")`, dropped base64 junk, duplicate JSON
keys, NaN). Two spellings of one value are two different things under one meaning, so each function here either
returns the value or raises `Refuted` with BAD_ENCODING.  Source: docs/spec/encoding.md, RFC 8785, RFC 4648.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection
from typing import NoReturn, TypeAlias

from verifier.errors import CannotCheck, Code, OtherVersion, refuted

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = dict[str, Json]

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 8
MAX_LEAF = 1_024
MAX_STATEMENT = 16_384
MAX_ITEM = 8_192
MAX_EVIDENCE = 49_152

_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _bad(sentence: str, *, expected: object = "", found: object = "", field: str | None = None) -> NoReturn:
    raise refuted(Code.BAD_ENCODING, sentence, expected=expected, found=found, field=field)


# --- CL-JSON ---------------------------------------------------------------------------------------------------


def encode_canonical(value: Object) -> bytes:
    """The one CL-JSON spelling of an object that keeps the rules of CL-JSON (names are ASCII, so code point order
    is RFC 8785's UTF-16 order)."""
    return _encoder.encode(value).encode("utf-8")


def decode_canonical(data: bytes, limit: int) -> Object:
    """Read CL-JSON of at most `limit` bytes: accepted only if encoding the value gives the same bytes again."""
    value = decode_json(data, limit)
    _check_canonical(value, 1)
    spelling = encode_canonical(value)
    if spelling != data:
        _bad("the bytes are not the canonical spelling", expected=spelling, found=data)
    return value


def _check_canonical(value: Json, depth: int) -> None:
    if isinstance(value, str):
        if _CONTROL.search(value):
            _bad("a string holds a control character", found=value)
    elif isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            _bad("nested too deeply", expected=f"at most {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for name in value:
                if not _NAME.fullmatch(name):
                    _bad("a member name has a form that is not allowed", expected=_NAME.pattern, found=name)
        for inner in value.values() if isinstance(value, dict) else value:
            _check_canonical(inner, depth + 1)


# --- strict JSON, for files whose bytes are not hashed --------------------------------------------------------


def decode_json(data: bytes, limit: int) -> Object:
    """Read one JSON object of at most `limit` bytes in any spelling; duplicate names, floats, NaN, integers beyond
    2^53-1, lone surrogates and a byte-order mark are refused."""
    if len(data) > limit:
        _bad("too long", expected=f"at most {limit} bytes", found=f"{len(data)} bytes")
    try:
        value = _decoder.decode(data.decode("utf-8"))
        if b"\\u" in data:  # a lone surrogate can only come from an escape
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        _bad("not UTF-8")
    except RecursionError:
        _bad("nested too deeply", expected=f"at most {MAX_DEPTH} levels")
    except ValueError as error:
        _bad("not JSON", found=str(error))
    if not isinstance(value, dict):
        _bad("not a JSON object", found=type(value).__name__)
    return value


def _unique(pairs: list[tuple[str, Json]]) -> Object:
    members = dict(pairs)
    if len(members) != len(pairs):
        _bad("a member name occurs twice", found=[name for name, _ in pairs])
    return members


def _small_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        _bad("an integer is too large", expected=f"at most {MAX_INTEGER}", found=digits)
    return int(digits)


def _no_float(digits: str) -> NoReturn:
    _bad("a number is not an integer", found=digits)


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_small_integer, parse_float=_no_float, parse_constant=_no_float
)


# --- members of an object -------------------------------------------------------------------------------------


def check_members(value: Object, required: Collection[str], optional: Collection[str] = ()) -> None:
    """Exactly the `required` members, and none but those and the `optional` ones."""
    missing = sorted(set(required) - value.keys())
    surplus = sorted(value.keys() - set(required) - set(optional))
    if missing or surplus:
        _bad(
            "members are missing or unknown",
            expected=", ".join(sorted(required)),
            found="; ".join([f"missing {name}" for name in missing] + [f"unknown {name}" for name in surplus]),
        )


def get_text(value: Object, name: str, limit: int, pattern: re.Pattern[str] | None = None) -> str:
    """A non-empty string member of at most `limit` characters that matches `pattern` entirely."""
    text = value.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= limit or (pattern and not pattern.fullmatch(text)):
        _bad(
            "not a text of the expected form",
            field=name,
            found=text,
            expected=pattern.pattern if pattern else f"1 to {limit} characters",
        )
    return text


def check_version(value: Object, what: str, known: int = 1) -> None:
    """`v` of a format, to be asked before anything else in it. Raises CannotCheck for a version that this verifier does not
    know, Refuted(BAD_ENCODING) if it is not a number at all."""
    number = get_integer(value, "v", 1)
    if number != known:
        raise CannotCheck(f"{what} is of version {number}: this verifier knows version {known}")


def check_entry_version(value: Object, what: str, known: int = 1) -> None:
    """`v` of something that stands in a log among others. Raises OtherVersion for a later one than ours, Refuted(BAD_ENCODING)
    if it is not a version at all. To be asked before anything else in it."""
    number = get_integer(value, "v", 1)
    if number > known:
        sentence = f"{what} is of a version that this verifier does not know"
        raise OtherVersion(refuted(Code.BAD_ENCODING, sentence, field="v", expected=known, found=number).defect)


def get_integer(value: Object, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
    """An integer member within [low, high]; a JSON boolean is not an integer."""
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        _bad("not an integer within its bounds", field=name, expected=f"{low} to {high}", found=number)
    return number


def get_flag(value: Object, name: str) -> bool:
    """A boolean member."""
    flag = value.get(name)
    if not isinstance(flag, bool):
        _bad("not true or false", field=name, found=flag)
    return flag


def get_object(value: Object, name: str) -> Object:
    """An object member."""
    inner = value.get(name)
    if not isinstance(inner, dict):
        _bad("not an object", field=name, found=type(inner).__name__)
    return inner


def get_texts(value: Object, name: str, low: int, high: int) -> list[str]:
    """A list member of `low` to `high` strings."""
    items = value.get(name)
    if not isinstance(items, list) or not low <= len(items) <= high:
        _bad("not a list of the expected length", field=name, expected=f"{low} to {high} texts")
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) != len(items):
        _bad("an item of the list is not a text", field=name)
    return texts


def get_bytes(value: Object, name: str, low: int, high: int | None = None) -> bytes:
    """A base64url member of `low` (to `high`) bytes."""
    text = value.get(name)
    if not isinstance(text, str):
        _bad("not a base64url text", field=name, found=text)
    raw = decode_base64url(text)
    if not low <= len(raw) <= (low if high is None else high):
        _bad(
            "a wrong number of bytes",
            field=name,
            expected=low if high is None else f"{low} to {high}",
            found=len(raw),
        )
    return raw


# --- base64, base64url, decimal -------------------------------------------------------------------------------


def decode_base64(text: str, length: int | None = None) -> bytes:
    """Standard base64 with padding, in its canonical spelling; of exactly `length` bytes if given."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _bad("not base64", found=text)
    return _same_spelling(text, raw, base64.b64encode(raw), length)


def decode_base64url(text: str, length: int | None = None) -> bytes:
    """base64url without padding, in its canonical spelling; of exactly `length` bytes if given."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        _bad("not base64url", found=text)
    return _same_spelling(text, raw, base64.urlsafe_b64encode(raw).rstrip(b"="), length)


def _same_spelling(text: str, raw: bytes, spelling: bytes, length: int | None) -> bytes:
    if text != spelling.decode("ascii"):
        _bad("not the canonical base64 spelling", expected=spelling, found=text)
    if length is not None and len(raw) != length:
        _bad("a wrong number of bytes", expected=length, found=len(raw))
    return raw


def encode_base64(raw: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(raw).decode("ascii")


def encode_base64url(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode_decimal(text: str, limit: int = 2**63 - 1) -> int:
    """`0` or ASCII digits without a leading zero, at most `limit`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and str(int(text)) == text and int(text) <= limit):
        _bad("not a canonical decimal within its bounds", expected=f"0 to {limit}", found=text)
    return int(text)
