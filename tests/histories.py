"""Attested histories for tests, made by the page alone (docs/spec/history.md): nothing here is the importer's."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.ledger.merkle.reference import ReferenceTree

TAG = b"consent-ledger/v1/sheet\0"
BEFORE = 1_600_000_000
"""A time before every log of the tests, in seconds."""
Row = dict[str, Any]


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def row(kind: str = "access", record: int = 1, **changes: Any) -> Row:
    made: Row = {"kind": kind, "place": {"file": 0, "record": record}, "recipient": "Old App Ltd", "time": BEFORE}
    return {name: value for name, value in (made | changes).items() if value is not None}


def sheet(
    subject: str, rows: Sequence[Row], position: int = 0, part: int = 0, parts: int = 1, salt: str = ""
) -> dict[str, Any]:
    """`salt`: what makes it another one than that of the same rows."""
    return {
        "part": part,
        "parts": parts,
        "position": position,
        "rows": list(rows),
        "salt": b64u(hashlib.sha256(f"{subject}/{position}/{salt}".encode()).digest()),
        "subject": subject,
    }


class Told:
    """A whole history: `attest` and, by position, the members of each of its sheets."""

    def __init__(self, *sheets: dict[str, Any], name: str = "before-2020", **changes: Any) -> None:
        self.sheets = sheets
        self._tree = ReferenceTree([hashlib.sha256(b"\0" + canonical(each)).digest() for each in sheets])
        times = [each["time"] for one in sheets for each in one["rows"]]
        self.root = self._tree.root(len(sheets))
        self.attest: dict[str, Any] = {
            "customers": len({one["subject"] for one in sheets}),
            "first": min(times),
            "history": name,
            "last": max(times),
            "left_out": 0,
            "root": b64u(self.root),
            "rows": len(times),
            "sheets": len(sheets),
            "source": {"files": 1, "hash": b64u(hashlib.sha256(name.encode()).digest()), "kind": "csv"},
            "title": "The consent table of the core system",
        } | changes

    def of(self, position: int, history: int, **changes: Any) -> dict[str, Any]:
        """The members of the statement of one sheet of the history at entry `history`."""
        jti = hashlib.sha256(TAG + self.root + position.to_bytes(8, "big")).digest()[:16]
        path = self._tree.path(position, len(self.sheets))
        return {
            "history": history,
            "jti": b64u(jti),
            "path": [b64u(each) for each in path],
            "sheet": self.sheets[position],
        } | changes


def bring(say: Callable[..., Any], told: Told) -> int:
    """Have a whole history recorded; the entry that attests it. `say`: signs and records an act, and gives its entry."""
    at: int = say("history.attest", **told.attest)
    for position in range(len(told.sheets)):
        say("history.sheet", **told.of(position, at))
    return at
