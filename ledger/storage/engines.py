"""Engines: the only place that knows which database this is (docs/adr, storage).

A writer takes the log's lock when its transaction begins: on SQLite by BEGIN IMMEDIATE, on PostgreSQL by locking the head
row. A commit must be durable before it is acknowledged: SQLite in WAL mode with synchronous=FULL, PostgreSQL with
synchronous_commit=on, which each session sets itself and checks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from ledger.errors import InvalidInput

BUSY_TIMEOUT_MS = 15_000
WAL_BYTES = 256 * 1024 * 1024

ENTRY_COLUMNS = (
    "idx", "kind", "chain", "seq", "leaf", "leaf_hash", "sealed", "iss", "jti", "position", "payload_hash",
)  # fmt: skip
ENTRY_TYPES = ("int8", "varchar", "bytea", "int8", "bytea", "bytea", "bytea", "varchar", "bytea", "int4", "bytea")


Row = tuple[Any, ...]


class Driver(Protocol):
    """What is done differently on each engine, for speed. What every batch needs goes to the engine's own driver: in a small
    batch SQLAlchemy's bookkeeping for each statement costs more than the statement."""

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        """The head row (size, time, last_hash, edge, checkpoint, confirmed) and the database's own time (ms; None where it is
        this machine's), locked, None when there is none; and, as they stand below the lock, rows (iss, jti, position, idx,
        payload_hash) of the statements with these (iss, jti)."""

    def insert_entries(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows of ENTRY_COLUMNS."""

    def move_head(self, connection: Connection, old_size: int, row: Row) -> int:
        """Store a checkpoint and move the head from `old_size`; rows moved. `row` is in the order of the head row."""

    def confirm(self, connection: Connection, size: int) -> None:
        """Write to the head row, whatever it says, that `size` is confirmed at least."""

    def write(self, connection: Connection, rows: Sequence[Row], old_size: int, head: Row) -> int:
        """`insert_entries`, then `move_head`, in as few round trips as the engine allows; rows moved."""

    def chain_heads(self, connection: Connection, chains: Sequence[bytes]) -> Iterable[Any]:
        """Rows (chain, seq, leaf_hash) of the last entry of each of these chains that has one."""

    def read_pages(self, connection: Connection, prefixes: Sequence[str]) -> Iterable[Any]:
        """Rows (prefix, page) of those of these pages of the completeness map that exist."""

    def write_pages(self, connection: Connection, pages: Mapping[str, bytes]) -> None:
        """Store pages of the completeness map, new ones and changed ones."""

    def first_checkpoints(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        """Rows (index, size, note) of the first checkpoint that includes each of these entries."""


_HEAD = "SELECT size, time, last_hash, edge, checkpoint, confirmed, {clock} FROM log_head WHERE id = 1"
_CONFIRM = "UPDATE log_head SET confirmed = CASE WHEN confirmed < {0} THEN {0} ELSE confirmed END WHERE id = 1"


FEW: Final = 32
"""Rows that PostgreSQL takes faster as arrays than by COPY."""


def driver_of(connection: Connection) -> Any:
    """The engine's own connection below SQLAlchemy's, inside its transaction. Its errors are the driver's own."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise InvalidInput("the database connection is closed")
    return driver


class SqliteDriver:
    """SQLite through the standard library's driver."""

    _head = _HEAD.format(clock="NULL")

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        driver, found = driver_of(connection), []
        head = driver.execute(self._head).fetchone()  # BEGIN IMMEDIATE has locked it
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
        driver_of(connection).execute(_CONFIRM.format("?1"), (size,)).close()

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


class PostgresDriver:
    """PostgreSQL through psycopg: binary COPY in, arrays out, and few round trips."""

    _head = _HEAD.format(clock="(extract(epoch FROM clock_timestamp()) * 1000)::int8") + " FOR UPDATE"

    _find = (
        "SELECT e.iss, e.jti, e.position, e.idx, e.payload_hash FROM unnest(%s::varchar[], %s::bytea[]) AS asked(iss, jti) "
        "JOIN entries e ON e.iss = asked.iss AND e.jti = asked.jti"
    )

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        driver, found = driver_of(connection), None
        with (
            driver.pipeline()
        ):  # one round trip, the transaction's BEGIN included; the second answer is of after the lock
            head = driver.execute(self._head)
            if keys:
                found = driver.execute(self._find, ([iss for iss, _ in keys], [jti for _, jti in keys]))
        return head.fetchone(), [] if found is None else found.fetchall()

    _copy = f"COPY entries ({', '.join(ENTRY_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
    _insert = (
        f"INSERT INTO entries ({', '.join(ENTRY_COLUMNS)}) SELECT * FROM "
        f"unnest({', '.join(f'%b::{name}[]' for name in ENTRY_TYPES)})"
    )

    def insert_entries(self, connection: Connection, rows: Sequence[Row]) -> None:
        driver = driver_of(connection)
        if len(rows) <= FEW:  # a COPY takes two round trips
            driver.execute(self._insert, [list(column) for column in zip(*rows, strict=True)])
            return
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(ENTRY_TYPES)
            for row in rows:
                copy.write_row(row)

    def move_head(self, connection: Connection, old_size: int, row: Row) -> int:
        moved: int = driver_of(connection).execute(self._move, (*row, old_size)).rowcount
        return moved

    _move = (
        "WITH moved AS (UPDATE log_head SET size = %s, time = %s, last_hash = %s, edge = %s, checkpoint = %s, confirmed = %s "
        "WHERE id = 1 AND size = %s RETURNING size, checkpoint) "
        "INSERT INTO checkpoints (size, note) SELECT size, checkpoint FROM moved"
    )

    def confirm(self, connection: Connection, size: int) -> None:
        driver_of(connection).execute(_CONFIRM.format("%(size)s"), {"size": size})

    def write(self, connection: Connection, rows: Sequence[Row], old_size: int, head: Row) -> int:
        if len(rows) > FEW:  # a COPY cannot be sent along with something else
            self.insert_entries(connection, rows)
            return self.move_head(connection, old_size, head)
        driver = driver_of(connection)
        with driver.pipeline():
            self.insert_entries(connection, rows)
            done = driver.execute(self._move, (*head, old_size))
        moved: int = done.rowcount
        return moved

    def chain_heads(self, connection: Connection, chains: Sequence[bytes]) -> Iterable[Any]:
        sql = (
            "SELECT asked.chain, e.seq, e.leaf_hash FROM unnest(%s::bytea[]) AS asked(chain) CROSS JOIN LATERAL "
            "(SELECT seq, leaf_hash FROM entries WHERE entries.chain = asked.chain ORDER BY seq DESC LIMIT 1) AS e"
        )
        return connection.exec_driver_sql(sql, (list(chains),))

    def read_pages(self, connection: Connection, prefixes: Sequence[str]) -> Iterable[Any]:
        sql = "SELECT prefix, page FROM map_pages WHERE prefix = ANY(%s::varchar[])"
        return connection.exec_driver_sql(sql, (list(prefixes),))

    def write_pages(self, connection: Connection, pages: Mapping[str, bytes]) -> None:
        sql = (
            "INSERT INTO map_pages (prefix, page) SELECT * FROM unnest(%s::varchar[], %s::bytea[]) "
            "ON CONFLICT (prefix) DO UPDATE SET page = excluded.page"
        )
        connection.exec_driver_sql(sql, (list(pages), list(pages.values())))

    def first_checkpoints(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        sql = (
            "SELECT asked.idx, c.size, c.note FROM unnest(%s::int8[]) AS asked(idx) CROSS JOIN LATERAL "
            "(SELECT size, note FROM checkpoints WHERE size > asked.idx ORDER BY size LIMIT 1) AS c"
        )
        return connection.exec_driver_sql(sql, (list(indexes),))


def driver_for(engine: Engine) -> Driver:
    """The driver of an engine. Raises InvalidInput for an engine that is neither SQLite nor PostgreSQL."""
    match engine.dialect.name:
        case "sqlite":
            return SqliteDriver()
        case "postgresql":
            return PostgresDriver()
        case other:
            raise InvalidInput(f"{other!r} is not a supported engine: use sqlite or postgresql+psycopg")


def writer_engine(url: str) -> Engine:
    """An engine for the one connection that writes."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = _sqlite(url, pool_size=1, max_overflow=2)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    # whoever writes tries again when a connection turns out to be dead: no need to ask before each batch
    return _postgres(url, pool_size=1, max_overflow=2, pool_pre_ping=False)


def reader_engine(url: str, *, pool_size: int = 8) -> Engine:
    """An engine for readers: it cannot write."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = _sqlite(url, pool_size=pool_size, max_overflow=pool_size)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON").close())
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    engine = _postgres(url, pool_size=pool_size, max_overflow=pool_size)
    return engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")


def operations_engine(url: str) -> Engine:
    """An engine for what is not the log but lies beside it: who was told of what.

    Its commits do not wait for the disk, so that they hold the writer's lock for a moment only. What a power cut takes from
    it is done again: an event that is sent twice has the same id.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = _sqlite(url, pool_size=1, max_overflow=4)
        event.listen(engine, "connect", partial(_set_pragma, "synchronous=NORMAL"))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return _postgres(url, pool_size=1, max_overflow=4)


def keystore_engine(url: str) -> Engine:
    """An engine for the key store; on SQLite deleted keys are overwritten."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = _sqlite(url, pool_size=4, max_overflow=8)
        # nobody keeps house here: SQLite itself moves its write-ahead log into the file
        for pragma in ("secure_delete=ON", "wal_autocheckpoint=1000"):
            event.listen(engine, "connect", partial(_set_pragma, pragma))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return _postgres(url, pool_size=4, max_overflow=8)


def _set_pragma(pragma: str, connection: Any, _: object) -> None:
    connection.execute(f"PRAGMA {pragma}").close()


def make_private(url: str) -> None:
    """Make the file of an SQLite database that does not exist yet, for its owner only; SQLite's side files follow it."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite" and target.database not in (None, "", ":memory:"):
        os.close(os.open(str(target.database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sqlite(url: str, **pool: int) -> Engine:
    make_private(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **pool)

    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin where the listeners say, not where the driver guesses
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # else INSERT OR REPLACE deletes a row without firing its trigger
            "trusted_schema=OFF",
            "wal_autocheckpoint=0",  # the housekeeper does it, outside the commits (docs/adr)
            f"journal_size_limit={WAL_BYTES}",  # what a long read made of the write-ahead log is given back
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", configure)
    return engine


def _postgres(url: str, *, pool_pre_ping: bool = True, **pool: int) -> Engine:
    from ledger.storage import commits  # noqa: PLC0415  (psycopg need not be loaded for SQLite)

    engine = create_engine(url, pool_pre_ping=pool_pre_ping, isolation_level="READ COMMITTED", **pool)
    event.listen(engine, "do_connect", lambda _, __, arguments, parameters: commits.connect(*arguments, **parameters))

    def configure(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = on")
            cursor.execute("SET lock_timeout = '15s'")
            cursor.execute("SET statement_timeout = '60s'")
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.commit()

    event.listen(engine, "connect", configure)
    return engine
