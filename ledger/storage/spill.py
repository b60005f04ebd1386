"""Remembers every consent of a replay, whatever their number: in a temporary file, not in memory.

The file has no name and ends with the process; its values about consents are sealed under a key that only that process
has.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ledger.vault.cipher import KEY_SIZE, Cipher

CACHED: Final = 4_000
"""Values that are kept in memory, of each table."""
CACHE_KIB: Final = 8_192


class Spill:
    """Tables of values by key, each in the order of its keys. Not thread-safe."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        for pragma in ("temp_store=FILE", f"cache_size=-{CACHE_KIB}", "journal_mode=OFF", "synchronous=OFF"):
            self._file.execute(f"PRAGMA {pragma}")
        self._cipher = Cipher(os.urandom(KEY_SIZE))

    def table(self, name: str, *, sealed: bool = True) -> SpillTable:
        """A new, empty table; `sealed`: its values are about persons."""
        return SpillTable(self._file, name, self._cipher if sealed else None)

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


class SpillTable:
    """Values by key; the ones used last are in memory."""

    def __init__(self, file: sqlite3.Connection, name: str, cipher: Cipher | None) -> None:
        file.execute(f"CREATE TABLE {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        self._file = file
        self._name = name
        self._cipher = cipher
        self._recent: dict[bytes, bytes | None] = {}
        self._written: set[bytes] = set()

    def get(self, key: bytes) -> bytes | None:
        """The value of this key, if it has one."""
        if key not in self._recent:
            self._make_room()
            row = self._file.execute(f"SELECT value FROM {self._name} WHERE key = ?", (key,)).fetchone()  # noqa: S608
            self._recent[key] = None if row is None else self._open(key, row[0])
        return self._recent[key]

    def many(self, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """The values of those of these keys that have one."""
        found = {key: self.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value."""
        if key not in self._recent:
            self._make_room()
        self._recent[key] = value
        self._written.add(key)

    def items(self, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys above `after` with their values, in order. Nothing may be set meanwhile."""
        self._flush()
        query = f"SELECT key, value FROM {self._name} WHERE key > ? ORDER BY key"  # noqa: S608  (a name of ours)
        for key, value in self._file.execute(query, (after,)):
            yield key, self._open(key, value)

    def _make_room(self) -> None:
        if len(self._recent) >= CACHED:
            self._flush()
            self._recent.clear()

    def _flush(self) -> None:
        rows = [(key, self._seal(key, self._recent[key] or b"")) for key in self._written]
        self._file.execute("BEGIN")
        self._file.executemany(f"INSERT OR REPLACE INTO {self._name} VALUES (?, ?)", rows)  # noqa: S608
        self._file.execute("COMMIT")
        self._written.clear()

    def _seal(self, key: bytes, value: bytes) -> bytes:
        return value if self._cipher is None else self._cipher.seal(value, key)

    def _open(self, key: bytes, value: bytes) -> bytes:
        return value if self._cipher is None else self._cipher.open(value, key)
