"""PostgreSQL, through psycopg: binary COPY in, arrays out, and few round trips.

Each transaction that must last says so itself (`synchronous_commit`), in the statement that takes the log's lock: a session
that was told otherwise, or a pooler that hands sessions on, cannot lower it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, TextClause, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

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
from ledger.errors import InvalidInput

log = logging.getLogger("ledger.storage")

FEW: Final = 32
"""Rows that PostgreSQL takes faster as arrays than by COPY."""

ENTRY_TYPES: Final = (
    "int8",
    "varchar",
    "bytea",
    "int8",
    "bytea",
    "bytea",
    "bytea",
    "varchar",
    "bytea",
    "int4",
    "bytea",
)

POOL_SECONDS: Final = 10
NETWORK: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters of a connection, unless its URL sets them: a machine that vanished is noticed in some ten seconds, not in
the two hours that TCP takes by itself. Each host that the URL names has `connect_timeout` of its own."""
AMONG_HOSTS: Final[dict[str, Any]] = {"connect_timeout": 2, "target_session_attrs": "read-write"}
"""Instead, where the URL names several hosts: whichever of them takes writes now, and not long is waited for one that is
gone. Without it a node would be content with a standby that happens to answer first."""
LIMITS: Final = {
    "synchronous_commit": "on",
    "lock_timeout": "5s",
    "statement_timeout": "25s",
    "idle_in_transaction_session_timeout": "60s",
}
STALLED_SECONDS: Final = 30
"""A node that holds the log's lock and has been silent for so long is taken for stalled."""

_HEAD: Final = (
    f"SELECT {HEAD_COLUMNS}, (extract(epoch FROM clock_timestamp()) * 1000)::int8, "
    "set_config('synchronous_commit', 'on', true) FROM log_head WHERE id = 1 FOR UPDATE"
)


_END_STALLED: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND wait_event_type = 'Client'
  AND greatest(state_change, query_start) < clock_timestamp() - make_interval(secs => %(seconds)s)
  AND pid IN (SELECT pid FROM pg_locks WHERE relation = 'log_head'::regclass AND mode = 'RowShareLock' AND granted)
"""
"""Readers of the head hold another lock; those that wait for the row do not wait for their client."""


class PostgresDriver:
    """PostgreSQL through psycopg: binary COPY in, arrays out, and few round trips."""

    _find = (
        "SELECT e.iss, e.jti, e.position, e.idx, e.payload_hash FROM unnest(%s::varchar[], %s::bytea[]) AS asked(iss, jti) "
        "JOIN entries e ON e.iss = asked.iss AND e.jti = asked.jti"
    )

    def lock_head(self, connection: Connection, keys: Sequence[tuple[str, bytes]] = ()) -> tuple[Row | None, list[Row]]:
        driver, found = driver_of(connection), None
        with driver.pipeline():  # one round trip, BEGIN included; the second query runs under the lock
            head = driver.execute(_HEAD)
            if keys:
                found = driver.execute(self._find, ([iss for iss, _ in keys], [jti for _, jti in keys]))
        row = head.fetchone()
        return None if row is None else row[:-1], [] if found is None else found.fetchall()

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
        driver_of(connection).execute(CONFIRM.format("%(size)s"), {"size": size})

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

    def proved_entries(self, connection: Connection, indexes: Sequence[int]) -> Iterable[Any]:
        sql = (
            f"SELECT {SHOWN_COLUMNS} FROM unnest(%s::int8[]) AS asked(idx) JOIN entries e ON e.idx = asked.idx "
            "LEFT JOIN consents k ON k.chain = e.chain AND e.kind = 'consent' LEFT JOIN LATERAL "
            "(SELECT size, note FROM checkpoints WHERE size > asked.idx ORDER BY size LIMIT 1) AS c ON true"
        )
        return connection.exec_driver_sql(sql, (list(indexes),))

    def hold_durable(self, connection: Connection) -> None:
        driver_of(connection).execute("SET LOCAL synchronous_commit = on")

    def keep_writers_out(self, connection: Connection, table: str) -> None:
        driver_of(connection).execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def verify_files(self, connection: Connection) -> None:
        """Nothing: the server looks after its own files."""

    def end_stalled(self, connection: Connection, /) -> int:
        """A node that was stopped in the middle of its transaction (paused, swapped out, cut off) keeps the log's lock, and in
        a pipeline the server's own time limit for idle transactions does not see it: between two messages of one pipeline it
        is not idle. Its session is ended, which rolls back what it had not committed. One that waits for a standby, for another
        lock or for the disk is at work, and is left alone."""
        ended: int = sum(connection.exec_driver_sql(_END_STALLED, {"seconds": STALLED_SECONDS}).scalars())
        if ended:
            log.warning("%d sessions that held the log's lock without doing anything were ended", ended)
        return ended


driver: Final = PostgresDriver()
in_file: Final = False
insert_into: Final = insert


def make_database(url: str, beside: str) -> None:
    """CREATE DATABASE, which no transaction may do. Raises InvalidInput when this role may not."""
    name = make_url(url).database or ""
    engine = create_engine(beside, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            known = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(known, {"name": name}).first() is None:
                quoted = engine.dialect.identifier_preparer.quote_identifier(name)
                connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
    except DBAPIError as error:
        raise InvalidInput(
            f"the database {name!r} of the key store could not be made ({explain(error.orig or error)}): make it, or set "
            "CONSENT_LEDGER_KEYSTORE_URL to another one; see docs/operating.md, «The key store»"
        ) from None


def make_private(_: str) -> None:
    """Nothing: the server's files are the server's."""


def writer_engine(url: str) -> Engine:
    """One connection that writes: locking the head row is the log's lock."""
    # whoever writes tries again when a connection turns out to be dead: no need to ask before each batch
    return _engine(url, pool_size=1, max_overflow=2, pool_pre_ping=False)


def reader_engine(url: str, pool_size: int) -> Engine:
    """Readers, each of which sees one state."""
    engine = _engine(url, pool_size=pool_size, max_overflow=pool_size)
    return engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")


def operations_engine(url: str) -> Engine:
    """As safe as the log: nobody waits for it here."""
    return _engine(url, pool_size=1, max_overflow=4)


def keystore_engine(url: str) -> Engine:
    """Its writers call `hold_durable`."""
    return _engine(url, pool_size=4, max_overflow=8)


def token_engine(url: str) -> Engine:
    """The caller that records a token lowers `synchronous_commit` for that one transaction."""
    return _engine(url, pool_size=4, max_overflow=8)


def pages_engine(url: str) -> Engine:
    """As safe as the log: its few writers can wait."""
    return _engine(url, pool_size=4, max_overflow=8)


def move_log(_: Engine) -> None:
    """Nothing: the server's checkpointer does."""


def empty_log(_: Engine) -> bool:
    """Nothing can be done from here: the server's write-ahead log ends with its archive (docs/operating.md)."""
    return True


def sweep(engine: Engine, tables: Sequence[str]) -> bool:
    """Vacuum the tables, however long that takes: a deleted row is in its table's file until then."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        try:
            for table in tables:
                connection.exec_driver_sql(f"VACUUM {table}")
        finally:
            connection.exec_driver_sql(f"SET statement_timeout = '{LIMITS['statement_timeout']}'")
    return True


_RIGHTS: Final = """
    SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
           coalesce(string_agg(relname, ', ' ORDER BY relname) FILTER (WHERE pg_has_role(relowner, 'USAGE')
               OR has_table_privilege(oid, 'UPDATE') OR has_table_privilege(oid, 'DELETE')
               OR has_table_privilege(oid, 'TRUNCATE') OR has_table_privilege(oid, 'TRIGGER')), '')
    FROM pg_class WHERE oid IN ('entries'::regclass, 'tiles'::regclass, 'checkpoints'::regclass)
"""


def weaknesses(connection: Connection) -> list[str]:
    """The server must force commits to its disk; the service's role should be able to append to the log and no more."""
    for setting in ("fsync", "full_page_writes"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar_one() != "on":
            raise InvalidInput(
                f"PostgreSQL runs with {setting}=off: when its machine fails, entries that were acknowledged are lost. Set "
                f"{setting}=on in postgresql.conf"
            )
    is_superuser, tables = connection.exec_driver_sql(_RIGHTS).one()
    if not is_superuser and not tables:
        return []
    power = "is a superuser" if is_superuser else f"can change or delete rows of {tables}"
    sentence = (
        f"the database role of this service {power}: whoever gets its password can rewrite the log, and only witnesses and "
        "auditors would tell. Run «consent-ledger migrate --role» as the owner (docs/operating.md, «Roles of PostgreSQL»)"
    )
    return [sentence]


def lock_catalogue(connection: Connection) -> None:
    """By an advisory lock: IF NOT EXISTS locks nothing, and the second to make a table would fail on the catalogue."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING_TABLES})")


def database_bytes(connection: Connection) -> int:
    """The whole database's, as the server counts it."""
    return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


_MAKING_TABLES: Final = 7_240_015
"""Of the advisory locks: whoever makes tables waits for who does already."""
_INDEXES: Final = text(
    "SELECT c.relname AS name, c.oid AS id FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid "
    "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am a ON a.oid = c.relam "
    "WHERE a.amname = 'btree' AND t.relname = ANY(:tables) AND pg_table_is_visible(t.oid) ORDER BY c.relname"
)
_GRANT: Final = (
    "a superuser makes the extension amcheck and grants its functions to the ledger's role (docs/operating.md)"
)


def unsound(connection: Connection, tables: Sequence[str]) -> Iterator[Unsound]:
    """What amcheck finds: in each table, and in each index compared with its table."""
    if connection.exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'").first() is None:
        sentence = f"the indexes were not compared with their tables, amcheck is missing: {_GRANT}"
        yield Unsound("database", sentence, checked=False)
        return
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    heap = text(f"SELECT blkno, msg FROM verify_heapam(:id) LIMIT {MOST_UNSOUND}")
    for table in tables:
        place = f"table {table}"
        rows, failed = _ask(connection, place, heap, table)
        yield from failed
        for row in rows:
            yield Unsound(place, f"block {row.blkno}: {row.msg}")
    index = text("SELECT bt_index_check(CAST(:id AS oid)::regclass, true)")
    for name, oid in connection.execute(_INDEXES, {"tables": list(tables)}).all():
        _, failed = _ask(connection, f"index {name}", index, oid)
        yield from failed


def _ask(connection: Connection, place: str, question: TextClause, of: object) -> tuple[Sequence[Any], list[Unsound]]:
    """The rows of the answer. What the engine refuses to do is not a defect; what it says is broken is one."""
    try:
        with connection.begin_nested():
            return connection.execute(question, {"id": of}).all(), []
    except DBAPIError as error:
        said = str(error.orig).splitlines()[0]
        if getattr(error.orig, "sqlstate", "") in ("XX001", "XX002"):  # data_corrupted, index_corrupted
            return (), [Unsound(place, said)]
        return (), [Unsound(place, f"the engine did not compare it ({said}): {_GRANT}", checked=False)]


def explain(error: BaseException) -> str:
    """psycopg's name of what happened, with its SQLSTATE: the server's sentence can quote values."""
    if isinstance(sentence := getattr(error, "sentence", None), str):
        return sentence
    state = getattr(error, "sqlstate", None)
    return type(error).__name__ + (f" (SQLSTATE {state})" if state else "")


def names_several_hosts(query: Mapping[str, str | tuple[str, ...]]) -> bool:
    """Whether the parameters of a URL name more than one host, in either of SQLAlchemy's spellings."""
    named = query.get("host", "")
    return "," in named if isinstance(named, str) else len(named) > 1


def _engine(url: str, *, pool_pre_ping: bool = True, **pool: int) -> Engine:
    from ledger.engines import commits  # noqa: PLC0415  (psycopg need not be loaded for SQLite)

    given = make_url(url).query
    usual = NETWORK | AMONG_HOSTS if names_several_hosts(given) else NETWORK
    unset = {name: value for name, value in usual.items() if name not in given}
    engine = create_engine(
        url,
        pool_pre_ping=pool_pre_ping,
        isolation_level="READ COMMITTED",
        pool_timeout=POOL_SECONDS,
        connect_args=unset,
        **pool,
    )
    event.listen(engine, "do_connect", lambda _, __, arguments, parameters: commits.connect(*arguments, **parameters))

    def configure(connection: Any, _: object) -> None:
        try:
            with connection.cursor() as cursor:
                for name, value in LIMITS.items():
                    cursor.execute(f"SET {name} = '{value}'")
            connection.commit()
        except BaseException:  # the pool does not know it yet, and nobody else would close it
            connection.close()
            raise

    event.listen(engine, "connect", configure)
    return engine
