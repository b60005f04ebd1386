"""Chooses an engine, once, from the database's URL (engines/driver.py says what each must be able to do).

A writer takes the log's lock when its transaction begins: on SQLite by BEGIN IMMEDIATE, on PostgreSQL by locking the head
row. A commit must be durable before it is acknowledged: SQLite in WAL mode with synchronous=FULL, PostgreSQL with
synchronous_commit=on, both set by each transaction itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, inspect, make_url
from sqlalchemy.schema import CreateIndex, CreateTable

from ledger.engines import postgres, sqlite
from ledger.engines.driver import Backend, Driver, Unsound
from ledger.errors import InvalidInput

ENGINES: Final[Mapping[str, Backend]] = {"sqlite": sqlite, "postgresql": postgres}
"""By the name that a database's URL begins with. A new engine is a module, a line here and a line in tests/engines.py."""


def backend_named(name: str) -> Backend:
    """The engine of this name. Raises InvalidInput for one that is not in ENGINES."""
    found = ENGINES.get(name)
    if found is None:
        raise InvalidInput(f"{name!r} is not a supported engine: use sqlite or postgresql+psycopg")
    return found


def backend_of(engine: Engine) -> Backend:
    """The engine's own functions. Raises InvalidInput."""
    return backend_named(engine.dialect.name)


def _at(url: str) -> Backend:
    return backend_named(make_url(url).get_backend_name())


def database_bytes(connection: Connection) -> int:
    """The size of the database that this connection is to, in bytes."""
    return backend_named(connection.dialect.name).database_bytes(connection)


def unsound(connection: Connection, tables: Sequence[str]) -> Iterator[Unsound]:
    """What the engine itself finds broken in these tables, or could not examine."""
    return backend_named(connection.dialect.name).unsound(connection, tables)


def driver_for(engine: Engine) -> Driver:
    """The driver of an engine. Raises InvalidInput for an engine that is not in ENGINES."""
    return backend_of(engine).driver


def name_of(url: str) -> str:
    """The name in ENGINES of the engine that a database's URL asks for. Raises InvalidInput."""
    _at(url)
    return make_url(url).get_backend_name()


def is_file(url: str) -> bool:
    """Whether this database is a file of this machine (and its writers wait for each other)."""
    return _at(url).in_file


def insert_into(engine: Engine, table: Table) -> Any:
    """An INSERT that can be told what to do ON CONFLICT, in the words of this engine."""
    return backend_of(engine).insert_into(table)


def writer_engine(url: str) -> Engine:
    """An engine for the one connection that writes."""
    return _at(url).writer_engine(url)


def reader_engine(url: str, *, pool_size: int = 8) -> Engine:
    """An engine for readers: it cannot write."""
    return _at(url).reader_engine(url, pool_size)


def operations_engine(url: str) -> Engine:
    """An engine for what is not the log but lies beside it: who was told of what.

    Work that a power cut loses is done again: an event that is sent twice has the same id.
    """
    return _at(url).operations_engine(url)


def keystore_engine(url: str) -> Engine:
    """An engine for the key store; on SQLite deleted keys are overwritten."""
    return _at(url).keystore_engine(url)


def token_engine(url: str) -> Engine:
    """An engine for one-time tokens, with sessions of its own."""
    return _at(url).token_engine(url)


def pages_engine(url: str) -> Engine:
    """An engine for what the pages remember of people (sessions, passkeys, letters); see `sweep`."""
    return _at(url).pages_engine(url)


def sweep(engine: Engine, tables: Sequence[str]) -> bool:
    """Leave nothing of the rows deleted from these tables in the database's files; False when a reader prevents that.

    For engines made by `pages_engine`.
    """
    return backend_of(engine).sweep(engine, tables)


def key_store_beside(url: str) -> str | None:
    """Where the key store of a log at `url` lies by default, if not in a file: in a database beside it, on the same server."""
    if is_file(url):
        return None
    log = make_url(url)
    return str(log.set(database=f"{log.database}_keys").render_as_string(hide_password=False))


def make_database(url: str, beside: str) -> None:
    """Make the database at `url`, unless it exists, on the server of the one at `beside`; nothing where a file will do.

    Raises InvalidInput when this role may not.
    """
    _at(url).make_database(url, beside)


def make_private(url: str) -> None:
    """Let only its owner open the database's files, a new one's from the first moment; nothing on PostgreSQL."""
    _at(url).make_private(url)


def make_tables(engine: Engine, tables: Iterable[Table]) -> None:
    """Make the tables that are missing. Several processes may do so at once: the first fronts of a new node all find
    none."""
    missing = [table for table in tables if not inspect(engine).has_table(table.name)]
    if not missing:  # a role without the right to make tables is not asked to
        return
    with engine.begin() as connection:
        backend_of(engine).lock_catalogue(connection)
        for table in missing:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
