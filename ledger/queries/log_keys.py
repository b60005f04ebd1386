"""What the log names of its own keys, for whoever only reads it."""

from __future__ import annotations

from ledger.errors import Corrupt, Refused
from ledger.log_keys import LogKeys
from ledger.storage.log import LogStore
from ledger.storage.operator import operator_documents, registry_of_documents


def read_log_keys(store: LogStore) -> LogKeys:
    """From the operator documents; nothing where one was changed, which the check of the database tells. Raises Unavailable."""
    try:
        with store.read() as connection:
            return registry_of_documents(operator_documents(connection, 0), 0).log_keys
    except (Corrupt, Refused):
        return LogKeys()
