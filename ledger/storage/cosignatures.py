"""Stores witnesses' cosignatures beside their checkpoints. Each proves itself, wherever it is kept."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ledger.engines.engine import insert_into, operations_engine
from ledger.errors import Unavailable
from ledger.storage.tables import cosignatures


class CosignatureStore:
    """The table `cosignatures`. Thread-safe; blocking; raises Unavailable when the database does not answer."""

    def __init__(self, url: str) -> None:
        self._engine = operations_engine(url)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def put(self, size: int, lines: Mapping[str, tuple[str, int]]) -> None:
        """Keep verified lines (witness → line, POSIX seconds) for the checkpoint of `size`; the first of a witness stays."""
        rows = [{"size": size, "witness": name, "line": line, "time": time} for name, (line, time) in lines.items()]
        if not rows:
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(insert_into(self._engine, cosignatures).on_conflict_do_nothing(), rows)
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable("the database did not keep a cosignature; it will be asked for again") from error
