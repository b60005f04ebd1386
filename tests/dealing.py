"""How files of tests are dealt out to the workers of pytest-xdist.

Long ones go first: at the end one worker would go through a long one while the others have nothing left. And files that look
at one demo go to one worker: each worker would play it anew.
"""

from __future__ import annotations

from collections import Counter

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/demo/",)
"""Folders whose files go to one worker."""


class Dealing(LoadFileScheduling):
    """A file to one worker, and some folders too."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


class Dealer:
    """The hooks, for `--dist loadfile`."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: object) -> Dealing | None:
        if config.getoption("dist") != "loadfile":
            return None
        config.option.loadscopereorder = False  # they come in order already
        return Dealing(config, log)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """In workers only: files with slow tests first, then those with many."""
        if not hasattr(config, "workerinput"):
            return
        size = Counter(item.path for item in items)
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (item.path not in slow, -size[item.path]))
