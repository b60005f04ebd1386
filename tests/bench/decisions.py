"""What a decision costs with few and with many consents stored: `python -m tests.bench.decisions [--few N] [--many N]`.

Two logs that differ in the number of their consents; rounds over them take turns, so that a noisy machine spoils both. In
each round the node is started anew and as many accesses, each under another consent drawn at random, are decided and
recorded one after the other: first *cold*, when the node has to read each consent and its key from storage, then *warm*,
the same consents again, when it remembers them. Cold is compared with cold and warm with warm. The figures are ratios of
medians, the best round of each, so they do not depend on the machine. Exit status 1 when one is above the goal.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import migrations
from ledger.app import Ledger
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger
from tests.bench.statements import Crowd
from tests.world import ORIGIN, node_config

GOAL: Final = 1.3
WARM_UP: Final = 50
"""Accesses before the clock starts: connections, the engine's statements, the head."""
PORTION: Final = 2_000
"""Consents that are signed before they are recorded: what is signed is good for five minutes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A log with that many active consents."""

    config: NodeConfig
    crowd: Crowd

    def round(self, decisions: int, seed: int) -> tuple[float, float]:
        """Median milliseconds of one decision, commit included: (cold, warm). Signing is not in it."""
        chance = random.Random(seed)
        drawn = chance.sample(range(len(self.crowd.consents)), WARM_UP + decisions)
        ledger = open_ledger(self.config)
        ledger.start()
        try:
            self._decide(ledger, drawn[:WARM_UP])
            cold = self._decide(ledger, drawn[WARM_UP:])
            warm = self._decide(ledger, drawn[WARM_UP:])
        finally:
            ledger.stop()
        return cold, warm

    def _decide(self, ledger: Ledger, drawn: Sequence[int]) -> float:
        commands = [self.crowd.access(number).prepare(ledger) for number in drawn]
        times = []
        for command in commands:
            begun = time.perf_counter()
            [recorded] = ledger.submit_and_wait(command)
            times.append(time.perf_counter() - begun)
            if getattr(recorded.outcome, "decision", "") != "allow":
                raise SystemExit(f"entry {recorded.index} was denied: the measurement is of another thing")
        return statistics.median(times) * 1000


def fill(folder: Path, consents: int, database_url: str | None) -> Stored:
    """A new log with that many active consents."""
    folder.mkdir()
    url = database_url or f"sqlite:///{folder / 'ledger.sqlite'}"
    config = node_config(url, folder)
    make_keys(config, ORIGIN)
    migrations.upgrade(url)
    create_log(config)
    crowd = Crowd(ORIGIN)
    ledger = open_ledger(config)
    ledger.start()
    while (missing := consents - len(crowd.consents)) > 0:
        crowd.settle(ledger, min(missing, PORTION))
    ledger.stop()
    return Stored(config, crowd)


def measure(logs: Sequence[Stored], decisions: int, rounds: int) -> list[tuple[float, float]]:
    """The best (cold, warm) milliseconds of each log, its rounds taken in turns with those of the others."""
    found = [[log.round(decisions, seed) for log in logs] for seed in range(rounds)]
    return [(min(cold for cold, _ in column), min(warm for _, warm in column)) for column in zip(*found, strict=True)]


def main() -> int:
    """Measure, and compare with the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--database-url", nargs=2, default=(None, None), help="Two empty PostgreSQL databases; SQLite without them."
    )
    given = parser.parse_args()
    sizes = (given.few, given.many)
    with tempfile.TemporaryDirectory() as name:
        logs = [fill(Path(name) / str(size), size, url) for size, url in zip(sizes, given.database_url, strict=True)]
        found = measure(logs, given.decisions, given.rounds)
    for size, (cold, warm) in zip(sizes, found, strict=True):
        print(f"{size:>8} consents: {cold:.3f} ms a decision from storage, {warm:.3f} ms from memory")
    ratios = [many / few for few, many in zip(*found, strict=True)]
    print(f"ratio {ratios[0]:.2f} from storage, {ratios[1]:.2f} from memory (goal: at most {GOAL})")
    return 0 if max(ratios) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
