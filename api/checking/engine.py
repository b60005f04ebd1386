"""What only the database engine can tell: whether its pages and indexes are whole."""

from __future__ import annotations

from sqlalchemy import Connection

from api.checking.findings import Findings
from ledger.engines.engine import unsound
from ledger.storage.tables import metadata


def examine_engine(connection: Connection, found: Findings) -> None:
    """SQLite: integrity_check. PostgreSQL: each index of the log's tables against its table, by amcheck."""
    for one in unsound(connection, sorted(metadata.tables)):
        if one.checked:
            found.note(one.place, one.said)
        else:
            found.could_not(one.place, one.said)
