"""Commits that fail or whose outcome is unknown, disks without room: no receipt, nothing lost, nothing twice."""

from __future__ import annotations

import random
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from ledger.engines.engine import writer_engine
from ledger.errors import (
    SequencerStopped,
    Unavailable,
)
from ledger.receipts import check_receipt, receipt_bytes
from tests.clocks import HandClock
from tests.engines import Server
from tests.ledger.auditing import audit
from tests.ledger.flaky import flaky_node
from tests.ledger.meddling import assembled
from tests.world import BANK, Node, found, item, node_config, registered, running


def _access(node: Node, consent_id: str) -> Any:
    return node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id)))


@pytest.mark.parametrize("seed", range(3))
def test_a_commit_whose_outcome_is_unknown_is_recorded_exactly_once(node: Node, seed: int) -> None:
    chance = random.Random(seed)
    consent_ids = [node.grant() for _ in range(3)]
    ledger, flaky = flaky_node(node)
    told = []
    for round_ in range(6):
        size = ledger.tree.size()
        flaky.outcomes = [chance.choice(["lost", "kept"]) for _ in range(chance.randrange(3))]
        if round_ % 3 == 2:
            recorded = ledger.record_documents(registered(f"extra-{round_}", "auditor"))
        else:
            recorded = ledger.submit_and_wait(node.batch(*(item(chance.choice(consent_ids)) for _ in range(3))))
        told += recorded
        assert ledger.tree.size() == size + len(recorded)
        assert flaky.outcomes == [] or "kept" not in flaky.outcomes
        flaky.outcomes = []
    for recorded in told:
        check_receipt(receipt_bytes(recorded), ledger.vkey)
    assert len({recorded.index for recorded in told}) == len(told)
    audit(node.config.database_url, ledger)


def test_a_lost_commit_is_given_up_in_the_end_and_may_be_submitted_again(node: Node) -> None:
    consent_id = node.grant()
    ledger, flaky = flaky_node(node)
    command = _access(node, consent_id)
    flaky.outcomes = ["lost"] * 4
    with pytest.raises(Unavailable, match="again is safe"):
        ledger.submit_and_wait(command)
    size = ledger.tree.size()
    (recorded,) = ledger.submit_and_wait(command)
    assert (recorded.index, recorded.repeated) == (size, False)
    flaky.outcomes = ["kept"] * 3
    assert ledger.submit_and_wait(_access(node, consent_id))
    assert ledger.figures.commit_failures >= 5
    audit(node.config.database_url, ledger)


def test_a_kept_commit_stands_under_the_high_water_before_its_receipt_leaves(node: Node) -> None:
    consent_id = node.grant()
    ledger, flaky = flaky_node(node)
    flaky.outcomes = ["kept"]
    (recorded,) = ledger.submit_and_wait(_access(node, consent_id))
    assert node.config.highwater_file.read_text() == recorded.checkpoint


@pytest.mark.postgres
def test_a_lost_connection_is_made_again(postgres_server: Server, postgres_url: str, tmp_path: Path) -> None:
    with running(postgres_url, tmp_path) as node:
        consent_id = node.grant()
        with postgres_server.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
        assert node.access(consent_id).outcome.decision == "allow"  # type: ignore[union-attr]
        assert node.ledger.stopped_because is None


def test_f04_a_full_disk_gives_no_receipt_and_is_survived(tmp_path: Path, sqlite_url: str) -> None:
    clock = HandClock()
    config = node_config(sqlite_url, tmp_path)
    found(config, clock)
    pages = [1_000_000]
    writer = writer_engine(sqlite_url)
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages[0]}"))
    node = Node(config, clock, assembled(config, clock, writer))
    node.ledger.start()
    try:
        node.ledger.record_documents(registered(BANK, "holder"), registered("fintech-b", "recipient"))
        node.ledger.record_documents(node.bank.key_added(), node.fintech.key_added())
        consent_id = node.grant()
        size = node.ledger.tree.size()
        pages[0] = 1  # SQLite takes it as «no page more than there are»
        command = node.batch(*(item(consent_id) for _ in range(200)))
        with pytest.raises(Unavailable):
            node.ledger.submit_and_wait(command)
        assert node.ledger.tree.size() == size
        assert node.ledger.stopped_because is None
        pages[0] = 1_000_000
        assert len(node.ledger.submit_and_wait(command)) == 200
        audit(sqlite_url, node.ledger)
    finally:
        node.ledger.stop()


def test_a_high_water_file_that_cannot_be_written_gives_no_receipt(sqlite_node: Node) -> None:
    node = sqlite_node
    consent_id = node.grant()
    partial = node.config.highwater_file.with_name("highwater.new")
    partial.mkdir()
    node.restart()  # the first record of a run puts the file in place anew
    command = _access(node, consent_id)
    with pytest.raises(SequencerStopped):
        node.ledger.submit_and_wait(command)
    assert node.ledger.stopped_because is not None
    partial.rmdir()
    node.restart()
    (recorded,) = node.ledger.submit_and_wait(command)
    assert recorded.repeated
    assert node.config.highwater_file.read_text() == recorded.checkpoint


def test_a_node_has_stopped_before_anybody_hears_of_it(sqlite_node: Node) -> None:
    node = sqlite_node
    command = _access(node, node.grant())
    node.config.highwater_file.with_name("highwater.new").mkdir()
    node.restart()  # the first record of a run puts the file in place anew
    heard: Future[tuple[object, str | None]] = Future()
    node.ledger.submit(command, lambda answer: heard.set_result((answer, node.ledger.stopped_because)))
    answer, stopped_because = heard.result(30)
    assert isinstance(answer, SequencerStopped)
    assert stopped_because is not None
