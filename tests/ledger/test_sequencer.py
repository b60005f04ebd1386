"""Writing to a real database: order, repeats, crowds, lost answers, back-pressure, clocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

import migrations
from ledger.assembly import create_log, make_keys, open_ledger, read_signer
from ledger.errors import (
    BadSignature,
    BadStatement,
    Conflict,
    Corrupt,
    IllegalTransition,
    InvalidInput,
    JtiReused,
    LedgerError,
    NotFound,
    QueueFull,
    SequencerStopped,
    Unavailable,
)
from ledger.merkle.edge import Edge
from ledger.notes.checkpoint import sign_checkpoint
from ledger.planning.commands import RecordDocuments
from ledger.receipts import check_receipt, receipt_bytes
from ledger.storage.tables import checkpoints, entries, log_head
from tests.clocks import NOW
from tests.ledger.auditing import audit
from tests.ledger.meddling import lock_held, unguarded
from tests.world import BANK, Node, about, item, new_consent_id, node_config, registered, running


def test_an_acknowledged_entry_is_included_and_signed(node: Node) -> None:
    consent_id = node.request()
    pair = node.authorise(consent_id)
    batch = node.ledger.submit_and_wait(node.batch(*(item(consent_id) for _ in range(5))))
    for recorded in (*pair, *batch, node.revoke(consent_id)):
        for disclose in (True, False):
            receipt, leaf = check_receipt(receipt_bytes(recorded, disclose=disclose), node.ledger.vkey)
            assert leaf.index == recorded.index
            assert (isinstance(receipt.evidence, str), isinstance(receipt.opening, str)) == (disclose, disclose)
    assert [recorded.index for recorded in batch] == list(range(batch[0].index, batch[0].index + 5))
    assert len(audit(node.config.database_url, node.ledger)) == node.ledger.tree.size()


def test_a01_a_repeat_gets_the_first_receipt_byte_for_byte(node: Node) -> None:
    consent_id = node.request()
    commands = [node.authorisation(consent_id), node.batch(*(item(consent_id) for _ in range(3)))]
    commands.append(node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id))))
    first = [node.ledger.submit_and_wait(command) for command in commands]
    node.revoke(consent_id)
    size = node.ledger.tree.size()
    for _ in range(2):
        for command, before in zip(commands, first, strict=True):
            again = node.ledger.submit_and_wait(command)
            assert [receipt_bytes(each) for each in again] == [receipt_bytes(each) for each in before]
            assert [(each.act, each.consent_id, each.outcome, each.time) for each in again] == [
                (each.act, each.consent_id, each.outcome, each.time) for each in before
            ]
            assert all(each.repeated for each in again)
        node.restart()
    assert node.ledger.tree.size() == size


def test_a02_the_same_jti_for_other_bytes_is_refused_and_counted(node: Node) -> None:
    jti = "AAAAAAAAAAAAAAAAAAAAAA"
    node.fintech.record("access.request", **item(new_consent_id()), jti=jti)
    with pytest.raises(JtiReused):
        node.fintech.record("access.request", **item(new_consent_id()), jti=jti)
    assert node.ledger.figures.jti_reused == 1


def test_a_consent_lives_its_life_across_restarts(node: Node) -> None:
    consent_id = node.grant(frequency_per_day=2)
    assert node.access(consent_id).outcome.decision == "allow"  # type: ignore[union-attr]
    node.restart()
    node.step("consent.pause", consent_id)
    assert node.access(consent_id).outcome.reasons == ("CONSENT_PAUSED",)  # type: ignore[union-attr]
    node.restart()
    node.step("consent.resume", consent_id)
    node.access(consent_id)
    assert node.access(consent_id).outcome.reasons == ("FREQUENCY_EXCEEDED",)  # type: ignore[union-attr]
    node.clock.advance(seconds=86_400)
    assert node.access(consent_id).outcome.decision == "allow"  # type: ignore[union-attr]
    audit(node.config.database_url, node.ledger)


def test_an_expiry_is_recorded_once_its_time_has_come(node: Node) -> None:
    consent_id = node.grant(expires_at=NOW // 1000 + 60)
    with pytest.raises(IllegalTransition):
        node.ledger.record_expiry(consent_id)
    node.clock.advance(seconds=60)
    assert node.access(consent_id).outcome.reasons == ("CONSENT_EXPIRED",)  # type: ignore[union-attr]
    assert node.ledger.record_expiry(consent_id).outcome.status == "EXPIRED"  # type: ignore[union-attr]


def test_a_crowd_is_answered_each_with_its_own_entry(node: Node) -> None:
    consent_id = node.grant()
    said = [node.fintech.sign("access.request", **item(consent_id)) for _ in range(60)]
    with ThreadPoolExecutor(8) as crowd:
        told = list(crowd.map(lambda text: node.ledger.record(text)[0], said * 2))
    assert [a.index for a in told[:60]] == [b.index for b in told[60:]]
    assert len({recorded.index for recorded in told}) == 60
    for text, recorded in zip(said, told, strict=False):
        assert text.encode() in (recorded.evidence or b"")
        check_receipt(receipt_bytes(recorded), node.ledger.vkey)
    audit(node.config.database_url, node.ledger)


def test_f03_several_sequencers_on_one_database_make_one_dense_log(node: Node) -> None:
    others = [node.beside(str(number)) for number in range(2)]
    for other in others:
        other.start()
    ledgers = [node.ledger, *others]
    consent_ids = [node.grant() for _ in range(3)]
    said = [node.fintech.sign("access.request", **item(consent_ids[n % 3])) for n in range(45)]
    revocation = node.bank.sign("consent.revoke", consent_id=consent_ids[0], reason="r", by="customer")
    said.insert(20, revocation)
    try:
        with ThreadPoolExecutor(6) as crowd:
            told = list(crowd.map(lambda pair: ledgers[pair[0] % 3].record(pair[1])[0], enumerate(said)))
        again = [other.record(text)[0] for other, text in zip(others * 30, said, strict=False)]
    finally:
        for other in others:
            other.stop()
    assert [receipt_bytes(recorded) for recorded in again] == [receipt_bytes(recorded) for recorded in told]
    assert len({recorded.index for recorded in told}) == len(said)
    revoked = told[20].index
    for recorded in told:
        if recorded.consent_id == consent_ids[0] and recorded.act == "access.request":
            assert (recorded.outcome.decision == "allow") == (recorded.index < revoked)  # type: ignore[union-attr]
    audit(node.config.database_url, node.ledger)


def test_a_node_learns_of_keys_that_another_recorded(node: Node) -> None:
    other = node.beside("other")
    other.start()
    try:
        late = node.party(BANK, "late")
        node.ledger.record_documents(late.key_added())
        with pytest.raises(NotFound):  # whatever is submitted makes a node look at the head
            other.record_expiry(new_consent_id())
        other.prepare(late.sign("subject.consent", consent_id=new_consent_id(), subject="s" * 22))
    finally:
        other.stop()


def test_refusals_reach_their_submitter_and_stop_nobody(node: Node) -> None:
    consent_id = node.grant()
    refusals: list[tuple[type[LedgerError], Callable[[], object]]] = [
        (NotFound, lambda: node.revoke(new_consent_id())),
        (Conflict, lambda: node.request(consent_id)),
        (IllegalTransition, lambda: node.step("consent.resume", consent_id)),
        (BadStatement, lambda: node.ledger.record(node.bank.sign("consent.authorise"))),
        (InvalidInput, lambda: node.ledger.record_documents({"type": "nonsense"})),
        (InvalidInput, lambda: node.ledger.record_documents({"type": "nonsense", "x": object()})),
        (InvalidInput, node.ledger.record_documents),
        (InvalidInput, lambda: node.ledger.record_documents({**registered("x-1", "auditor"), "name": "🏦" * 200})),
        (Conflict, lambda: node.ledger.record_documents(registered(BANK, "holder"))),
        (BadSignature, lambda: node.ledger.record("YWJj.YWJj.YWJj")),
    ]
    for kind, act in refusals:
        with pytest.raises(kind):
            act()
    assert node.ledger.stopped_because is None
    node.access(consent_id)


def test_a_client_that_gave_up_stops_nobody(node: Node) -> None:
    consent_id = node.grant()
    with lock_held(node.config.database_url):
        given_up = node.ledger.submit_soon(node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id))))
        assert given_up.cancel()
    node.access(consent_id)
    assert node.ledger.stopped_because is None


def test_more_than_may_wait_is_pushed_back_and_the_rest_is_answered(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path, max_waiting=3, max_batch=2) as node:
        consent_id = node.grant()
        with lock_held(engine_url):
            waiting: list[Future[Any]] = []
            with pytest.raises(QueueFull):
                _submit_many(node, consent_id, waiting)
        indexes = [future.result(20)[0].index for future in waiting]  # type: ignore[index]
        assert indexes == sorted(indexes)
        assert node.ledger.figures.pushed_back >= 1


def _submit_many(node: Node, consent_id: str, waiting: list[Future[Any]]) -> None:
    while len(waiting) < 50:
        waiting.append(node.ledger.submit_soon(_access(node, consent_id)))


def _access(node: Node, consent_id: str) -> Any:
    return node.ledger.prepare(node.fintech.sign("access.request", **item(consent_id)))


def test_stopping_finishes_what_waits_and_refuses_what_comes_later(node: Node) -> None:
    consent_id = node.grant()
    stopping = threading.Thread(target=node.ledger.stop)
    with lock_held(node.config.database_url):
        waiting = [node.ledger.submit_soon(_access(node, consent_id)) for _ in range(5)]
        late = _access(node, consent_id)
        stopping.start()
        while node.ledger.stopped_because is None:
            pass
        with pytest.raises(SequencerStopped):
            node.ledger.submit_soon(late)
    stopping.join(20)
    assert all(future.result(0) for future in waiting)


def test_a_node_halted_before_it_has_started_never_writes_and_says_why(sqlite_node: Node) -> None:
    consent_id = sqlite_node.grant()
    other = sqlite_node.beside("halted")
    other.halt("a witness has seen another history")
    other.start()
    try:
        assert other.stopped_because == "a witness has seen another history"
        statement = sqlite_node.fintech.sign("access.request", **item(consent_id))
        with pytest.raises(SequencerStopped, match="another history"):
            other.submit_and_wait(other.prepare(statement))
    finally:
        other.stop()


def test_every_submission_in_a_race_with_stop_gets_an_answer(sqlite_node: Node) -> None:
    node = sqlite_node
    commands = [_access(node, new_consent_id()) for _ in range(200)]
    futures = []

    def submit() -> None:
        for command in commands:
            try:
                futures.append(node.ledger.submit_soon(command))
            except SequencerStopped:
                return

    racing = threading.Thread(target=submit)
    racing.start()
    while len(futures) < 20:
        pass
    node.ledger.stop()
    racing.join(20)
    for future in futures:
        assert future.exception(5) is None or isinstance(future.exception(), SequencerStopped)


def test_f05_a_clock_that_steps_back_does_not_turn_the_log_back(node: Node) -> None:
    consent_id = node.grant()
    before = node.access(consent_id).time
    node.clock.advance(seconds=-200)
    assert node.access(consent_id).time == before
    assert node.ledger.figures.clock_behind_ms == 200_000
    node.clock.advance(seconds=201)
    assert node.access(consent_id).time == before + 1_000
    assert node.ledger.figures.clock_behind_ms == 0
    audit(node.config.database_url, node.ledger)


def test_a_log_is_opened_once(node: Node) -> None:
    with pytest.raises(Corrupt, match="second history"):
        create_log(node.config, clock=node.clock)
    node.config.highwater_file.unlink()
    with pytest.raises(Conflict, match="already"):
        create_log(node.config, clock=node.clock)


def test_a_database_without_a_log_is_not_written_to(engine_url: str, tmp_path: Path) -> None:
    config = node_config(engine_url, tmp_path)
    make_keys(config, "other.example/1")
    migrations.upgrade(engine_url)
    ledger = open_ledger(config)
    with pytest.raises(Unavailable, match="init"):
        ledger.start()
    with pytest.raises(SequencerStopped):
        ledger.submit_soon(RecordDocuments((about("participant.suspended", BANK, reason="x"),)))
    ledger.stop()


def test_a_key_of_another_log_does_not_sign_here(node: Node, tmp_path: Path) -> None:
    other = replace(
        node.config, log_key_file=tmp_path / "other.key", kek_file=tmp_path / "other.kek", highwater_file=tmp_path / "h"
    )
    make_keys(other, "other.example/1")
    ledger = open_ledger(replace(other, kek_file=node.config.kek_file))
    with pytest.raises(LedgerError):
        ledger.start()
    ledger.stop()


def test_an_opening_that_crashed_half_way_is_finished(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path) as node:
        node.ledger.stop()
        with unguarded(engine_url) as connection:
            connection.execute(delete(entries))
            connection.execute(delete(checkpoints))
            empty = Edge()
            signer = read_signer(node.config.log_key_file)
            note = sign_checkpoint(signer.vkey.name, 0, empty.root(), signer)
            connection.execute(
                update(log_head).values(size=0, time=0, last_hash=bytes(32), edge=empty.to_bytes(), checkpoint=note)
            )
        node.config.highwater_file.unlink()
        create_log(node.config, clock=node.clock)
        node.restart()
        assert node.ledger.tree.size() == 1
        audit(engine_url, node.ledger)
