"""What `check`, `export` and `consent-verify bundle` take of a log with many consents (docs/benchmarks-audit.md):

    python -m tests.bench.checking 10000 100000
    python -m tests.bench.checking 1000000 --at /some/folder --record    keeps the log there, and the figures in docs/
    python -m tests.bench.checking --at /some/folder --only check        of the log that is there

The log is real, but its signatures are not verified on their way in: that would take longer than everything else. Each size
is a fresh log with two entries of each consent's chain, one of its customer's, and one access; index-heads among them. A log
whose making was stopped is one of fewer consents.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

from api.checking import examine
from api.node.building import opened
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.app import Ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.entries.statement import header_text, parse_statement
from ledger.planning.commands import SubmitStatement
from ledger.sequencer.answers import Answer
from ledger.storage.tables import consents as consents_table
from tests.bench.places import ORIGIN, ROOT, Place, site
from tests.bench.statements import Crowd, Post, portions, reference
from tests.bench.verifying import tell

AT_ONCE: Final = 4_096
"""Statements in a commit: the fewer commits, the sooner the log is there."""
KINDS: Final = ("check", "export", "verify")
DOCS: Final = ROOT / "docs"
BEGIN: Final = "<!-- figures -->\n"
END: Final = "<!-- end of figures -->\n"


@dataclass(frozen=True)
class Cost:
    """What one kind of checking took: processor seconds and most memory, of all its processes together."""

    kind: str
    consents: int
    entries: int
    seconds: float
    peak_mib: float

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.consents:,} consents, {self.entries:,} entries: {self.seconds:,.0f} s of processor, "
            f"{self.peak_mib:.0f} MiB"
        )


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


def make(folder: Path, consents: int, engine_url: str = "") -> None:
    """A log of that many consents in `folder`."""
    settings = _settings(folder, engine_url)
    settings.state_dir.mkdir(parents=True)
    log = Place("sqlite", settings.model_copy(update={"max_batch": AT_ONCE, "max_waiting": 2 * AT_ONCE}))
    initialise(log.settings, ORIGIN)
    gc.disable()  # a third of the time would go into looking for cycles that are not there
    try:
        with log.node() as ledger:
            log.crowd.settle(ledger, 0)
            for first in range(0, consents, 16 * AT_ONCE):
                crowded(ledger, log.crowd, min(16 * AT_ONCE, consents - first))
                gc.collect()
    finally:
        gc.enable()


def _settings(folder: Path, engine_url: str = "") -> Settings:
    return Settings(state_dir=folder / "state", database_url=engine_url or f"sqlite:///{folder / 'ledger.sqlite'}")


def costs(consents: int) -> list[Cost]:
    """Make such a log, and check it in processes of their own."""
    with site() as place:
        folder = place.new_folder("log")
        make(folder, consents)
        return [apart(kind, folder) for kind in KINDS]


def apart(kind: str, folder: Path) -> Cost:
    """One kind of checking in a process of its own. Raises RuntimeError when it does not find the log whole."""
    program = ["verifying", str(folder)] if kind == "verify" else ["checking", "--at", str(folder), "--within", kind]
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{program[0]}", *program[1:]],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the {kind} of a whole log ended with {done.returncode}: {done.stdout}{done.stderr}")
    entries, peak, seconds = done.stdout.split()
    return Cost(kind, _consents(folder), int(entries), float(seconds), int(peak) / 1024)


def _consents(folder: Path) -> int:
    with opened(_settings(folder)) as node, node.ledger.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(consents_table)).scalar_one())


def _check(folder: Path) -> int:
    with opened(_settings(folder)) as node:
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey)
    if found.count or found.unchecked_count:
        print(found)
        return 1
    tell(found.size, 0)
    return 0


def _export(folder: Path) -> int:
    bundle = folder / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    with opened(_settings(folder)) as node:
        ledger = node.ledger
        size = export_bundle(
            ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full()
        )
        (folder / "policy").write_text(f"log {ledger.vkey.format()}\nquorum none\n")
    tell(size, 0)
    return 0


# -- what is kept -----------------------------------------------------------------------------------------------------


def revision() -> str:
    """The commit that was measured, and whether it was changed since."""

    def git(*words: str) -> tuple[int, str]:
        ran = subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True, text=True)
        return ran.returncode, ran.stdout.strip()

    _, commit = git("rev-parse", "--short=10", "HEAD")
    changed, _ = git("diff", "--quiet", "HEAD", "--", "ledger", "api", "verifier")
    return (commit or "not known") + (" and changes" if changed else "")


def record(made: list[Cost]) -> None:
    """Add to the figures that are kept, and write their table anew."""
    path, page = DOCS / "benchmarks-audit.json", DOCS / "benchmarks-audit.md"
    kept: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    kept += [asdict(one) | {"revision": revision()} for one in made]
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + table(kept) + END + rest.split(END)[1])


def table(kept: list[dict[str, Any]]) -> str:
    """The kept figures for readers."""
    names = {"check": "`check`", "export": "`export`", "verify": "verifier, two workers, all together"}
    lines = ["| what | consents | entries | peak memory | processor | of |", "|---" * 6 + "|"]
    lines += [
        f"| {names[one['kind']]} | {one['consents']:,} | {one['entries']:,} | {one['peak_mib']:.0f} MiB "
        f"| {one['seconds']:,.0f} s | {one['revision']} |"
        for one in kept
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print a line for each kind and size, and the slopes between the first and the last."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.checking", description=__doc__)
    parser.add_argument("consents", type=int, nargs="*", help="a log of so many")
    parser.add_argument("--at", type=Path, metavar="FOLDER", help="keep the log there, or take the one that is there")
    parser.add_argument("--only", nargs="*", choices=KINDS, default=KINDS, help="a verify needs an export before it")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/benchmarks-audit.json and .md")
    parser.add_argument("--within", choices=("check", "export"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.within:
        return {"check": _check, "export": _export}[given.within](given.at)
    if given.at is None:
        made = [cost for size in given.consents for cost in told(costs(size), given.record)]
    else:
        if not (given.at / "state").exists():
            make(given.at, *given.consents)
        made = [cost for kind in given.only for cost in told([apart(kind, given.at)], given.record)]
    for first in made:
        last = max((one for one in made if one.kind == first.kind), key=lambda one: one.consents)
        if last.consents > first.consents:
            slope = (last.peak_mib - first.peak_mib) * 2**20 / (last.consents - first.consents)
            print(f"{first.kind}: {slope:.0f} bytes for each consent beyond {first.consents:,}")
    return 0


def told(made: list[Cost], keep: bool) -> list[Cost]:
    """The same, printed; and kept at once, since what comes next may take hours and be ended."""
    for one in made:
        print(one, flush=True)
    if keep:
        record(made)
    return made


if __name__ == "__main__":
    sys.exit(main())
