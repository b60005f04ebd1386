"""What docs/failover.md shows is what was measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.client.working import Load
from tests.failover.kinds import FAULTS
from tests.failover.page import DOCS, written

TURN: dict[str, Any] = {
    "number": 1,
    "kind": "switchover",
    "seconds": 3.1,
    "usual": 0.2,
    "slowest": 3.4,
    "unavailable": 0,
    "acknowledged": 60,
    "lost": 0,
    "doubled": 0,
    "load": 2.5,
}


def test_the_page_has_the_figures_that_are_kept_beside_it() -> None:
    figures = json.loads((DOCS / "failover.json").read_text())
    page = (DOCS / "failover.md").read_text()
    assert written(page, figures) == page
    assert {turn["kind"] for turn in figures["turns"]} == set(FAULTS)
    for kind in FAULTS:
        assert f"| {kind} |" in page


def test_a_time_without_service_is_measured_from_the_last_answer_before_the_fault() -> None:
    load = Load(None)  # type: ignore[arg-type]  # nobody is asked
    load.answered = [1.0, 2.0, 2.5, 9.0, 9.5]
    assert load.longest_gap(3.0) == pytest.approx(6.5)
    assert load.longest_gap(9.2) == pytest.approx(0.5)


def test_losses_stand_in_the_page() -> None:
    figures = {
        "on": "2026-01-01",
        "asked": 1,
        "turns": [TURN | {"lost": 1}],
        "receipts": 60,
        "lost": 1,
        "doubled": 0,
        "verdict": "VALID",
        "median": 3.1,
        "cores": 2,
        "postgresql": "15",
        "patroni": "4",
        "etcd": "3",
    }
    page = written("a\n<!-- figures -->\nold\n<!-- end of figures -->\nz\n", figures)
    assert "**1 lost, 0 doubled**" in page
    assert "old" not in page
    assert page.startswith("a\n")
    assert page.endswith("z\n")
