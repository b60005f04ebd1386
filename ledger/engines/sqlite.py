"""SQLite: the log in one file, through the standard library's driver.

Three rules keep what was acknowledged (docs/adr/0018):
- Nobody opens the database's file but SQLite. On POSIX, closing a file drops *all* locks that the process has on it: the next
  process that closes the database would believe itself the last one and delete the write-ahead log under the server.
- Each transaction that must last sets `synchronous=FULL` itself, before it begins.
- After each commit, before the answer, the files must still be those that the connection has open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from ledger.engines import sqlite_files as files
from ledger.engines.driver import (
    CONFIRM,
    ENTRY_COLUMNS,
    HEAD_COLUMNS,
    MOST_UNSOUND,
    SHOWN_COLUMNS,
    Row,
    Unsound,
    driver_of,
)

BUSY_TIMEOUT_MS: Final = 5_000
WAL_BYTES: Final = 256 * 1024 * 1024
WAL_PAGES: Final = 65_536  # 256 MiB: from here onwards the write-ahead log is begun anew when little is left to move
WAL_REST: Final = 2_048
WAL_LIMIT: Final = 262_144  # 1 GiB: from here onwards it is begun anew whatever is left
WAL_ROUNDS, WAL_PATIENCE_MS = 2, 50
_FILES: Final = (
    "consent-ledger files"  # where a connection's record in the pool, which lives as long, remembers its files
)
_HEAD: Final = f"SELECT {HEAD_COLUMNS} FROM log_head WHERE id = 1"


class SqliteDriver:
    """SQLite through the standard library's driver."""

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        driver, found = driver_of(connection), []
        head = driver.execute(_HEAD).fetchone()  # BEGIN IMMEDIATE has locked it
        for at in range(0, len(keys), 400):
            part = keys[at : at + 400]
            sql = (
                f"WITH asked(iss, jti) AS (VALUES {', '.join(['(?, ?)'] * len(part))}) SELECT e.iss, e.jti, e.position, "
                "e.idx, e.payload_hash FROM asked JOIN entries e ON e.iss = asked.iss AND e.jti = asked.jti"
            )
            found += driver.execute(sql, [value for key in part for value in key]).fetchall()
        return head, found

    _insert = f"INSERT INTO entries ({', '.join(ENTRY_COLUMNS)}) VALUES ({', '.join('?' * len(ENTRY_COLUMNS))})"

    def insert_entries(self, connection: Connection, rows: Sequence[Row]) -> None:
        driver_of(connection).executemany(self._insert, rows).close()

    def move_head(self, connection: Connection, old_size: int, row: Row) -> int:
        driver = driver_of(connection)
        driver.execute("INSERT INTO checkpoints (size, note) VALUES (?, ?)", (row[0], row[4])).close()
        moved: int = driver.execute(
            "UPDATE log_head SET size = ?, time = ?, last_hash = ?, edge = ?, checkpoint = ?, confirmed = ? "
            "WHERE id = 1 AND size = ?",
            (*row, old_size),
        ).rowcount
        return moved

    def confirm(self, connection: Connection, size: int) -> None:
        driver_of(connection).execute(CONFIRM.format("?1"), (size,)).close()

    def write(self, connection: Connection, rows: Sequence[Row], old_size: int, head: Row) -> int:
        self.insert_entries(connection, rows)
        return self.move_head(connection, old_size, head)

    def chain_heads(self, connection: Connection, chains: Sequence[bytes]) -> Iterable[Any]:
        for at in range(0, len(chains), 800):
            part = chains[at : at + 800]
            sql = (
                f"WITH asked(chain) AS (VALUES {', '.join(['(?)'] * len(part))}) SELECT e.chain, e.seq, e.leaf_hash "
                "FROM asked JOIN entries e ON e.chain = asked.chain "
                "AND e.seq = (SELECT max(seq) FROM entries WHERE entries.chain = asked.chain)"
            )
            yield from connection.exec_driver_sql(sql, tuple(part))

    def read_pages(self, connection: Connection, prefixes: Sequence[str]) -> Iterable[Any]:
        for at in range(0, len(prefixes), 800):
            part = prefixes[at : at + 800]
            sql = f"SELECT prefix, page FROM map_pages WHERE prefix IN ({', '.join('?' * len(part))})"
            yield from connection.exec_driver_sql(sql, tuple(part))

    def write_pages(self, connection: Connection, pages: Mapping[str, bytes]) -> None:
        sql = (
            "INSERT INTO map_pages (prefix, page) VALUES (?, ?) ON CONFLICT (prefix) DO UPDATE SET page = excluded.page"
        )
        connection.exec_driver_sql(sql, sorted(pages.items()))

    def first_checkpoints(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        for at in range(0, len(indexes), 800):
            part = indexes[at : at + 800]
            sql = (
                f"WITH asked(idx) AS (VALUES {', '.join(['(?)'] * len(part))}) SELECT asked.idx, c.size, c.note FROM asked "
                "JOIN checkpoints c ON c.size = (SELECT min(size) FROM checkpoints WHERE size > asked.idx)"
            )
            yield from connection.exec_driver_sql(sql, tuple(part))

    def proved_entries(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        for at in range(0, len(indexes), 800):
            part = indexes[at : at + 800]
            sql = (
                f"WITH asked(idx) AS (VALUES {', '.join(['(?)'] * len(part))}) SELECT {SHOWN_COLUMNS} FROM asked "
                "JOIN entries e ON e.idx = asked.idx LEFT JOIN consents k ON k.chain = e.chain AND e.kind = 'consent' "
                "LEFT JOIN checkpoints c ON c.size = (SELECT min(size) FROM checkpoints WHERE size > asked.idx)"
            )
            yield from connection.exec_driver_sql(sql, tuple(part))

    def hold_durable(self, connection: Connection) -> None:
        """Nothing more: `_begin_durably` has done so when the transaction began, inside it SQLite would refuse."""

    def keep_writers_out(self, connection: Connection, table: str) -> None:
        """Nothing more: BEGIN IMMEDIATE has locked the whole database for writers."""

    def verify_files(self, connection: Connection) -> None:
        expected: files.Files | None = connection.connection.info.get(_FILES)
        if expected is not None:
            expected.verify()

    def end_stalled(self, _: Connection, /) -> int:
        """None: SQLite releases a lock when its process ends, and a paused process looks like one that works
        (docs/operating.md)."""
        return 0


driver: Final = SqliteDriver()
in_file: Final = True
insert_into: Final = insert
make_private: Final = files.make_private


# -- engines ------------------------------------------------------------------------------------------------------------


def writer_engine(url: str) -> Engine:
    """One connection that writes: BEGIN IMMEDIATE is the log's lock."""
    engine = _engine(url, pool_size=1, max_overflow=2)
    event.listen(engine, "begin", _begin_durably)
    return engine


def reader_engine(url: str, pool_size: int) -> Engine:
    """Readers, each of which sees one state."""
    engine = _engine(url, pool_size=pool_size, max_overflow=pool_size)
    event.listen(engine, "connect", partial(_set_pragma, "query_only=ON"))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def operations_engine(url: str) -> Engine:
    """Commits do not wait for the disk, so that they hold the writer's lock for a moment only."""
    engine = _engine(url, pool_size=1, max_overflow=4)
    event.listen(engine, "connect", partial(_set_pragma, "synchronous=NORMAL"))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def keystore_engine(url: str) -> Engine:
    """Deleted keys are overwritten. No housekeeper runs here, so SQLite itself checkpoints its write-ahead log."""
    engine = _engine(url, pool_size=4, max_overflow=8)
    for pragma in ("secure_delete=ON", "wal_autocheckpoint=1000"):
        event.listen(engine, "connect", partial(_set_pragma, pragma))
    event.listen(engine, "begin", _begin_durably)
    return engine


def token_engine(url: str) -> Engine:
    """Not forced to disk: what a power cut loses has expired, or nearly, when the machine is back."""
    files.make_private(url)
    engine = create_engine(url, connect_args={"timeout": 10}, pool_size=4, max_overflow=8)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        event.listen(engine, "connect", partial(_set_pragma, pragma))
    return engine


def pages_engine(url: str) -> Engine:
    """As one for tokens, since a lost session is a new sign-in; what is deleted is overwritten."""
    engine = token_engine(url)
    event.listen(engine, "connect", partial(_set_pragma, "secure_delete=ON"))
    return engine


def _set_pragma(pragma: str, connection: Any, _: object) -> None:
    try:
        connection.execute(f"PRAGMA {pragma}").close()
    except UnicodeDecodeError as error:  # the driver reads SQLite's own message, which quotes the damaged schema
        raise sqlite3.DatabaseError("malformed database schema: its text is not UTF-8") from error


def _begin_durably(connection: Connection) -> None:
    """Each time anew: a session in which somebody lowered it would acknowledge what a power cut can lose."""
    driver = driver_of(connection)
    driver.execute("PRAGMA synchronous=FULL").close()
    try:
        driver.execute("BEGIN IMMEDIATE").close()
    except sqlite3.Error as error:  # as SQLAlchemy would tell it, whose bookkeeping costs more than the statement
        raise DBAPIError.instance("BEGIN IMMEDIATE", None, error, sqlite3.Error) from error


def _engine(url: str, **pool: int) -> Engine:
    files.make_private(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **pool)

    def configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where the listeners say, not where the driver guesses
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # else INSERT OR REPLACE deletes a row without firing its trigger
            "trusted_schema=OFF",
            "wal_autocheckpoint=0",  # the housekeeper does it, outside the commits (docs/adr)
            f"journal_size_limit={WAL_BYTES}",  # a write-ahead log that grew during a long read is truncated
        ):
            _set_pragma(pragma, connection, None)
        if (path := files.file_of(url)) is not None:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # opens both files, and holds them
            record.info[_FILES] = files.Files.of(path)

    event.listen(engine, "connect", configure)
    return engine


def make_database(_: str, __: str) -> None:
    """Nothing: a file is made when it is first opened."""


# -- the write-ahead log ------------------------------------------------------------------------------------------------


def move_log(reader: Engine) -> None:
    """Move committed pages from the write-ahead log into the database, without blocking writers.

    That alone would let the file grow for ever while somebody writes: it begins anew only when nothing in it is left to
    move. So once it is long, writers wait for the moment that the last pages take.
    """
    with reader.connect() as connection:
        _begin_wal_anew(driver_of(connection))


def _begin_wal_anew(driver: Any) -> None:
    """Checkpoint the WAL: most of it while others write; if it is still long, the rest while they wait."""
    driver.execute("PRAGMA query_only=OFF").close()
    try:
        for tried in range(1, WAL_ROUNDS + 1):
            _, pages, moved = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages < WAL_PAGES:
                return
            if pages - moved < WAL_REST:
                break
            # the disk is behind: a longer file is better than writers that wait
            if tried == WAL_ROUNDS and pages < WAL_LIMIT:
                return
        # a long read must not hold up the writers for longer than this
        driver.execute(f"PRAGMA busy_timeout={WAL_PATIENCE_MS}").close()
        driver.execute("PRAGMA wal_checkpoint(RESTART)").close()
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}").close()
        driver.execute("PRAGMA query_only=ON").close()


def empty_log(engine: Engine) -> bool:
    """Checkpoint and truncate the write-ahead log; False when a reader prevents that."""
    with engine.connect() as connection:
        busy, _, _ = driver_of(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def sweep(engine: Engine, _: Sequence[str]) -> bool:
    """Deleted rows are overwritten in the file itself (`pages_engine`); what is left of them is in the write-ahead log."""
    return empty_log(engine)


def weaknesses(_: Connection) -> list[str]:
    """None: each connection sets itself up, and the files' modes are set when an engine is made."""
    return []


def lock_catalogue(_: Connection) -> None:
    """Nothing: whoever makes tables has the lock of the whole file."""


def database_bytes(connection: Connection) -> int:
    """Pages of the file, those of the write-ahead log that belong to no older page included, times their size."""
    return int(
        connection.exec_driver_sql(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).scalar_one()
    )


def unsound(connection: Connection, _: Sequence[str]) -> Iterator[Unsound]:
    """What integrity_check finds, in the whole file."""
    told = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_UNSOUND})").scalars()
    yield from (Unsound("database", str(line)) for line in told if line != "ok")


# -- errors -------------------------------------------------------------------------------------------------------------

_WORDS: Final = {
    "SQLITE_BUSY": f"another process has held the database's lock for {BUSY_TIMEOUT_MS // 1000} s",
    "SQLITE_CANTOPEN": "the database's file or its folder cannot be opened (missing, permissions, or too many open files)",
    "SQLITE_CONSTRAINT": "a row contradicts one that is there",
    "SQLITE_CORRUPT": "the database's file is damaged: stop the servers and run «consent-ledger check»",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk failed to read or to write",
    "SQLITE_LOCKED": "the database is locked by this process itself",
    "SQLITE_NOTADB": "the file is not an SQLite database",
    "SQLITE_PERM": "the database's file may not be used by this user",
    "SQLITE_READONLY": "the database's file, its folder or the file system may not be written",
}


def explain(error: BaseException) -> str:
    """What happened, with SQLite's own name for it. SQLite's message is left out where it could quote a value."""
    name = getattr(error, "sqlite_errorname", None)
    if not isinstance(name, str):
        return type(error).__name__
    words = next((said for begin, said in _WORDS.items() if name.startswith(begin)), None)
    if words is None and isinstance(error, sqlite3.OperationalError):
        words = str(error)  # «no such table: …» names the schema, and never a value
    return f"{words} ({name})" if words else name
