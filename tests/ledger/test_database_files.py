"""SQLite's files: nobody but SQLite opens them, their owner alone may read them, and a node from which they were taken notices
before it acknowledges."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from ledger.assembly import open_ledger
from ledger.engines.engine import make_private, reader_engine, writer_engine
from ledger.errors import InvalidInput, SequencerStopped, Unavailable
from ledger.storage.tables import entries
from ledger.vault.keystore import KeyStore
from tests.world import Node, item, running

OUTSIDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
database.close()
"""


def log_of(node: Node) -> Path:
    return Path(node.config.database_url.removeprefix("sqlite:///"))


def keys_of(node: Node) -> Path:
    return Path(node.config.keystore_url.removeprefix("sqlite:///"))


def wal(file: Path) -> Path:
    return file.with_name(file.name + "-wal")


def visit(file: Path) -> None:
    """Another process opens the database and closes it, as any command does."""
    subprocess.run([sys.executable, "-c", OUTSIDER, str(file)], check=True)


# -- nobody but SQLite opens them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [log_of, keys_of])
def test_the_last_visitor_leaves_the_write_ahead_log_however_many_engines_a_process_makes(
    sqlite_node: Node, which: Callable[[Node], Path]
) -> None:
    file = which(sqlite_node)
    sqlite_node.grant()
    before = wal(file).stat().st_ino
    make_private(f"sqlite:///{file}")  # as every new engine of a running server does
    for make in (writer_engine, reader_engine):
        make(f"sqlite:///{file}").dispose()
    visit(file)
    assert wal(file).stat().st_ino == before
    sqlite_node.grant()


# -- what was taken away is noticed -------------------------------------------------------------------------------------


def remove_wal(file: Path) -> None:
    wal(file).unlink()


def remove_both(file: Path) -> None:
    wal(file).unlink()
    file.unlink()


def exchange_database(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)


def exchange_wal(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(wal(file), copy)
    copy.replace(wal(file))


TAKEN = [remove_wal, remove_both, exchange_database, exchange_wal]


@pytest.mark.parametrize("take", TAKEN)
def test_a_node_whose_database_was_taken_away_acknowledges_nothing_and_says_why(
    sqlite_node: Node, take: Callable[[Path], None]
) -> None:
    consent_id = sqlite_node.grant()
    take(log_of(sqlite_node))
    with pytest.raises(SequencerStopped, match=r"ledger\.sqlite(-wal)? was (removed|exchanged).*SIGTERM"):
        sqlite_node.access(consent_id)
    assert "under a running node" in (sqlite_node.ledger.stopped_because or "")


@pytest.mark.parametrize("take", TAKEN)
def test_an_idle_node_notices_too(sqlite_node: Node, take: Callable[[Path], None]) -> None:
    take(log_of(sqlite_node))
    sqlite_node.ledger.sequencer.refresh().result(30)  # type: ignore[attr-defined]
    assert "under a running node" in (sqlite_node.ledger.stopped_because or "")


@pytest.mark.parametrize("take", TAKEN)
def test_no_body_is_sealed_under_a_key_that_was_written_into_a_removed_file(
    sqlite_node: Node, take: Callable[[Path], None]
) -> None:
    take(keys_of(sqlite_node))
    with pytest.raises(SequencerStopped, match="under a running node"):
        sqlite_node.grant()


def test_a_node_without_its_write_ahead_log_that_ends_in_order_leaves_all_it_acknowledged(
    sqlite_url: str, tmp_path: Path
) -> None:
    with running(sqlite_url, tmp_path) as node:
        consent_id = node.grant()
        acknowledged = [node.access(consent_id).index for _ in range(5)]
        remove_wal(log_of(node))
        with pytest.raises(Unavailable):
            node.access(consent_id)
        node.restart()  # its connections move what they hold into the database as they close
        with node.ledger.store.read() as connection:
            kept = set(connection.execute(entries.select().with_only_columns(entries.c.idx)).scalars())
        assert kept.issuperset(acknowledged)
        assert node.access(consent_id).index > max(acknowledged)


# -- durability is set in each transaction ------------------------------------------------------------------------------


def test_a_session_that_was_told_not_to_wait_for_the_disk_waits_for_it_all_the_same(node: Node) -> None:
    alone = open_ledger(node.config)  # not started: nobody else takes the connection that this test watches
    store, sqlite = alone.store, alone.engine_name == "sqlite"
    with store.batch() as transaction:
        lower = "PRAGMA synchronous=OFF" if sqlite else "SET SESSION synchronous_commit = off"
        told = transaction.connection.connection.driver_connection
        assert told is not None
        if not sqlite:
            told.execute(lower)
    if sqlite:
        told.execute(lower)  # SQLite takes it between two transactions only
    with store.batch() as transaction:
        assert transaction.connection.connection.driver_connection is told
        transaction.head()
        show = "PRAGMA synchronous" if sqlite else "SHOW synchronous_commit"
        assert transaction.connection.execute(text(show)).scalar_one() == (2 if sqlite else "on")
    alone.stop()


def test_keys_wait_for_the_disk_whatever_their_session_was_told(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledger.engines.engine import keystore_engine

    engine = keystore_engine(engine_url)
    keys = KeyStore(engine, b"k" * 32)
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        told = connection.connection.driver_connection
        assert told is not None
        told.execute("PRAGMA synchronous=OFF" if sqlite else "SET SESSION synchronous_commit = off")
        if not sqlite:
            told.commit()
    with keys._changing() as connection:
        assert connection.connection.driver_connection is told
        show = "PRAGMA synchronous" if sqlite else "SHOW synchronous_commit"
        assert connection.execute(text(show)).scalar_one() == (2 if sqlite else "on")
    keys.close()


# -- private ------------------------------------------------------------------------------------------------------------


def modes(file: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in file.parent.glob(f"{file.name}*")}


def test_every_file_of_a_database_is_its_owners_only_from_the_first_moment(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with running(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path) as node:
            found = modes(log_of(node)) | modes(keys_of(node))
    finally:
        os.umask(old)
    assert len(found) == 6
    assert set(found.values()) == {"0o600"}


def test_a_database_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE t (x)")
    for path in (file, *file.parent.glob(f"{file.name}-*")):
        path.chmod(0o644)
    make_private(f"sqlite:///{file}")
    assert set(modes(file).values()) == {"0o600"}
    database.close()


def test_a_new_database_leaves_no_other_file_behind_and_an_existing_one_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite"
    make_private(f"sqlite:///{file}")
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]
    file.write_bytes(b"something")
    make_private(f"sqlite:///{file}")
    assert file.read_bytes() == b"something"


def test_a_database_of_somebody_else_that_is_open_to_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "theirs.sqlite"
    file.touch()
    file.chmod(0o644)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)  # the system's answer to whoever is not the owner
    with pytest.raises(InvalidInput, match="chmod 600"):
        make_private(f"sqlite:///{file}")


def fill_the_disk(node: Node) -> None:
    """The next two transactions that could write find no room, as on a full disk; those after them have room again.

    Told by a listener, on the thread that writes: a transaction of the test's own may go through another connection. Two,
    since one of them may be the node's look at its log, which it takes once a second.
    """
    full: list[Connection] = []

    def fill(connection: Connection) -> None:
        if len(full) < 2:
            full.append(connection)
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    event.listen(node.ledger.store._writer, "begin", fill)


def test_the_log_names_what_the_disk_did(sqlite_node: Node, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")  # a command that ran in this process may have wanted less
    consent_id = sqlite_node.grant()
    fill_the_disk(sqlite_node)
    sqlite_node.ledger.submit_and_wait(sqlite_node.batch(*(item(consent_id) for _ in range(300))))
    assert "the disk is full (SQLITE_FULL)" in caplog.text
