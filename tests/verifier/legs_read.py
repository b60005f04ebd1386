"""A log as it is read: accesses and their legs, at the entries that are named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.verifier.forge import b64u, encode, sha
from verifier.errors import Code
from verifier.records.leaf import text_of
from verifier.rules.access_legs import ACCESS, RECEIVE, RELEASE, Deal, Legs
from verifier.rules.findings import Findings

CHAIN, OTHER_CHAIN = text_of(sha(b"chain")), text_of(sha(b"chain"))[:11] + b"_" + text_of(sha(b"chain"))[12:]
DAY_MS = 86_400_000
SIDES = ("app.example", "bank.example", "app.example")
DIGEST = b64u(sha(b"digest"))
LAST = DIGEST[:21] + ("A" if DIGEST[21] != "A" else "B") + DIGEST[22:]
"""Differs in the last of the characters that are compared."""


def told(findings: Findings) -> list[tuple[Code, int | None]]:
    return [(defect.code, defect.place.index) for defect in findings.defects]


class Read:
    """A log as it is read: accesses and legs at the entries that are named."""

    def __init__(self) -> None:
        self.legs = Legs()

    def put(
        self,
        kind: int,
        basis: int,
        index: int,
        *,
        interaction: str = "one",
        chain: bytes = CHAIN,
        time: int = 0,
        parties: int = 0,
        **figures: Any,
    ) -> None:
        content = {"interaction_id": interaction, "rows": 3, "bytes": 900, "digest": DIGEST, **figures}
        if kind == ACCESS:
            self.legs.allow(index, chain, content, time, SIDES[kind], Deal(0, b"", 0), parties)
        else:
            self.legs.put(basis, kind, index, chain, content, time, SIDES[kind], parties)

    def access(self, index: int, **members: Any) -> None:
        self.put(ACCESS, index, index, **members)

    def both(self, index: int, **figures: Any) -> None:
        """An access and its legs; `figures`: what the recipient says otherwise."""
        self.access(index)
        self.put(RELEASE, index, index + 1)
        self.put(RECEIVE, index, index + 2, time=1, **figures)

    def report(
        self, index: int, first: int, last: int, counts: tuple[int, int, int], found: list[tuple[int, str]], **lies: Any
    ) -> None:
        """A report at `index`; `counts`: accesses, releases, receipts."""
        text = b"".join(encode({"access": access, "finding": code}) + b"\n" for access, code in found)
        names = dict(zip(("accesses", "releases", "receipts"), counts, strict=True))
        figures = {"findings": len(found), "findings_hash": b64u(sha(b"consent-ledger/v1/findings\0" + text))}
        self.legs.report(index, {"from_index": first, "to_index": last, **names, **figures, **lies, "v": 1})

    def finish(self, time: int = 0) -> Findings:
        findings = Findings()
        with closing(self.legs):
            self.legs.finish(findings, time)
        return findings


def after(*steps: Callable[[Read], None], time: int = 0) -> Findings:
    read = Read()
    for step in steps:
        step(read)
    return read.finish(time)
