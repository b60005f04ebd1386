"""Fast readers for the usual forms of evidence lines, CL-JSON and base64url. They leave everything unusual to the
strict readers, and so accept the same."""

from __future__ import annotations

import binascii
import json
import re

from verifier.bytes.encoding import (
    MAX_EVIDENCE,
    Object,
    check_members,
    decode_base64url,
    decode_canonical,
    encode_canonical,
    get_bytes,
    get_integer,
    get_text,
)
from verifier.bytes.merkle import HASH
from verifier.records.leaf import raw_of

MAX_LINE = 2 * MAX_EVIDENCE + 256

_INDEX = rb"(0|[1-9][0-9]{0,14})"  # the larger ones that CL-JSON allows are left to the strict reader
_LINE = re.compile(
    rb'\{"evidence":"(.*)","index":%b,"opening":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\}' % _INDEX,
    re.DOTALL,
)
_TAIL = re.compile(rb'","index":%b,"opening":"[A-Za-z0-9_-]{43}"\}\n?\Z' % _INDEX)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_URLSAFE = bytes.maketrans(b"+/", b"-_")


class _Unusual(ValueError):
    pass


def _refuse_constant(_: str) -> float:
    raise _Unusual


_decode = json.JSONDecoder(parse_float=_refuse_constant, parse_constant=_refuse_constant).decode


def read_canonical(data: bytes, limit: int) -> Object:
    """As `encoding.decode_canonical` for objects whose members are all checked afterwards (names, depth and the size
    of integers are theirs)."""
    if len(data) <= limit and b"\\" not in data and b"\x7f" not in data and b"\xc2" not in data:
        try:
            value = _decode(data.decode("utf-8"))
            if type(value) is dict and encode_canonical(value) == data:
                return value
        except (ValueError, RecursionError):
            pass
    return decode_canonical(data, limit)


def read_base64url(text: str) -> bytes:
    """As `encoding.decode_base64url`."""
    spelled = text.encode("ascii", "replace")
    try:
        raw = binascii.a2b_base64(spelled.translate(_STANDARD) + b"=" * (-len(spelled) % 4))
    except ValueError:
        return decode_base64url(text)
    again = binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URLSAFE)
    return raw if again == spelled else decode_base64url(text)


def line_index(line: bytes) -> int:
    """The index of an evidence line. Raises Refuted(BAD_ENCODING)."""
    match = _TAIL.search(line, max(0, len(line) - 90))
    if match is None:
        members = decode_canonical(line.rstrip(b"\n"), MAX_LINE)
        check_members(members, {"evidence", "index", "opening"})
        return get_integer(members, "index")
    return int(match[1])


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """Evidence and opening of a line without its newline. Raises Refuted(BAD_ENCODING)."""
    match = _LINE.fullmatch(line)
    if match is not None and len(line) <= MAX_LINE:
        body = match[1]
        quotes = body.count(b'\\"')
        if body.count(b'"') == quotes == body.count(b"\\") and body.isascii():  # the usual: only quotes are escaped
            evidence = body.replace(b'\\"', b'"')
            if len(evidence) <= MAX_EVIDENCE:
                return evidence, raw_of(match[3])
    members = read_canonical(line, MAX_LINE)
    check_members(members, {"evidence", "index", "opening"})
    get_integer(members, "index")
    return get_text(members, "evidence", MAX_EVIDENCE).encode("utf-8"), get_bytes(members, "opening", HASH)
