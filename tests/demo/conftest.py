"""One demo for all who only look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.running import RunningDemo, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """A demo that has played and goes on serving.

    Files come by their names: what is done in the last one, test_the_doors.py, changes what the others look at.
    """
    with running_demo(tmp_path_factory.mktemp("doors")) as running:
        yield running
