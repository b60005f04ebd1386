"""Participants and keys as a process knows them that does not sequence: it reads them and never writes."""

from __future__ import annotations

import threading

from ledger.participants import Registry
from ledger.storage.log import LogStore
from ledger.storage.operator import advance_registry, said_from
from ledger.vault.keystore import KeyStore


class Follower:
    """A registry that is brought up to date by reading documents and declarations. Thread-safe."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._store = store
        self._lock = threading.Lock()
        self._registry = Registry()

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last `refresh`."""
        return self._registry

    def refresh(self) -> None:
        """Read what was said since. Raises Unavailable when the database does not answer."""
        with self._lock, self._store.read() as connection:
            said = said_from(connection, self._keystore, self._registry.size)
            if said:
                self._registry = advance_registry(self._registry, said, said[-1].at + 1)
