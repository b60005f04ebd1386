"""Some runs one after the other, in a process of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.simulation.run import simulate


def portion(first: int, count: int) -> dict[str, Any]:
    """Figures of some seeds."""
    done: dict[str, Any] = {"seeds": 0, "calls": 0, "receipts": 0, "simulated_seconds": 0.0, "complaints": []}
    faults: Counter[str] = Counter()
    for seed in range(first, first + count):
        outcome = simulate(seed)
        faults += outcome.faults
        done["seeds"] += 1
        done["calls"] += outcome.calls
        done["receipts"] += outcome.acknowledged
        done["simulated_seconds"] += outcome.seconds
        done["complaints"] += [f"seed {seed}: {complaint}" for complaint in outcome.complaints]
    return done | {"faults": dict(faults)}
