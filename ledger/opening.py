"""Checks of the key store, before anybody reads a body (docs/operating.md, «The key store»).

The key store must be the log's own, as young as the log, and without the keys of what is on record as erased. A key
store restored from yesterday brings back what was erased since, and lacks the keys of later entries; another machine's
lacks all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from ledger.canonical import unb64u
from ledger.errors import Corrupt, Unavailable
from ledger.notes.checkpoint import Vkeys
from ledger.participants import Registry
from ledger.queries.newest import newest_chains
from ledger.queries.tree import visible_size
from ledger.storage.anchored import hold_documents
from ledger.storage.log import LogStore
from ledger.storage.naming import key_store_named, name_key_store
from ledger.storage.operator import operator_documents, registry_of_documents
from ledger.vault.keystore import KeyStore

log = logging.getLogger("ledger.opening")

AT_ONCE: Final = 500


def open_key_store(store: LogStore, keystore: KeyStore, *, whole: bool = True) -> frozenset[str]:
    """See to it that this key store may be used with this log; the chains (b64u) that are on record as erased, which it has no
    keys of any more. Without `whole`, a key store that lacks keys is let pass: for the check that names each.

    Raises Corrupt for another key store or one that is too old, Unavailable.
    """
    keystore.check_kek()
    with store.read() as connection:
        size = visible_size(connection) or 0
        registry = _registry(connection, size, whole=whole)
        newest = newest_chains(connection, registry, size)
        named = key_store_named(connection)
    _check_name(named, keystore)
    _destroy(keystore, registry)
    lacking = keystore.lacking(newest)
    if lacking and whole:
        raise Corrupt(
            f"the key store has no key for {len(lacking)} of the {len(newest)} chains that were used last: it is older than "
            "the log. Going on would make new keys for bodies that are there. Bring back the newest key store; see "
            "docs/operating.md, «The key store»"
        )
    if named is None and not lacking:
        _name(store, keystore)
    return registry.erased


def hold_to_signed(store: LogStore, vkeys: Callable[[], Vkeys]) -> None:
    """Hold what a start believes of the database against what the log has signed: the operator's documents, from which it
    takes keys and standings. `vkeys`: the log's, asked when the documents are known.

    Raises Corrupt, BadSignature, Unavailable.
    """
    with store.read() as connection:
        hold_documents(connection, vkeys)


def _registry(connection: Connection, size: int, *, whole: bool) -> Registry:
    try:
        return registry_of_documents(operator_documents(connection, 0), size)
    except Corrupt:
        if whole:
            raise
        return Registry()  # a document was changed: the check tells which, and opens bodies for nobody


def _check_name(named: bytes | None, keystore: KeyStore) -> None:
    if named is not None and named != keystore.identity():
        raise Corrupt(
            f"this key store ({keystore.identity().hex()[:8]}…) is not the one that belongs to the log "
            f"({named.hex()[:8]}…). Every node of a log uses one and the same: set CONSENT_LEDGER_KEYSTORE_URL to it, see "
            "docs/operating.md, «The key store»"
        )


def _name(store: LogStore, keystore: KeyStore) -> None:
    """A log that is older than this rule, or new, names the key store that has its keys."""
    try:
        with store.batch() as transaction:
            transaction.head()
            name_key_store(transaction.connection, keystore.identity())
    except Unavailable as error:  # a replica, which cannot be written: a node that records will do it
        log.info("the log does not name its key store yet: %s", error.detail)


def _destroy(keystore: KeyStore, registry: Registry) -> None:
    chains = [unb64u(name) for name in sorted(registry.erased)]
    for at in range(0, len(chains), AT_ONCE):
        portion = set(chains[at : at + AT_ONCE])
        if doomed := portion - keystore.destroyed(portion):
            try:
                keystore.destroy(doomed)
            except Unavailable as error:  # nobody can open with them any more; a node that records tries again
                if doomed - keystore.destroyed(doomed):
                    raise
                log.warning("destroying keys of erased chains: %s", error.detail)
