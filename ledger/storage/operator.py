"""Operator documents as they are stored, and the registry that they lead to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from ledger.documents import parse_document
from ledger.entries.leaf import Kind, OperatorLeaf, parse_leaf
from ledger.errors import BadEncoding, Corrupt
from ledger.merkle.hashing import leaf_hash
from ledger.participants import Registry
from ledger.storage.rows import AFTER_CHANGE
from ledger.storage.tables import entries


def operator_documents(connection: Connection, index: int) -> list[tuple[int, dict[str, Any]]]:
    """Operator documents at `index` and above as (index, document), in order. Raises Corrupt for a leaf that was changed."""
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash)
    query = query.where(entries.c.kind == Kind.OPERATOR.value, entries.c.idx >= index)
    return [(row.idx, _document_of(row)) for row in connection.execute(query.order_by(entries.c.idx))]


def _document_of(row: Any) -> dict[str, Any]:
    try:
        leaf = parse_leaf(row.leaf)
    except (BadEncoding, TypeError):
        leaf = None
    if not isinstance(leaf, OperatorLeaf) or leaf.index != row.idx or leaf_hash(row.leaf) != row.leaf_hash:
        raise Corrupt(
            f"entry {row.idx} was changed in the database: it is not an operator document, or another. {AFTER_CHANGE}"
        )
    return leaf.document


def advance_registry(registry: Registry, documents: Iterable[tuple[int, dict[str, Any]]], size: int) -> Registry:
    """The registry after these documents, as of `size` leaves."""
    for index, document in documents:
        registry = registry.after(parse_document(document), index)
    return replace(registry, size=size)
