"""Charts as inline SVG: bars and a timeline, readable without colour and by screen readers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from verifier.neutral import page

MAX_COLUMNS = 120
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
    known = [day for day in days if 0 <= day <= _LAST_DAY]
    if not known:
        return ""
    first, last = min(known), max(known)
    step = (last - first) // MAX_COLUMNS + 1
    columns = (last - first) // step + 1
    totals, refused = [0] * columns, [0] * columns
    for day in known:
        totals[(day - first) // step] += days[day]
        refused[(day - first) // step] += denials.get(day, 0)
    most, width = max(totals), max(2.0, 400 / columns)
    parts = []
    for column, (total, deny) in enumerate(zip(totals, refused, strict=True)):
        x, height, low = column * width, 120 * total / most, 120 * deny / most
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{124 - height:.1f}" width="{width - 1:.1f}" '
            f'height="{height:.1f}"/><rect class="deny" x="{x:.1f}" y="{124 - low:.1f}" '
            f'width="{width - 1:.1f}" height="{low:.1f}"/>'
        )
    parts.append(
        f'<text x="0" y="142">{_date(first)}</text><text x="400" y="142" text-anchor="end">{_date(last)}</text>'
    )
    told = f"{_date(first)} – {_date(last)}: {sum(totals)}; {denied} {sum(refused)}; ≤ {most}"
    return _figure(f"{title} (≤ {most:,}; {denied} {sum(refused):,})", 430, 150, "".join(parts), told)


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def _figure(title: str, width: int, height: int, body: str, told: str) -> str:
    return (
        f'<figure><figcaption><b>{page(title)}</b></figcaption><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{page(title)}"><desc>{page(told)}</desc>{body}</svg></figure>'
    )
