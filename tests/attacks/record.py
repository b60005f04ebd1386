"""The record of the attacks: what was tried, on which verifier, with what outcome. It only grows; docs/attacks.md tells it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.conformance import ROOT

RECORD = ROOT / "docs/attacks.json"
PAGE = ROOT / "docs/attacks.md"


@dataclass
class Stretch:
    """Seeds `first` to `first + tried - 1` of one kind, tried on one state of the verifier's sources."""

    kind: str
    verifier: str
    first: int
    tried: int = 0
    true: int = 0
    accepted: list[int] = field(default_factory=list)
    """Seeds whose input was accepted, or whose change was missed; empty if all is well."""
    uncaught: list[int] = field(default_factory=list)
    seconds: float = 0.0


def fingerprint() -> str:
    """The state of the verifier's sources, as twelve hex digits."""
    whole = hashlib.sha256()
    for path in sorted((ROOT / "verifier").rglob("*.py")):
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


class Record:
    """The stretches of a record file. One process writes it at a time."""

    def __init__(self, path: Path = RECORD) -> None:
        self.path = path
        rows = json.loads(path.read_text()) if path.exists() else []
        self.stretches = [Stretch(**row) for row in rows]

    def open(self, kind: str, verifier: str) -> Stretch:
        """The stretch to go on with: no seed is tried twice."""
        mine = [stretch for stretch in self.stretches if stretch.kind == kind]
        if mine and mine[-1].verifier == verifier:
            return mine[-1]
        self.stretches.append(Stretch(kind, verifier, sum(stretch.tried for stretch in mine)))
        return self.stretches[-1]

    def tried(self, *kinds: str) -> int:
        """How many of these kinds were tried, ever."""
        return sum(stretch.tried for stretch in self.stretches if stretch.kind in kinds)

    def save(self) -> None:
        """Whole or not at all."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps([asdict(stretch) for stretch in self.stretches], indent=1) + "\n")
        beside.replace(self.path)


SAYS = {
    "proofs": "`.tlog-proof` files",
    "receipts": "receipts",
    "packs": "evidence packs",
    "damage": "single changes of an export's files",
}
HEAD = """\
# Attacks on the verifier: what was tried

Written by `scripts/attack`, which goes on where the record ([attacks.json](attacks.json)) ends. Seeds make every attempt
repeatable: `python -m tests.attacks --repeat KIND SEED`. Attacks by name: [security-cases.md](security-cases.md).

A hostile input is anything that is not byte for byte genuine: blind changes, changed members, well-formed proofs of what is
not so, inner nodes offered as entries, a stranger's signatures under the log's name, parts of other genuine evidence.
**Accepted** counts inputs that the verifier took for a claim that is not true, and changes of an export that it did not
refute **at their entry or in their file**; **uncaught**, exceptions other than its two ways of refusing. *True all the same*:
bytes that nobody signs were changed (an `extra`, a line of an unknown key, a cosignature taken away, a pack's `size`), and what
the verifier then says is still so.

| what | tried | true all the same | accepted | uncaught | CPU hours |
|---|---:|---:|---:|---:|---:|
"""
TAIL = """
Hostile proofs, receipts and packs together: **{hostile:,}**, on {states} of the verifier's sources.

A bounded run of each is part of the tests (`tests/attacks`); coverage-guided fuzzing of every parser is `pytest -m fuzz`. Every
change of a stored column: `tests/faults/test_every_column.py`. Seventy kinds of tampering with any bundle: `scripts/tamper`.
"""


def page(record: Record) -> str:
    """docs/attacks.md."""
    rows = []
    for kind, words in SAYS.items():
        mine = [stretch for stretch in record.stretches if stretch.kind == kind]
        counts = (
            f"{sum(stretch.tried for stretch in mine):,}",
            f"{sum(stretch.true for stretch in mine):,}",
            f"{sum(len(stretch.accepted) for stretch in mine)}",
            f"{sum(len(stretch.uncaught) for stretch in mine)}",
            f"{sum(stretch.seconds for stretch in mine) / 3600:.2f}",
        )
        rows.append(f"| {words} | {' | '.join(counts)} |\n")
    states = len({stretch.verifier for stretch in record.stretches})
    told = "one state" if states == 1 else f"{states} states"
    return HEAD + "".join(rows) + TAIL.format(hostile=record.tried("proofs", "receipts", "packs"), states=told)
