"""The key store that belongs to a log, as the log names it: another one is refused (ledger/opening.py)."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ledger.engines.engine import insert_into
from ledger.storage.tables import named_key_store


def key_store_named(connection: Connection) -> bytes | None:
    """The 16 bytes of the key store that belongs to this log; None until it was named."""
    named: bytes | None = connection.execute(select(named_key_store.c.store_id)).scalar_one_or_none()
    return None if named is None else bytes(named)


def name_key_store(connection: Connection, store_id: bytes) -> None:
    """Name the key store of this log, for ever: a second name changes nothing."""
    row = {"id": 1, "store_id": store_id}
    connection.execute(insert_into(connection.engine, named_key_store).on_conflict_do_nothing(), row)
