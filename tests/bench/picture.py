"""The picture: throughput and latency against the number of clients, as SVG that prints and needs no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from tests.bench.figures import Figure

WIDTH, HEIGHT, LEFT, TOP, GAP = 820, 270, 70, 40, 70
COLOURS = {"sqlite": "#0b5394", "postgresql": "#b45309"}
DASHES = {"p50": "", "p99": "7 3", "p99.9": "2 3"}
Line = tuple[str, str, str, list[tuple[int, float]]]
"""Label, colour, dashes, points."""


def picture(figures: Sequence[Figure]) -> str:
    """Of the single accesses over HTTP, closed loop; empty when there are none."""
    shown = [
        figure for figure in figures if figure.section == "http" and figure.name == "single access" and figure.latency
    ]
    if not shown:
        return ""
    engines = list(dict.fromkeys(figure.engine for figure in shown))
    clients = sorted({figure.clients for figure in shown})

    def line(engine: str, label: str, dashes: str, value: Callable[[Figure], float]) -> Line:
        points = [(figure.clients, value(figure)) for figure in shown if figure.engine == engine]
        return label, COLOURS.get(engine, "#444444"), dashes, sorted(points)

    rates = [line(engine, engine, "", lambda figure: figure.value) for engine in engines]
    delays = [
        line(engine, f"{engine} {share}", dashes, _share(share))
        for engine in engines
        for share, dashes in DASHES.items()
    ]
    height = 2 * (TOP + HEIGHT + GAP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
            "<title>Single accesses over HTTP: throughput and latency against clients</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *_panel(0, "Receipts per second", clients, rates, logarithmic=False),
            *_panel(TOP + HEIGHT + GAP, "Latency in milliseconds (logarithmic)", clients, delays, logarithmic=True),
            "</svg>",
            "",
        ]
    )


def _share(name: str) -> Callable[[Figure], float]:
    field = name.replace(".", "")
    return lambda figure: float(getattr(figure.latency, field))


def _panel(top: int, title: str, clients: Sequence[int], lines: Sequence[Line], *, logarithmic: bool) -> list[str]:
    values = [value for *_, points in lines for _, value in points if value > 0]
    ticks = _decades(values) if logarithmic else _round(max(values))
    low, high = (math.log10(ticks[0]), math.log10(ticks[-1])) if logarithmic else (0.0, ticks[-1])
    right = WIDTH - 170

    def x(number: int) -> float:
        place = clients.index(number) / max(1, len(clients) - 1)
        return LEFT + place * (right - LEFT)

    def y(value: float) -> float:
        scaled = math.log10(max(value, ticks[0])) if logarithmic else value
        return top + TOP + HEIGHT - (scaled - low) / (high - low) * HEIGHT

    parts = [f'<text x="{LEFT}" y="{top + 24}" font-weight="bold">{escape(title)}</text>']
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    parts += [
        f'<text x="{x(number):.1f}" y="{top + TOP + HEIGHT + 20}" text-anchor="middle">{number}</text>'
        for number in clients
    ]
    parts.append(
        f'<text x="{(LEFT + right) / 2:.0f}" y="{top + TOP + HEIGHT + 40}" text-anchor="middle">clients</text>'
    )
    for place, (label, colour, dashes, points) in enumerate(lines):
        path = " ".join(f"{x(number):.1f},{y(value):.1f}" for number, value in points)
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
        parts.append(f'<polyline points="{path}" {style}/>')
        parts += [
            f'<circle cx="{x(number):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for number, value in points
        ]
        level = top + TOP + 8 + 20 * place
        parts.append(f'<line x1="{right + 16}" x2="{right + 46}" y1="{level}" y2="{level}" {style}/>')
        parts.append(f'<text x="{right + 52}" y="{level + 4}">{escape(label)}</text>')
    return parts


def _round(highest: float) -> list[float]:
    step = 10 ** math.floor(math.log10(highest))
    step = next(size for size in (step / 5, step / 2, step, step * 2) if highest / size <= 6)
    return [step * number for number in range(math.ceil(highest / step) + 1)]


def _decades(values: Sequence[float]) -> list[float]:
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
