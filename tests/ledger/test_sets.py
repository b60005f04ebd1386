"""A head log: what it takes about the logs of its set, and what a start of it reads (docs/spec/sets.md)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import update

from ledger.app import Ledger
from ledger.assembly import open_ledger
from ledger.canonical import b64u
from ledger.documents import LogKeyAdded, document_of, parse_document
from ledger.errors import Conflict, Corrupt, IllegalTransition, InvalidInput, NotFound, Refused
from ledger.merkle.hashing import leaf_hash
from ledger.notes.keys import Ed25519NoteSigner
from ledger.set_documents import HeadsCommitted, HolderPlaced, ShardAdded, ShardHead
from ledger.storage.operator import operator_documents
from ledger.storage.tables import entries
from tests.ledger.meddling import unguarded
from tests.world import ORIGIN, node_config, record_index_head, running_world

EAST, WEST, NORTH = "ledger.example/east", "ledger.example/west", "ledger.example/north"


def key_of(origin: str) -> str:
    """The log key of a shard in these tests."""
    return b64u(Ed25519NoteSigner(origin, os.urandom(32)).vkey.public_key)


def root(word: str) -> str:
    """Some root."""
    return b64u(hashlib.sha256(word.encode()).digest())


def commit(ledger: Ledger, *heads: tuple[str, int, str]) -> int:
    """Commit to heads (origin, size, root's word); the entry's index."""
    told = tuple(ShardHead(origin=origin, size=size, root=root(word)) for origin, size, word in heads)
    return ledger.record_documents(document_of(HeadsCommitted, heads=told))[0].index


def add(ledger: Ledger, *origins: str) -> None:
    """Add shards."""
    ledger.record_documents(*(document_of(ShardAdded, origin=origin, key=key_of(origin)) for origin in origins))


@pytest.fixture
def heads(engine_url: str, tmp_path: Path) -> Iterable[Ledger]:
    """A running log, once on each engine: the head log of two shards."""
    with running_world(engine_url, tmp_path) as world:
        add(world.ledger, EAST, WEST)
        yield world.ledger


def test_a_head_log_knows_its_shards_their_holders_and_their_newest_heads(heads: Ledger) -> None:
    heads.record_documents(document_of(HolderPlaced, holder="bank-a", origin=EAST))
    commit(heads, (EAST, 5, "five"), (WEST, 7, "seven"))
    last = commit(heads, (EAST, 9, "nine"))
    known = heads.registry.shards
    assert list(known.shards) == [EAST, WEST]
    east, west = (known.shards[origin].head for origin in (EAST, WEST))
    assert east is not None
    assert west is not None
    assert (east.size, b64u(east.root), east.index) == (9, root("nine"), last)
    assert (west.size, b64u(west.root), west.index) == (7, root("seven"), last - 1)
    assert {holder: home.origin for holder, home in known.holders.items()} == {"bank-a": EAST}


def test_a_head_log_refuses_what_cannot_be_true_of_a_set(heads: Ledger) -> None:
    heads.record_documents(document_of(HolderPlaced, holder="bank-a", origin=EAST))
    commit(heads, (EAST, 5, "five"))
    taken = b64u(heads.registry.shards.shards[EAST].vkey.public_key)
    documents = [
        (Conflict, document_of(ShardAdded, origin=EAST, key=key_of(EAST))),
        (Conflict, document_of(ShardAdded, origin=ORIGIN, key=key_of(ORIGIN))),
        (Conflict, document_of(ShardAdded, origin=NORTH, key=taken)),
        (InvalidInput, document_of(ShardAdded, origin=NORTH, key=b64u(bytes(32)))),
        (NotFound, document_of(HolderPlaced, holder="bank-b", origin=NORTH)),
        (Conflict, document_of(HolderPlaced, holder="bank-a", origin=WEST)),
        (NotFound, document_of(HeadsCommitted, heads=(ShardHead(origin=NORTH, size=1, root=root("one")),))),
        (IllegalTransition, document_of(HeadsCommitted, heads=(ShardHead(origin=EAST, size=4, root=root("four")),))),
        (IllegalTransition, document_of(HeadsCommitted, heads=(ShardHead(origin=EAST, size=5, root=root("another")),))),
    ]
    before = heads.registry.size
    for wanted, document in documents:
        with pytest.raises(wanted):
            heads.record_documents(document)
    assert heads.registry.size == before
    assert commit(heads, (EAST, 5, "five")) == before, "an unchanged head may be told again"


def test_a_key_that_the_head_log_names_as_its_own_is_no_shards_key(heads: Ledger) -> None:
    own, other = (b64u(Ed25519NoteSigner(ORIGIN, os.urandom(32)).vkey.public_key) for _ in range(2))
    present = b64u(heads.vkey.public_key)
    registry = heads.registry.after(LogKeyAdded(key=own, previous=present), heads.registry.size)
    for key in (own, present):
        with pytest.raises(Conflict, match="another log of the set has this key"):
            registry.after(ShardAdded(origin=NORTH, key=key), registry.size)
    assert NORTH in registry.after(ShardAdded(origin=NORTH, key=other), registry.size).shards.shards


@pytest.mark.parametrize(
    "origins",
    [(), (WEST, EAST), (EAST, EAST), tuple(f"ledger.example/{n}" for n in range(7))],
    ids=["none", "out of order", "twice", "seven"],
)
def test_heads_are_one_to_six_in_order_and_each_once(origins: tuple[str, ...]) -> None:
    told = [{"origin": origin, "size": 1, "root": root("one")} for origin in origins]
    with pytest.raises(InvalidInput, match="not acceptable"):
        parse_document({"type": "heads.committed", "v": 2, "heads": told})


def test_a_start_reads_the_newest_heads_and_not_those_of_years(engine_url: str, tmp_path: Path) -> None:
    with running_world(engine_url, tmp_path) as world:
        add(world.ledger, EAST, WEST)
        commit(world.ledger, (WEST, 1, "one"))
        for size in range(1, 40):
            commit(world.ledger, (EAST, size, f"at {size}"), (WEST, 1, "one"))
        for size in range(40, 50):
            commit(world.ledger, (EAST, size, f"at {size}"))
        known = world.ledger.registry
        with world.ledger.store.read() as connection:
            read = operator_documents(connection, 0)
    assert sum(said.says["type"] == "heads.committed" for said in read) == 11, "back to where WEST was named"
    again = open_ledger(node_config(engine_url, tmp_path))
    again.start()
    try:
        assert again.registry.shards == known.shards
        with pytest.raises(IllegalTransition):
            commit(again, (EAST, 48, "at 48"))
        commit(again, (EAST, 50, "at 50"))
    finally:
        again.stop()


@pytest.mark.parametrize("covered", [True, False], ids=["below an index-head", "above it"])
def test_a_changed_head_is_noticed_before_a_node_starts(engine_url: str, tmp_path: Path, covered: bool) -> None:
    with running_world(engine_url, tmp_path) as world:
        add(world.ledger, EAST)
        if not covered:
            record_index_head(world.ledger)
        index = commit(world.ledger, (EAST, 5, "five"))
        if covered:
            record_index_head(world.ledger)
    _exchange(engine_url, index)
    with pytest.raises((Corrupt, Refused)):
        _start(engine_url, tmp_path)


def _exchange(engine_url: str, index: int) -> None:
    """Another root in the row of that entry, as somebody with write access to the database would put it there."""
    with unguarded(engine_url) as connection:
        row = connection.execute(entries.select().where(entries.c.idx == index)).one()
        leaf = bytes(row.leaf).replace(root("five").encode(), root("four").encode())
        changed = update(entries).where(entries.c.idx == index)
        connection.execute(changed.values(leaf=leaf, leaf_hash=leaf_hash(leaf)))


def _start(engine_url: str, folder: Path) -> None:
    ledger = open_ledger(node_config(engine_url, folder))
    try:
        ledger.start()
    finally:
        ledger.stop()
