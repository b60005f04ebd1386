"""A witness's memory: the largest consistent tree that it has cosigned of each log, in one SQLite file.

Losing this file, or putting an older one in its place, lets a witness cosign a second history: no backup takes its place, and a
witness whose file is gone starts under a new name.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ledger.engines.engine import make_private
from ledger.engines.sqlite_files import Files
from ledger.notes.checkpoint import Checkpoint
from ledger.witnessing import WitnessedTree

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
"""


class WitnessStore:
    """One process uses it at a time, from one thread."""

    def __init__(self, path: Path) -> None:
        """Open or begin the file, readable by its owner only."""
        make_private(f"sqlite:///{path}")
        self._database = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._files = Files.of(path)

    def seen(self, origin: str) -> WitnessedTree | None:
        """The tree last cosigned of a log; None before the first."""
        row = self._database.execute("SELECT size, root FROM seen WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else WitnessedTree(row[0], row[1])

    def note(self, origin: str) -> str | None:
        """The checkpoint last cosigned, with the log's and this witness's line."""
        row = self._database.execute("SELECT note FROM seen WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else str(row[0])

    def last_time(self) -> int:
        """When this witness last cosigned anything (POSIX seconds); 0 before the first time."""
        return int(self._database.execute("SELECT coalesce(max(time), 0) FROM seen").fetchone()[0])

    def advance(self, before: WitnessedTree | None, checkpoint: Checkpoint, note: str, time: int) -> bool:
        """Durably remember a tree in place of `before`; False when another request was faster and nothing was changed.

        Raises Corrupt when the file was removed: the tree would be forgotten, so it must not be cosigned.
        """
        values = checkpoint.size, checkpoint.root, note, time
        if before is None:
            statement = (
                "INSERT INTO seen (size, root, note, time, origin) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            )
            done = self._database.execute(statement, (*values, checkpoint.origin))
        else:
            statement = (
                "UPDATE seen SET size = ?, root = ?, note = ?, time = ? WHERE origin = ? AND size = ? AND root = ?"
            )
            done = self._database.execute(statement, (*values, checkpoint.origin, before.size, before.root))
        self._files.verify()
        return done.rowcount == 1

    def close(self) -> None:
        """Close the file."""
        self._database.close()
