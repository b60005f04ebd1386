"""What a decision costs with few and with many consents stored: `python -m tests.bench.decisions [--few N] [--many N]`.

One log grows from the few to the many; at both sizes the same number of single accesses is decided and recorded, one after
the other, over consents drawn at random, after the node was started anew: nothing of the state is in memory. The figure is
the ratio of the two medians of one run, so it does not depend on the machine. Exit status 1 when it is above the goal.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import migrations
from ledger.app import Ledger
from ledger.assembly import create_log, make_keys, open_ledger
from tests.bench.statements import Crowd
from tests.world import ORIGIN, node_config

GOAL: Final = 1.3
ROUNDS: Final = 5
"""The sizes cannot be taken in turns, for the log only grows; so each size has several rounds, and the best one counts."""

PORTION: Final = 2_000
"""Consents that are signed before they are recorded."""


def milliseconds(ledger: Ledger, crowd: Crowd, decisions: int, seed: int) -> float:
    """The median time of one decision, commit included; statements are signed before the clock starts."""
    chance = random.Random(seed)
    posts = [crowd.access(chance.randrange(len(crowd.consents))) for _ in range(decisions)]
    commands = [post.prepare(ledger) for post in posts]
    times = []
    for command in commands:
        begun = time.perf_counter()
        [recorded] = ledger.submit_and_wait(command)
        times.append(time.perf_counter() - begun)
        if getattr(recorded.outcome, "decision", "") != "allow":
            raise SystemExit(f"entry {recorded.index} was denied: the measurement is of another thing")
    return statistics.median(times) * 1000


def measure(few: int, many: int, decisions: int, database_url: str | None) -> tuple[float, float]:
    """(milliseconds with few consents, with many)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = database_url or f"sqlite:///{folder / 'ledger.sqlite'}"
        config = node_config(url, folder)
        make_keys(config, ORIGIN)
        migrations.upgrade(url)
        create_log(config)
        crowd = Crowd(ORIGIN)
        found = []
        for size in (few, many):
            ledger = open_ledger(config)
            ledger.start()
            while (missing := size - len(crowd.consents)) > 0:  # in portions: what is signed is good for five minutes
                crowd.settle(ledger, min(missing, PORTION))
            ledger.stop()
            ledger = open_ledger(config)
            ledger.start()
            milliseconds(ledger, crowd, 50, seed=0)  # connections, statements of the engine, the head
            found.append(min(milliseconds(ledger, crowd, decisions, seed) for seed in range(1, ROUNDS + 1)))
            ledger.stop()
            print(f"{size:>8} consents: {found[-1]:.3f} ms a decision", flush=True)
    return found[0], found[1]


def main() -> int:
    """Measure, and compare with the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=400)
    parser.add_argument("--database-url", default=None, help="An empty PostgreSQL database; SQLite without it.")
    given = parser.parse_args()
    few, many = measure(given.few, given.many, given.decisions, given.database_url)
    ratio = many / few
    print(f"ratio {ratio:.2f} (goal: at most {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
