"""`python -m tests.planted [WORLDS]`: live through so many worlds and write what was found into docs/risk.md (some 8 s each).

The worlds have the seeds 1 … WORLDS; the same seeds give the same figures on any machine, which a test holds them to.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from tests.conformance import ROOT
from tests.planted.judging import Judged, judged

RECORD: Final = ROOT / "docs" / "planted.json"
PAGE: Final = ROOT / "docs" / "risk.md"
BEGIN, END = "<!-- begin: python -m tests.planted -->\n", "<!-- end -->\n"


def tables(record: dict[str, Any]) -> str:
    """The two tables of docs/risk.md."""
    told = record["all"]
    lines = [
        f"{record['worlds']} worlds, {told['entries']:,} entries; one attack of each kind in each.",
        "",
        "| attack | planted | found | recall | by |",
        "|---|---:|---:|---:|---|",
        *(
            f"| `{kind}` | {one['planted']} | {one['found']} | {_share(one['found'], one['planted'])} | "
            f"{', '.join(f'`{rule}` {count}' for rule, count in one['by'].items()) or 'nothing'} |"
            for kind, one in told["kinds"].items()
        ),
        "",
        "| rule | alerts | of an attack | precision | in the 65 ordinary days before |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| `{rule}` | {one['alerts']} | {one['right']} | {_share(one['right'], one['alerts'])} | {one['before']} |"
            for rule, one in told["rules"].items()
        ),
        "",
    ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "—"


def page(text: str, record: dict[str, Any]) -> str:
    """The page with the tables of this record."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + tables(record) + END + after


def main() -> None:
    """Write record and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", type=int, nargs="?", default=12)
    worlds = parser.parse_args().worlds
    together, first = Judged(), None
    for seed in range(1, worlds + 1):
        one = judged(seed)
        first = first or one.told()
        together.add(one)
        print(f"world {seed}: {sum(one.found.values())} of {sum(one.planted.values())} found", flush=True)
    record = {"all": together.told(), "first": first, "worlds": worlds}
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    record = json.loads(RECORD.read_text())
    PAGE.write_text(page(PAGE.read_text(), record))


if __name__ == "__main__":
    main()
