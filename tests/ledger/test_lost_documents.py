"""A node saw documents that were never confirmed, and a failover took them back: what it then knows is what the log holds.

Found by the simulator (seed 23737 of commit 07bb1d4): an erasure was acknowledged that no document told of, and its key was
gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import migrations
from ledger.app import Ledger
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger
from ledger.documents import key_added
from ledger.entries.leaf import consent_chain
from ledger.merkle.edge import Edge
from ledger.sequencer.follower import Follower
from ledger.sequencer.memory import Memory, registry_after
from ledger.storage.log import BatchTransaction, Head
from tests.keys import KeyPair
from tests.world import ORIGIN, World, node_config


@contextmanager
def node(config: NodeConfig, folder: Path) -> Iterator[Ledger]:
    """Another machine's node on the same log: a high-water file of its own."""
    folder.mkdir()
    ledger = open_ledger(replace(config, highwater_file=folder / "highwater"))
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.stop()


def copied(source: Path, target: Path) -> None:
    """The content of one database in another, page by page, under whoever has it open."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@dataclass
class Lost:
    """A log in which a document was visible and a failover took it back; another stands in its place."""

    ledger: Ledger
    follower: Follower
    seen: Memory
    """What a node remembers that saw the lost document, and whose own commit did not come back."""


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    path = tmp_path / "ledger.sqlite"
    config = node_config(f"sqlite:///{path}", tmp_path)
    make_keys(config, ORIGIN)
    migrations.upgrade(config.database_url)
    create_log(config)
    with node(config, tmp_path / "first") as first:
        World(first).holder("bank-a")
    copied(path, tmp_path / "before")
    with node(config, tmp_path / "second") as second:
        second.record_documents(key_added("bank-a", *_parts(KeyPair.generate("EdDSA", "lost"))))
        follower = Follower(second.store, second.keystore)
        follower.refresh()
        assert "lost" in follower.registry.keys
        with second.store.batch() as transaction:
            head = transaction.head()
        seen = Memory(Head(-1, 0, b"", b"", ""), Edge(), second.registry, (head.size, head.checkpoint))
    copied(tmp_path / "before", path)
    with node(config, tmp_path / "third") as third:
        third.record_documents(key_added("bank-a", *_parts(KeyPair.generate("EdDSA", "instead"))))
        yield Lost(third, follower, seen)


def _parts(key: KeyPair) -> tuple[str, str, str, dict[str, str]]:
    return key.kid, key.alg, "statement", key.jwk


def test_a_key_whose_document_was_lost_is_no_key_and_the_one_in_its_place_is(lost: Lost) -> None:
    with lost.ledger.store.batch() as transaction:
        size = transaction.head().size
        registry = registry_after(lost.seen, transaction, size)
        again = registry_after(Memory(transaction.head(), Edge(), registry, _seen(transaction)), transaction, size)
    for known in (registry, again):
        assert "lost" not in known.keys
        assert "instead" in known.keys
    assert again.keys is registry.keys, "in the log that it was read from, what is known is not read again"


def test_a_front_forgets_what_was_lost(lost: Lost) -> None:
    lost.follower.refresh()
    assert "lost" not in lost.follower.registry.keys
    assert "instead" in lost.follower.registry.keys


def test_an_erasure_that_is_on_record_and_confirmed_is_answered_without_another_document(lost: Lost) -> None:
    chain = consent_chain("a-consent-that-nobody-asked-for")
    assert [one.act for one in lost.ledger.erase([chain], "gdpr-17", ("anna", "bert"))] == ["erasure"]
    assert lost.ledger.erase([chain], "gdpr-17", ("anna", "bert")) == ()


def _seen(transaction: BatchTransaction) -> tuple[int, str]:
    head = transaction.head()
    return head.size, head.checkpoint
