"""The dashboard's own queries (deploy/grafana), asked of the Prometheus that deploy/ sets up."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VALUE = re.compile(r"^(\S*(?:\{.*\})?) => (\S+) @", re.MULTILINE)
RANGES = {"$__rate_interval": "1m", "$__range": "1h"}
"""What Grafana puts in place of its own words."""


@dataclass(frozen=True)
class Panel:
    """One panel, and what its queries answer now: (labels, value) of each series."""

    title: str
    expressions: tuple[str, ...]


def panels(dashboard: Path) -> Iterator[Panel]:
    """All panels of a dashboard."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        expressions = tuple(target["expr"] for target in panel.get("targets", []))
        if expressions:
            yield Panel(panel["title"], expressions)


def asked(folder: Path, expression: str) -> list[float]:
    """The values that Prometheus has for an expression. Raises RuntimeError if it does not answer."""
    for name, length in RANGES.items():
        expression = expression.replace(name, length)
    command = ["docker", "compose", "exec", "-T", "prometheus", "promtool", "query", "instant", "http://127.0.0.1:9090"]
    done = subprocess.run([*command, expression], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{expression}: {done.stdout}{done.stderr}")
    return [float(value) for _, value in VALUE.findall(done.stdout)]


def shown(folder: Path, dashboard: Path) -> dict[str, list[float]]:
    """Every panel's values, by its title. Raises RuntimeError when a query is refused."""
    return {panel.title: [v for each in panel.expressions for v in asked(folder, each)] for panel in panels(dashboard)}


def until(folder: Path, expression: str, wanted: float, seconds: float = 120) -> None:
    """Wait until an expression has this one value: figures are fetched every 15 seconds. Raises AssertionError."""
    end = time.monotonic() + seconds
    while (seen := asked(folder, expression)) != [wanted]:
        assert time.monotonic() < end, f"{expression} is {seen}, and not {wanted}"
        time.sleep(2)
