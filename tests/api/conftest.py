"""Fixtures of the HTTP tests: one service per test, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.service import Service, running_service


@pytest.fixture
def service(engine_url: str, tmp_path: Path) -> Iterator[Service]:
    """The running service on both engines."""
    with running_service(engine_url, tmp_path / "state") as running:
        yield running


@pytest.fixture
def sqlite_service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The running service on SQLite, for what no engine can change."""
    with running_service(sqlite_url, tmp_path / "state") as running:
        yield running
