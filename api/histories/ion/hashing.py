"""Ion Hash with SHA-256 (amazon-ion.github.io/ion-hash): one hash for a value, however it is written."""

from __future__ import annotations

import math
import struct
from hashlib import sha256
from typing import Final

from api.histories.ion.values import CODES, Ion, IonDecimal, IonTime

_BEGIN, _END, _ESCAPE = b"\x0b", b"\x0e", b"\x0c"
_MARKS: Final = frozenset(_BEGIN + _END + _ESCAPE)
_ANNOTATED: Final = b"\xe0"


def ion_hash(value: Ion) -> bytes:
    """32 bytes."""
    return sha256(_serialised(value)).digest()


def _serialised(value: Ion) -> bytes:
    if value.annotations:
        bare = _serialised(value._replace(annotations=()))
        return b"".join((_BEGIN, _ANNOTATED, *map(_symbol, value.annotations), bare, _END))
    code = CODES[value.kind]
    if value.value is None:
        return _BEGIN + bytes([code << 4 | 0x0F]) + _END
    if value.kind == "symbol":
        return _symbol(value.value)
    if value.kind in ("list", "sexp"):
        return b"".join((_BEGIN, bytes([code << 4]), *map(_serialised, value.value), _END))
    if value.kind == "struct":
        fields = sorted(sha256(_symbol(name) + _serialised(member)).digest() for name, member in value.value)
        return _BEGIN + bytes([code << 4]) + _escaped(b"".join(fields)) + _END
    qualifier, representation = _scalar(value)
    return _BEGIN + bytes([qualifier]) + _escaped(representation) + _END


def _scalar(value: Ion) -> tuple[int, bytes]:
    said, code = value.value, CODES[value.kind] << 4
    if value.kind == "bool":
        return code | int(said), b""
    if value.kind == "int":
        return (0x30 if said < 0 else 0x20), abs(said).to_bytes((abs(said).bit_length() + 7) // 8, "big")
    if value.kind == "float":
        return code, _float(said)
    if value.kind == "decimal":
        return code, b"" if said == IonDecimal(0, 0) else _decimal(said)
    if value.kind == "timestamp":
        return code, _time(said)
    return code, said.encode() if value.kind == "string" else said


def _symbol(text: str) -> bytes:
    return _BEGIN + b"\x70" + _escaped(text.encode()) + _END


def _escaped(data: bytes) -> bytes:
    if _MARKS.isdisjoint(data):
        return data
    return b"".join(_ESCAPE + bytes([byte]) if byte in _MARKS else bytes([byte]) for byte in data)


def _float(said: float) -> bytes:
    if math.isnan(said):
        return b"\x7f\xf8" + bytes(6)
    return b"" if said == 0 and math.copysign(1, said) > 0 else struct.pack(">d", said)


def _decimal(said: IonDecimal) -> bytes:
    return _signed(said.exponent) + _coefficient(said)


def _coefficient(said: IonDecimal) -> bytes:
    magnitude = abs(said.coefficient)
    if not magnitude:
        return b"\x80" if said.minus_zero else b""
    raw = bytearray(magnitude.to_bytes(magnitude.bit_length() // 8 + 1, "big"))
    if said.coefficient < 0:
        raw[0] |= 0x80
    return bytes(raw)


def _time(said: IonTime) -> bytes:
    offset = b"\xc0" if said.offset is None else _signed(said.offset)
    parts = b"".join(map(_unsigned, said.parts))
    return offset + parts + (b"" if said.fraction is None else _decimal(said.fraction))


def _unsigned(number: int) -> bytes:
    raw = [number & 0x7F | 0x80]
    while number := number >> 7:
        raw.append(number & 0x7F)
    return bytes(raw[::-1])


def _signed(number: int) -> bytes:
    """A VarInt: six bits and the sign in the first byte."""
    magnitude, groups = abs(number), list[int]()
    while magnitude > 0x3F:
        groups.append(magnitude & 0x7F)
        magnitude >>= 7
    raw = [magnitude | (0x40 if number < 0 else 0), *groups[::-1]]
    raw[-1] |= 0x80
    return bytes(raw)
