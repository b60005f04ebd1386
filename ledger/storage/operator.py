"""Operator documents and participants' declarations as they are stored, and the registry that they lead to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, select

from ledger.canonical import unb64u
from ledger.documents import parse_document
from ledger.entries.declarations import Declaration
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import Kind, OperatorLeaf, heads_chain, ledger_chain, parse_leaf, reports_chain
from ledger.entries.payload import acting_for
from ledger.errors import BadEncoding, Corrupt
from ledger.merkle.hashing import leaf_hash
from ledger.participants import Registry
from ledger.set_documents import HeadsCommitted, ShardAdded
from ledger.storage.rows import AFTER_CHANGE
from ledger.storage.standing import open_entry, recorded_payload, time_of
from ledger.storage.tables import entries
from ledger.vault.keystore import KeyStore, no_key

T = TypeVar("T", dict[str, Any], Declaration)
_DOCUMENTS: Final = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(
    entries.c.kind == Kind.OPERATOR.value
)
_FEW: Final = 64
"""Rows that are fetched at once where a few are probably enough."""
_REST_ON_DECLARATIONS: Final = frozenset({"attestation.approved"})
_DECLARATIONS: Final = select(entries).where(entries.c.kind == Kind.PARTICIPANT.value)


class OnRecord(NamedTuple, Generic[T]):
    """A document of the operator as it is recorded, or a declaration of a participant.

    `at`: its index; `time` in milliseconds.
    """

    at: int
    time: int
    says: T


def operator_documents(connection: Connection, index: int) -> list[OnRecord[dict[str, Any]]]:
    """Operator documents at `index` and above, in order. From the beginning of a head log they would be one each second for
    years: of those that commit to heads, the newest of each shard say all that counts, and the others are left out.

    Raises Corrupt for a leaf that was changed.
    """
    wanted = _DOCUMENTS.where(entries.c.idx >= index).order_by(entries.c.idx)
    if index:
        return [said_in_row(row) for row in connection.execute(wanted)]
    others = [said_in_row(row) for row in connection.execute(wanted.where(entries.c.chain != heads_chain()))]
    added = (parse_document(said.says) for said in others if said.says["type"] == "shard.added")
    shards = {document.origin for document in added if isinstance(document, ShardAdded)}
    return sorted([*others, *_newest_heads(connection, shards)], key=lambda said: said.at)


def _newest_heads(connection: Connection, shards: set[str]) -> list[OnRecord[dict[str, Any]]]:
    """Documents that commit to heads, back to where each of these shards (origins) has been named."""
    found: list[OnRecord[dict[str, Any]]] = []
    if not shards:
        return found
    newest_first = _DOCUMENTS.where(entries.c.chain == heads_chain()).order_by(entries.c.seq.desc())
    with connection.execute(newest_first.execution_options(yield_per=_FEW)) as rows:
        for row in rows:
            found.append(said_in_row(row))
            document = parse_document(found[-1].says)
            if isinstance(document, HeadsCommitted):
                shards = shards - {head.origin for head in document.heads}
            if not shards:
                break
    return found


def reports_on_record(connection: Connection) -> list[OnRecord[dict[str, Any]]]:
    """Definitions of reports and their issues, in order. Raises Corrupt for a leaf that was changed."""
    rows = connection.execute(_DOCUMENTS.where(entries.c.chain == reports_chain()).order_by(entries.c.seq))
    return [OnRecord(row.idx, (leaf := _leaf_of(row)).time, leaf.document) for row in rows]


def erased_on_record(connection: Connection) -> frozenset[bytes]:
    """Chains that an erasure on record names, though their keys may live on for a moment: the key goes after the record.
    Raises Corrupt for a leaf that was changed."""
    rows = connection.execute(_DOCUMENTS.where(entries.c.chain == ledger_chain()))
    said = (_leaf_of(row).document for row in rows)
    return frozenset(unb64u(name) for one in said if one["type"] == "erasure" for name in one["chains"])


def said_from(connection: Connection, keystore: KeyStore, index: int) -> list[OnRecord[Any]]:
    """Documents and declarations at `index` and above, in order. Raises Corrupt, Unavailable."""
    rows = connection.execute(_DECLARATIONS.where(entries.c.idx >= index).order_by(entries.c.idx)).all()
    documents = operator_documents(connection, index)
    if not rows:
        return [*documents]
    ciphers = keystore.existing({row.chain for row in rows})
    if lost := {row.chain for row in rows} - ciphers.keys():
        raise no_key(len(lost))  # declarations are never erased
    declared: list[OnRecord[Any]] = [_declaration(row, ciphers[row.chain]) for row in rows]
    return sorted([*documents, *declared], key=lambda said: said.at)


def _declaration(row: Any, cipher: Any) -> OnRecord[Declaration]:
    says: Any = recorded_payload(decode_evidence(open_entry(row, cipher)[0]))
    return OnRecord(row.idx, time_of(row), says)


def leaf_hash_at(connection: Connection, index: int) -> bytes | None:
    """The leaf hash of the entry at `index`, by which a reader knows whether the log is still the one that it read; None if
    there is no such entry."""
    query = select(entries.c.leaf_hash).where(entries.c.idx == index)
    found: bytes | None = connection.execute(query).scalar_one_or_none()
    return found


def said_in_row(row: Any) -> OnRecord[dict[str, Any]]:
    """A stored operator leaf. Raises Corrupt for one that was changed."""
    leaf = _leaf_of(row)
    return OnRecord(row.idx, leaf.time, leaf.document)


def document_of_row(row: Any) -> dict[str, Any]:
    """The document of a stored operator leaf. Raises Corrupt for one that was changed."""
    return _leaf_of(row).document


def _leaf_of(row: Any) -> OperatorLeaf:
    try:
        leaf = parse_leaf(row.leaf)
    except (BadEncoding, TypeError):
        leaf = None
    if not isinstance(leaf, OperatorLeaf) or leaf.index != row.idx or leaf_hash(row.leaf) != row.leaf_hash:
        raise Corrupt(
            f"entry {row.idx} was changed in the database: it is not an operator document, or another. {AFTER_CHANGE}"
        )
    return leaf


def registry_of_documents(said: Iterable[OnRecord[dict[str, Any]]], size: int) -> Registry:
    """The registry that documents alone lead to, for whoever cannot read declarations yet: keys, erasures, the ruleset. What
    rests on a declaration is passed over."""
    return advance_registry(Registry(), [one for one in said if one.says["type"] not in _REST_ON_DECLARATIONS], size)


def advance_registry(registry: Registry, said: Iterable[OnRecord[Any]], size: int) -> Registry:
    """The registry after these documents and declarations, as of `size` leaves."""
    for index, time, says in said:
        if isinstance(says, dict):
            registry = registry.after(parse_document(says), index, time)
        else:
            registry = registry.after_declaration(acting_for(says.iss, says.on_behalf_of), says, index, time)
    return replace(registry, size=size)
