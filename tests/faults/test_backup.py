"""Backup and restore as docs/operating.md tells it, with the engines' own tools: the whole goes on, the old is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url

from api.checking import Findings, examine
from ledger.app import Ledger
from ledger.assembly import open_ledger
from ledger.errors import NotFound, Rollback
from ledger.storage.tables import entries
from tests.engines import Server
from tests.verdicts import verdict
from tests.world import Node, running


def copy_sqlite(source: Path, target: Path) -> None:
    """`sqlite3 SOURCE "VACUUM INTO 'TARGET'"`: one consistent snapshot, beside running writers."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def put_back(copy: Path, target: Path) -> None:
    """The file, and no side files: a write-ahead log of another database must not be replayed into it."""
    for side in ("", "-wal", "-shm"):
        Path(f"{target}{side}").unlink(missing_ok=True)
    target.write_bytes(copy.read_bytes())


@dataclass(frozen=True)
class Tool:
    """How one engine's database is backed up and put back."""

    backup: Callable[[], None]
    restore: Callable[[], None]


def sqlite_tool(url: str, folder: Path) -> Tool:
    file, copy = Path(make_url(url).database or ""), folder / "backup.sqlite"
    return Tool(lambda: copy_sqlite(file, copy), lambda: put_back(copy, file))


def postgres_tool(url: str, server: Server) -> Tool:
    name = make_url(url).database or ""
    copy = server.folder / f"{name}.dump"
    at = ["-h", str(server.folder), "-p", str(server.port), "-U", "postgres"]

    def restore() -> None:
        with server.connect() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        server.run("pg_restore", *at, "--exit-on-error", "-d", name, str(copy))

    return Tool(lambda: server.run("pg_dump", *at, "--format=custom", "-f", str(copy), name), restore)


@pytest.fixture
def node(engine_url: str, tmp_path: Path) -> Iterator[Node]:
    with running(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite_node(sqlite_url: str, tmp_path: Path) -> Iterator[Node]:
    with running(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
def tool(engine_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Tool:
    if make_url(engine_url).get_backend_name() == "sqlite":
        return sqlite_tool(engine_url, tmp_path)
    return postgres_tool(engine_url, request.getfixturevalue("postgres_server"))


def checked(ledger: Ledger) -> Findings:
    return examine(ledger.store, ledger.keystore, ledger.vkey)


def test_a_backup_of_all_that_was_signed_is_restored_and_the_log_continues(
    node: Node, tool: Tool, tmp_path: Path
) -> None:
    consent_id = node.grant()
    before = node.access(consent_id)
    tool.backup()  # beside the running node
    node.ledger.stop()
    tool.restore()
    node.ledger = open_ledger(node.config, clock=node.clock)
    assert checked(node.ledger).defects == []
    node.ledger.start()
    after = node.access(consent_id)
    assert after.index == before.index + 1
    assert checked(node.ledger).defects == []
    said = verdict(node.ledger, tmp_path / "bundle")
    assert said.returncode == 0, said.stdout


def test_a_backup_older_than_what_was_signed_passes_the_check_and_is_refused_with_the_way_out(
    node: Node, tool: Tool
) -> None:
    consent_id = node.grant()
    tool.backup()
    node.access(consent_id)
    node.ledger.stop()
    tool.restore()
    node.ledger = open_ledger(node.config, clock=node.clock)
    assert checked(node.ledger).defects == [], "it is whole: only its age is wrong"
    with pytest.raises(Rollback) as refused:
        node.ledger.start()
    for told in ("has signed a checkpoint of", "participants' receipts", "docs/operating.md, «Rollback»"):
        assert told in str(refused.value)


def test_a_restored_database_refuses_changes_as_the_first_one_did(node: Node, tool: Tool) -> None:
    node.grant()
    tool.backup()
    node.ledger.stop()
    tool.restore()
    engine = create_engine(node.config.database_url)
    with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
        connection.execute(entries.delete())
    engine.dispose()


# -- the key store, which is backed up apart ------------------------------------------------------------------------------


def keys_of(node: Node) -> Path:
    return Path(make_url(node.config.keystore_url).database or "")


def chains_of(node: Node) -> list[bytes]:
    with closing(sqlite3.connect(keys_of(node))) as connection:
        return [chain for (chain,) in connection.execute("SELECT chain FROM data_keys")]


def test_a_key_store_older_than_an_erasure_is_erased_again_when_a_node_starts_on_it(
    sqlite_node: Node, tmp_path: Path
) -> None:
    node = sqlite_node
    node.grant()
    copy = tmp_path / "keys.backup"
    copy_sqlite(keys_of(node), copy)
    chains = chains_of(node)
    node.ledger.erase(chains, "gdpr-17", ("anna", "bert"))
    node.ledger.stop()
    put_back(copy, keys_of(node))
    node.ledger = open_ledger(node.config, clock=node.clock)
    assert node.ledger.keystore.existing(chains), "an old backup brings the keys back: hence its short retention"
    node.ledger.start()
    node.ledger.stop()
    node.ledger = open_ledger(node.config, clock=node.clock)
    for chain in chains:
        with pytest.raises(NotFound, match="destroyed"):
            node.ledger.keystore.cipher(chain)
    assert checked(node.ledger).defects == []


def test_a_key_store_older_than_the_log_leaves_newer_bodies_unreadable_and_the_check_says_so(
    sqlite_node: Node, tmp_path: Path
) -> None:
    node = sqlite_node
    node.grant()
    copy = tmp_path / "keys.backup"
    copy_sqlite(keys_of(node), copy)
    newer = node.grant()
    node.ledger.stop()
    put_back(copy, keys_of(node))
    node.ledger = open_ledger(node.config, clock=node.clock)
    found = checked(node.ledger)
    assert found.count
    assert all("bring a newer one back" in defect for defect in found.defects)
    assert newer not in " ".join(found.defects), "no identifier of a consent in what is told"


def test_a_log_restored_without_its_key_store_is_whole_and_opens_nothing(sqlite_node: Node, tmp_path: Path) -> None:
    node = sqlite_node
    node.grant()
    node.ledger.stop()
    lone = replace(node.config, keystore_url=f"sqlite:///{tmp_path / 'none.sqlite'}")
    ledger = open_ledger(lone, clock=node.clock)
    try:
        found = checked(ledger)
        assert (found.opened, found.erased) == (0, 0)
        assert found.count
        assert all("key store" in defect for defect in found.defects), "hashes, chains and tree need no key"
    finally:
        ledger.stop()
