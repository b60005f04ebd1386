"""What the log names of its own keys, for whoever only reads it."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from ledger.canonical import b64u
from ledger.documents import parse_document
from ledger.errors import Corrupt, Refused
from ledger.log_keys import LogKeyDocument, LogKeys
from ledger.notes.keys import VerifierKey
from ledger.queries.tree import TreeQueries, head_of
from ledger.storage.log import LogStore
from ledger.storage.operator import operator_documents, registry_of_documents


def read_log_keys(store: LogStore) -> LogKeys:
    """From the operator documents; nothing where one was changed, which the check of the database tells. Raises Unavailable."""
    try:
        with store.read() as connection:
            return registry_of_documents(operator_documents(connection, 0), 0).log_keys
    except (Corrupt, Refused):
        return LogKeys()


def log_keys_now(store: LogStore, known: LogKeys, size: int) -> LogKeys:
    """`known`, as of `size` entries, with what is confirmed since: whoever has just seen a checkpoint under a new key is told
    of that key, though this node may not have taken note of it yet. Raises Corrupt, Unavailable."""
    with store.read() as connection:
        return log_keys_since(connection, known, size)


def log_keys_since(connection: Connection, known: LogKeys, size: int) -> LogKeys:
    """The same, as of the head of this snapshot. Raises NotFound before the log is opened, Corrupt, Unavailable."""
    confirmed, _ = head_of(connection)
    for record in operator_documents(connection, size):
        document = parse_document(record.says)
        if isinstance(document, LogKeyDocument) and record.at < confirmed:
            known = known.after(document, record.at)
    return known


def keys_file(store: LogStore, keys: LogKeys, own: VerifierKey) -> bytes:
    """What is handed out as `log/keys`: JSON (docs/spec/log.md, «The log's keys»). `own`: the key that no document names."""
    bounds = {one.key: (one.first, one.last) for one in keys.known}
    said = []
    for vkey in keys.vkeys(own.name) or (own,):
        first, last = bounds.get(vkey.public_key, (0, None))
        said.append({"vkey": vkey.format(), "first": first, "last": last})
    leaves = sorted(TreeQueries(store).leaves(keys.told_at).items())
    documents = [{"index": index, "leaf": b64u(leaf)} for index, leaf in leaves]
    return msgspec.json.encode({"keys": said, "documents": documents})
