"""Fixtures of the tests of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events.kit import Office, Receiver, receiving, running_office


@pytest.fixture
def office(engine_url: str, tmp_path: Path) -> Iterator[Office]:
    """On both engines."""
    with running_office(engine_url, tmp_path) as running:
        yield running


@pytest.fixture
def sqlite_office(sqlite_url: str, tmp_path: Path) -> Iterator[Office]:
    """On SQLite, for what no engine can change."""
    with running_office(sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A participant's endpoint."""
    with receiving() as running:
        yield running
