"""Ion values as they are read: typed as Ion types them, since their hash depends on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from ledger.errors import InvalidInput

DEPTH: Final = 64
"""Levels of a value."""
NODES: Final = 500_000
"""Values within one top-level value."""
SYMBOLS: Final = 100_000
"""Of a symbol table."""
TEXT: Final = 1024 * 1024
"""Bytes of a text or a blob."""
FRACTION: Final = 60
"""Digits of a fraction of a second."""
NAMES: Final = (
    None,
    "$ion",
    "$ion_1_0",
    "$ion_symbol_table",
    "name",
    "version",
    "imports",
    "symbols",
    "max_id",
    "$ion_shared_symbol_table",
)
"""The system's symbols, by their numbers."""
TABLE: Final = "$ion_symbol_table"
Kind = Literal[
    "null", "bool", "int", "float", "decimal", "timestamp", "symbol", "string", "clob", "blob", "list", "sexp", "struct"
]
KINDS: Final[tuple[tuple[Kind, int], ...]] = (
    ("null", 0x0),
    ("bool", 0x1),
    ("int", 0x2),
    ("float", 0x4),
    ("decimal", 0x5),
    ("timestamp", 0x6),
    ("symbol", 0x7),
    ("string", 0x8),
    ("clob", 0x9),
    ("blob", 0xA),
    ("list", 0xB),
    ("sexp", 0xC),
    ("struct", 0xD),
)
"""Each with its number in binary Ion and in hashes."""
CODES: Final = dict(KINDS)


class BadIon(InvalidInput):
    """Bytes are not Ion, or more than is read here."""


class IonDecimal(NamedTuple):
    """`coefficient` · 10^`exponent`; Ion tells −0 from 0."""

    coefficient: int
    exponent: int
    minus_zero: bool = False


class IonTime(NamedTuple):
    """A point in time of some precision: year, month, day, hour, minute, second in UTC, as many as are known."""

    parts: tuple[int, ...]
    offset: int | None
    """Minutes to UTC where it was written; None: not known."""
    fraction: IonDecimal | None = None
    """Of a second."""

    def seconds(self) -> int:
        """Since 1970, whole ones; what is not known counts as its first."""
        year, month, day, hour, minute, second = (*self.parts, *(1, 1, 1, 0, 0, 0)[len(self.parts) :])
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


class Ion(NamedTuple):
    """A value. `value`: None for a null of its kind; a list of (name, Ion) for a struct, of Ion for list and sexp; bytes,
    str, int, float, bool, IonDecimal, IonTime else."""

    kind: Kind
    value: Any
    annotations: tuple[str, ...] = ()

    def member(self, name: str) -> Ion | None:
        """The member of a struct under this name; None without one. Raises BadIon when it is there twice."""
        if self.kind != "struct" or self.value is None:
            return None
        found = [value for key, value in self.value if key == name]
        if len(found) > 1:
            raise BadIon(f"a struct has the member {name[:64]!r} twice")
        return found[0] if found else None


def time_at(parts: tuple[int, ...], offset: int | None, fraction: IonDecimal | None, *, is_utc: bool) -> IonTime:
    """A time of these parts, which are local unless `is_utc`. Raises BadIon for one that does not exist."""
    year, month, day, hour, minute, second = (*parts, *(1, 1, 1, 0, 0, 0)[len(parts) :])
    try:
        full = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        if not is_utc and offset:
            full -= timedelta(minutes=offset)
            parts = (full.year, full.month, full.day, full.hour, full.minute, full.second)[: len(parts)]
    except (ValueError, OverflowError):
        raise BadIon("a timestamp names a time that does not exist") from None
    if offset is not None and not -1440 < offset < 1440:
        raise BadIon("a timestamp has an offset that does not exist")
    if fraction is not None and not (
        -FRACTION <= fraction.exponent < 0 <= fraction.coefficient < 10**-fraction.exponent
    ):
        raise BadIon("a timestamp has a fraction that is none of a second")
    return IonTime(parts, offset, fraction)


class Counter:
    """Bounds how much a top-level value may hold."""

    def __init__(self) -> None:
        self._left = NODES

    def one(self, depth: int) -> None:
        """One more value at this depth. Raises BadIon."""
        self._left -= 1
        if depth > DEPTH:
            raise BadIon(f"a value is nested more than {DEPTH} levels deep")
        if self._left < 0:
            raise BadIon(f"a value holds more than {NODES} others")


class SymbolTable:
    """The symbols of a stream so far."""

    def __init__(self) -> None:
        self._names: list[str | None] = list(NAMES)

    def text(self, number: int) -> str:
        """Raises BadIon for a number that the table does not have, or has no text for."""
        found = self._names[number] if 0 <= number < len(self._names) else None
        if found is None:
            raise BadIon("a symbol has a number that no symbol table of the file has a text for")
        return found

    def take(self, table: Ion) -> None:
        """What a local symbol table leads to. Raises BadIon for one that rests on another file."""
        imports, symbols = table.member("imports"), table.member("symbols")
        goes_on = imports is not None and imports.kind == "symbol" and imports.value == TABLE
        if imports is not None and not goes_on and imports.value not in (None, []):
            raise BadIon("a symbol table rests on a shared one, which is not in the file: export the journal as text")
        names = list(self._names) if goes_on else list(NAMES)
        if symbols is not None and symbols.kind == "list":
            names += [each.value if each.kind == "string" else None for each in symbols.value or ()]
        if len(names) > SYMBOLS:
            raise BadIon(f"a symbol table has more than {SYMBOLS} symbols")
        self._names = names

    def restart(self) -> None:
        """A version marker: the system's symbols alone."""
        self._names = list(NAMES)


def is_table(value: Ion) -> bool:
    """Whether a top-level value is a local symbol table."""
    return value.kind == "struct" and value.annotations[:1] == (TABLE,)
