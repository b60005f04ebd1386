"""What `check` takes of a log with many consents: `python -m tests.bench.checking 10000 40000 100000` (docs/benchmarks.md).

The log is real, but its signatures are not verified on their way in: that would take longer than everything else. Each size
is a fresh log with two entries of each consent's chain, one of its customer's, and one access.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.checking import examine
from api.node.building import opened
from api.node.settings import Settings
from ledger.app import Ledger
from ledger.entries.statement import header_text, parse_statement
from ledger.planning.commands import SubmitStatement
from ledger.sequencer.answers import Answer
from tests.bench.places import ROOT, new_log, site
from tests.bench.statements import Crowd, Post, portions, reference

AT_ONCE: Final = 512


@dataclass(frozen=True)
class Cost:
    """What a check took."""

    consents: int
    entries: int
    seconds: float
    peak_mib: float


def crowded(ledger: Ledger, crowd: Crowd, consents: int) -> None:
    """Ask for, authorise and use that many consents."""
    for first in range(0, consents, AT_ONCE):
        requests = [crowd.request() for _ in range(min(AT_ONCE, consents - first))]
        crowd.consents[:] = [(consent_id, reference()) for consent_id, _ in requests]
        _record(ledger, crowd, (post for _, post in requests))
        _record(ledger, crowd, (crowd.authorise(*pair) for pair in crowd.consents))
        _record(ledger, crowd, (crowd.access(number) for number in range(len(requests))))


def _record(ledger: Ledger, crowd: Crowd, posts: Iterable[Post]) -> None:
    def trust(header: str, *_: bytes) -> str:
        return next(key.kid for key in (crowd.holder, crowd.recipient) if header_text("EdDSA", key.kid) == header)

    for part in portions(posts, AT_ONCE):
        futures: list[Future[Answer]] = []
        for post in part:
            beside = None if post.companion is None else parse_statement(post.companion, trust)
            futures.append(
                ledger.submit_soon(SubmitStatement(parse_statement(post.statement, trust), companion=beside))
            )
        for future in futures:
            future.result(120)


def cost(consents: int, engine: str = "sqlite") -> Cost:
    """Make such a log, and check it in a process of its own."""
    with site() as place:
        log = new_log(place, engine, consents=1)
        crowd = Crowd(log.crowd.origin, log.crowd.holder, log.crowd.recipient)
        with log.node() as ledger:
            crowded(ledger, crowd, consents)
        folder, url = str(log.settings.state_dir), log.settings.database_url
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.checking", "--check", folder, url],
            cwd=ROOT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the check of a whole log ended with {done.returncode}: {done.stdout}{done.stderr}")
        entries, peak = map(int, done.stdout.split())
        return Cost(consents, entries, time.perf_counter() - begun, peak / 1024)


def _check(folder: str, url: str) -> int:
    """Entries, and the most memory in KiB that this process ever had: Linux's VmHWM."""
    with opened(Settings(state_dir=Path(folder), database_url=url)) as node:
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey)
    if found.count or found.unchecked_count:
        print(found)
        return 1
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print(found.size, peak.split()[1])
    return 0


def main(arguments: list[str]) -> int:
    """Print a line for each size, and the slope between the first and the last."""
    if arguments[:1] == ["--check"]:
        return _check(*arguments[1:])
    costs = []
    for size in map(int, arguments):
        costs.append(cost(size))
        print(
            f"{size} consents, {costs[-1].entries} entries: {costs[-1].seconds:.1f} s, {costs[-1].peak_mib:.0f} MiB",
            flush=True,
        )
    first, last = costs[0], costs[-1]
    if last.consents > first.consents:
        slope = (last.peak_mib - first.peak_mib) * 2**20 / (last.consents - first.consents)
        print(f"{slope:.0f} bytes for each further consent")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
