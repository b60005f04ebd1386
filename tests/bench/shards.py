"""What several logs cost against one: `python -m tests.bench.shards [--shards N] [--rounds N] [--seconds S] [--rate R]`.

A head log and N shards, each on a PostgreSQL server of its own. Single accesses over HTTP go to one shard, then to all N at
the same time, by turns: always as many a second to a log, for as many seconds. So what a log costs by the clock (index-heads,
a database's own rounds, questions of the head log) is the same on both sides, however busy the machine is with other things.
Processor time is told, of everything that records an event: `consent-ledger serve` and its PostgreSQL server, all their
processes. What is not the same is how many events share a commit: the longer a server waits for a core, the more. So on a busy
machine several logs cost less an event than one, and that is no merit of theirs.

The head log is apart, since all that it costs comes by the clock: its own processor time and its database's in a second, and
what a shard spends on its question, which is measured alone, with the program that asks. What it adds is that part of a second
of all cores, which the shards could have used. Afterwards the whole set is exported, and has to verify.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import httpx2
import psutil

from api.sets.addresses import write_address
from api.sets.asking import ShardAsker
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.canonical import b64u
from ledger.documents import document_of
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.set_documents import HolderPlaced, ShardAdded
from ledger.sets import CommittedHead, Shard
from tests.bench.audit import Unsound
from tests.bench.load import Plan, drive, request
from tests.bench.places import ROOT, Place, Serving, Site, new_log, serving, site
from tests.bench.references import bare_check
from tests.bench.statements import Crowd, Key

CLIENTS: Final = 64
CONSENTS: Final = 50
ASKS: Final = 100


class Spent(NamedTuple):
    """Seconds of processor time, of all processes of either."""

    server: float
    database: float

    @property
    def both(self) -> float:
        """Their sum."""
        return self.server + self.database

    def less(self, other: Spent) -> Spent:
        """What is more than the other's."""
        return Spent(self.server - other.server, self.database - other.database)

    def over(self, count: float) -> Spent:
        """The part of one."""
        return Spent(self.server / count, self.database / count)


def mean_of(spent: Iterable[Spent]) -> Spent:
    """Of several logs."""
    return Spent(*(statistics.mean(part) for part in zip(*spent, strict=True)))


class Turn(NamedTuple):
    """What each log spent, the head log the last, and the seconds that the turn took."""

    spent: list[Spent]
    took: float


class Round(NamedTuple):
    """Seconds of processor time: of an event at one log and at one of several, and of the head log in a second meanwhile."""

    one: Spent
    several: Spent
    head: float

    @property
    def ratio(self) -> float:
        """Of several to one."""
        return self.several.both / self.one.both


def added_by(head: float, question: float, shards: int, cores: float) -> float:
    """What the head log adds, as a part of what is left to the shards: it spends `head` seconds of processor time in a second,
    and each shard `question`."""
    asked = head + question * shards
    return asked / (cores - asked)


@dataclass
class Log:
    """A log that is served, with the PostgreSQL server that it has for itself."""

    place: Site
    log: Place
    vkey: VerifierKey
    server: Serving

    @classmethod
    def open(cls, stack: ExitStack, name: str) -> Log:
        """Make the database server and the log, and serve it."""
        place = stack.enter_context(site())
        crowd = Crowd(f"bench.example/{name}", holder=Key(f"bank-{name}"))
        log = new_log(place, "postgresql", consents=CONSENTS, crowd=crowd)
        with log.node() as node:
            vkey = node.vkey
        return cls(place, log, vkey, stack.enter_context(serving(log)))

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{self.server.host}:{self.server.port}"

    def spent(self) -> Spent:
        """So far, those processes included that have ended."""
        postmaster = int((self.place.postgres.folder / "cluster" / "postmaster.pid").read_text().split("\n")[0])
        return Spent(_spent(self.server.process.pid), _spent(postmaster))

    def drive(self, requests: list[bytes], rate: float) -> None:
        """Send them all. Raises RuntimeError when one is refused."""
        host, port = self.server.host, self.server.port
        plan = Plan(host, port, requests, CLIENTS, rate, warm_up=0.0, seconds=600.0, keep_every=0)
        run = drive(plan, self.place.new_folder("load"))
        if run.broken or run.statuses != {201: len(requests)}:
            raise RuntimeError(f"{self.vkey.name}: answers with {run.statuses}, {run.broken} connections broken")


def _spent(first: int) -> float:
    """Seconds of a process and all that come from it; what a process that has ended spent stands in its parent's account."""
    while True:
        try:
            process = psutil.Process(first)
            return sum(sum(one.cpu_times()[:4]) for one in (process, *process.children(recursive=True)))
        except psutil.NoSuchProcess:
            if not psutil.pid_exists(first):
                raise


@dataclass
class Arrangement:
    """Everything that runs. To each log that takes part in a turn go `rate` events a second, for so many seconds."""

    shards: list[Log]
    head: Log
    rate: float
    seconds: float

    @classmethod
    @contextmanager
    def running(cls, shards: int, rate: float, seconds: float) -> Iterator[Arrangement]:
        """Start it. The head log knows the shards, and asks them from the first second on."""
        with ExitStack() as stack:
            head, *others = [Log.open(stack, name) for name in ("head", *(str(number) for number in range(shards)))]
            with head.log.node() as node:
                for one in others:
                    origin, bank = one.vkey.name, one.log.crowd.holder.participant
                    node.record_documents(
                        document_of(ShardAdded, origin=origin, key=b64u(one.vkey.public_key)),
                        document_of(HolderPlaced, holder=bank, origin=origin),
                    )
                    write_address(head.log.settings.set_file, origin, one.address)
            yield cls(others, head, rate, seconds)

    @property
    def events(self) -> int:
        """To a log in a turn."""
        return int(self.rate * self.seconds)

    def turn(self, logs: Sequence[Log]) -> Turn:
        """Events to each of these logs, at the same time."""
        requests = [
            [request("POST", post.path, one.server.host, post.body) for post in one.log.crowd.accesses(self.events)]
            for one in logs
        ]

        def send() -> None:
            with ThreadPoolExecutor(len(logs)) as pool:
                list(pool.map(Log.drive, logs, requests, [self.rate] * len(logs)))

        return self._measured(send)

    def _measured(self, work: Callable[[], None]) -> Turn:
        all_of_them = [*self.shards, self.head]
        before, begun = [one.spent() for one in all_of_them], time.monotonic()
        work()
        took = time.monotonic() - begun
        return Turn([one.spent().less(then) for one, then in zip(all_of_them, before, strict=True)], took)

    def question(self) -> float:
        """Seconds that a shard spends on one question for its newest head, when it has grown."""
        asked = self.shards[0]
        with httpx2.Client(base_url=asked.address) as http:
            first = open_checkpoint(http.get("/checkpoint/newest").text, (asked.vkey,))
        self.turn([asked])  # it grows
        known, last = Shard(asked.vkey.name, asked.vkey, 0), CommittedHead(first.size, first.root, 0, 0)

        async def ask() -> None:
            async with httpx2.AsyncClient(trust_env=False) as client:  # a connection each time, as the head log has it
                await ShardAsker(known, asked.address).head(client, last)

        def ask_again() -> None:
            for _ in range(ASKS):
                asyncio.run(ask())

        spent = self._measured(ask_again).spent
        return spent[0].less(mean_of(spent[1:-1])).both / ASKS

    def round(self, number: int) -> Round:
        """One turn of each side, in changing order."""
        alone = number % len(self.shards)
        turns = {}
        for many in (False, True) if number % 2 else (True, False):
            turns[many] = self.turn(self.shards if many else [self.shards[alone]])
        one, several = turns[False].spent[alone], mean_of(turns[True].spent[:-1])
        return Round(one.over(self.events), several.over(self.events), turns[True].spent[-1].both / turns[True].took)

    def audit(self, folder: Path) -> None:
        """Export the set, and have it verified. Raises Unsound."""
        (folder / "policy").write_text(f"log {self.head.vkey.format()}\nquorum none\n")
        _export(self.head, folder / "set" / "heads")
        for number, one in enumerate(self.shards):
            _export(one, folder / "set" / "shards" / str(number))
        command = [sys.executable, "-m", "verifier.cli", "set", str(folder / "set"), "--policy", str(folder / "policy")]
        said = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if said.returncode != 0:
            raise Unsound(f"consent-verify set ends with {said.returncode}:\n{said.stdout}{said.stderr}")
        print("consent-verify set: " + " ".join(said.stdout.split("\n")[0].split()))


def _export(one: Log, folder: Path) -> None:
    with one.log.node() as ledger:
        target = DirectoryTarget(folder)
        export_bundle(ledger.store, ledger.keystore, ledger.vkey, target, disclose=Disclose.full())


def told(rounds: Sequence[Round], question: float, shards: int, check: float) -> list[str]:
    """What there is to say, line by line. `check`: microseconds of one bare Ed25519 check."""
    cores = os.cpu_count() or 1
    head = statistics.median(one.head for one in rounds)
    ratios = sorted(one.ratio for one in rounds)

    def side(name: str, spent: Sequence[Spent]) -> str:
        both = statistics.median(one.both for one in spent) * 1e6
        database = statistics.median(one.database for one in spent) * 1e6
        return f"  {name:24} {both:8.1f} µs an event, {both / check:.2f} checks; {database:.1f} µs of it in PostgreSQL"

    return [
        side("one log", [one.one for one in rounds]),
        side(f"{shards} shards", [one.several for one in rounds]),
        f"  {shards} shards ÷ one log       {statistics.median(ratios):8.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
        f"  the head log             {head * 1e3:8.1f} ms a second, and {question * 1e3:.1f} ms of each shard",
        f"  so the head log adds     {added_by(head, question, shards, cores):8.3f} where all {cores} cores are busy",
    ]


def main(arguments: list[str]) -> int:
    """Exit status 0: measured, and the set is sound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a turn (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="events a second to a log (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    with Arrangement.running(chosen.shards, chosen.rate, chosen.seconds) as all_of_them:
        all_of_them.turn(all_of_them.shards)  # warm: pages, plans, caches
        question = all_of_them.question()
        checks, rounds = [], []
        for number in range(chosen.rounds):
            checks.append(bare_check())
            one = all_of_them.round(number)
            rounds.append(one)
            print(f"{one.one.both * 1e6:.0f} µs  {one.several.both * 1e6:.0f} µs  {one.ratio:.3f}", flush=True)
        check, load = statistics.median(checks), ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(
            f"{chosen.rounds} rounds of {chosen.seconds:g} s, {chosen.rate:g} events a second to a log; one Ed25519 check: "
            f"{check:.1f} µs; load of the machine: {load}"
        )
        for line in told(rounds, question, chosen.shards, check):
            print(line, flush=True)
        all_of_them.audit(all_of_them.head.place.new_folder("audit"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
