"""A table of texts whose busy end is in memory and whose rest is on disk, so that memory does not grow.

It can forget, which `chain_store.Store` never does. All methods raise CannotCheck when there is no room on disk.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from verifier.bytes.scratch import no_room

HOT = 50_000


class Spilled:
    """`put`, `get`, `drop` by key. `hot`: how many are kept in memory at most. A text is the caller's own spelling."""

    def __init__(self, hot: int = HOT) -> None:
        self._hot: dict[str, str] = {}
        self._limit = hot
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._cold: sqlite3.Connection | None = None

    def get(self, key: str) -> str | None:
        """The text, if there is one."""
        text = self._hot.get(key)
        if text is None and self._cold is not None:
            try:
                row = self._cold.execute("SELECT text FROM cold WHERE name = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                raise no_room(error) from None
            text = None if row is None else str(row[0])
        return text

    def put(self, key: str, text: str) -> None:
        """Keep a text, in place of one that was there."""
        self._hot[key] = text
        if len(self._hot) <= self._limit:
            return
        oldest = list(self._hot)[: self._limit // 2]
        try:
            self._connect().executemany(
                "INSERT OR REPLACE INTO cold VALUES (?, ?)", ((name, self._hot.pop(name)) for name in oldest)
            )
        except (OSError, sqlite3.Error) as error:
            raise no_room(error) from None

    def drop(self, key: str) -> None:
        """Forget it."""
        self._hot.pop(key, None)
        self._forget("DELETE FROM cold WHERE name = ?", (key,))

    def clear(self) -> None:
        """Forget all."""
        self._hot.clear()
        self._forget("DELETE FROM cold", ())

    def _forget(self, statement: str, arguments: tuple[str, ...]) -> None:
        if self._cold is not None:
            try:
                self._cold.execute(statement, arguments)
            except sqlite3.Error as error:
                raise no_room(error) from None

    def _connect(self) -> sqlite3.Connection:
        if self._cold is None:
            self._directory = tempfile.TemporaryDirectory(prefix="consent-verify-")
            self._cold = sqlite3.connect(Path(self._directory.name) / "table", isolation_level=None)
            self._cold.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4000;")
            self._cold.execute("CREATE TABLE cold (name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID")
        return self._cold

    def close(self) -> None:
        """Give the disk space back."""
        if self._cold is not None:
            self._cold.close()
        if self._directory is not None:
            self._directory.cleanup()
