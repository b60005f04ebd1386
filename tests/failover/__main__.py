"""Failovers under load, and what of the log is there afterwards (docs/failover.md).

    scripts/failover [N] [--record]        (as root; see there)

Ends with 0 only if after each of N faults everything went on, nothing was lost or doubled, the whole log is VALID, and
half of the faults cost at most ten seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from api.client import LedgerClient, LocalSigner, Trust, VerifiedReceipt, parse_vkey
from tests.client.working import Load
from tests.engines import postgres_programs
from tests.failover.cluster import Cluster, said
from tests.failover.kinds import FAULTS
from tests.failover.nodes import Nodes
from tests.failover.page import GOAL_SECONDS, record, row_of

BEGAN = time.monotonic()
BIN = Path(sys.executable).parent


def told(sentence: str) -> None:
    """One line of the record."""
    print(f"{time.monotonic() - BEGAN:7.1f} s  {sentence}", flush=True)


@dataclass(frozen=True)
class Turn:
    """One fault, and what it cost."""

    number: int
    kind: str
    seconds: float
    """Without an acknowledgement, at the longest: what six writers together had to wait."""
    usual: float
    """The same in the seconds before the fault."""
    slowest: float
    """The longest that one question waited for its answer."""
    unavailable: int
    """Questions that the client gave up."""
    acknowledged: int
    lost: int
    doubled: int
    load: float
    """Of this machine, as `uptime` tells it, when the fault began."""


@dataclass
class Rehearsal:
    """The set-up, and the faults that it is put through."""

    folder: Path
    cluster: Cluster
    nodes: Nodes
    load: Load
    audited: int = 0
    """So many receipts were found in the log."""

    @classmethod
    def made(cls, folder: Path, programs: Path, etcd: Path) -> Rehearsal:
        """Three machines, two nodes, a bank and an app. Raises AssertionError."""
        cluster = Cluster(folder / "machines", programs, etcd)
        cluster.folder.mkdir()
        try:
            cluster.start()
        except BaseException:
            print(said([*cluster.machines.values()]), file=sys.stderr)
            raise
        told(f"{cluster.primary()} leads, two machines follow")
        nodes = Nodes(folder / "nodes", cluster)
        nodes.make()
        keys = {name: registered(nodes, name, role) for name, role in (("bank-a", "holder"), ("app-1", "recipient"))}
        for name in ("node-1", "node-2"):
            nodes.start(name)
        nodes.ready()
        told("both nodes are ready")
        trust = Trust(parse_vkey(nodes.vkey))

        def client(who: str) -> LedgerClient:
            """With the addresses of both nodes, and otherwise as a participant has it."""
            statement, own = keys[who]
            return LedgerClient(list(nodes.urls), who, statement, trust, client_key=own)

        return cls(folder, cluster, nodes, Load(client, writers=6, pause=0.05))

    def turn(self, number: int, kind: str) -> Turn:
        """One fault under load. Raises AssertionError when it does not end well."""
        load = self.load
        load.goes_on()
        load.works(1)
        before = load.answered[-1]
        load.works()
        usual, load.slowest = load.longest_gap(before), 0.0
        acknowledged, unavailable, busy = len(load.receipts), load.unavailable, os.getloadavg()[0]
        begun = time.monotonic()
        FAULTS[kind](self.cluster, self.nodes, load, number)
        load.rests()
        seconds = load.longest_gap(begun)
        lost, doubled = self.audit()
        self.nodes.ready()
        self.cluster.whole()
        return Turn(
            number=number,
            kind=kind,
            seconds=round(seconds, 1),
            usual=round(usual, 1),
            slowest=round(load.slowest, 1),
            unavailable=load.unavailable - unavailable,
            acknowledged=len(load.receipts) - acknowledged,
            lost=lost,
            doubled=doubled,
            load=round(busy, 1),
        )

    def audit(self) -> tuple[int, int]:
        """(lost, doubled), while nobody asks anything: receipts since the last audit whose entry is not there with the same
        bytes; entries of participants beyond those that somebody has a receipt of."""
        new = self.load.receipts[self.audited :]
        url = self.cluster.url("owner", "ledger").replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            lowest = min((receipt.index for receipt in new), default=0)
            asked = connection.execute("SELECT idx, leaf FROM entries WHERE idx >= %s", (lowest,))
            leaves = {int(index): bytes(leaf) for index, leaf in asked}
            counted = connection.execute("SELECT count(*) FROM entries WHERE iss IN ('bank-a', 'app-1')").fetchone()
        assert counted is not None
        lost = sum(leaves.get(receipt.index) != leaf_of(receipt) for receipt in new)
        distinct = len({receipt.index for receipt in self.load.receipts})
        self.audited = len(self.load.receipts)
        return lost, int(counted[0]) - distinct + (len(self.load.receipts) - distinct)

    def verdict(self) -> str:
        """What `consent-verify` says of the whole log, and of each receipt beside it. Raises AssertionError."""
        bundle, policy, kept = self.folder / "bundle", self.folder / "policy", self.folder / "receipts"
        self.nodes.command("node-1", "export", str(bundle), "--evidence", "none")
        policy.write_text(f"log {self.nodes.vkey}\nquorum none\n")
        kept.mkdir()
        for receipt in self.load.receipts:
            (kept / f"{receipt.index}.receipt.json").write_bytes(receipt.file)
        said = self._verified("bundle", str(bundle), "--policy", str(policy))
        assert "VALID" in said.splitlines()[0], said
        self._verified("compare", "--policy", str(policy), str(bundle), *map(str, sorted(kept.iterdir())))
        return said.strip().splitlines()[0]

    def _verified(self, *words: str) -> str:
        command = [str(BIN / "consent-verify"), "--lang", "en", *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{words[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout


def leaf_of(receipt: VerifiedReceipt) -> bytes:
    """The leaf's bytes, as the participant has them."""
    leaf: str = json.loads(receipt.file)["leaf"]
    return leaf.encode()


def registered(nodes: Nodes, participant: str, role: str) -> tuple[LocalSigner, LocalSigner]:
    """A participant with two keys of its own."""
    nodes.command("node-1", "participant", "add", participant, "--role", role, "--name", participant)
    made = []
    for use in ("statement", "client"):
        key = LocalSigner.generate(f"{participant}-{use}", "ES256")
        file = nodes.folder / f"{key.kid}.jwk"
        file.write_text(json.dumps(dict(key.jwk)))
        given = ["--kid", key.kid, "--alg", "ES256", "--use", use]
        nodes.command("node-1", "participant", "key", participant, str(file), *given)
        made.append(key)
    return made[0], made[1]


def rehearse(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """All faults and the audit; the figures. Raises AssertionError."""
    rehearsal = Rehearsal.made(folder, arguments.patroni, arguments.etcd)
    turns: list[Turn] = []
    try:
        rehearsal.load.start()
        for number in range(arguments.faults):
            kind = list(FAULTS)[number % len(FAULTS)]
            turns.append(rehearsal.turn(number + 1, kind))
            told(row_of(asdict(turns[-1])))
        rehearsal.load.goes_on()
        rehearsal.load.works()
        rehearsal.load.stop()
        lost, doubled = rehearsal.audit()
        said_of_all = rehearsal.verdict()
        rehearsal.nodes.stop()
    except BaseException:
        print(said([*rehearsal.cluster.machines.values()]), file=sys.stderr)
        raise
    finally:
        rehearsal.cluster.stop()
    return {
        "on": datetime.now(UTC).date().isoformat(),
        "asked": arguments.faults,
        "turns": [asdict(turn) for turn in turns],
        "receipts": len(rehearsal.load.receipts),
        "lost": lost + sum(turn.lost for turn in turns),
        "doubled": max([doubled, *(turn.doubled for turn in turns)]),
        "verdict": said_of_all,
        "median": round(statistics.median(turn.seconds for turn in turns), 1),
        "cores": os.cpu_count(),
        "postgresql": version_of([str((postgres_programs() or Path()) / "postgres"), "--version"]),
        "patroni": version_of([str(arguments.patroni / "patroni"), "--version"]),
        "etcd": version_of([str(arguments.etcd), "--version"]),
    }


def version_of(command: list[str]) -> str:
    """The number that a program says of itself."""
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]
    return next(word for word in line.split() if word[0].isdigit())


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="scripts/failover", description=__doc__)
    parser.add_argument("faults", nargs="?", type=int, default=20, help="how many (20)")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/failover.json and .md")
    parser.add_argument("--patroni", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--etcd", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.faults < 1:
        parser.error("at least one fault")
    folder = Path(tempfile.mkdtemp(prefix="failover-"))
    folder.chmod(0o755)  # PostgreSQL is another user
    try:
        figures = rehearse(folder, arguments)
    except AssertionError as failure:
        told(f"FAILED: {failure}; the logs are in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    whole = figures["lost"] == 0 and figures["doubled"] == 0
    told(
        f"{len(figures['turns'])} of {figures['asked']} faults, {figures['receipts']} receipts, {figures['lost']} lost, "
        f"{figures['doubled']} doubled, {figures['verdict']}; median without service {figures['median']} s"
    )
    if arguments.record:
        record(figures)
    if whole and figures["median"] > GOAL_SECONDS:
        told(f"the median is above {GOAL_SECONDS:g} s: look at «usual» and «load» before the set-up is blamed")
    return 0 if whole and figures["median"] <= GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
