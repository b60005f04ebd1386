"""`python -m tests.vectors` writes docs/spec/vectors anew; `--check` says whether the files are what it would write."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.vectors import (
    acts,
    brought,
    containers,
    damaged,
    damaged_tiles,
    handed_out,
    histories,
    mapped,
    objects,
    primitives,
    set_proofs,
    sets,
    succession,
    told_at_the_end,
    told_cases,
    told_declarations,
    told_documents,
    told_entries,
    told_histories,
    told_keys,
    told_leaves,
    told_notices,
    told_partners,
    told_remits,
    told_requests,
    told_rules,
    told_sets,
    told_sm2,
    told_supervision,
    translated,
    transparent,
)
from tests.vectors.cases import BASES, CASES
from tests.vectors.policies import POLICIES
from tests.vectors.walk import page

FOLDER = Path(__file__).parents[2] / "docs/spec/vectors"
KEPT = {"README.md"}
"""Written by hand."""
MODULES = (
    damaged,
    damaged_tiles,
    told_leaves,
    told_notices,
    told_entries,
    told_documents,
    told_rules,
    told_at_the_end,
    told_declarations,
    told_supervision,
    told_partners,
    told_remits,
    told_requests,
    told_cases,
    told_histories,
    told_sm2,
    told_keys,
    told_sets,
    histories,
)
"""Importing them fills `CASES`."""


def pretty(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def files() -> dict[str, bytes]:
    """Every file of the folder but the one written by hand: path and bytes."""
    made: dict[str, bytes] = {}
    for name, (make, bundle) in BASES.items():
        content = bundle()
        made |= {f"bundles/{name}/{path}": data for path, data in content.items()}
        if name != "two-levels":  # five hundred index-heads teach a reader nothing
            made[f"bundles/{name}.md"] = page(name, make(None), content).encode()
    made |= {f"policies/{name}": text.encode() for name, text in POLICIES.items()}
    for table in (
        primitives.FILES,
        objects.FILES,
        handed_out.FILES,
        transparent.FILES,
        containers.FILES,
        histories.FILES,
        succession.FILES,
        acts.FILES,
        mapped.FILES,
        translated.FILES,
        brought.FILES,
        set_proofs.FILES,
        sets.FILES,
    ):
        made |= {f"{name}.json": pretty(make()) for name, make in table.items()}
    made |= {f"cases/{case.name}.json": pretty(case.written()) for case in CASES}
    return made


def found() -> dict[str, bytes]:
    """What is in the folder."""
    return {
        str(path.relative_to(FOLDER)): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.name not in KEPT
    }


def differences() -> list[str]:
    """The paths that are missing, too many or different."""
    made, there = files(), found()
    return sorted(path for path in {*made, *there} if made.get(path) != there.get(path))


def main(words: list[str]) -> int:
    if words == ["--check"]:
        wrong = differences()
        for path in wrong:
            print(f"docs/spec/vectors/{path} is not what the program makes")
        return 1 if wrong else 0
    if words:
        print(__doc__, file=sys.stderr)
        return 2
    made = files()
    for path in found():
        if path not in made:
            (FOLDER / path).unlink()
    for path, content in made.items():
        place = FOLDER / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    for place in sorted(FOLDER.rglob("*"), reverse=True):
        if place.is_dir() and not any(place.iterdir()):
            shutil.rmtree(place)
    print(f"{len(made)} files, {sum(map(len, made.values())):,} bytes, {len(CASES)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
