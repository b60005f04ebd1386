"""What releases cost under a tariff's lines, in integers alone (docs/spec/partners.md, 3 and 4). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import UNSET

from ledger.entries.partner_acts import TariffLine, UsageAmount


class Band(NamedTuple):
    """A line of a tariff, by its number, and the rows that it is for, both included; `last` None: no bound."""

    line: int
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Bill:
    """`amounts` in minor units, one for each line; `count` has those too that no line matches."""

    amounts: tuple[UsageAmount, ...]
    count: int
    total: int


def needs_release(lines: Sequence[TariffLine]) -> bool:
    """Whether a line looks at more than that there was a release: else nobody need read any."""
    first = lines[0]
    return any(
        member is not UNSET
        for member in (first.attended, first.purpose, first.resource, first.rows_from, first.rows_to)
    )


def bands_of(
    lines: Sequence[TariffLine], *, attended: bool, purpose: str, resources: Collection[str]
) -> tuple[Band, ...]:
    """Of a tariff's lines those that match a release under such an access, if it gave out the right number of rows."""
    return tuple(
        Band(number, 0 if line.rows_from is UNSET else line.rows_from, None if line.rows_to is UNSET else line.rows_to)
        for number, line in enumerate(lines)
        if (line.attended is UNSET or line.attended == attended)
        and (line.purpose is UNSET or line.purpose == purpose)
        and (line.resource is UNSET or line.resource in resources)
    )


def line_for(bands: Sequence[Band], rows: int) -> int | None:
    """The number of the first line that is for so many rows; None where none is."""
    for band in bands:
        if band.first <= rows and (band.last is None or rows <= band.last):
            return band.line
    return None


def bill_of(lines: Sequence[TariffLine], matched: Iterable[int | None]) -> Bill:
    """What the releases come to, each given by the line that it belongs to."""
    counts, count = [0] * len(lines), 0
    for number in matched:
        count += 1
        if number is not None:
            counts[number] += 1
    amounts = tuple(UsageAmount(amount=cost(line, many), count=many) for line, many in zip(lines, counts, strict=True))
    return Bill(amounts, count, sum(one.amount for one in amounts))


def cost(line: TariffLine, count: int) -> int:
    """What so many releases of a line cost in a month: minor units, rounded half up once for the line."""
    charged = max(0, count - line.free)
    ends = [*(tier.from_ for tier in line.tiers[1:]), charged]
    thousandths = sum(
        max(0, min(end, charged) - tier.from_) * tier.price for tier, end in zip(line.tiers, ends, strict=True)
    )
    return (thousandths + 500) // 1000
