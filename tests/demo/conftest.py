"""One demo for all who only look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.running import RunningDemo, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo of the sample that has played and goes on serving."""
    with running_demo(tmp_path_factory.mktemp("doors")) as running:
        yield running
