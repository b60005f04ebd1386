"""What leaves a node is confirmed: a size that only a crash made visible is shown to nobody (docs/spec/log.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, update

from ledger.app import Ledger
from ledger.assembly import open_ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.errors import InvalidInput, LedgerError, NotFound, Unavailable
from ledger.notes.checkpoint import open_checkpoint
from ledger.queries.events import EventQueries
from ledger.queries.overview import OverviewQueries
from ledger.storage.tables import log_head
from tests.world import BANK, FINTECH, Node


def recovered(node: Node, confirmed: int) -> Ledger:
    """A node that only reads, on a database whose last commits nobody has confirmed: so it looks after a crash."""
    node.ledger.stop()
    engine = create_engine(node.config.database_url)
    with engine.begin() as connection:
        connection.execute(update(log_head).values(confirmed=confirmed))
    engine.dispose()
    return open_ledger(node.config, clock=node.clock)


def size_of(ledger: Ledger) -> int:
    return open_checkpoint(ledger.tree.checkpoint(), ledger.vkey).size


def test_a_commit_that_nobody_confirmed_leaves_by_no_door(node: Node, tmp_path: Path) -> None:
    consent_id = node.grant()
    before = node.access(consent_id)
    size = size_of(node.ledger)
    last = node.access(consent_id)
    reader = recovered(node, size)
    tree, records, width = reader.tree, reader.records, size % 256
    doors: list[Callable[[], object]] = [
        lambda: tree.tile(0, 0, width + 1),
        lambda: tree.entry_bundle(0, width + 1),
        lambda: tree.inclusion(last.index, size + 1),
        lambda: tree.consistency(size, size + 1),
        lambda: records.recorded([last.index]),
        lambda: records.receipt_for(FINTECH, last.index),
        lambda: OverviewQueries(reader.store).checkpoint_of(size + 1),
        lambda: export_bundle(
            reader.store,
            reader.keystore,
            reader.vkey,
            DirectoryTarget(tmp_path / "b"),
            disclose=Disclose.none(),
            size=size + 1,
        ),
    ]
    try:
        assert (size_of(reader), tree.size()) == (size, size)
        assert len(tree.tile(0, 0, width)) == width * 32
        for door in doors:
            with pytest.raises(LedgerError):
                door()
        # Another node may have acknowledged it: who comes from there asks again, and is not told that it is not there.
        for door in doors[:6]:
            with pytest.raises(Unavailable, match="ask again"):
                door()
        [proved, nothing] = records.proved_for([(FINTECH, last.index), (FINTECH, last.index + 1)])
        assert isinstance(proved, Unavailable)
        assert isinstance(nothing, NotFound)
        for door in (
            lambda: tree.tile(0, 0, width + 2),
            lambda: tree.consistency(size, size + 2),
            lambda: records.receipt_for(FINTECH, last.index + 1),
        ):
            with pytest.raises((NotFound, InvalidInput)):
                door()
        assert [entry.index for entry in records.history(BANK, consent_id)][-1] == before.index
        assert EventQueries(reader.store, reader.keystore).position()[1] == size
        assert max(found for found, _ in OverviewQueries(reader.store).checkpoints()) == size
    finally:
        reader.stop()


def test_a_node_that_starts_confirms_what_is_there_and_then_shows_it(node: Node) -> None:
    last = node.access(node.grant())
    newest = size_of(node.ledger)
    reader = recovered(node, newest - 1)
    reader.stop()
    node.ledger = open_ledger(node.config, clock=node.clock)
    node.ledger.start()
    assert size_of(node.ledger) >= newest
    assert node.ledger.records.receipt_for(FINTECH, last.index).index == last.index


def test_a_log_without_a_confirmed_size_is_not_shown(node: Node) -> None:
    reader = recovered(node, 0)
    try:
        with pytest.raises(Unavailable, match="confirmed"):
            reader.tree.checkpoint()
    finally:
        reader.stop()


def test_a_node_that_stops_leaves_word_for_those_who_only_read(node: Node) -> None:
    last = node.access(node.grant())
    node.ledger.stop()
    reader = open_ledger(node.config, clock=node.clock)
    try:
        assert reader.records.receipt_for(FINTECH, last.index).index == last.index
    finally:
        reader.stop()
