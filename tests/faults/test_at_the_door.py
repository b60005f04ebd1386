"""A hand in the database alone takes the last entries of a chain away, or exchanges what the operator recorded: the node does
not start over it, or stops before it decides by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from ledger.assembly import open_ledger
from ledger.entries.leaf import consent_chain, participant_chain
from ledger.errors import Corrupt, SequencerStopped
from ledger.merkle.hashing import leaf_hash
from ledger.storage.tables import access_legs, consents, entries
from tests.ledger.meddling import unguarded
from tests.world import BANK, FINTECH, Node, record_index_head, running


@pytest.fixture
def node(engine_url: str, tmp_path: Path) -> Iterator[Node]:
    with running(engine_url, tmp_path) as made:
        yield made


def row_of(node: Node, consent: str) -> dict[str, Any]:
    with node.ledger.store.read() as connection:
        row = connection.execute(select(consents).where(consents.c.chain == consent_chain(consent))).one()
    return dict(row._mapping)


def cut(connection: Connection, chain: bytes, last: int) -> None:
    """Take the last entries of a chain away, and whatever names them."""
    kept = connection.execute(select(func.max(entries.c.seq)).where(entries.c.chain == chain)).scalar_one() - last
    gone = select(entries.c.idx).where(entries.c.chain == chain, entries.c.seq > kept)
    indexes = connection.execute(gone).scalars().all()
    connection.execute(delete(access_legs).where(access_legs.c.idx.in_(indexes)))
    connection.execute(delete(entries).where(entries.c.idx.in_(indexes)))


def again(node: Node) -> None:
    """The same node after a restart, whatever comes of it."""
    node.ledger.stop()
    node.ledger = open_ledger(node.config, clock=node.clock)
    node.ledger.start()


def test_a_revocation_that_is_taken_away_with_its_row_stops_the_node_before_it_decides(node: Node) -> None:
    """The chain that is left is whole in itself, and the row is what it leads to: only the signed map knows better."""
    consent = node.grant()
    before = row_of(node, consent)
    node.revoke(consent)
    record_index_head(node.ledger)
    node.grant()
    with unguarded(node.config.database_url) as connection:
        cut(connection, consent_chain(consent), 1)
        connection.execute(update(consents).where(consents.c.chain == before["chain"]).values(before))
    again(node)
    with pytest.raises((Corrupt, SequencerStopped), match="lost its last entries"):
        node.access(consent)
    assert node.ledger.stopped_because is not None


def test_a_consent_that_is_taken_away_whole_is_not_one_that_nobody_asked_for(node: Node) -> None:
    consent = node.grant()
    record_index_head(node.ledger)
    with unguarded(node.config.database_url) as connection:
        cut(connection, consent_chain(consent), 2)
        connection.execute(delete(consents).where(consents.c.chain == consent_chain(consent)))
    again(node)
    with pytest.raises((Corrupt, SequencerStopped), match="lost its last entries"):
        node.access(consent)


def test_a_consent_whose_chain_is_whole_is_decided_after_a_restart(node: Node) -> None:
    consent, revoked = node.grant(), node.grant()
    node.revoke(revoked)
    record_index_head(node.ledger)
    node.access(consent)  # above the map
    again(node)
    assert node.access(consent).index == node.access(revoked).index - 1


def test_a_node_does_not_start_over_entries_that_are_missing_above_the_last_index_head(node: Node) -> None:
    consent = node.grant()
    record_index_head(node.ledger)
    before = row_of(node, consent)
    node.revoke(consent)
    node.grant()
    node.ledger.stop()
    with unguarded(node.config.database_url) as connection:
        cut(connection, consent_chain(consent), 1)
        connection.execute(update(consents).where(consents.c.chain == before["chain"]).values(before))
    with pytest.raises(Corrupt, match=r"1 entries from .* are missing"):
        again(node)


def exchanged(connection: Connection, chain: bytes, seq: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Another document in place of this one, with the hash that it has."""
    row = connection.execute(select(entries).where(entries.c.chain == chain, entries.c.seq == seq)).one()
    leaf = msgspec.json.decode(row.leaf)
    change(leaf["document"])
    raw = msgspec.json.encode(leaf, order="sorted")
    connection.execute(delete(entries).where(entries.c.idx == row.idx))
    connection.execute(insert(entries).values({**row._mapping, "leaf": raw, "leaf_hash": leaf_hash(raw)}))


def another_name(document: dict[str, Any]) -> None:
    document["name"] = "Another"


def another_key(document: dict[str, Any]) -> None:
    document["jwk"] = {**document["jwk"], "x": "A" * 42 + "E"}


@pytest.mark.parametrize("covered", [True, False])
@pytest.mark.parametrize("hurt", ["a document in the middle", "the last document", "the last document is gone"])
def test_a_node_does_not_start_over_an_operators_document_that_was_exchanged(
    hurt: str, covered: bool, node: Node
) -> None:
    """A key in place of another one would let somebody else sign for a participant."""
    if covered:
        record_index_head(node.ledger)
    chain = participant_chain(FINTECH)
    with unguarded(node.config.database_url) as connection:
        match hurt:
            case "a document in the middle":
                exchanged(connection, chain, 0, another_name)
            case "the last document":
                exchanged(connection, chain, 1, another_key)
            case _:
                cut(connection, chain, 1)
    with pytest.raises(Corrupt, match=r"was changed in the database|is not the one in the tree|lost its last|missing"):
        again(node)


def test_another_participants_documents_are_whole(node: Node) -> None:
    again(node)
    assert {BANK, FINTECH} <= node.ledger.registry.participants.keys()
