"""Faults at the edge: an engine of the test's choosing, a lock in other hands, an owner's hand in the database, backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, insert, select, update

from ledger.app import Ledger
from ledger.assembly import NodeConfig, read_signer
from ledger.custody.log_key import LogKeyring
from ledger.engines.engine import keystore_engine, reader_engine, writer_engine
from ledger.highwater import HighWater
from ledger.secrets import read_secret
from ledger.sequencer.loop import Sequencer
from ledger.sequencer.watch import ClockWatch
from ledger.storage.log import LogStore
from ledger.storage.tables import checkpoints, consents, entries, log_head
from ledger.vault.keystore import KeyStore
from tests.clocks import HandClock


def assembled(config: NodeConfig, clock: HandClock, writer: Engine, watch: ClockWatch | None = None) -> Ledger:
    """A node whose writes go through `writer`, an engine with a fault of the test's choosing; not started."""
    signer = read_signer(config.log_key_file)
    keystore = KeyStore(keystore_engine(config.keystore_url), read_secret(config.kek_file), clock=clock)
    store = LogStore(writer, reader_engine(config.database_url), keystore)
    sequencer = Sequencer(store, LogKeyring(signer), HighWater(config.highwater_file, signer.vkey), clock, watch=watch)
    return Ledger(store, keystore, sequencer, signer.vkey)


@contextmanager
def lock_held(database_url: str) -> Iterator[None]:
    """The log's lock in other hands: whoever wants to write waits."""
    engine = writer_engine(database_url)
    try:
        with engine.begin() as connection:
            connection.execute(select(log_head).with_for_update()).one()
            yield
    finally:
        engine.dispose()


@contextmanager
def unguarded(database_url: str) -> Iterator[Connection]:
    """A transaction of someone who owns the database: the triggers are gone inside it."""
    engine = create_engine(database_url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                triggers = connection.exec_driver_sql(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
                ).all()
                for guard in triggers:
                    connection.exec_driver_sql(f'DROP TRIGGER "{guard.name}"')
                yield connection
                for guard in triggers:
                    connection.exec_driver_sql(guard.sql)
            else:
                guards = ("append_only", "no_truncate")
                tables = {
                    "entries": (*guards, "bodies_move"),
                    "tiles": guards,
                    "checkpoints": guards,
                    "log_head": (*guards, "grows"),
                    "body_volumes": ("append_only",),
                }
                for table in tables:
                    connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
                yield connection
                for table, names in tables.items():
                    for name in names:
                        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}")
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Backup:
    """The log as it was: enough to bring a database of fewer than 256 entries back to it."""

    url: str
    head: dict[str, Any]
    consents: list[dict[str, Any]]

    @classmethod
    def of(cls, url: str) -> Backup:
        engine = create_engine(url)
        with engine.connect() as connection:
            head = dict(connection.execute(select(log_head)).mappings().one())
            rows = [dict(row) for row in connection.execute(select(consents)).mappings()]
        engine.dispose()
        return cls(url, head, rows)

    def restore(self) -> None:
        size = self.head["size"]
        with unguarded(self.url) as connection:
            connection.execute(delete(entries).where(entries.c.idx >= size))
            connection.execute(delete(checkpoints).where(checkpoints.c.size > size))
            connection.execute(delete(consents))
            if self.consents:
                connection.execute(insert(consents), self.consents)
            connection.execute(update(log_head).values(**self.head))
