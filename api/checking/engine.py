"""What only the database engine can tell: whether its pages and indexes are whole."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from api.checking.findings import SHOWN, Findings
from ledger.storage.tables import metadata

_INDEXES: Final = text(
    "SELECT c.relname AS name, c.oid AS id FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid "
    "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am a ON a.oid = c.relam "
    "WHERE a.amname = 'btree' AND t.relname = ANY(:tables) AND pg_table_is_visible(t.oid) ORDER BY c.relname"
)
_GRANT: Final = (
    "a superuser makes the extension amcheck and grants its functions to the ledger's role (docs/operating.md)"
)


def examine_engine(connection: Connection, found: Findings) -> None:
    """SQLite: integrity_check. PostgreSQL: each index of the log's tables against its table, by amcheck."""
    if connection.dialect.name == "sqlite":
        _examine_sqlite(connection, found)
    else:
        _examine_postgresql(connection, found)


def _examine_sqlite(connection: Connection, found: Findings) -> None:
    told = connection.execute(text(f"PRAGMA integrity_check({SHOWN})")).scalars().all()
    for line in told:
        if line != "ok":
            found.note("database", str(line))


def _examine_postgresql(connection: Connection, found: Findings) -> None:
    if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")).first() is None:
        found.could_not("database", f"the indexes were not compared with their tables, amcheck is missing: {_GRANT}")
        return
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    heap = text("SELECT blkno, msg FROM verify_heapam(:id) LIMIT 20")
    for table in sorted(metadata.tables):
        for row in _ask(connection, found, f"table {table}", heap, id=table):
            found.note(f"table {table}", f"block {row.blkno}: {row.msg}")
    index = text("SELECT bt_index_check(CAST(:id AS oid)::regclass, true)")
    for name, oid in connection.execute(_INDEXES, {"tables": sorted(metadata.tables)}).all():
        _ask(connection, found, f"index {name}", index, id=oid)


def _ask(connection: Connection, found: Findings, place: str, question: Any, **given: Any) -> list[Any]:
    """The rows of the answer. What the engine refuses to do is no defect; what it says is broken is one."""
    try:
        with connection.begin_nested():
            return list(connection.execute(question, given).all())
    except DBAPIError as error:
        said = str(error.orig).splitlines()[0]
        if getattr(error.orig, "sqlstate", "") in ("XX001", "XX002"):  # data_corrupted, index_corrupted
            found.note(place, said)
        else:
            found.could_not(place, f"the engine did not compare it ({said}): {_GRANT}")
        return []
