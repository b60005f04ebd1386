"""The chains of a log by name: the busy ones in memory, the others on disk, so that memory does not grow with the log.

A record is a `Chain`. Records that were not looked at for long move to a temporary SQLite file in batches and come
back when they are asked for. Texts on disk are JSON, so reading a state file cannot execute anything.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verifier.records.terms import Terms
from verifier.rules.consents import Consent, Given, Pending

HOT = 60_000


@dataclass(slots=True)
class Chain:
    """The end of a chain: `seq` and hash (base64url) of its last leaf. `consent` is the state its entries produce;
    `known` is False from the first entry onwards whose evidence is not there."""

    seq: int
    head: bytes
    known: bool = True
    consent: Consent | None = None


def to_text(chain: Chain) -> str:
    """A record for the disk."""
    return json.dumps(
        [
            chain.seq,
            chain.head.decode("ascii"),
            chain.known,
            None if chain.consent is None else asdict(chain.consent),
        ]
    )


def from_text(text: str) -> Chain:
    """A record from the disk."""
    seq, head, known, consent = json.loads(text)
    return Chain(seq, head.encode("ascii"), known, None if consent is None else _consent(consent))


def _consent(members: dict[str, Any]) -> Consent:
    pending = members.pop("pending")
    if pending is not None:
        pending = Pending(_terms(pending["terms"]), pending["terms_hash"], _given(pending["given"]))
    members["terms"], members["given"] = _terms(members["terms"]), _given(members["given"])
    members["accounts"], members["withdrawn"] = tuple(members["accounts"]), tuple(members["withdrawn"])
    return Consent(**members, pending=pending)


def _given(members: dict[str, Any]) -> Given:
    approvals = tuple((authoriser, tuple(accounts)) for authoriser, accounts in members["approvals"])
    return Given(approvals, tuple(members["joint"]), tuple(members["separate"]))


def _terms(members: dict[str, Any]) -> Terms:
    lists = {name: tuple(members[name]) for name in ("permissions", "separate_consents", "later")}
    return Terms(**{**members, **lists, "filters": tuple(map(tuple, members["filters"]))})


class Shelf:
    """`get` and `put` records by chain (base64url). `hot`: how many are kept in memory at most."""

    def __init__(self, hot: int = HOT) -> None:
        self._hot: dict[bytes, Chain] = {}
        self._limit = hot
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._cold: sqlite3.Connection | None = None

    def get(self, key: bytes) -> Chain | None:
        """The record, or None if the chain is new."""
        chain = self._hot.get(key)
        if chain is None and self._cold is not None:
            row = self._cold.execute("SELECT record FROM chain WHERE name = ?", (key,)).fetchone()
            if row is not None:
                chain = from_text(row[0])
                self.put(key, chain)
        return chain

    def put(self, key: bytes, chain: Chain) -> None:
        """Keep a new record, or one that `get` brought back. Records are changed in place."""
        self._hot[key] = chain
        if len(self._hot) > self._limit:
            self._move()

    def _move(self) -> None:
        """The older half of what came in goes to disk: dictionaries keep their order."""
        cold = self._connect()
        oldest = list(self._hot)[: self._limit // 2]
        cold.executemany(
            "INSERT OR REPLACE INTO chain VALUES (?, ?)",
            ((key, to_text(self._hot.pop(key))) for key in oldest),
        )

    def _connect(self) -> sqlite3.Connection:
        if self._cold is None:
            self._directory = tempfile.TemporaryDirectory(prefix="consent-verify-")
            self._cold = sqlite3.connect(Path(self._directory.name) / "chains", isolation_level=None)
            self._cold.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8000;")
            self._cold.execute("CREATE TABLE chain (name BLOB PRIMARY KEY, record TEXT) WITHOUT ROWID")
        return self._cold

    def records(self) -> Iterator[tuple[bytes, Chain]]:
        """All records, each once; the shelf must not change meanwhile."""
        if self._cold is not None:
            for name, record in self._cold.execute("SELECT name, record FROM chain"):
                if name not in self._hot:
                    yield name, from_text(record)
        yield from self._hot.items()

    def close(self) -> None:
        """Give the disk space back."""
        if self._cold is not None:
            self._cold.close()
        if self._directory is not None:
            self._directory.cleanup()
