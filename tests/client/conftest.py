"""A ledger on a real socket for the tests of the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.service import Service, running_service


@pytest.fixture
def service(engine_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(engine_url, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def sqlite_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder) as running:
        yield running
