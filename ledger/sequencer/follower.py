"""Participants and keys as a process knows them that does not sequence: it reads them and never writes."""

from __future__ import annotations

import threading

from ledger.participants import Registry
from ledger.storage.log import LogStore
from ledger.storage.operator import advance_registry, operator_documents


class Follower:
    """A registry that is brought up to date by reading operator documents. Thread-safe."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._registry = Registry()

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last `refresh`."""
        return self._registry

    def refresh(self) -> None:
        """Read the documents that came since. Raises Unavailable when the database does not answer."""
        with self._lock, self._store.read() as connection:
            documents = operator_documents(connection, self._registry.size)
            if documents:
                self._registry = advance_registry(self._registry, documents, documents[-1][0] + 1)
