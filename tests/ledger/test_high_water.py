"""A database that goes back, or becomes another: the node that signed for it does not sign again (F02)."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ledger.assembly import create_log, open_ledger
from ledger.errors import Corrupt, LedgerError, Rollback, SequencerStopped
from ledger.highwater import HighWater
from ledger.notes.checkpoint import sign_checkpoint
from ledger.notes.keys import Ed25519NoteSigner
from ledger.queries.tree import visible_size
from tests.ledger.auditing import audit
from tests.ledger.meddling import Backup
from tests.world import Node, item, new_consent_id

SIGNER = Ed25519NoteSigner("ledger.example/1", b"k" * 32)


def refused(node: Node, kind: type[LedgerError], saying: str) -> None:
    ledger = open_ledger(node.config, clock=node.clock)
    try:
        with pytest.raises(kind, match=saying):
            ledger.start()
    finally:
        ledger.stop()


def test_a_database_of_yesterday_is_refused_at_start(node: Node) -> None:
    node.grant()
    yesterday = Backup.of(node.config.database_url)
    node.grant()
    node.ledger.stop()
    yesterday.restore()
    refused(node, Rollback, "has signed a checkpoint of")
    assert node.ledger.stopped_because is not None


def test_a_database_that_goes_back_under_a_running_node_stops_it(node: Node) -> None:
    consent_id = node.grant()
    yesterday = Backup.of(node.config.database_url)
    node.access(consent_id)
    yesterday.restore()
    with pytest.raises(SequencerStopped, match="rolled back"):
        node.access(consent_id)
    assert "Rollback" in (node.ledger.stopped_because or "")
    with pytest.raises(SequencerStopped):
        node.revoke(consent_id)


@pytest.mark.parametrize("more", [0, 1])
def test_another_history_of_the_same_or_a_larger_size_is_refused(node: Node, more: int) -> None:
    consent_id = node.grant()
    fork = Backup.of(node.config.database_url)
    node.access(consent_id)
    fork.restore()
    rival = node.beside("rival")
    rival.start()
    for _ in range(1 + more):
        rival.record(node.fintech.sign("access.request", **item(consent_id)))
    rival.stop()
    # Whoever looks first, the node's housekeeping before the rival has written or this access after it, stops the node.
    with pytest.raises(SequencerStopped, match=r"another history|rolled back"):
        node.access(consent_id)
    refused(node, Rollback, "history differs")


def test_a_node_that_continues_its_own_history_starts(node: Node) -> None:
    consent_id = node.grant()
    node.restart()
    other = node.beside("other")
    other.start()
    other.record(node.bank.sign("consent.revoke", consent_id=consent_id, reason="r", by="customer"))
    other.stop()
    assert node.access(consent_id).outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
    node.restart()
    audit(node.config.database_url, node.ledger)


def test_the_file_follows_what_other_nodes_recorded(node: Node) -> None:
    consent_id = node.grant()
    other = node.beside("other")
    other.start()
    note = other.record(node.bank.sign("consent.revoke", consent_id=consent_id, reason="r", by="customer"))[
        0
    ].checkpoint
    other.stop()
    with pytest.raises(LedgerError):
        node.revoke(new_consent_id())  # refused, but the node has looked at the head
    assert node.config.highwater_file.read_text() == note


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\x00", b"ledger.example/1\n5\n", b"\r\n"])
def test_a_damaged_file_is_named_with_what_to_do(sqlite_node: Node, damage: bytes) -> None:
    node = sqlite_node
    node.ledger.stop()
    good = node.config.highwater_file.read_bytes()
    node.config.highwater_file.write_bytes(good.replace(b"\n", b"\r\n") if damage == b"\r\n" else damage)
    refused(node, Corrupt, str(node.config.highwater_file))
    node.config.highwater_file.write_bytes(good)
    node.restart()


def test_the_file_of_another_log_is_refused(tmp_path: Path) -> None:
    other = Ed25519NoteSigner("other.example/1", b"o" * 32)
    path = tmp_path / "highwater"
    HighWater(path, other.vkey).record(sign_checkpoint("other.example/1", 7, b"r" * 32, other))
    with pytest.raises(Corrupt, match="another log"):
        HighWater(path, SIGNER.vkey).read()


def test_a_node_that_has_never_signed_takes_any_database(tmp_path: Path) -> None:
    water = HighWater(tmp_path / "highwater", SIGNER.vkey)
    assert water.read() is None
    water.check(water.read(), 0, None)
    water.sync()


def test_a_forged_checkpoint_in_the_database_is_not_a_proof_of_history(tmp_path: Path) -> None:
    water = HighWater(tmp_path / "highwater", SIGNER.vkey)
    note = sign_checkpoint("ledger.example/1", 7, b"r" * 32, SIGNER)
    water.record(note)
    water.check(water.read(), 7, note)
    water.check(water.read(), 9, note)
    for size, at in ((6, None), (7, None), (9, None), (9, sign_checkpoint("ledger.example/1", 7, b"s" * 32, SIGNER))):
        with pytest.raises(Rollback):
            water.check(water.read(), size, at)


def test_a_new_log_is_not_begun_where_this_node_has_signed(sqlite_node: Node) -> None:
    sqlite_node.ledger.stop()
    with pytest.raises(Corrupt, match="second"):
        create_log(sqlite_node.config, clock=sqlite_node.clock)


def test_a_disk_that_does_not_force_the_file_is_told_and_the_node_ends_in_order(
    sqlite_node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing acknowledged hangs on it; a node that broke off here would leave its databases open, and a traceback."""
    ledger = sqlite_node.ledger
    consent_id = sqlite_node.grant()

    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fails)
    ledger.stop()
    assert [
        record.getMessage() for record in caplog.records if "could not be forced to disk (EIO)" in record.getMessage()
    ]
    with pytest.raises(SequencerStopped, match="shutting down"):
        sqlite_node.access(consent_id)
    monkeypatch.undo()
    sqlite_node.restart()
    sqlite_node.access(consent_id)


def test_a_high_water_file_read_while_its_process_writes_is_not_a_rollback(node: Node) -> None:
    """A second process starts: it reads the file, then the database, and the first one signs meanwhile."""
    consent_id = node.grant()
    water = HighWater(node.config.highwater_file, node.ledger.vkey)
    recorded = water.read()
    with node.ledger.store.read() as connection:
        size = visible_size(connection) or 0  # as a start looks at it: nothing of what is signed may be missing
    assert recorded is not None
    with node.ledger.store.batch() as transaction:
        note_at = transaction.note_at(recorded[0].size)
    node.access(consent_id)
    water.check(recorded, size, note_at)


def test_a_file_that_is_being_written_over_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "highwater"
    note = sign_checkpoint(SIGNER.vkey.name, 7, b"r" * 32, SIGNER)
    HighWater(path, SIGNER.vkey).record(note)
    half = [note.encode()[:20] + b"?" * 30]
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: half.pop() if half and self == path else read(self))
    recorded = HighWater(path, SIGNER.vkey).read()
    assert recorded is not None
    assert recorded[0].size == 7
