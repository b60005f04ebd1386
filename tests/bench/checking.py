"""What `check` and `consent-verify bundle` take of a log with many consents (docs/benchmarks-audit.md):

    python -m tests.bench.checking 10000 100000

The log is real, but its signatures are not verified on their way in: that would take longer than everything else. Each size
is a fresh log with two entries of each consent's chain, one of its customer's, and one access; index-heads among them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.checking import examine
from api.node.building import opened
from api.node.settings import Settings
from ledger.app import Ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.entries.statement import header_text, parse_statement
from ledger.planning.commands import SubmitStatement
from ledger.sequencer.answers import Answer
from tests.bench.places import ROOT, new_log, site
from tests.bench.statements import Crowd, Post, portions, reference
from tests.bench.verifying import tell

AT_ONCE: Final = 4_096
"""Statements in a commit: the fewer commits, the sooner the log is there."""
PROGRAMS: Final = {"check": "tests.bench.checking", "verify": "tests.bench.verifying"}


@dataclass(frozen=True)
class Cost:
    """What one kind of checking took: processor seconds and most memory, of all its processes together."""

    kind: str
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
            future.result(600)


def costs(consents: int, engine: str = "sqlite") -> list[Cost]:
    """Make such a log, and check it in processes of their own."""
    with site() as place:
        log = new_log(place, engine, consents=1)
        log.settings = log.settings.model_copy(update={"max_batch": AT_ONCE, "max_waiting": 2 * AT_ONCE})
        crowd = Crowd(log.crowd.origin, log.crowd.holder, log.crowd.recipient)
        with log.node() as ledger:
            crowded(ledger, crowd, consents)
        folder = place.new_folder("bundle")
        with opened(log.settings) as node:
            _export(node.ledger, folder)
        places = {
            "check": ("--check", str(log.settings.state_dir), log.settings.database_url),
            "verify": (str(folder),),
        }
        return [_apart(kind, consents, *places[kind]) for kind in PROGRAMS]


def _export(ledger: Ledger, folder: Path) -> None:
    export_bundle(
        ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder / "bundle"), disclose=Disclose.full()
    )
    (folder / "policy").write_text(f"log {ledger.vkey.format()}\nquorum none\n")


def _apart(kind: str, consents: int, *place: str) -> Cost:
    done = subprocess.run(
        [sys.executable, "-m", PROGRAMS[kind], *place],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the {kind} of a whole log ended with {done.returncode}: {done.stdout}{done.stderr}")
    entries, peak, seconds = done.stdout.split()
    return Cost(kind, consents, int(entries), float(seconds), int(peak) / 1024)


def _check(folder: str, url: str) -> int:
    with opened(Settings(state_dir=Path(folder), database_url=url)) as node:
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey)
    if found.count or found.unchecked_count:
        print(found)
        return 1
    tell(found.size, 0)
    return 0


def main(arguments: list[str]) -> int:
    """Print a line for each kind and size, and the slopes between the first and the last."""
    if arguments[0] == "--check":
        return _check(*arguments[1:])
    made = []
    for size in map(int, arguments):
        made.append(costs(size))
        for one in made[-1]:
            print(
                f"{one.kind}: {one.consents} consents, {one.entries} entries: {one.seconds:.0f} s of processor, "
                f"{one.peak_mib:.0f} MiB",
                flush=True,
            )
    for first, last in zip(made[0], made[-1], strict=True):
        if last.consents > first.consents:
            slope = (last.peak_mib - first.peak_mib) * 2**20 / (last.consents - first.consents)
            print(f"{first.kind}: {slope:.0f} bytes for each further consent")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
