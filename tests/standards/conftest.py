"""Fixtures of the standards' tests: the running service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.service import Service, running_service


@pytest.fixture
def sqlite_service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The running service on SQLite."""
    with running_service(sqlite_url, tmp_path / "state") as running:
        yield running
