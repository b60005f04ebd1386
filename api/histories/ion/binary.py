"""Binary Ion 1.0: every length is held against what is there before anything is made of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from api.histories.ion.values import (
    CODES,
    TEXT,
    BadIon,
    Counter,
    Ion,
    IonDecimal,
    IonTime,
    Kind,
    SymbolTable,
    is_table,
    time_at,
)

MARKER: Final = b"\xe0\x01\x00\xea"
_KINDS: Final[dict[int, Kind]] = {code: kind for kind, code in CODES.items()} | {0x3: "int"}
_NULL, _VARIABLE, _ANNOTATED, _NEGATIVE, _STRUCT, _NUMBER_BYTES = 15, 14, 0xE, 0x3, 0xD, 10


def values_of_binary(data: bytes | memoryview) -> Iterator[Ion]:
    """The top-level values, without symbol tables. Raises BadIon."""
    reader = _Reader(bytes(data))
    if not reader.data.startswith(MARKER):
        raise BadIon("binary Ion begins with its version")
    while reader.at < len(reader.data):
        if reader.data[reader.at] == MARKER[0]:
            if reader.data[reader.at : reader.at + 4] != MARKER:
                raise BadIon("the file is of another version of Ion than 1.0")
            reader.symbols.restart()
            reader.at += 4
            continue
        reader.counter = Counter()
        value = reader.value(len(reader.data), 1)
        if value is None:
            continue
        if is_table(value):
            reader.symbols.take(value)
        else:
            yield value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.symbols = SymbolTable()
        self.counter = Counter()

    def value(self, end: int, depth: int) -> Ion | None:
        """The value here, which lies below `end`; None for padding."""
        self.counter.one(depth)
        code, length = divmod(self._byte(end), 16)
        if code == _ANNOTATED:
            return self._annotated(length, end, depth)
        kind = _KINDS.get(code)
        if kind is None:
            raise BadIon("a value is of a type that Ion does not have")
        if length == _NULL:
            if code == _NEGATIVE:
                raise BadIon("a null of a negative number")
            return Ion(kind, None)
        if kind == "bool":
            if length > 1:
                raise BadIon("a bool is neither true nor false")
            return Ion(kind, bool(length))
        is_sorted = code == _STRUCT and length == 1
        if length == _VARIABLE or is_sorted:
            length = self._number(end)
        stop = self.at + length
        if stop > end:
            raise BadIon("a value says that it is longer than what it lies in")
        if kind == "null":
            self.at = stop  # padding
            return None
        return self._filled(kind, code, stop, depth, is_sorted=is_sorted)

    def _filled(self, kind: Kind, code: int, stop: int, depth: int, *, is_sorted: bool) -> Ion:
        if kind in ("list", "sexp"):
            found = []
            while self.at < stop:
                value = self.value(stop, depth + 1)
                found += [] if value is None else [value]
            return Ion(kind, found)
        if kind == "struct":
            if is_sorted and self.at == stop:
                raise BadIon("a sorted struct is empty")
            members = []
            while self.at < stop:
                name = self.symbols.text(self._number(stop))
                value = self.value(stop, depth + 1)
                members += [] if value is None else [(name, value)]
            return Ion(kind, members)
        if stop - self.at > TEXT:
            raise BadIon(f"a value has more than {TEXT} bytes")
        raw, self.at = self.data[self.at : stop], stop
        if kind == "symbol":
            return Ion(kind, self.symbols.text(int.from_bytes(raw, "big")))
        return Ion(kind, _scalar(kind, raw, is_negative=code == _NEGATIVE))

    def _annotated(self, length: int, end: int, depth: int) -> Ion:
        if length in (0, 1, 2, _NULL):
            raise BadIon("annotations that annotate nothing")
        if length == _VARIABLE:
            length = self._number(end)
        stop = self.at + length
        names_length = self._number(end)
        names_end = self.at + names_length
        if not names_length or names_end >= stop or stop > end:
            raise BadIon("annotations are longer than what they lie in")
        names = []
        while self.at < names_end:
            names.append(self.symbols.text(self._number(names_end)))
        if self.data[self.at] >> 4 == _ANNOTATED:
            raise BadIon("annotations of annotations")
        value = self.value(stop, depth)
        if value is None or self.at != stop:
            raise BadIon("annotations stand before exactly one value")
        return value._replace(annotations=tuple(names))

    def _byte(self, end: int) -> int:
        if self.at >= end:
            raise BadIon("the file ends within a value")
        self.at += 1
        return self.data[self.at - 1]

    def _number(self, end: int) -> int:
        found = 0
        for _ in range(_NUMBER_BYTES):
            byte = self._byte(end)
            found = found << 7 | byte & 0x7F
            if byte & 0x80:
                return found
        raise BadIon("a length is out of all bounds")


class _Scalars:
    """The parts of a decimal or a timestamp."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def time(self) -> IonTime:
        offset, minus = self._signed()
        parts = [self._unsigned()]
        while self._at < len(self._raw) and len(parts) < 6:
            parts.append(self._unsigned())
        if len(parts) == 4:
            raise BadIon("a timestamp has an hour without a minute")
        fraction = None
        if self._at < len(self._raw):
            given = self.decimal()
            if given.minus_zero or (given.exponent >= 0 and given.coefficient):
                raise BadIon("a timestamp has a fraction that is none of a second")
            fraction = given if given.exponent < 0 else None
        unknown = offset == 0 and minus
        return time_at(tuple(parts), None if unknown or len(parts) < 4 else offset, fraction, is_utc=True)

    def decimal(self) -> IonDecimal:
        exponent, _ = self._signed()
        rest = self._raw[self._at :]
        self._at = len(self._raw)
        if not rest:
            return IonDecimal(0, exponent)
        minus, magnitude = bool(rest[0] & 0x80), int.from_bytes(bytes([rest[0] & 0x7F]) + rest[1:], "big")
        return IonDecimal(-magnitude if minus else magnitude, exponent, minus and not magnitude)

    def _next(self) -> int:
        if self._at >= len(self._raw):
            raise BadIon("a decimal or a timestamp is cut short")
        self._at += 1
        return self._raw[self._at - 1]

    def _unsigned(self) -> int:
        found = 0
        for _ in range(4):
            byte = self._next()
            found = found << 7 | byte & 0x7F
            if byte & 0x80:
                return found
        raise BadIon("a part of a timestamp is out of all bounds")

    def _signed(self) -> tuple[int, bool]:
        byte = self._next()
        minus, found = bool(byte & 0x40), byte & 0x3F
        for _ in range(5):
            if byte & 0x80:
                return (-found if minus else found), minus
            byte = self._next()
            found = found << 7 | byte & 0x7F
        raise BadIon("an exponent or an offset is out of all bounds")


def _scalar(kind: Kind, raw: bytes, *, is_negative: bool) -> Any:
    if kind == "int":
        magnitude = int.from_bytes(raw, "big")
        if is_negative and not magnitude:
            raise BadIon("a negative zero is no integer")
        return -magnitude if is_negative else magnitude
    if kind == "string":
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise BadIon("a string is not UTF-8") from None
    if kind == "float":
        return _float(raw)
    if kind == "decimal":
        return _Scalars(raw).decimal() if raw else IonDecimal(0, 0)
    return _Scalars(raw).time() if kind == "timestamp" else raw  # clob, blob


def _float(raw: bytes) -> float:
    if len(raw) not in (0, 4, 8):
        raise BadIon("a float has 0, 4 or 8 bytes")
    return float(struct.unpack(">d" if len(raw) == 8 else ">f", raw)[0]) if raw else 0.0
