"""Nodes for the tests of the core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.supervised import Place, supervised
from tests.world import Node, running


@pytest.fixture
def node(engine_url: str, tmp_path: Path) -> Iterator[Node]:
    """A running log with four participants: once on each engine."""
    with running(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite_node(sqlite_url: str, tmp_path: Path) -> Iterator[Node]:
    """A running log with four participants on SQLite, where the engine does not matter."""
    with running(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Iterator[Place]:
    """A running log with a supervisor: once on each engine."""
    with supervised(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite_place(sqlite_url: str, tmp_path: Path) -> Iterator[Place]:
    """A running log with a supervisor on SQLite, where the engine does not matter."""
    with supervised(sqlite_url, tmp_path) as made:
        yield made
