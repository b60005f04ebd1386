"""An access in this checkout and in another one, by turns: `python -m tests.bench.turns OTHER [--at-once N]`.

Both run in processes of their own, each with its own interpreter and packages, and take turns of a few hundred accesses, so
that what else the machine does falls on both. What is told: medians of the time (with the durable commit, which is mostly the
disk) and of the processor time of an access, and the medians of the ratios of neighbouring turns. Accesses are submitted one
by one, or N at once, which the sequencer takes in batches. OTHER is ready to run: `scripts/setup dev` was run there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parents[2]
WORKER: Final = """
import json, statistics, sys, time
from pathlib import Path
from tests.world import running_world
folder, at_once = Path(sys.argv[1]), int(sys.argv[2])
with running_world(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as world:
    holder, recipient = world.holder(), world.recipient()
    consents = [world.active_consent(recipient, holder, frequency_per_day=0) for _ in range(20)]
    ledger = world.ledger
    for line in sys.stdin:
        statements = [recipient.access(consents[n % len(consents)]).statement for n in range(int(line))]
        took = []
        cpu = time.process_time()
        for first in range(0, len(statements), at_once):
            some = statements[first : first + at_once]
            begun = time.perf_counter()
            waiting = [ledger.submit_soon(command) for command in [ledger.prepare(one) for one in some]]
            answers = [ledger.settle(one.result()) for one in waiting]
            took.append((time.perf_counter() - begun) / len(some))
            assert all(one.outcome.decision == "allow" for [one] in answers), answers
        cpu = (time.process_time() - cpu) / len(statements)
        print(json.dumps([statistics.median(took) * 1e6, cpu * 1e6]), flush=True)
"""
"""In the words that checkouts of many months have in common."""


class Runner:
    """A ledger of one checkout, which takes a turn when it is told to."""

    def __init__(self, commands: IO[str], answers: IO[str]) -> None:
        self._commands, self._answers = commands, answers

    def turn(self, accesses: int) -> tuple[float, float]:
        """Microseconds of an access: the median of the time, the mean of the processor's. Raises RuntimeError if it ended."""
        print(accesses, file=self._commands, flush=True)
        line = self._answers.readline()
        if not line:
            raise RuntimeError("a checkout's ledger ended; what it said stands above")
        took, cpu = json.loads(line)
        return took, cpu


@contextmanager
def running(checkout: Path, at_once: int) -> Iterator[Runner]:
    """A checkout's ledger in a folder of its own, beside the other's."""
    python = checkout / ".venv" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [python, "-c", WORKER, folder, str(at_once)],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Runner(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(60)


def compare(other: Path, *, rounds: int, accesses: int, at_once: int) -> list[str]:
    """What there is to say, line by line."""
    with ExitStack() as stack:
        here, there = (stack.enter_context(running(checkout, at_once)) for checkout in (ROOT, other))
        for one in (here, there):
            one.turn(accesses)  # warm: pages, plans, caches
        taken: list[tuple[tuple[float, float], tuple[float, float]]] = []
        for number in range(rounds):
            if number % 2:
                theirs, ours = there.turn(accesses), here.turn(accesses)
            else:
                ours, theirs = here.turn(accesses), there.turn(accesses)
            taken.append((ours, theirs))
    lines = []
    for column, what in enumerate(("time", "processor")):
        ours, theirs = (statistics.median(turn[side][column] for turn in taken) for side in (0, 1))
        ratios = sorted(turn[0][column] / turn[1][column] for turn in taken)
        quarter = len(ratios) // 4
        lines.append(
            f"{what:9}  here {ours:8.1f} µs  there {theirs:8.1f} µs  ratio {statistics.median(ratios):.3f} "
            f"(middle half {ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f}, {rounds} turns of {accesses})"
        )
    return lines


def main(arguments: list[str]) -> int:
    """Exit status 0: measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--accesses", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=1, help="how many are submitted together (default: one)")
    chosen = parser.parse_args(arguments)
    for line in compare(chosen.other.resolve(), rounds=chosen.rounds, accesses=chosen.accesses, at_once=chosen.at_once):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
