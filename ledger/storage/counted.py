"""The count book: what each entry of the log counts for, in a file beside the log (docs/reports.md, «The count book»).

It holds nothing that the log does not hold, and can be deleted at any time: it is then made again. What it says of an entry
was read from evidence that was held against the entry's leaf; where it ends is held against the log whenever it is used.

It is not behind the contract of `ledger/engines`, which is for what must last and may lie on another machine: two nodes of one
log have a book each, whatever engine the log is in; no commit of it needs to be durable; and a file in a form that this program
does not know is made again, not migrated. One connection of the standard library does all of that.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from ledger.engines.sqlite_files import make_file_private
from ledger.errors import InvalidInput, Unavailable
from ledger.reporting.awaited import LATE_MS
from ledger.storage.counted_facts import (
    AwaitedCount,
    AwaitedEnd,
    Booked,
    ChainState,
    Counted,
    Details,
    Dims,
    Fact,
    Given,
    ReleaseFact,
    StandingCount,
    Touched,
    What,
)

BOOK_NAME: Final = "counts.sqlite"
"""Its name in a node's state folder."""
FORM: Final = 3
"""The form of the file; one of another form is made again."""
BUSY_SECONDS: Final = 60
_TABLES: Final = """
CREATE TABLE book (id INTEGER PRIMARY KEY CHECK (id = 1), form INTEGER NOT NULL, size INTEGER NOT NULL, last BLOB NOT NULL);
CREATE TABLE dims (id INTEGER PRIMARY KEY, says TEXT NOT NULL UNIQUE);
CREATE TABLE details (id INTEGER PRIMARY KEY, says TEXT NOT NULL UNIQUE);
CREATE TABLE chains (id INTEGER PRIMARY KEY, chain BLOB NOT NULL UNIQUE, erased INTEGER NOT NULL, state BLOB, subject INTEGER);
CREATE TABLE facts (idx INTEGER NOT NULL, time INTEGER NOT NULL, what INTEGER NOT NULL, chain INTEGER NOT NULL,
  about INTEGER NOT NULL, dims INTEGER NOT NULL, details INTEGER NOT NULL, number INTEGER NOT NULL);
CREATE INDEX facts_time ON facts (time, what);
CREATE INDEX facts_chain ON facts (chain);
CREATE INDEX facts_awaited ON facts (time, idx) WHERE number = 1 AND what IN (4, 5);
CREATE INDEX facts_about ON facts (about) WHERE about > 0;
CREATE TABLE states (chain INTEGER NOT NULL, idx INTEGER NOT NULL, time INTEGER NOT NULL, status TEXT NOT NULL,
  expires_at INTEGER NOT NULL, once_until INTEGER NOT NULL, dims INTEGER NOT NULL, PRIMARY KEY (chain, idx)) WITHOUT ROWID;
CREATE TABLE removals (participant TEXT PRIMARY KEY, time INTEGER NOT NULL);
CREATE TABLE given (id INTEGER PRIMARY KEY, says TEXT NOT NULL UNIQUE);
CREATE TABLE releases (idx INTEGER PRIMARY KEY, given INTEGER NOT NULL, rows INTEGER NOT NULL)
"""
_TOLD: Final = f"told.chain = ended.chain AND told.what = {What.ACKNOWLEDGED:d} AND told.idx > ended.idx"
_AWAITED: Final = (
    f"number = 1 AND what IN ({What.ENDED:d}, {What.WITHDRAWN:d}) AND time < ?"  # noqa: S608  (numbers of ours)
    f" AND NOT EXISTS (SELECT 1 FROM facts AS told WHERE {_TOLD} AND told.time < ?)"
)
"""Of `ended`: ends that nobody has acknowledged at a time, which is given twice."""

_write_state: Final = msgspec.msgpack.Encoder().encode
_read_state: Final = msgspec.msgpack.Decoder(ChainState).decode


class CountBook:
    """The file. Thread-safe; several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        """Opens it, or makes it. Raises InvalidInput, Unavailable, OSError."""
        self.path = path
        self._lock = threading.RLock()
        make_file_private(path)  # for who may read the log's database; never opened by us (docs/adr/0018)
        self._file = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
        with self._told():
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=OFF")
        self._dims: dict[int, Dims] = {0: {}}
        self._details: dict[int, Details] = {0: Details()}
        self._numbers: dict[tuple[str, str], int] = {}
        with self.turn():
            made = self._file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'book'").fetchone()[0]
            form = self._file.execute("SELECT form FROM book").fetchone()[0] if made else None
            if form != FORM:
                self._make()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Write alone: all of it is kept, or none."""
        with self._lock, self._told():
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                self._numbers.clear()
                raise
            self._file.execute("COMMIT")

    @contextmanager
    def view(self) -> Iterator[None]:
        """Read the present content, whatever is written meanwhile."""
        with self._lock, self._told():
            self._file.execute("BEGIN")
            try:
                yield
            finally:
                self._file.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Unavailable(
                f"the count book {self.path} cannot be used ({error}): delete it, and it is made again from the log"
            ) from error

    def forget(self) -> None:
        """Begin anew, within a turn."""
        self._make()

    def place(self) -> tuple[int, bytes]:
        """How many entries were read, and the leaf hash of the last of them."""
        size, last = self._file.execute("SELECT size, last FROM book").fetchone()
        return size, last

    # -- writing, within a turn ---------------------------------------------------------------------------------------

    def move(self, size: int, last: bytes) -> None:
        """So many entries are read now."""
        self._file.execute("UPDATE book SET size = ?, last = ?", (size, last))

    def states(self, chains: Iterable[bytes]) -> dict[bytes, tuple[int, bool, ChainState | None]]:
        """(number, whether it was erased, state) of these chains; new ones get a number."""
        found: dict[bytes, tuple[int, bool, ChainState | None]] = {}
        for chain in chains:
            query = "SELECT id, erased, state FROM chains WHERE chain = ?"
            row = self._file.execute(query, (chain,)).fetchone()
            if row is None:
                number = self._file.execute("INSERT INTO chains (chain, erased) VALUES (?, 0)", (chain,)).lastrowid or 0
                found[chain] = number, False, None
            else:
                found[chain] = row[0], bool(row[1]), None if row[2] is None else _read_state(row[2])
        return found

    def keep(self, states: Mapping[int, ChainState]) -> None:
        """Keep the states of consents after the entries that were read, by the numbers of their chains."""
        rows = [(_write_state(state), number) for number, state in states.items()]
        self._file.executemany("UPDATE chains SET state = ? WHERE id = ?", rows)

    def stands(self, chain: int, idx: int, time: int, state: ChainState) -> None:
        """From this entry on a consent counts like this."""
        terms = state.terms
        row = (chain, idx, time, state.status, terms.expires_at, state.once_until if terms.once else 0, terms.dims)
        self._file.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def belongs(self, chain: int, subject: int) -> None:
        """A consent is one of this customer's: of the chain with this number."""
        self._file.execute("UPDATE chains SET subject = ? WHERE id = ?", (subject, chain))

    def add(self, facts: Iterable[Fact]) -> None:
        """Facts in the order of their entries."""
        self._file.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", facts)

    def add_releases(self, releases: Iterable[ReleaseFact]) -> None:
        """Releases whose facts are added in the same turn."""
        self._file.executemany("INSERT INTO releases VALUES (?, ?, ?)", releases)

    def erase(self, chain: int) -> None:
        """Nothing is known of this chain any more but that it had entries."""
        self._file.execute("UPDATE chains SET erased = 1, state = NULL, subject = NULL WHERE id = ?", (chain,))
        self._file.execute("DELETE FROM releases WHERE idx IN (SELECT idx FROM facts WHERE chain = ?)", (chain,))
        self._file.execute(
            "UPDATE facts SET what = ?, about = 0, dims = 0, details = 0, number = 0 WHERE chain = ?",
            (What.ERASED, chain),
        )
        self._file.execute("UPDATE facts SET dims = 0 WHERE about = ?", (chain,))
        self._file.execute("DELETE FROM states WHERE chain = ?", (chain,))

    def remove(self, participant: str, time: int) -> None:
        """Note that a participant was removed at `time` (ms)."""
        self._file.execute("INSERT OR IGNORE INTO removals VALUES (?, ?)", (participant, time))

    def dims(self, says: Mapping[str, Iterable[str]]) -> int:
        """The number of these dimensions."""
        return self._number("dims", json.dumps({name: list(values) for name, values in sorted(says.items())}))

    def details(self, says: Details) -> int:
        """The number of these details."""
        return self._number("details", json.dumps(says))

    def given(self, says: Given) -> int:
        """The number of what a release was given under."""
        return self._number("given", json.dumps(says))

    # -- reading, within a view -----------------------------------------------------------------------------------------

    def counted(self, first: int, end: int) -> list[Counted]:
        """What the entries with first ≤ time < end (ms) count for, alike ones together."""
        query = "SELECT what, dims, details, number, count(*) FROM facts WHERE time >= ? AND time < ?"
        rows = self._file.execute(f"{query} GROUP BY what, dims, details, number", (first, end)).fetchall()
        return [
            Counted(What(what), self.dims_of(dims), self._details_of(details), number, count)
            for what, dims, details, number, count in rows
        ]

    def unread(self, first: int, end: int) -> int:
        """How many entries with first ≤ time < end (ms) nobody can read any more."""
        query = "SELECT count(*) FROM facts WHERE time >= ? AND time < ? AND what = ?"
        found: int = self._file.execute(query, (first, end, What.ERASED)).fetchone()[0]
        return found

    def standing(self, time: int) -> list[StandingCount]:
        """Consents by their effective status at `time` (ms), as the entries below it leave them."""
        gone = {name for (name,) in self._file.execute("SELECT participant FROM removals WHERE time < ?", (time,))}
        last = "SELECT dims, status, expires_at, once_until, max(idx) FROM states WHERE time < ? GROUP BY chain"
        query = (
            "SELECT dims, CASE WHEN status NOT IN ('AWAITING','PARTIAL','ACTIVE','PAUSED','SUSPENDED') THEN status"  # noqa: S608  (no foreign text)
            " WHEN expires_at > 0 AND expires_at * 1000 <= ? THEN 'EXPIRED'"
            " WHEN once_until > 0 AND once_until * 1000 <= ? AND status IN ('ACTIVE','PAUSED','SUSPENDED') THEN 'CONSUMED'"
            f" ELSE status END AS now, count(*) FROM ({last}) GROUP BY dims, now"
        )
        found = []
        for number, status, count in self._file.execute(query, (time, time, time)).fetchall():
            dims = self.dims_of(number)
            live = status in {"AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED"}
            left = live and not gone.isdisjoint((*dims.get("holder", ()), *dims.get("recipient", ())))
            found.append(StandingCount(dims, "TERMINATED" if left else status, count))
        return found

    def touched(self, fits: Callable[[Dims], bool], time: int) -> Touched:
        """Consents that are ACTIVE at `time` (ms) and whose dimensions fit, and whose they are."""
        rows = self._file.execute("SELECT id, says FROM dims").fetchall()
        fitting = {number for number, _ in rows if fits(self.dims_of(number))}
        gone = {name for (name,) in self._file.execute("SELECT participant FROM removals WHERE time < ?", (time,))}
        query = (
            "SELECT last.dims, chains.subject, count(*) FROM (SELECT chain, dims, status, expires_at, once_until, max(idx)"
            " FROM states WHERE time < ? GROUP BY chain) AS last JOIN chains ON chains.id = last.chain WHERE status = 'ACTIVE'"
            " AND (expires_at = 0 OR expires_at * 1000 > ?) AND (once_until = 0 OR once_until * 1000 > ?)"
            " GROUP BY last.dims, chains.subject"
        )
        consents, customers, holders, recipients = 0, set[int](), set[str](), set[str]()
        for number, subject, times in self._file.execute(query, (time, time, time)):
            dims = self.dims_of(number) if number in fitting else {}
            parties = {*dims.get("holder", ()), *dims.get("recipient", ())}
            if number in fitting and gone.isdisjoint(parties):
                consents += times
                customers |= set() if subject is None else {subject}
                holders |= set(dims["holder"])
                recipients |= set(dims["recipient"])
        return Touched(consents, len(customers), frozenset(holders), frozenset(recipients))

    def slots(self, first: int, end: int, step: int, only: Iterable[What]) -> list[tuple[int, What, Dims, int]]:
        """(number of the slot, what, dimensions, how often) in slots of `step` ms from `first` onwards."""
        query = (
            "SELECT (time - ?) / ? AS slot, what, dims, count(*) FROM facts WHERE time >= ? AND time < ?"  # noqa: S608  (numbers of ours)
            f" AND what IN ({_numbers(only)}) GROUP BY slot, what, dims ORDER BY slot"
        )
        rows = self._file.execute(query, (first, step, first, end)).fetchall()
        return [(slot, What(what), self.dims_of(dims), times) for slot, what, dims, times in rows]

    def releases(self, first: int, last: int) -> Iterator[ReleaseFact]:
        """Releases with first ≤ index ≤ last, whoever's, in their order."""
        query = "SELECT idx, given, rows FROM releases WHERE idx >= ? AND idx <= ? ORDER BY idx"
        return map(ReleaseFact._make, self._file.execute(query, (first, last)))

    def all_given(self) -> dict[int, Given]:
        """What the releases of this book were given under, by number."""
        found = {}
        for number, says in self._file.execute("SELECT id, says FROM given"):
            attended, purpose, permissions = json.loads(says)
            found[number] = Given(attended, purpose, tuple(permissions))
        return found

    def awaited(self, end: int) -> list[AwaitedCount]:
        """Ends below `end` (ms) that no entry below it acknowledges, alike ones together."""
        counts = "SELECT dims, count(*), sum(time <= ?), min(time) FROM facts AS ended"
        query = f"{counts} WHERE {_AWAITED} GROUP BY dims"
        rows = self._file.execute(query, (end - LATE_MS, end, end)).fetchall()
        return [AwaitedCount(self.dims_of(dims), times, late, oldest) for dims, times, late, oldest in rows]

    def awaited_ends(
        self, end: int, fits: Callable[[Dims], bool], *, until: int, after: int = -1, limit: int = 100
    ) -> list[AwaitedEnd]:
        """Those of them that fit, with a time of at most `until` (ms) and an index above `after`, the oldest first."""
        query = (
            f"SELECT idx, time, dims, coalesce((SELECT min(idx) FROM facts AS told WHERE {_TOLD}), -1)"  # noqa: S608  (numbers of ours)
            " FROM facts AS ended"
            f" WHERE {_AWAITED} AND time <= ? AND idx > ? ORDER BY time, idx"
        )
        found: list[AwaitedEnd] = []
        rows = self._file.execute(query, (end, end, until, after))
        for idx, time, dims, answered in rows:
            if fits(self.dims_of(dims)):
                found.append(AwaitedEnd(idx, time, self.dims_of(dims), answered))
                if len(found) == limit:
                    break
        rows.close()
        return found

    def entries(
        self,
        first: int,
        end: int,
        only: Iterable[What],
        fits: Callable[[Dims, Details], bool],
        *,
        after: int = -1,
        limit: int = 100,
    ) -> list[Booked]:
        """Entries above index `after` in a period that fit, in their order."""
        query = (
            "SELECT idx, time, what, dims, details FROM facts WHERE time >= ? AND time < ? AND idx > ?"  # noqa: S608  (numbers of ours)
            f" AND what IN ({_numbers(only)}) ORDER BY time, idx"
        )
        found: list[Booked] = []
        rows = self._file.execute(query, (first, end, after))
        for idx, time, what, dims, details in rows:
            one = Booked(idx, time, What(what), self.dims_of(dims), self._details_of(details))
            if fits(one.dims, one.details):
                found.append(one)
                if len(found) == limit:
                    break
        rows.close()
        return found

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        for name in ("book", "dims", "details", "chains", "facts", "states", "removals", "given", "releases"):
            self._file.execute(f"DROP TABLE IF EXISTS {name}")
        for table in _TABLES.split(";"):
            self._file.execute(table)
        self._file.execute("INSERT INTO book VALUES (1, ?, 0, x'')", (FORM,))
        self._numbers.clear()
        self._dims, self._details = {0: {}}, {0: Details()}

    def _number(self, table: str, says: str) -> int:
        known = self._numbers.get((table, says))
        if known is None:
            self._file.execute(f"INSERT OR IGNORE INTO {table} (says) VALUES (?)", (says,))  # noqa: S608  (a name of ours)
            [known] = self._file.execute(f"SELECT id FROM {table} WHERE says = ?", (says,)).fetchone()  # noqa: S608
            if len(self._numbers) > 50_000:
                self._numbers.clear()
            self._numbers[table, says] = known
        return known

    def dims_of(self, number: int) -> Dims:
        if number not in self._dims:
            [says] = self._file.execute("SELECT says FROM dims WHERE id = ?", (number,)).fetchone()
            self._dims[number] = {name: tuple(values) for name, values in json.loads(says).items()}
        return self._dims[number]

    def _details_of(self, number: int) -> Details:
        if number not in self._details:
            [says] = self._file.execute("SELECT says FROM details WHERE id = ?", (number,)).fetchone()
            permissions, reasons, region = json.loads(says)
            self._details[number] = Details(tuple(permissions), tuple(reasons), region)
        return self._details[number]


def open_book(path: Path) -> CountBook:
    """The count book at this path, made if it is not there. Raises Unavailable."""
    try:
        return CountBook(path)
    except InvalidInput as error:  # another user's, and open to others
        raise Unavailable(str(error)) from error
    except OSError as error:
        raise Unavailable(f"the count book {path} cannot be made: {error.strerror}") from error


def _numbers(only: Iterable[What]) -> str:
    return ",".join(str(int(what)) for what in only)
