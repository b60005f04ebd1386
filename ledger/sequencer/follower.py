"""Participants and keys as a process knows them that does not sequence: it reads them and never writes."""

from __future__ import annotations

import threading

from ledger.participants import Registry
from ledger.storage.log import LogStore
from ledger.storage.operator import advance_registry, leaf_hash_at, said_from
from ledger.vault.keystore import KeyStore


class Follower:
    """A registry that is brought up to date by reading documents and declarations. Thread-safe."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._store = store
        self._lock = threading.Lock()
        self._registry = Registry()
        self._last: tuple[int, bytes] | None = None

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last `refresh`."""
        return self._registry

    def refresh(self) -> None:
        """Read what was said since. Raises Unavailable when the database does not answer.

        What was read last may have been visible without being confirmed, and a failover takes it back: then all is read anew.
        """
        with self._lock, self._store.read() as connection:
            known = self._registry
            if self._last is not None and leaf_hash_at(connection, self._last[0]) != self._last[1]:
                known = Registry()
            said = said_from(connection, self._keystore, known.size)
            if said:
                at = said[-1].at
                self._last = (at, leaf_hash_at(connection, at) or b"")
                known = advance_registry(known, said, at + 1)
            self._registry = known
