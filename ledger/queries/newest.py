"""The chains begun or used last, whose keys an older key store lacks."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from ledger.participants import Registry
from ledger.storage.tables import consents, entries

NEWEST_ENTRIES: Final = 2000
NEWEST_CONSENTS: Final = 20
"""Looked at for each recipient. Keys are made in the order in which chains begin: an older key store lacks the newest."""


def newest_chains(connection: Connection, registry: Registry, size: int) -> set[bytes]:
    """Chains whose bodies are sealed, the newest always among them, in a log of `size` entries."""
    tail = select(entries.c.chain).where(entries.c.idx >= size - NEWEST_ENTRIES, entries.c.sealed.is_not(None))
    found = {bytes(row.chain) for row in connection.execute(tail)}
    for participant in registry.participants:
        query = select(consents.c.chain).where(consents.c.recipient == participant)
        newest = query.order_by(consents.c.opened_at.desc()).limit(NEWEST_CONSENTS)
        found.update(bytes(row.chain) for row in connection.execute(newest))
    return found
