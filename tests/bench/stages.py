"""Where the time of one single access goes in the sequencer: `python -m tests.bench.stages [--rounds N]`.

Batches of 128 accesses are recorded in one thread on SQLite, with a clock around each stage; told is the least time of a
stage over all rounds, per event, which on a noisy machine is nearest to its cost. Below it what a submission costs before
the sequencer, any thread: reading it, of which the signature check alone. The table of docs/performance.md is this output.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from nacl.signing import SigningKey

import ledger.planning.plan
import ledger.planning.writer
import ledger.sequencer.loop
import ledger.storage.log
import ledger.storage.rows
from ledger.app import Ledger
from ledger.engines.sqlite import SqliteDriver
from ledger.merkle.edge import Edge, Growth
from ledger.sequencer.batches import Waiting
from ledger.sequencer.memory import Memory
from ledger.vault.cipher import Cipher
from tests.bench.places import new_log, site
from tests.bench.statements import Crowd

BATCH: Final = 128
STAGES: Final[tuple[tuple[str, object, str], ...]] = (
    ("load what the batch touches", Memory, "load"),
    ("plan: rules, leaves, chains", ledger.sequencer.loop, "plan_batch"),
    ("· standing of the signer", ledger.planning.plan, "check_signer"),
    ("· decision", ledger.planning.plan, "decide"),
    ("· evidence, commitment, leaf", ledger.planning.writer.Writer, "append"),
    ("tree", Edge, "grow"),
    ("proofs", Growth, "proofs"),
    ("checkpoint signed", ledger.sequencer.loop, "sign_checkpoint"),
    ("rows", ledger.storage.log, "entry_row"),
    ("· evidence packed", ledger.storage.rows, "pack"),
    ("· encrypted", Cipher, "seal"),
    ("inserted", SqliteDriver, "insert_entries"),
    ("all, with the durable commit", ledger.sequencer.loop.Sequencer, "_sequence"),
)


class Clock:
    """Adds up the seconds spent inside the functions it is put around."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    def put_around(self, label: str, owner: Any, name: str) -> None:
        """Replace a function of a module or class by one that is timed."""
        timed: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(timed)
        def wrapper(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return timed(*given, **named)
            finally:
                self.spent[label] += time.perf_counter() - begun

        setattr(owner, name, wrapper)


def sequence(ledger_: Ledger, crowd: Crowd, rounds: int) -> dict[str, float]:
    """Least microseconds per event of each stage."""
    clock, best = Clock(), dict.fromkeys((label for label, *_ in STAGES), float("inf"))
    for stage in STAGES:
        clock.put_around(*stage)
    for number in range(rounds):
        posts = [crowd.access(number * BATCH + at) for at in range(BATCH)]
        commands = [post.prepare(ledger_) for post in posts]
        clock.spent.clear()
        batch = [Waiting(command, lambda _: None) for command in commands]
        ledger_.sequencer._sequence(batch)  # type: ignore[attr-defined]
        for label, seconds in clock.spent.items():
            best[label] = min(best[label], seconds / BATCH * 1e6)
    return best


def least(work: Callable[[int], object], count: int) -> float:
    """Least microseconds of `work` over rounds of `count` calls."""
    found = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for number in range(count):
            work(number)
        found = min(found, (time.perf_counter() - begun) / count * 1e6)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, site(Path(name)) as place:
        log = new_log(place, "sqlite", consents=200)
        with log.node() as node:
            node.sequencer.stop()  # its thread, which would record index-heads between the rounds
            posts = log.crowd.accesses(500)
            key = SigningKey.generate()
            signed = key.sign(bytes(700))
            reading = least(lambda number: posts[number].prepare(node), len(posts))
            checking = least(lambda _: key.verify_key.verify(signed), 500)
            found = sequence(node, log.crowd, given.rounds)
    print(f"{reading:7.1f} µs  statement read and checked (any process), of which")
    print(f"{checking:7.1f} µs  · Ed25519 by libsodium")
    for label, spent in found.items():
        print(f"{spent:7.1f} µs  {label}")


if __name__ == "__main__":
    main()
