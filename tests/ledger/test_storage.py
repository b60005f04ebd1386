"""The database: its shape, its guards, and what is (not) written into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

import migrations
from ledger.assembly import open_ledger
from ledger.engines import sqlite
from ledger.engines.engine import driver_for, reader_engine
from ledger.errors import InvalidInput
from ledger.storage.tables import entries, metadata
from ledger.vault import keystore
from migrations import grants
from tests.engines import Server
from tests.ledger.auditing import audit
from tests.world import Node, item, node_config, running

LOG_TABLES = ("entries", "tiles", "checkpoints")


def tables_of(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_migrations_lead_to_the_tables_that_the_code_uses(engine_url: str) -> None:
    migrations.upgrade(engine_url)
    engine = create_engine(engine_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_an_empty_database_goes_up_down_and_up(engine_url: str) -> None:
    migrations.upgrade(engine_url)
    up = tables_of(engine_url)
    migrations.downgrade(engine_url, "base")
    assert tables_of(engine_url) == {"alembic_version"}
    migrations.upgrade(engine_url)
    assert tables_of(engine_url) == up


def test_a_log_with_entries_is_not_migrated_away(node: Node) -> None:
    with pytest.raises(RuntimeError, match="holds entries"):
        migrations.downgrade(node.config.database_url, "base")
    audit(node.config.database_url, node.ledger)


# -- A07: the log is append-only for everyone who comes by SQL ----------------------------------------------------------

ATTACKS = {
    "update": "UPDATE {table} SET {column} = {column}",
    "update of one column": "UPDATE {table} SET {column} = NULL",
    "delete": "DELETE FROM {table}",
}
COLUMNS = {"entries": "leaf", "tiles": "content", "checkpoints": "note"}


@pytest.fixture
def full_node(node: Node) -> Iterator[Node]:
    """A node whose log fills a tile, so that every table holds rows."""
    consent_id = node.grant()
    node.ledger.submit_and_wait(node.batch(*(item(consent_id) for _ in range(260))))
    yield node
    audit(node.config.database_url, node.ledger)


def attack(url: str, *statements: str) -> None:
    """Run SQL as a plain client of the database would: default settings, all rights. It must be refused."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            *before, last = statements
            for statement in before:
                connection.exec_driver_sql(statement)
            with pytest.raises(DBAPIError):
                connection.exec_driver_sql(last)
            connection.rollback()
    finally:
        engine.dispose()


@pytest.mark.parametrize("name", ATTACKS)
def test_a07_rows_of_the_log_are_neither_changed_nor_deleted(full_node: Node, name: str) -> None:
    for table in LOG_TABLES:
        attack(full_node.config.database_url, ATTACKS[name].format(table=table, column=COLUMNS[table]))


def test_a07_rows_of_the_log_are_not_replaced(full_node: Node) -> None:
    url = full_node.config.database_url
    copies = {table: f"SELECT * FROM {table}" for table in (*LOG_TABLES, "log_head")}
    for table, copy in copies.items():
        if url.startswith("sqlite"):
            attack(url, f"INSERT OR REPLACE INTO {table} {copy}")
            attack(url, f"REPLACE INTO {table} {copy}")
            attack(url, f"INSERT INTO {table} {copy}")
        else:
            key = {"entries": "idx", "tiles": "level, number", "checkpoints": "size", "log_head": "id"}[table]
            column = COLUMNS.get(table, "size")
            change = f"{column} = EXCLUDED.{column}" if table != "log_head" else "size = 0"
            attack(url, f"INSERT INTO {table} {copy} ON CONFLICT ({key}) DO UPDATE SET {change}")
            attack(url, f"INSERT INTO {table} {copy}")
    if url.startswith("sqlite"):
        attack(
            url,
            "INSERT INTO entries SELECT * FROM entries WHERE true ON CONFLICT (idx) DO UPDATE SET leaf = excluded.leaf",
        )


def test_a07_the_head_is_not_deleted_and_does_not_shrink(full_node: Node) -> None:
    attack(full_node.config.database_url, "DELETE FROM log_head")
    attack(full_node.config.database_url, "UPDATE log_head SET size = size - 1")


@pytest.mark.postgres
def test_a07_neither_truncate_nor_replica_mode_gets_around_the_guards(postgres_url: str, tmp_path: Path) -> None:
    with running(postgres_url, tmp_path) as node:
        for table in (*LOG_TABLES, "log_head"):
            attack(postgres_url, f"TRUNCATE {table}")
            attack(postgres_url, "SET session_replication_role = replica", f"TRUNCATE {table}")
        for table, column in (("entries", "leaf"), ("checkpoints", "note")):
            attack(postgres_url, "SET session_replication_role = replica", f"DELETE FROM {table}")
            attack(postgres_url, "SET session_replication_role = replica", f"UPDATE {table} SET {column} = {column}")
        attack(postgres_url, "SET session_replication_role = replica", "DELETE FROM log_head")
        attack(postgres_url, "SET session_replication_role = replica", "UPDATE log_head SET size = 0")
        audit(postgres_url, node.ledger)


def test_readers_cannot_write(node: Node) -> None:
    engine = reader_engine(node.config.database_url)
    for statement in ("DELETE FROM consents", "UPDATE log_head SET time = 0", "CREATE TABLE more (x INTEGER)"):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_reader_sees_one_state_of_the_log(node: Node) -> None:
    consent_id = node.grant()
    with node.ledger.store.read() as connection:
        before = _count(connection)
        node.access(consent_id)
        assert _count(connection) == before
    with node.ledger.store.read() as connection:
        assert _count(connection) == before + 1


def _count(connection: Connection) -> int:
    return len(connection.execute(select(entries.c.idx)).all())


@pytest.mark.postgres
def test_each_session_of_postgresql_waits_for_its_disk(postgres_url: str, tmp_path: Path) -> None:
    with running(postgres_url, tmp_path) as node, node.ledger.store.read() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_sqlite_waits_for_its_disk(sqlite_node: Node) -> None:
    with sqlite_node.ledger.store.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("synchronous", "journal_mode")
        }
    assert settings == {"synchronous": 2, "journal_mode": "wal"}


@pytest.mark.parametrize("rest", [sqlite.WAL_REST, 0], ids=["little is left", "at its limit"])
def test_the_write_ahead_log_of_sqlite_does_not_grow_for_ever_while_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: int
) -> None:
    for name, value in {"WAL_PAGES": 256, "WAL_REST": rest, "WAL_LIMIT": 512}.items():
        monkeypatch.setattr(sqlite, name, value)
    database = tmp_path / "busy.sqlite"
    written = database.with_name(database.name + "-wal")
    with running(f"sqlite:///{database}", tmp_path, max_batch=1) as node:
        access = item(node.grant())
        anew = 0
        for _ in range(6):
            said = [node.ledger.prepare(node.fintech.sign("access.request", **access)) for _ in range(500)]
            answers = [node.ledger.submit_soon(command) for command in said]  # 500 commits, one right after the other
            answers[0].result()
            first = times_begun(written)
            while not answers[-1].done():
                node.ledger.store.checkpoint_wal()
            assert all(answer.result() for answer in answers)
            anew += times_begun(written) - first
            if anew >= 12:  # by chance, in a moment in which nobody writes, it would be one in 500
                return
    pytest.fail(f"it began anew {anew} times only")


def times_begun(written: Path) -> int:
    """How often a write-ahead log began anew: a counter in its header (SQLite's file format, 4.1)."""
    with written.open("rb") as file:
        return int.from_bytes(file.read(16)[12:])


def test_other_engines_are_refused() -> None:
    class Fake:
        class dialect:  # noqa: N801
            name = "mysql"

    with pytest.raises(InvalidInput, match="mysql"):
        driver_for(Fake())  # type: ignore[arg-type]


# -- the role that the service logs in as -------------------------------------------------------------------------------


@pytest.mark.postgres
def test_the_services_role_lives_a_whole_consent_and_can_do_no_more(
    postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    role = "Ledger app"
    with running(postgres_url, tmp_path) as node:
        with postgres_server.connect() as admin:
            name = sql.Identifier(role)
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        try:
            for _ in range(2):
                migrations.grant(postgres_url, role)
            node.ledger.stop()
            node.config = node_config(postgres_url.replace("postgres@", "Ledger%20app@", 1), tmp_path)
            node.ledger = open_ledger(node.config, clock=node.clock)
            node.ledger.start()
            consent_id = node.grant()
            node.ledger.submit_and_wait(node.batch(*(item(consent_id) for _ in range(260))))
            node.revoke(consent_id)
            assert node.access(consent_id).outcome.reasons == ("CONSENT_REVOKED",)  # type: ignore[union-attr]
            for table in LOG_TABLES:
                for statement in (
                    f"UPDATE {table} SET {COLUMNS[table]} = {COLUMNS[table]}",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                    f"SELECT * FROM {table} FOR UPDATE",
                    f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                    f"DROP TABLE {table}",
                ):
                    denied(node.config.database_url, statement)
            for statement in (
                "DELETE FROM log_head",
                "TRUNCATE log_head",
                "DELETE FROM consents",
                "CREATE TABLE public.more (x int)",
                "SET session_replication_role = replica",
            ):
                denied(node.config.database_url, statement)
            audit(node.config.database_url, node.ledger)
        finally:
            node.ledger.stop()
            with postgres_server.connect(postgres_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]) as admin:
                admin.execute(sql.SQL("DROP OWNED BY {}").format(name))
                admin.execute(sql.SQL("DROP ROLE {}").format(name))


def denied(url: str, statement: str) -> None:
    engine = create_engine(url)
    try:
        with pytest.raises(DBAPIError) as refusal, engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege), statement
    finally:
        engine.dispose()


def test_every_table_has_its_rights() -> None:
    read = [name for name in grants.READ if name != "alembic_version"]
    written = (*grants.APPENDED, *grants.MOVED, *grants.FORGOTTEN, *grants.REBUILT)
    assert sorted((*written, *read)) == sorted(metadata.tables)
    assert sorted(name for _, names in grants.KEY_STORE for name in names) == sorted(keystore.metadata.tables)


def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    migrations.upgrade(sqlite_url)
    with pytest.raises(InvalidInput, match="no roles"):
        migrations.grant(sqlite_url, "anyone")
