"""A log whose holder brings its past: sheets, trees and proofs made naively from docs/spec/history.md. Nothing of ours is
imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.verifier.forge import HOLDER, RECIPIENT, Json, b64u, encode, leaf_hash, node, sha
from tests.verifier.supervised import Supervised

FIRST = 1_600_000_000
"""When what is told began (s)."""
ALICE, BOB = "alice" + "-" * 17, "bob" + "-" * 19


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    cut = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:cut]), root_of(leaves[cut:]))


def path_of(at: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    cut = 1 << (len(leaves) - 1).bit_length() - 1
    if at < cut:
        return [*path_of(at, leaves[:cut]), root_of(leaves[cut:])]
    return [*path_of(at - cut, leaves[cut:]), root_of(leaves[:cut])]


def row(at: int = 0, kind: str = "access", **changes: Any) -> Json:
    """A row of a table, so many seconds after the beginning."""
    told = {"kind": kind, "place": {"file": 0, "record": at + 1}, "time": FIRST + at}
    if kind != "redacted":
        told |= {"recipient": "The old app", "consent": f"A-{at}"}
    return {**told, **changes}


def block(at: int) -> Json:
    """A place in a journal."""
    return {"block": at, "document": "d1", "hash": b64u(bytes(32)), "version": at}


CSV: Json = {"files": 1, "hash": b64u(sha(b"a table")), "kind": "csv"}
QLDB: Json = {
    "checked": True,
    "files": 3,
    "first_block": 0,
    "hash": b64u(sha(b"a journal")),
    "kind": "qldb",
    "last_block": 99,
    "mapping_hash": b64u(bytes(32)),
    "redacted": 1,
    "revisions": 7,
    "strand": "strand-1",
    "tip": b64u(bytes(32)),
}


def sheets_of(rows: dict[str, list[list[Json]]]) -> list[Json]:
    """By customer the rows of each of her sheets, in the order of their positions."""
    made: list[Json] = []
    for subject, parts in rows.items():
        for part, own in enumerate(parts):
            salt = b64u(sha(f"{subject}{part}".encode()))
            of = {"part": part, "parts": len(parts), "position": len(made), "salt": salt, "subject": subject}
            made.append({**of, "rows": own})
    return made


class Historical(Supervised):
    """`attest` a history, then `sheet` each of its sheets; `history` does both."""

    sheets: list[Json]
    leaves: list[bytes]
    root: bytes
    told: Json
    at: int

    def attest(self, sheets: list[Json], iss: str = HOLDER, behalf: str | None = None, **changes: Any) -> int:
        """A `history.attest` of these sheets, with whatever is to be wrong about it."""
        self.sheets = sheets
        self.leaves = [leaf_hash(encode(one)) for one in sheets]
        self.root = root_of(self.leaves)
        rows = [one for sheet in sheets for one in sheet["rows"]]
        members = {
            "customers": len({one["subject"] for one in sheets}),
            "first": min(one["time"] for one in rows),
            "history": f"history-{len(self.entries)}",
            "last": max(one["time"] for one in rows),
            "left_out": 0,
            "root": b64u(self.root),
            "rows": len(rows),
            "sheets": len(sheets),
            "source": CSV,
            "title": "Consents until 2026",
        }
        self.told = {**members, **changes}
        self.at = self.declare(iss, "history.attest", behalf, **self.told)
        return self.at

    def sheet(
        self,
        position: int,
        iss: str = HOLDER,
        behalf: str | None = None,
        bend: Callable[[Json], None] | None = None,
        chain: str | None = None,
        **changes: Any,
    ) -> int:
        """The sheet at a position; `bend` changes the sheet, `changes` are members of the statement."""
        own = {**self.sheets[position]}
        if bend is not None:
            bend(own)
        more = {} if behalf is None else {"on_behalf_of": behalf}
        identity = sha(b"consent-ledger/v1/sheet\0" + self.root + position.to_bytes(8))[:16]
        path = [b64u(one) for one in path_of(position, self.leaves)]
        members = {"history": self.at, "jti": b64u(identity), "path": path, "sheet": own}
        payload = self.payload(iss, "history.sheet", **{**members, **changes}, **more)
        name = chain or f"history:{behalf or iss}:{own['subject']}"
        return self.submit(payload, None, kind="subject", name=name)

    def history(self, sheets: list[Json] | None = None, **changes: Any) -> list[int]:
        """A whole history; the entries of its sheets."""
        self.attest(usual() if sheets is None else sheets, **changes)
        return [self.sheet(position) for position in range(len(self.sheets))]


def usual() -> list[Json]:
    """Two customers, one with two sheets."""
    consent = row(0, "consent", until=FIRST + 9, permissions=["accounts", "cards"], purpose="budgeting")
    own = [consent, row(1, result="allowed", recipient_id=RECIPIENT, note="by night")]
    return sheets_of({ALICE: [own, [row(5, "revocation", reason="asked")]], BOB: [[row(2), row(2)]]})
