"""Questions in SQL that several readers of the log share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from ledger.storage.tables import consents, entries


def among(query: Any, column: Any) -> Any:
    """`query` about the rows whose `column` is one of the values that `select_in` is given. Made once for each question:
    building a statement costs more than running it."""
    return query.where(column.in_(bindparam("asked", expanding=True)))


CONSENTS: Final = among(select(consents), consents.c.chain)
ENTRIES: Final = among(select(entries), entries.c.idx)
LEAVES: Final = among(select(entries.c.idx, entries.c.leaf), entries.c.idx)


def select_in(connection: Connection, question: Any, values: Sequence[Any]) -> Iterator[Any]:
    """Rows of a question made by `among`, asked in portions that every engine takes."""
    for at in range(0, len(values), 500):
        yield from connection.execute(question, {"asked": values[at : at + 500]})


def log_size(connection: Connection) -> int:
    """How many entries are committed in this connection's snapshot."""
    size: int = connection.execute(select(func.coalesce(func.max(entries.c.idx) + 1, 0))).scalar_one()
    return size
