"""Tariffs and their arithmetic: which line an access belongs to, what a month costs (docs/spec/partners.md, 3 and 4).

Integers only: prices are thousandths of a minor unit of the currency, amounts minor units.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from verifier.bytes.encoding import Json, Object
from verifier.rules.calendar import civil_month, first_day
from verifier.rules.catalogue import CATALOGUES

DAY_SECONDS = 86_400
NAME_BYTES = 21
_BITS = {name: 1 << at for at, name in enumerate(sorted({*CATALOGUES[3].resources.values()} - {""}))}


class Line(NamedTuple):
    """A line; `attended`, `rows_to` None and `purpose`, `resource` empty: any. `resource` as a bit of `resources_of`, 0 for one
    that no permission has: `known` is False then. `tiers`: (first number, price), rising."""

    attended: bool | None
    purpose: bytes
    resource: int
    known: bool
    rows_from: int
    rows_to: int | None
    free: int
    tiers: tuple[tuple[int, int], ...]

    def matches(self, attended: bool, purpose: bytes, resources: int, rows: int) -> bool:
        """Whether a release of so many rows belongs here. `purpose`: as `name_of` gives it."""
        return (
            self.attended in (None, attended)
            and self.purpose in (b"", purpose)
            and self.known
            and (not self.resource or bool(self.resource & resources))
            and self.rows_from <= rows
            and (self.rows_to is None or rows <= self.rows_to)
        )

    def amount(self, count: int) -> int:
        """What so many releases of a month cost, in minor units."""
        paid = max(0, count - self.free)
        ends = [first for first, _ in self.tiers[1:]] + [paid]
        total = sum(
            price * max(0, min(paid, end) - first) for (first, price), end in zip(self.tiers, ends, strict=True)
        )
        return (total + 500) // 1_000


@lru_cache(maxsize=1024)
def name_of(text: str) -> bytes:
    """A purpose's name in a record of fixed width: 168 bits of its hash."""
    return sha256(text.encode("utf-8")).digest()[:NAME_BYTES]


@lru_cache(maxsize=8192)
def resources_of(permissions: tuple[str, ...]) -> int:
    """The resources of an item, a bit each (docs/spec/ruleset-3.md, 5)."""
    return sum({_BITS.get(CATALOGUES[3].resources.get(code, ""), 0) for code in permissions})


def lines_of(offer: Object) -> tuple[Line, ...]:
    """The lines of a `tariff.offer` whose form was checked."""
    return tuple(_line(line) for line in _objects(offer["lines"]))


def _line(line: Object) -> Line:
    attended, resource = line.get("attended"), str(line.get("resource", ""))
    rows_to = line.get("rows_to")
    return Line(
        attended if isinstance(attended, bool) else None,
        name_of(str(line["purpose"])) if "purpose" in line else b"",
        _BITS.get(resource, 0),
        not resource or resource in _BITS,
        number(line.get("rows_from", 0)),
        rows_to if isinstance(rows_to, int) else None,
        number(line["free"]),
        tuple((number(tier["from"]), number(tier["price"])) for tier in _objects(line["tiers"])),
    )


def month_of(second: int, utc_offset: int) -> tuple[int, int]:
    """The first second of the month that `second` lies in under an offset in minutes, and that of the next month."""
    shift = 60 * utc_offset
    year, month = civil_month((second + shift) // DAY_SECONDS)
    months = 12 * year + month - 1
    return first_day(months) * DAY_SECONDS - shift, first_day(months + 1) * DAY_SECONDS - shift


def number(value: Json) -> int:
    """An integer whose form was checked."""
    assert isinstance(value, int)  # noqa: S101 - the form was checked when the statement was read
    return value


def _objects(rows: Json) -> Iterable[Object]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
