"""`python -m tests.verifier.generated`: bundles by the thousand, each held to what must be said of it, and a log of them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.verifier.generated.judge import check

DOCS: Final = Path(__file__).parents[3] / "docs"
BEGIN: Final = "<!-- figures -->\n"
END: Final = "<!-- end of figures -->\n"


def play(first: int, bundles: int, minutes: float) -> dict[str, Any]:
    """Figures of the bundles of seeds from `first` on, of as many as there is time for; what went wrong is printed."""
    begun, cpu = time.monotonic(), time.process_time()
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    seed = first
    while seed < first + bundles and time.monotonic() - begun < 60 * minutes:
        try:
            kinds[check(seed)] += 1
        except Exception as error:  # noqa: BLE001  (a traceback of the verifier is what is looked for)
            wrong.append(f"seed {seed}: {type(error).__name__}: {error}")
            print("WRONG", wrong[-1], flush=True)
        seed += 1
        if seed % 1000 == 0:
            print(f"{seed - first:,} bundles, {len(wrong)} wrong, {time.monotonic() - begun:.0f} s", flush=True)
    return {
        "first": first,
        "bundles": seed - first,
        "wrong": wrong,
        "by_kind": dict(sorted(kinds.items())),
        "seconds": round(time.monotonic() - begun),
        "processor_seconds": round(time.process_time() - cpu),
        "revision": revision(),
    }


def revision() -> str:
    """The commit whose verifier judged, and whether it was changed since."""
    root = str(DOCS.parent)

    def git(*words: str) -> tuple[int, str]:
        ran = subprocess.run(["git", "-C", root, *words], check=False, capture_output=True, text=True)
        return ran.returncode, ran.stdout.strip()

    _, commit = git("rev-parse", "--short=10", "HEAD")
    changed, _ = git("diff", "--quiet", "HEAD", "--", "verifier", "tests")
    return (commit or "not known") + (" and changes" if changed else "")


def record(figures: dict[str, Any]) -> None:
    """Add to the log that is kept, and write its tables anew."""
    path, page = DOCS / "generated.json", DOCS / "generated.md"
    kept: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    kept.append(figures)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + tables(kept) + END + rest.split(END)[1])


def tables(kept: list[dict[str, Any]]) -> str:
    """The kept log for readers."""
    lines = ["| seeds | bundles | not as expected | verifier of | seconds |", "|---" * 5 + "|"]
    lines += [
        f"| {one['first']:,} … {one['first'] + one['bundles'] - 1:,} | {one['bundles']:,} | {len(one['wrong'])} "
        f"| {one['revision']} | {one['seconds']:,}, of which the processor {one['processor_seconds']:,} |"
        for one in kept
    ]
    kinds: Counter[str] = Counter()
    for one in kept:
        kinds += Counter(one["by_kind"])
    wrong = sum(len(one["wrong"]) for one in kept)
    told = f"{sum(one['bundles'] for one in kept):,} bundles; {wrong or 'none'} got another exit status, place or code"
    lines += ["", f"In all {told} than it should. Of these kinds:"]
    lines += ["", "| kind | bundles |", "|---|---|"]
    lines += [f"| {kind} | {count:,} |" for kind, count in sorted(kinds.items(), key=by_step)]
    return "\n".join(lines) + "\n"


def by_step(kind: tuple[str, int]) -> tuple[str, list[int], str]:
    """Legal ones last; lies and damages in the order of the specification's steps."""
    name, _, rest = kind[0].partition(" ")
    step = rest.partition(":")[0] if name in ("lie", "damage") else "0"
    return name, [int(part) for part in step.split(".")], rest


def main() -> int:
    """Exit status 1: something was not as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.verifier.generated", description=__doc__)
    parser.add_argument("--bundles", type=int, default=10_000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no bundle after so long")
    parser.add_argument("--record", action="store_true", help="keep the figures in docs/generated.json and .md")
    given = parser.parse_args()
    figures = play(given.first, given.bundles, given.minutes)
    for kind, count in sorted(figures["by_kind"].items(), key=by_step):
        print(f"{count:>7}  {kind}")
    print(f"{figures['bundles']:,} bundles, {len(figures['wrong'])} not as expected")
    if given.record:
        record(figures)
    return bool(figures["wrong"])


if __name__ == "__main__":
    sys.exit(main())
