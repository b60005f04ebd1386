"""A node for the tests of registers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import Node, running


@pytest.fixture
def node(engine_url: str, tmp_path: Path) -> Iterator[Node]:
    """A running log with four participants: once on each engine."""
    with running(engine_url, tmp_path) as made:
        yield made
