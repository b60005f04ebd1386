"""`scripts/simulate`: runs of seeds beyond those of the tests, one run told in full, or the search of the model."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import textwrap
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from tests.simulation.model import Rules, search
from tests.simulation.portions import portion
from tests.simulation.run import simulate

DOCS: Final = Path(__file__).parents[2] / "docs"
PORTION: Final = 25
WORLDS: Final = {
    "failover": Rules(requests=3, crashes=2, cancels=1, kills=1),
    "erasure": Rules(requests=2, erasures=1, crashes=2, cancels=1, kills=2),
    "restore": Rules(requests=3, tries=1, crashes=2, cancels=0, kills=2, restores=1),
}
"""What the search of the model goes through."""


def play(first: int, seeds: int, jobs: int, minutes: float) -> dict[str, Any]:
    """Figures of many seeds, or of as many as there was time for: always those from `first` on, without a gap."""
    begun, faults, total = time.monotonic(), Counter[str](), Counter[str]()
    complaints: list[str] = []
    waiting = iter(range(first, first + seeds, PORTION))
    # a process that has played a thousand runs is exchanged: the ledger's caches grow in each, as in a node that runs for long
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=40) as pool:
        running: set[Future[dict[str, Any]]] = set()
        while True:
            while len(running) < jobs + 1 and (time.monotonic() - begun) / 60 < minutes:
                at = next(waiting, None)
                if at is None:
                    break
                running.add(pool.submit(portion, at, min(PORTION, first + seeds - at)))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                result = one.result()
                faults += Counter(result.pop("faults"))
                complaints += result.pop("complaints")
                total += Counter(result)
                for complaint in complaints[-1:] if complaints else ():
                    print(complaint, flush=True)
            spent = time.monotonic() - begun
            print(f"\r{total['seeds']} seeds, {faults.total()} faults, {spent:.0f} s", end="", flush=True)
    print()
    return {
        "first": first,
        "seeds": total["seeds"],
        "faults": faults.total(),
        "calls": total["calls"],
        "receipts": total["receipts"],
        "simulated_hours": round(total["simulated_seconds"] / 3600, 1),
        "by_kind": dict(sorted(faults.items())),
        "complaints": complaints,
        "seconds": round(time.monotonic() - begun),
        "jobs": jobs,
    }


def explore(names: list[str], limit: int) -> list[dict[str, Any]]:
    """Figures of the search, world by world."""
    figures = []
    gc.disable()  # nothing here is a cycle
    for name in names:
        begun = time.monotonic()
        found = search(
            WORLDS[name],
            limit=limit,
            watch=lambda states, depth, name=name: print(
                f"\r{name}: {states:,} states, depth {depth}", end="", flush=True
            ),
        )
        print()
        if found.why is not None:
            print(found.why, *found.trace, sep="\n  ")
        figures.append(
            {
                "world": name,
                "rules": asdict(WORLDS[name]),
                "states": found.states,
                "depth": found.depth,
                "complete": found.complete,
                "broken": found.why,
                "seconds": round(time.monotonic() - begun),
            }
        )
    return figures


def record(kind: str, figures: list[dict[str, Any]]) -> None:
    """Add to the log that is kept, and write its tables anew."""
    path = DOCS / "simulation.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"runs": [], "searches": []}
    if kind == "searches":
        names = {one["world"] for one in figures}
        kept[kind] = [one for one in kept[kind] if one["world"] not in names]
    kept[kind] += figures
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    page = DOCS / "simulation.md"
    begin, end = "<!-- figures -->\n", "<!-- end of figures -->\n"
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + tables(kept) + end + rest.split(end)[1])


def tables(kept: dict[str, Any]) -> str:
    """The kept log for readers."""
    runs, searches = kept["runs"], kept["searches"]
    lines = [
        "| seeds | faults | driver calls | receipts | simulated hours | complaints | wall seconds |",
        "|---" * 7 + "|",
    ]
    lines += [
        f"| {one['first']:,} … {one['first'] + one['seeds'] - 1:,} | {one['faults']:,} | {one['calls']:,} "
        f"| {one['receipts']:,} | {one['simulated_hours']} | {len(one['complaints'])} "
        f"| {one['seconds']:,} with {one['jobs']} processes |"
        for one in runs
    ]
    kinds: Counter[str] = Counter()
    for one in runs:
        kinds += Counter(one["by_kind"])
    if kinds:
        told = " · ".join(f"{kind} {count:,}" for kind, count in kinds.most_common())
        whole = f"In all {sum(one['seeds'] for one in runs):,} seeds and {kinds.total():,} faults: {told}."
        lines += ["", *textwrap.wrap(whole, 120, break_on_hyphens=False)]
    lines += ["", "| world of the model | states | depth | all reachable states | broken | seconds |", "|---" * 6 + "|"]
    lines += [
        f"| {one['world']} | {one['states']:,} | {one['depth']} | {'yes' if one['complete'] else 'no'} "
        f"| {one['broken'] or 'nothing'} | {one['seconds']:,} |"
        for one in searches
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no seed after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--build", default="right", help="a defect to put in (tests/simulation/defects.py)")
    parser.add_argument("--tell", action="store_true", help="the trace of the one run of seed --from")
    parser.add_argument("--model", nargs="*", choices=WORLDS, help="search the model instead; these worlds, or all")
    parser.add_argument("--states", type=int, default=20_000_000, help="states of a world at most")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/simulation.json and .md")
    given = parser.parse_args()
    if given.tell:
        outcome = simulate(given.first, given.build, keep=True)
        print(*outcome.trace, f"trace {outcome.digest}", *outcome.complaints, sep="\n")
        return bool(outcome.complaints)
    if given.model is not None:
        searches = explore(given.model or list(WORLDS), given.states)
        if given.record:
            record("searches", searches)
        return any(one["broken"] for one in searches)
    figures = play(given.first, given.seeds, given.jobs, given.minutes)
    print(f"{figures['seeds']:,} seeds, {figures['faults']:,} faults, {len(figures['complaints'])} complaints")
    if given.record:
        record("runs", [figures])
    return bool(figures["complaints"])


if __name__ == "__main__":
    sys.exit(main())
