"""A table of texts by number whose busy end is in memory and whose rest is on disk, so that memory does not grow."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path


class Spilled:
    """`put`, `get`, `drop` by key. `hot`: how many are kept in memory at most. A text is the caller's own spelling."""

    def __init__(self, hot: int = 50_000) -> None:
        self._hot: dict[str, str] = {}
        self._limit = hot
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._cold: sqlite3.Connection | None = None

    def get(self, key: str) -> str | None:
        """The text, if there is one."""
        text = self._hot.get(key)
        if text is None and self._cold is not None:
            row = self._cold.execute("SELECT text FROM cold WHERE name = ?", (key,)).fetchone()
            text = None if row is None else str(row[0])
        return text

    def put(self, key: str, text: str) -> None:
        """Keep a text, in place of one that was there."""
        self._hot[key] = text
        if len(self._hot) > self._limit:
            oldest = list(self._hot)[: self._limit // 2]
            cold = self._connect()
            cold.executemany(
                "INSERT OR REPLACE INTO cold VALUES (?, ?)", ((name, self._hot.pop(name)) for name in oldest)
            )

    def drop(self, key: str) -> None:
        """Forget it."""
        self._hot.pop(key, None)
        if self._cold is not None:
            self._cold.execute("DELETE FROM cold WHERE name = ?", (key,))

    def items(self) -> Iterator[tuple[str, str]]:
        """All, each once; the table must not change meanwhile."""
        if self._cold is not None:
            yield from (row for row in self._cold.execute("SELECT name, text FROM cold") if row[0] not in self._hot)
        yield from self._hot.items()

    def clear(self) -> None:
        """Forget all."""
        self._hot.clear()
        if self._cold is not None:
            self._cold.execute("DELETE FROM cold")

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
