"""Index-heads: when they come, what they commit, and what is never signed. On both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, update

import migrations
from ledger.app import Ledger
from ledger.documents import ParticipantSuspended, document_of
from ledger.errors import Corrupt, SequencerStopped
from ledger.planning.commands import RecordIndexHead
from ledger.sequencer.answers import Repeated
from ledger.storage.chainmap import rebuild_map
from ledger.storage.tables import map_pages, map_state
from tests.ledger.auditing import audit
from tests.world import Document, Node, record_index_head, running

SECOND = 1_000


def turn(ledger: Ledger) -> None:
    """Let the sequencer look whether an index-head is due, and wait until it has."""
    for _ in range(2):
        ledger.sequencer.refresh().result()


def index_heads(node: Node) -> list[Document]:
    return [leaf for leaf in audit(node.config.database_url, node.ledger) if leaf["kind"] == "index-head"]


def demand_right_maps(node: Node) -> int:
    """Replay the whole log, its maps too; how many index-heads it has."""
    return len(index_heads(node))


def test_an_index_head_commits_the_map_over_all_leaves_before_it(node: Node) -> None:
    consents = [node.grant() for _ in range(12)]
    first = record_index_head(node.ledger)
    for consent in consents[:5]:
        node.access(consent)
    second = record_index_head(node.ledger)
    assert (first.act, second.index) == ("index-head", first.index + 6)
    assert demand_right_maps(node) == 2


def test_nothing_is_recorded_when_nothing_was_added_since(node: Node) -> None:
    head = record_index_head(node.ledger)
    again = record_index_head(node.ledger)
    assert (again.index, again.repeated, again.leaf) == (head.index, True, head.leaf)
    assert node.ledger.submit_soon(RecordIndexHead()).result() == Repeated((head.index,))
    assert node.ledger.tree.size() == head.index + 1


def test_while_entries_come_there_is_one_each_interval_and_none_after_that(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        consent = node.grant()
        turn(node.ledger)
        assert index_heads(node) == []
        for _ in range(3):
            node.access(consent)
            node.clock.advance(seconds=0.5)
            node.access(consent)
            node.clock.advance(seconds=0.5)
            turn(node.ledger)
        assert [head["time"] - node.clock.now() for head in index_heads(node)] == [-2 * SECOND, -SECOND, 0]
        for _ in range(3):
            node.clock.advance(seconds=1)
            turn(node.ledger)
        assert demand_right_maps(node) == 3


def test_an_index_head_comes_although_the_clock_was_set_back(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        node.grant()
        node.clock.advance(seconds=-3600)
        turn(node.ledger)
        assert demand_right_maps(node) == 1


def test_of_two_nodes_on_one_database_one_writes_it(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        other = node.beside("other", index_interval_ms=SECOND)
        other.start()
        try:
            consent = node.grant()
            turn(other)  # has seen the entries, and leaves them to the node that wrote them
            for _ in range(4):
                node.clock.advance(seconds=1)
                turn(other)
                turn(node.ledger)
                turn(other)
            assert demand_right_maps(node) == 1
            node.access(consent)
            turn(other)
            node.clock.advance(seconds=2)  # and if that one does not: this one does
            turn(other)
            assert demand_right_maps(node) == 2
            other.record(node.bank.sign("consent.revoke", consent_id=consent, reason="as-asked", by="customer"))
            assert record_index_head(other).index == record_index_head(node.ledger).index
            assert demand_right_maps(node) == 3
        finally:
            other.stop()


def test_a_restart_continues_with_the_stored_map(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        consent = node.grant()
        record_index_head(node.ledger)
        node.access(consent)
        node.restart()
        node.clock.advance(seconds=1)
        turn(node.ledger)
        assert demand_right_maps(node) == 2


def test_a_log_that_is_older_than_its_map_catches_up_in_portions(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.sequencer.alone.PORTION", 10)
    with running(engine_url, tmp_path) as node:
        for _ in range(12):
            node.grant()
        store = node.ledger.store
        with store.batch() as transaction:
            assert transaction.map.advance(transaction.head().size, 7).size == 7
        head = record_index_head(node.ledger)
        assert demand_right_maps(node) == 1
        rebuild_map(node.config.database_url, portion=9)
        with store.batch() as transaction:
            assert transaction.map.state().head == head.index
            assert transaction.map.state().signed
        assert record_index_head(node.ledger).repeated


def test_an_upgrade_brings_the_map_of_an_older_log_up_to_it(node: Node) -> None:
    url = node.config.database_url
    for _ in range(5):
        node.grant()
    size = node.ledger.tree.size()
    node.ledger.stop()
    migrations.downgrade(url, "0003")
    migrations.upgrade(url)
    assert rebuild_map(url, afresh=False, portion=4) == size
    node.restart()
    head = record_index_head(node.ledger)
    assert (head.index, demand_right_maps(node)) == (size, 1)


def change_state(url: str, **values: object) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(map_state).values(**values))
    engine.dispose()


def test_over_a_changed_page_nothing_is_signed_and_a_rebuild_repairs_it(node: Node) -> None:
    for _ in range(12):
        node.grant()
    record_index_head(node.ledger)
    size = node.ledger.tree.size()
    engine = create_engine(node.config.database_url)
    with engine.begin() as connection:
        connection.execute(update(map_pages).values(page=b"\0" + bytes(72)))
    engine.dispose()
    node.ledger.record_documents(document_of(ParticipantSuspended, participant="fintech-c", reason="late"))
    with pytest.raises(SequencerStopped, match="rebuild-map"):
        record_index_head(node.ledger)
    assert node.ledger.tree.size() == size + 1
    rebuild_map(node.config.database_url)
    node.restart()
    record_index_head(node.ledger)
    assert demand_right_maps(node) == 2


def test_a_root_that_no_index_head_signs_is_refused_at_start_and_wherever_it_is_used(
    engine_url: str, tmp_path: Path
) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        node.grant()
        record_index_head(node.ledger)
        change_state(engine_url, root=b"r" * 32)
        beside = node.beside("second", index_interval_ms=SECOND)
        with pytest.raises(Corrupt, match="index-head 12 signs"):
            beside.start()
        beside.stop()
        with pytest.raises((Corrupt, SequencerStopped), match="rebuild-map"):
            node.grant()
        with pytest.raises(SequencerStopped, match="rebuild-map"):
            record_index_head(node.ledger)


def test_a_map_that_skipped_leaves_of_a_chain_is_refused(node: Node) -> None:
    consent = node.grant()
    record_index_head(node.ledger)
    node.access(consent)
    change_state(node.config.database_url, size=node.ledger.tree.size())
    node.access(consent)
    with pytest.raises(SequencerStopped, match="does not know all leaves"):
        record_index_head(node.ledger)


def test_a_map_ahead_of_the_log_is_refused_at_start(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, index_interval_ms=SECOND) as node:
        change_state(engine_url, size=1_000)
        beside = node.beside("second", index_interval_ms=SECOND)
        with pytest.raises(Corrupt, match="1000 leaves"):
            beside.start()
        beside.stop()


def test_a_missing_state_is_refused_and_made_again(node: Node) -> None:
    engine = create_engine(node.config.database_url)
    with engine.begin() as connection:
        connection.execute(delete(map_state))
    engine.dispose()
    rebuild_map(node.config.database_url)
    record_index_head(node.ledger)
    assert demand_right_maps(node) == 1
