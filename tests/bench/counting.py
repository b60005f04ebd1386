"""Instructions for a batch, by callgrind: `python -m tests.bench.counting [--batch N] [--cold] [--whole] [--scored]
[--reading]`.

On a machine whose clock speed nobody can rely on, instructions are what two versions of the code can be compared by. They are
counted while batches are recorded and at no other time, after as many batches that warm the process up. SQLite, in one thread,
no HTTP. What is counted are accesses under consents that the node remembers; with `--cold` under consents that it has not read
yet. Each statement was read and checked before, as a front does; with `--whole` that is counted too. With `--scored` the rules
of risk are in force, and a reader has read what was recorded before the count; with `--reading` what is counted is that reader,
on the same entries, and not their recording.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import ledger.app
from ledger.app import Ledger
from ledger.documents import document_of
from ledger.orders import SCORING, ScoringActivated
from ledger.planning.commands import RecordIndexHead
from ledger.queries.scoring import AlertReader
from ledger.sequencer.batches import Waiting
from tests.bench.places import ROOT, new_log, site
from tests.bench.statements import Post

BATCHES: Final = 40
"""So many are counted, after as many that are not."""
OPTIONS: Final = ("cold", "whole", "scored", "reading")


def record(
    batches: int,
    size: int,
    *,
    cold: bool,
    whole: bool = False,
    scored: bool = False,
    reading: bool = False,
    pause: Callable[[], None] = lambda: None,
) -> int:
    """Record as many batches twice, with a pause before and after the second time (with `reading`: before and after the rules
    read them); how many entries they all added."""
    with without_housekeeping(), site() as place:
        log = new_log(place, "sqlite", consents=(2 if cold else 1) * batches * size)
        log.settings = log.settings.model_copy(
            update={"index_interval_ms": 0}
        )  # they come by the clock, which runs slowly here
        with log.node() as node:
            node.submit_and_wait(RecordIndexHead())  # what is read anew is held against the map that it signs
            if scored or reading:
                node.record_documents(document_of(ScoringActivated, scoring=SCORING, approved_by=("a", "b")))
            reader = AlertReader(node.store, node.keystore)
            posts = [[log.crowd.access(size * number + at) for at in range(size)] for number in range(2 * batches)]
            checked = [] if whole else [prepared(node, batch) for batch in posts]
            before = node.tree.size()
            for number, batch in enumerate(posts):
                if number == batches:
                    reader.read()
                    if not reading:
                        pause()
                waiting = prepared(node, batch) if whole else checked[number]
                node.sequencer._sequence(waiting)  # type: ignore[attr-defined]
            if reading:
                pause()
                reader.read()
            pause()
            return node.tree.size() - before


@contextmanager
def without_housekeeping() -> Iterator[None]:
    """It comes by the clock, as index-heads do. Afterwards it comes again: other tests of this process live by it."""
    usual = ledger.app.HOUSEKEEPING_SECONDS
    ledger.app.HOUSEKEEPING_SECONDS = 3_600.0
    try:
        yield
    finally:
        ledger.app.HOUSEKEEPING_SECONDS = usual


def prepared(node: Ledger, batch: list[Post]) -> list[Waiting]:
    """The batch as the sequencer takes it: statements read and checked."""
    return [Waiting(post.prepare(node), lambda _: None) for post in batch]


def tell_and_wait() -> None:
    """Let whoever counts begin or end, and wait for the word."""
    print("ready", flush=True)
    sys.stdin.readline()


def count(size: int, folder: Path, options: list[str]) -> int:
    """Instructions of the batches that are recorded the second time."""
    out = folder / "callgrind"
    process = subprocess.Popen(
        [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={out}",
            sys.executable,
            "-m",
            "tests.bench.counting",
            "--batch",
            str(size),
            "--inside",
            *options,
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for then in ("on", "off"):
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the counted process ended with {process.wait()}")
        subprocess.run(["callgrind_control", "-i", then, str(process.pid)], check=True, capture_output=True)
        print(file=process.stdin, flush=True)
    if process.wait():
        raise RuntimeError(f"the counted process ended with {process.returncode}")
    found = re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("callgrind has counted nothing")
    return int(found[1])


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="accesses in a batch (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="each under a consent that was not read before")
    parser.add_argument("--whole", action="store_true", help="from the statement on, not from the queue")
    parser.add_argument("--scored", action="store_true", help="while the rules of risk are in force")
    parser.add_argument("--reading", action="store_true", help="what the rules take to read them, and nothing else")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        options = {name: vars(given)[name] for name in OPTIONS}
        record(BATCHES, given.batch, **options, pause=tell_and_wait)
        return 0
    if shutil.which("callgrind_control") is None:
        print("tests.bench.counting needs valgrind", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        counted = count(given.batch, Path(name), [f"--{one}" for one in OPTIONS if vars(given)[one]])
    print(f"{counted / BATCHES / 1e6:.3f} million instructions a batch of {given.batch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
