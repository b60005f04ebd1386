"""One site for all tests of a module that only read; `site` for those that change what others see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.consoles import Consoles, open_consoles
from tests.web.site import Site, open_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of its own."""
    with open_site(tmp_path / "site") as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site for the module."""
    with open_site(tmp_path_factory.mktemp("web") / "site") as opened:
        yield opened


@pytest.fixture(scope="module")
def consoles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consoles]:
    """A site with staff and a history, for the module."""
    with open_consoles(tmp_path_factory.mktemp("consoles") / "site") as opened:
        yield opened
