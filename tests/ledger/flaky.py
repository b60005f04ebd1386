"""A node whose commits sometimes raise: before they are kept, or after."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
from sqlalchemy import Engine

from ledger.app import Ledger
from ledger.engines.engine import writer_engine
from tests.ledger.meddling import assembled
from tests.world import Node


class Flaky:
    """Commits that sometimes raise: before they are kept, or after."""

    def __init__(self, engine: Engine, error: Exception) -> None:
        self.outcomes: list[str] = []
        self._commit = engine.dialect.do_commit
        self._error = error
        engine.dialect.do_commit = self.commit  # type: ignore[method-assign]

    def commit(self, connection: Any) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else "kept and told"
        if outcome == "lost":
            raise self._error
        self._commit(connection)
        if outcome == "kept":
            raise self._error


def flaky_node(node: Node) -> tuple[Ledger, Flaky]:
    writer = writer_engine(node.config.database_url)
    sqlite = writer.dialect.name == "sqlite"
    error = sqlite3.OperationalError("injected") if sqlite else psycopg.OperationalError("injected")
    node.ledger.stop()
    node.ledger = assembled(node.config, node.clock, writer)
    flaky = Flaky(writer, error)
    node.ledger.start()
    return node.ledger, flaky
