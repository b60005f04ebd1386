"""Instructions that the sequencer takes for a batch, by callgrind: `python -m tests.bench.counting [--batch N]`; some minutes.

On a machine whose clock speed nobody can rely on, instructions are what two versions of the code can be compared by. Two runs
differ only in how many batches they record, so that what starting costs drops out. SQLite, in one thread, no HTTP.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from ledger.sequencer.batches import Waiting
from tests.bench.places import ROOT, new_log, site

FEW: Final = 10
MANY: Final = 50


def record(batches: int, size: int) -> None:
    """Prepare MANY batches, record some of them, and end at once."""
    with site() as place:
        log = new_log(place, "sqlite", consents=20)
        log.settings = log.settings.model_copy(
            update={"index_interval_ms": 0}
        )  # they come by the clock, which runs slowly here
        with log.node() as node:
            prepared = [
                [Waiting(log.crowd.access(size * number + at).prepare(node), lambda _: None) for at in range(size)]
                for number in range(MANY)
            ]
            for batch in prepared[:batches]:
                node.sequencer._sequence(batch)  # type: ignore[attr-defined]


def count(batches: int, size: int, folder: Path) -> int:
    """Instructions of a process that records so many batches."""
    out = folder / f"callgrind.{batches}"
    subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable, "-m", "tests.bench.counting",
         "--batch", str(size), "--inside", str(batches)],
        check=True, cwd=ROOT, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("callgrind has counted nothing")
    return int(found[1])


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="accesses in a batch (default: %(default)s)")
    parser.add_argument("--inside", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is not None:
        record(given.inside, given.batch)
        return 0
    if shutil.which("valgrind") is None:
        print("tests.bench.counting needs valgrind", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        few, many = (count(batches, given.batch, Path(name)) for batches in (FEW, MANY))
    print(f"{(many - few) / (MANY - FEW) / 1e6:.2f} million instructions a batch of {given.batch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
