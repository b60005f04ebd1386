"""The file in which a history is put together: rows in, sheets out, and what was brought so far.

It holds personal data, so it is the owner's alone (mode 0600) and goes once all is recorded. Memory is bounded: rows and sheets
lie in it, and of the tree only its hashes are held, 64 bytes for each sheet.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from ledger.canonical import b64u
from ledger.entries.history_acts import ROWS_LIMIT, SHEET_LIMIT
from ledger.errors import InvalidInput

ROWS_BYTES: Final = SHEET_LIMIT - 256
"""What the rows of a sheet may have together, with the commas between them: the rest is for its other members."""
PORTION: Final = 500
HASH: Final = 32
_TABLES: Final = """
CREATE TABLE said (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rows (seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE sheets (position INTEGER PRIMARY KEY, subject TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
  rows BLOB NOT NULL, salt TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
"""


class WrittenSheet(NamedTuple):
    """A sheet of the workbook: its place, whose it is, and its CL-JSON."""

    position: int
    subject: str
    body: bytes


class RowTotals(NamedTuple):
    """What the rows of a workbook come to; times in seconds."""

    rows: int
    customers: int
    first: int
    last: int


class Workbook:
    """A history that is being brought."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new one, in the place of what was left over there. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        made = cls(path, _open(path))
        made._connection.executescript(_TABLES)
        return made

    @classmethod
    def resume(cls, path: Path) -> Self | None:
        """One whose history was attested and is not recorded whole, if there is one. Raises InvalidInput, OSError."""
        if not path.exists():
            return None
        kept = cls(path, _open(path))
        try:
            attested = kept.said("attested")
        except sqlite3.DatabaseError:
            kept._connection.close()
            raise InvalidInput(f"{path} is no workbook of a history: remove it, or name another one") from None
        if attested is None:
            kept._connection.close()
        return None if attested is None else kept

    def close(self, *, remove: bool = False) -> None:
        """Close it; `remove`: nothing in it is needed any more."""
        self._connection.close()
        if remove:
            self.path.unlink(missing_ok=True)

    def say(self, name: str, value: Any) -> None:
        """Keep a fact about the history, durably."""
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO said VALUES (?, ?)", (name, json.dumps(value)))

    def said(self, name: str) -> Any:
        """The fact that was kept under this name; None without one."""
        row = self._connection.execute("SELECT value FROM said WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def take(self, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """Add rows: subject, time in seconds, CL-JSON."""
        with self._connection:
            self._connection.executemany("INSERT INTO rows (subject, time, body) VALUES (?, ?, ?)", rows)

    def totals(self) -> RowTotals:
        """Raises InvalidInput when there is no row."""
        query = "SELECT count(*), count(DISTINCT subject), min(time), max(time) FROM rows"
        found = RowTotals(*self._connection.execute(query).fetchone())
        if not found.rows:
            raise InvalidInput("there is no row to attest")
        return found

    def subjects(self) -> Iterator[list[str]]:
        """All customers' references, in portions."""
        last = ""
        query = "SELECT DISTINCT subject FROM rows WHERE subject > ? ORDER BY subject LIMIT ?"
        while page := [row[0] for row in self._connection.execute(query, (last, PORTION))]:
            yield page
            last = page[-1]

    def prepare(self) -> None:
        """Rows are all there: from here on they are asked for by customer."""
        with self._connection:
            self._connection.execute("CREATE INDEX rows_subject ON rows (subject, time, seq)")

    def leave_out(self, since: Mapping[str, int]) -> int:
        """Take out the rows of these customers from each one's time (seconds) on; how many. At once: each commit is made
        durable, and nearly every customer of a bank may have a record by now."""
        rows = [(subject, time) for subject, time in since.items()]
        with self._connection:
            done = self._connection.executemany("DELETE FROM rows WHERE subject = ? AND time >= ?", rows)
            return done.rowcount if rows else 0

    def cut(self, salt: Callable[[], str]) -> int:
        """Make sheets of the rows, customer by customer; how many. `salt`: 32 fresh random bytes each time, b64u."""
        rows = self._connection.execute("SELECT subject, body FROM rows ORDER BY subject, time, seq")
        insert = "INSERT INTO sheets (position, subject, part, parts, rows, salt) VALUES (?, ?, ?, 0, ?, ?)"
        parts = "UPDATE sheets SET parts = ? WHERE position >= ?"
        position = 0
        with self._connection:
            for subject, hers in groupby(rows, key=lambda row: str(row[0])):
                first = position
                for together in _sheetfuls(bytes(body) for _, body in hers):
                    self._connection.execute(insert, (position, subject, position - first, together, salt()))
                    position += 1
                self._connection.execute(parts, (position - first, first))
        return position

    def tree(self) -> SheetTree:
        """The tree over all sheets."""
        return SheetTree(sheet.body for sheet in self._sheets("SELECT * FROM sheets ORDER BY position", ()))

    def waiting(self) -> Iterator[list[WrittenSheet]]:
        """The sheets that are not recorded yet, in portions."""
        last = -1
        query = "SELECT * FROM sheets WHERE done = 0 AND position > ? ORDER BY position LIMIT ?"
        while page := list(self._sheets(query, (last, PORTION))):
            yield page
            last = page[-1].position

    def recorded(self, positions: Sequence[int]) -> None:
        """These are in the log."""
        with self._connection:
            self._connection.executemany(
                "UPDATE sheets SET done = 1 WHERE position = ?", [(each,) for each in positions]
            )

    def _sheets(self, query: str, values: tuple[Any, ...]) -> Iterator[WrittenSheet]:
        for position, subject, part, parts, rows, salt, _ in self._connection.execute(query, values):
            yield WrittenSheet(
                position,
                subject,
                b'{"part":%d,"parts":%d,"position":%d,"rows":[%b],"salt":"%b","subject":"%b"}'
                % (part, parts, position, rows, salt.encode(), subject.encode()),
            )


class SheetTree:
    """The RFC 6962 tree over sheets; the last node of an odd row rises unchanged."""

    def __init__(self, sheets: Iterable[bytes]) -> None:
        row = bytearray()
        for sheet in sheets:
            row += sha256(b"\0" + sheet).digest()
        self._rows = [row]
        while len(self._rows[-1]) > HASH:
            below, above = self._rows[-1], bytearray()
            for at in range(0, len(below), 2 * HASH):
                pair = below[at : at + 2 * HASH]
                above += sha256(b"\1" + pair).digest() if len(pair) == 2 * HASH else pair
            self._rows.append(above)

    @property
    def root(self) -> bytes:
        """Of at least one sheet."""
        return bytes(self._rows[-1])

    def path(self, position: int) -> list[str]:
        """The inclusion proof of a sheet, leaf up, b64u."""
        found = []
        for row in self._rows[:-1]:
            sibling = (position ^ 1) * HASH
            if sibling < len(row):
                found.append(b64u(bytes(row[sibling : sibling + HASH])))
            position //= 2
        return found


def _sheetfuls(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """The rows of each sheet of one customer, with commas between them."""
    kept: list[bytes] = []
    size = 0
    for body in bodies:
        if len(kept) == ROWS_LIMIT or (kept and size + len(body) > ROWS_BYTES):
            yield b",".join(kept)
            kept, size = [], 0
        kept.append(body)
        size += len(body) + 1
    yield b",".join(kept)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete = ON")
    return connection
