"""Statements: the strict parser of compact JWS that participants sign (docs/spec/statements.md).

General JOSE libraries accept duplicated `alg`, padding, or `b64: false`; this parser accepts one spelling only. The
header of each registered key is known in advance, so the header is compared, never interpreted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from ledger.canonical import b64u, encode, unb64u
from ledger.entries.acts import ACTS, AccessItem, Act
from ledger.errors import BadEncoding, BadSignature, BadStatement

STATEMENT_LIMIT: Final = 16_384
ITEM_LIMIT: Final = 8_192
TYP: Final = "consent-statement+jwt"


def header_text(alg: str, kid: str) -> str:
    """The base64url text of the only header that statements under this key may have."""
    return b64u(encode({"alg": alg, "kid": kid, "typ": TYP}))


class Statement(msgspec.Struct, frozen=True):
    """A statement whose signature has verified and whose payload has been read."""

    text: str
    """The compact JWS as received."""
    kid: str
    payload: Act
    payload_hash: bytes
    """SHA-256 of the payload bytes: what makes a repeat the same statement."""
    jti: bytes
    """The 16 bytes of the payload's `jti`."""


class _Peek(msgspec.Struct, frozen=True):
    act: str


_peek = msgspec.json.Decoder(_Peek)
_decoders: Final[dict[str, msgspec.json.Decoder[Act]]] = {}
"""By act, each made when the first statement of its act is read: all of them are a tenth of what importing the client costs."""
_encode = msgspec.json.Encoder().encode
_item_decoder = msgspec.json.Decoder(AccessItem)

CheckSignature = Callable[[str, bytes, bytes], str]
"""Takes the header's text, the signed bytes and the signature; returns the kid, or raises BadSignature."""


def parse_statement(text: str, check_signature: CheckSignature) -> Statement:
    """Read one compact JWS: sizes, spelling, header, signature over the transmitted bytes, and only then the payload.

    Raises BadEncoding, BadSignature or BadStatement (docs/spec/statements.md); the first failure is the one told.
    """
    if len(text) > STATEMENT_LIMIT:
        raise BadEncoding(f"the statement has {len(text)} characters; at most {STATEMENT_LIMIT} are accepted")
    if not text.isascii():
        raise BadEncoding("the statement is not ASCII")
    parts = text.split(".")
    if len(parts) != 3:
        raise BadEncoding(f"a statement is a compact JWS of three parts, not {len(parts)}")
    payload, signature = unb64u(parts[1]), unb64u(parts[2])
    kid = check_signature(parts[0], text[: len(parts[0]) + 1 + len(parts[1])].encode(), signature)
    read = parse_payload(payload)
    return Statement(text, kid, read, hashlib.sha256(payload).digest(), unb64u(read.jti, size=16))


def parse_payload(payload: bytes) -> Act:
    """Read the payload of a statement: CL-JSON of exactly the members of its act. Raises BadStatement."""
    try:
        act = _peek.decode(payload).act
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadStatement(f"the payload is not a JSON object with a text member «act»: {error}") from None
    decoder = _decoders.get(act)
    if decoder is None:
        decoder = _make_decoder(act)
    try:
        value = decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadStatement(f"the payload of {act} is not acceptable: {error}") from None
    if value.act != act or _encode(value) != payload:
        raise BadStatement(f"the payload of {act} is not canonical JSON (RFC 8785): one spelling only is accepted")
    return value


def _make_decoder(act: str) -> msgspec.json.Decoder[Act]:
    payload = ACTS.get(act)
    if payload is None:
        raise BadStatement(f"the act {act[:64]!r} is not one this ledger knows", member="act")
    decoder: msgspec.json.Decoder[Act] = msgspec.json.Decoder(payload)
    return _decoders.setdefault(act, decoder)


def payload_of(statement: str) -> Act:
    """What a statement says when its signature is not in question, such as one in the log. Raises BadStatement or
    BadEncoding for a payload that does not read, IndexError for a text without parts."""
    return parse_payload(unb64u(statement.split(".")[1]))


def parse_item(body: bytes) -> AccessItem:
    """Read the body of one batch item (CL-JSON). Raises BadEncoding or BadStatement."""
    if len(body) > ITEM_LIMIT:
        raise BadEncoding(f"a batch item has {len(body)} bytes; at most {ITEM_LIMIT} are accepted")
    try:
        item = _item_decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadStatement(f"a batch item is not acceptable: {error}") from None
    if _encode(item) != body:
        raise BadStatement("a batch item is not canonical JSON (RFC 8785): one spelling only is accepted")
    return item


def unknown_key(header: str) -> BadSignature:
    """The error for a header that is not exactly that of an active key."""
    return BadSignature(
        f"the header {header[:64]!r}… is not that of a registered statement key: it must be exactly "
        f'{{"alg":…,"kid":…,"typ":"{TYP}"}} for a key that is registered and not revoked'
    )
