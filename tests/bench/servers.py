"""A server of this checkout and one of another, by turns: `python -m tests.bench.servers OTHER`.

Each has its own log, and both run all the time; a turn sends one of them a fixed number of requests over HTTP. What is told is
the processor time of all its server processes, and the rate: medians, and the medians of the ratios of neighbouring turns, so
that what else the machine does falls on both. Between the turns one Ed25519 check by libsodium is timed, which is what
processor times are told in multiples of.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.load import Plan, drive, request
from tests.bench.places import ROOT, Place, Serving, Site, new_log, serving, site
from tests.bench.reading import Reader
from tests.bench.references import bare_check

BATCH: Final = 100
CLIENTS: Final = {"access": 64, "batch": 8, "receipt": 64}
REQUESTS: Final = {"access": 1500, "batch": 60, "receipt": 1500}
"""Requests of one turn."""


class Turn(NamedTuple):
    """What one turn took, per entry or receipt."""

    cpu: float
    """Microseconds of all server processes."""
    rate: float
    """A second."""


@dataclass
class Side:
    """One checkout's server and log."""

    folder: Path
    log: Place
    server: Serving
    reader: Reader
    recorded: list[int]
    """Indexes of accesses whose receipts can be fetched."""
    _batches: int = 0
    turns: list[Turn] = field(default_factory=list)

    @classmethod
    def open(cls, stack: ExitStack, place: Site, engine: str, checkout: Path, workers: int) -> Side:
        """Make a log and start the checkout's server over it."""
        log, reader = new_log(place, engine), Reader()
        with log.node() as node:
            reader.register(node)
            waiting = [node.submit_soon(post.prepare(node)) for post in log.crowd.accesses(300)]
            recorded = [entry.index for one in waiting for entry in node.settle(one.result(60))]
        server = stack.enter_context(serving(log, workers=workers, checkout=checkout))
        return cls(place.new_folder("load"), log, server, reader, recorded)

    def turn(self, what: str, count: int, clients: int, headers: tuple[tuple[str, str], ...] = ()) -> Turn:
        """Send so many requests. Raises RuntimeError when one is refused."""
        requests, entries = self._requests(what, count, headers)
        before = self.server.cpu_seconds()
        plan = Plan(self.server.host, self.server.port, requests, clients, warm_up=0.0, seconds=600.0, keep_every=0)
        run = drive(plan, self.folder)
        spent = self.server.cpu_seconds() - before
        refused = {status: times for status, times in run.statuses.items() if status not in {200, 201}}
        if refused or run.broken or run.answered != count:
            raise RuntimeError(
                f"{what}: answers with {refused}, {run.broken} connections broken, {run.answered} answers"
            )
        return Turn(spent / (count * entries) * 1e6, count * entries / run.seconds)

    def _requests(self, what: str, count: int, headers: tuple[tuple[str, str], ...]) -> tuple[list[bytes], int]:
        """Requests, and the entries that each is about."""
        crowd = self.log.crowd
        if what == "receipt":
            chance = random.Random(count)
            paths = [f"/receipts/{chance.choice(self.recorded)}" for _ in range(count)]
            return self.reader.requests(self.server, paths), 1
        if what == "access":
            posts, entries = crowd.accesses(count), 1
        else:
            self._batches += count
            posts, entries = [crowd.batch(self._batches + number, BATCH) for number in range(count)], BATCH
        host = self.server.host
        return [request("POST", post.path, host, post.body, headers) for post in posts], entries


def compare(sides: tuple[Side, Side], what: str, rounds: int, headers: tuple[tuple[str, str], ...]) -> list[str]:
    """What there is to say, line by line. `headers`: of the requests to the first side."""
    here, there = sides
    count, clients = REQUESTS[what], CLIENTS[what]

    def theirs() -> Turn:
        return there.turn(what, count, clients)

    def ours() -> Turn:
        return here.turn(what, count, clients, headers)

    theirs(), ours()  # warm: pages, plans, caches
    taken: list[tuple[Turn, Turn]] = []
    bare: list[float] = []
    for number in range(rounds):
        bare.append(bare_check())
        first, second = (theirs(), ours()) if number % 2 else (ours(), theirs())
        taken.append((second, first) if number % 2 else (first, second))
    lines = [f"{what}: {rounds} turns of {count} requests, {clients} clients"]
    for name, column, unit in (("server CPU", 0, "µs"), ("rate", 1, "/s")):
        mine, others = (statistics.median(turn[side][column] for turn in taken) for side in (0, 1))
        ratios = sorted(turn[0][column] / turn[1][column] for turn in taken)
        lines.append(
            f"  {name:11} here {mine:9.1f} {unit}  there {others:9.1f} {unit}  ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )
    for name, side in (("here", 0), ("there", 1)):
        multiples = statistics.median(turn[side].cpu / one for turn, one in zip(taken, bare, strict=True))
        lines.append(f"  server CPU {name}: {multiples:.2f} × one bare Ed25519 check")
    return lines


def main(arguments: list[str]) -> int:
    """Exit status 0: measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--what", default=",".join(CLIENTS), help="default: %(default)s")
    parser.add_argument("--engine", default="sqlite", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="server processes (default: %(default)s)")
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", help="of the requests to this side"
    )
    chosen = parser.parse_args(arguments)
    headers = tuple((name, value.strip()) for name, _, value in (given.partition(":") for given in chosen.header))
    with site() as place, ExitStack() as stack:
        sides = tuple(
            Side.open(stack, place, chosen.engine, checkout, chosen.workers)
            for checkout in (ROOT, chosen.other.resolve())
        )
        for what in chosen.what.split(","):
            for line in compare((sides[0], sides[1]), what, chosen.rounds, headers):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
