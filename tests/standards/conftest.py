"""Fixtures: one stage for the reading tests of a module, one for each test and engine where it matters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.office.configuration import HolderOptions
from tests.api.service import Service, running_service
from tests.standards.kit import Stage, stage


@pytest.fixture
def sqlite_service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """The running service on SQLite, without a gateway."""
    with running_service(sqlite_url, tmp_path / "state") as running:
        yield running


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """On SQLite, one for all tests of a module: each makes its own consents, and leaves participants as they are."""
    folder = tmp_path_factory.mktemp("stage")
    zones = {"bank-b": HolderOptions(zone="Europe/Berlin", signatures_required=True)}
    with stage(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state", holders=zones) as running:
        yield running


@pytest.fixture
def played_on_each_engine(engine_url: str, tmp_path: Path) -> Iterator[Stage]:
    """On SQLite and PostgreSQL."""
    with stage(engine_url, tmp_path / "state") as running:
        yield running
