"""A reader for the little CBOR that COSE receipts and passkeys need (RFC 8949), in one spelling only.

Integers, byte and text strings, arrays, maps, tags, false, true, null. Refused as BAD_ENCODING: indefinite lengths,
numbers not in their shortest form, floats and other simple values, duplicate map keys, keys that are not integers
or texts, deep nesting, bytes left over. `decode_prefix` tells where an item ends, for formats that go on behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from verifier.errors import Code, Refuted, refuted

MAX_DEPTH = 8

Key: TypeAlias = int | str
Cbor: TypeAlias = "bool | int | bytes | str | list[Cbor] | dict[Key, Cbor] | Tagged | None"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag number and the item it is about."""

    tag: int
    item: Cbor


def decode_cbor(data: bytes) -> Cbor:
    """The one item that `data` is; bytes behind it are refused."""
    value, end = decode_prefix(data, 0)
    if end != len(data):
        raise _bad("bytes behind the CBOR item", found=f"{len(data) - end} bytes")
    return value


def decode_prefix(data: bytes, start: int, depth: int = 0) -> tuple[Cbor, int]:
    """The item that begins at `start`, and the offset behind it."""
    if depth > MAX_DEPTH:
        raise _bad("nested too deeply")
    major, argument, at = _head(data, start)
    match major:
        case 0:
            return argument, at
        case 1:
            return -1 - argument, at
        case 2 | 3:
            raw = bytes(data[at : at + argument])
            if len(raw) != argument:
                raise _bad("a string ends behind the input")
            return (raw if major == 2 else _text(raw)), at + argument
        case 4:
            return _array(data, at, argument, depth)
        case 5:
            return _map(data, at, argument, depth)
        case 6:
            item, at = decode_prefix(data, at, depth + 1)
            return Tagged(argument, item), at
        case _:
            if argument not in _SIMPLE:
                raise _bad("a float or an unknown simple value")
            return _SIMPLE[argument], at


_SIMPLE = {20: False, 21: True, 22: None}


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[Cbor, int]:
    items: list[Cbor] = []
    for _ in range(count):  # each item takes a byte at least: the input's end stops a false count
        item, at = decode_prefix(data, at, depth + 1)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[Cbor, int]:
    members: dict[Key, Cbor] = {}
    for _ in range(count):
        key, at = decode_prefix(data, at, depth + 1)
        if not isinstance(key, (int, str)) or isinstance(key, bool) or key in members:
            raise _bad("a map key is repeated or neither integer nor text", found=key)
        members[key], at = decode_prefix(data, at, depth + 1)
    return members, at


def _head(data: bytes, start: int) -> tuple[int, int, int]:
    """Major type, argument and the offset behind them; the argument in its shortest form."""
    if start >= len(data):
        raise _bad("the input ends too early")
    major, short = data[start] >> 5, data[start] & 31
    if short < 24:
        return major, short, start + 1
    if short > 27:
        raise _bad("an indefinite or reserved length")
    width = 1 << (short - 24)
    end = start + 1 + width
    if end > len(data):
        raise _bad("the input ends too early")
    argument = int.from_bytes(data[start + 1 : end])
    if argument < max(24, 1 << (4 * width)):
        raise _bad("a number is not in its shortest form", found=argument)
    return major, argument, end


def encode_head(major: int, argument: int) -> bytes:
    """The shortest head of an item: all that writing a Sig_structure needs."""
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(w for w in (1, 2, 4, 8) if argument < 1 << (8 * w))
    return bytes([major << 5 | 24 + width.bit_length() - 1]) + argument.to_bytes(width)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("a text is not UTF-8", found=raw) from None


def _bad(sentence: str, found: object = "") -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
