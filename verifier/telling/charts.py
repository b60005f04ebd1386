"""Charts as inline SVG: bars and a timeline, readable without colour and by screen readers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from verifier.bytes.harmless import page
from verifier.rules.findings import Findings
from verifier.telling.board import named
from verifier.telling.messages import word

MAX_COLUMNS = 120
WIDEST = 40.0
"""Of a column: a log of one day is no wall."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DAY = 2_932_896  # 9999-12-31


def bars(title: str, counts: Mapping[str, int]) -> str:
    """Horizontal bars, the largest first, each with its number."""
    rows = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:24]
    most = max(count for _, count in rows)
    parts = []
    for line, (name, count) in enumerate(rows):
        y = 24 * line
        width = max(1, 140 * count // most)
        parts.append(
            f'<text x="0" y="{y + 15}">{page(name)}</text>'
            f'<rect class="bar" x="236" y="{y + 4}" width="{width}" height="14" rx="2"/>'
            f'<text x="{242 + width}" y="{y + 15}">{count:,}</text>'
        )
    return _figure(title, 430, 24 * len(rows) + 4, "".join(parts), ", ".join(f"{name} {count}" for name, count in rows))


def timeline(title: str, days: Mapping[int, int], denials: Mapping[int, int], denied: str) -> str:
    """Columns per day, or per several days where there are many; the denied ones below in their own colour."""
    found = columns(days, denials)
    if found is None:
        return ""
    first, last, totals, refused = found
    most, width = max(totals), min(WIDEST, max(2.0, 360 / len(totals)))
    marks = ticks(most)
    top = marks[-1]
    parts = [
        f'<path class="base" d="M40 {124.5 - 120 * mark / top:.1f}H400"/>'
        f'<text class="axis" x="36" y="{128 - 120 * mark / top:.1f}" text-anchor="end">{mark:,}</text>'
        for mark in marks
    ]
    for column, (total, deny) in enumerate(zip(totals, refused, strict=True)):
        x, height, low = 40 + column * width, 120 * total / top, 120 * deny / top
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{124 - height:.1f}" width="{width - 1:.1f}" '
            f'height="{height:.1f}"/><rect class="deny" x="{x:.1f}" y="{124 - low:.1f}" '
            f'width="{width - 1:.1f}" height="{low:.1f}"/>'
        )
    parts.append(f'<text x="40" y="142">{date(first)}</text>')
    if last != first:
        parts.append(
            f'<text x="{40 + max(160.0, width * len(totals)):.0f}" y="142" text-anchor="end">{date(last)}</text>'
        )
    told = f"{date(first)} – {date(last)}: {sum(totals)}; {denied} {sum(refused)}; ≤ {most}"
    body = f'<g transform="translate(0 8)">{"".join(parts)}</g>'
    return _figure(f"{title} (≤ {most:,}; {denied} {sum(refused):,})", 430, 158, body, told)


def breakdowns(found: Findings, language: str) -> list[tuple[str, Mapping[str, int]]]:
    """What bars are drawn of: a title and counts by name, those that have any."""
    tables = {"kinds": found.kinds, "acts": found.acts, "decisions": found.decisions, "reasons": found.reasons}
    return [(word(name, language), named(counts, language)) for name, counts in tables.items() if counts]


def columns(days: Mapping[int, int], denials: Mapping[int, int]) -> tuple[int, int, list[int], list[int]] | None:
    """(first day, last day, events and denials of each column); None when no day can be shown. Days count from 1970."""
    known = [day for day in days if 0 <= day <= _LAST_DAY]
    if not known:
        return None
    first, last = min(known), max(known)
    step = (last - first) // MAX_COLUMNS + 1
    count = (last - first) // step + 1
    totals, refused = [0] * count, [0] * count
    for day in known:
        totals[(day - first) // step] += days[day]
        refused[(day - first) // step] += denials.get(day, 0)
    return first, last, totals, refused


def ticks(most: int) -> list[int]:
    """The marks of an axis from 0 up to the first one that is no less than `most`: at most five steps of 1, 2 or 5 and
    zeros."""
    step = 1
    for factor in (part * 10**power for power in range(len(str(most)) + 1) for part in (1, 2, 5)):
        step = factor
        if most <= 5 * step:
            break
    return [*range(0, max(most, 1) + step, step)][: -(-max(most, 1) // step) + 1]


def date(day: int) -> str:
    """The date of a day counted from 1970, UTC."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def _figure(title: str, width: int, height: int, body: str, told: str) -> str:
    return (
        f'<figure><figcaption><b>{page(title)}</b></figcaption><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{page(title)}"><desc>{page(told)}</desc>{body}</svg></figure>'
    )
