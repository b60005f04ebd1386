"""CL-JSON, base64 and decimals: one spelling for each value (docs/spec/encoding.md).

Whatever is hashed or signed has exactly one accepted byte form: a reader takes bytes only if encoding what it
parsed gives the same bytes again. That one comparison refuses duplicate keys, white space, escapes, `1.0`,
`-0`, trailing bytes and every other second spelling without naming any of them. What it cannot see (a float
that prints like itself, a key outside the alphabet, a control character) is refused by the profile check.

CL-JSON: RFC 8785 bytes of an object; keys `[a-z_][a-z0-9_]*`; integers of at most 2^53 - 1 in magnitude; no
floats; no control characters (Unicode category Cc) in strings; at most 8 levels of objects and arrays.
Inside this profile orjson with sorted keys writes RFC 8785 exactly (tested against another implementation).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson

from ledger.errors import BadEncoding

JsonObject: TypeAlias = dict[str, Any]
"""A decoded CL-JSON object: str, int, bool, None, list and dict only."""

MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 8

LEAF_LIMIT: Final = 1024
STATEMENT_LIMIT: Final = 16 * 1024
ITEM_LIMIT: Final = 8 * 1024
EVIDENCE_LIMIT: Final = 48 * 1024

_KEY: Final = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def encode(value: Mapping[str, Any]) -> bytes:
    """The CL-JSON bytes of `value`, checked against the whole profile.

    Tuples are written as arrays. Raises BadEncoding when `value` has no CL-JSON form.
    """
    if type(value) is not dict:
        raise BadEncoding(f"CL-JSON encodes an object, not {type(value).__name__}")
    _check_shape(value, 1)
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # a lone surrogate: the one thing the shape does not show
        raise BadEncoding(f"the value cannot be written as UTF-8 JSON: {error}") from None
    _check_strings(value, data)
    return data


def decode(data: bytes, *, limit: int) -> JsonObject:
    """The object whose CL-JSON is exactly `data`, which may be at most `limit` bytes long.

    Raises BadEncoding for anything else, hostile input included.
    """
    if len(data) > limit:
        raise BadEncoding(f"{len(data)} bytes where at most {limit} are accepted")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadEncoding(f"not JSON: {error}") from None
    if type(value) is not dict:
        raise BadEncoding("CL-JSON is an object at its top level")
    _check_shape(value, 1)
    if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
        raise BadEncoding("not in canonical form: encoding the parsed value gives other bytes")
    _check_strings(value, data)
    return value


def _check_shape(members: dict[Any, Any], depth: int) -> None:
    """Keys, numbers, types and depth; what strings hold is left to `_check_strings`."""
    for key, value in members.items():
        _check_key(key)
        if type(value) is not str:
            _check_value(value, depth)


def _check_value(value: Any, depth: int) -> None:
    kind = type(value)  # the exact type: a bool is not an int here, and subclasses may write themselves differently
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BadEncoding(f"an integer lies outside ±{MAX_INTEGER}")
    elif kind is dict or kind is list or kind is tuple:
        if depth == MAX_DEPTH:
            raise BadEncoding(f"more than {MAX_DEPTH} levels of objects and arrays")
        if kind is dict:
            _check_shape(value, depth + 1)
        else:
            for item in value:
                if type(item) is not str:
                    _check_value(item, depth + 1)
    elif kind is not bool and value is not None:
        raise BadEncoding(f"CL-JSON has no {kind.__name__}")


def _check_strings(value: Any, data: bytes) -> None:
    """No control character in any string of `value`, whose canonical bytes are `data`.

    Those bytes show controls below U+0020 by a backslash, U+007F as itself, the others by the lead byte C2. When
    none of the three occurs, and in most leaves none does, no string needs a look.
    """
    if b"\\" in data or b"\x7f" in data or b"\xc2" in data:
        _check_text(value)


def _check_text(value: Any) -> None:
    if type(value) is str:
        if _CONTROL.search(value):
            raise BadEncoding("a string holds a control character")
    elif type(value) is dict:
        for member in value.values():
            _check_text(member)
    elif type(value) is list or type(value) is tuple:
        for item in value:
            _check_text(item)


@lru_cache(maxsize=1024)
def _check_key(key: str) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise BadEncoding("a key is not of the form [a-z_][a-z0-9_]*")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(
    b"-_+/=", b"+/\0\0\0"
)  # what base64 has and base64url has not becomes what neither has
_ENDINGS: Final = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}
"""By length modulo 4: the characters that a text without stray bits can end with."""


def b64u(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def b64u_of_hashes(hashes: Sequence[bytes]) -> list[str]:
    """`b64u` of values of 32 bytes each, all in one conversion: a byte between them makes each a whole number of threes."""
    text = b2a_base64(b"\0".join(hashes), newline=False).translate(_TO_URL).decode("ascii")
    return [text[at : at + 43] for at in range(0, len(text), 44)]


def unb64u(text: str, *, size: int | None = None) -> bytes:
    """The bytes whose `b64u` is exactly `text`; `size` is their required number. Raises BadEncoding."""
    over = len(text) % 4
    try:
        data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"==="[: -over % 4], strict_mode=True)
    except ValueError:
        raise BadEncoding("not base64url without padding") from None
    if over and text[-1] not in _ENDINGS[over]:
        raise BadEncoding("not the canonical base64url spelling (its last character has stray bits)")
    return _sized(data, size)


def b64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 §4), as C2SP formats use it."""
    return b64encode(data).decode("ascii")


def b64_of_hashes(hashes: Sequence[bytes]) -> list[str]:
    """`b64` of values of 32 bytes each, as `b64u_of_hashes` does it."""
    text = b2a_base64(b"\0".join(hashes), newline=False).decode("ascii")
    return [f"{text[at : at + 43]}=" for at in range(0, len(text), 44)]


def unb64(text: str, *, size: int | None = None) -> bytes:
    """The bytes whose `b64` is exactly `text`; `size` is their required number. Raises BadEncoding."""
    try:
        data = b64decode(text)
    except ValueError:
        raise BadEncoding("not base64") from None
    if b64(data) != text:
        raise BadEncoding("not the canonical base64 spelling (padded, no stray bits)")
    return _sized(data, size)


def _sized(data: bytes, size: int | None) -> bytes:
    if size is not None and len(data) != size:
        raise BadEncoding(f"{len(data)} bytes where {size} are required")
    return data


def decimal(text: str) -> int:
    """The number whose decimal form is exactly `text`: ASCII digits, no sign, no leading zero, at most 19 digits.

    Raises BadEncoding.
    """
    if not _DECIMAL.fullmatch(text):
        raise BadEncoding("not a canonical decimal number of at most 19 digits")
    return int(text)
