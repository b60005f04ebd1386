"""Questions in SQL that several readers of the log share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from ledger.storage.tables import entries


def select_in(connection: Connection, query: Any, column: Any, values: Sequence[Any]) -> Iterator[Any]:
    """Rows of `query` whose `column` is one of `values`, asked in portions that every engine takes."""
    for at in range(0, len(values), 500):
        yield from connection.execute(query.where(column.in_(values[at : at + 500])))


def log_size(connection: Connection) -> int:
    """How many entries are committed in this connection's snapshot."""
    size: int = connection.execute(select(func.coalesce(func.max(entries.c.idx) + 1, 0))).scalar_one()
    return size
