"""The figures of a run, as docs/failover.md shows them."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
GOAL_SECONDS: Final = 10.0
BEGIN: Final = "<!-- figures -->\n"
END: Final = "<!-- end of figures -->\n"
COLUMNS: Final = {
    "number": "fault",
    "kind": "kind",
    "seconds": "s without service",
    "usual": "usual pause, s",
    "slowest": "slowest answer, s",
    "unavailable": "given up",
    "acknowledged": "acknowledged",
    "lost": "lost",
    "doubled": "doubled",
    "load": "load",
}


def row_of(turn: Mapping[str, Any]) -> str:
    """One fault in a line."""
    return f"| {' | '.join(str(turn[name]) for name in COLUMNS)} |"


def tables(figures: Mapping[str, Any]) -> str:
    """A run for readers."""
    turns = figures["turns"]
    by_kind: dict[str, list[float]] = {}
    for turn in turns:
        by_kind.setdefault(turn["kind"], []).append(turn["seconds"])
    kinds = " · ".join(f"{kind} {statistics.median(seconds):.1f}" for kind, seconds in by_kind.items())
    where = (
        f"{figures['on']}, {figures['cores']} cores that others used too (the column «load»), PostgreSQL "
        f"{figures['postgresql']}, Patroni {figures['patroni']}, etcd {figures['etcd']}:"
    )
    outcome = (
        f"**{len(turns)} of {figures['asked']}**, {figures['receipts']:,} receipts, **{figures['lost']} lost, "
        f"{figures['doubled']} doubled**, `consent-verify bundle`: {figures['verdict']}"
    )
    lines = [
        where,
        "",
        f"| {' | '.join(COLUMNS.values())} |",
        "|---" * len(COLUMNS) + "|",
        *map(row_of, turns),
        "",
        outcome,
        "",
        *textwrap.wrap(f"Median without service: **{figures['median']} s**. By kind, in seconds: {kinds}.", 118),
    ]
    return "\n".join(lines) + "\n"


def record(figures: Mapping[str, Any]) -> None:
    """Keep the figures of the newest run, and write the page's section anew."""
    (DOCS / "failover.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    page = DOCS / "failover.md"
    page.write_text(written(page.read_text(), figures))


def written(page: str, figures: Mapping[str, Any]) -> str:
    """The page with these figures in it."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + tables(figures) + END + rest.split(END)[1]
