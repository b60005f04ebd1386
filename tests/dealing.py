"""How files of tests are dealt out to the workers of pytest-xdist.

Long ones go first: at the end one worker would go through a long one while the others have nothing left. And files that look
at one demo go to one worker: each worker would play it anew.
"""

from __future__ import annotations

from collections import Counter

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/demo/",)
"""Folders whose files go to one worker, by their names."""


def share_of(nodeid: str) -> str:
    """What goes to one worker: the file of a test, or its folder."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


class Dealing(LoadFileScheduling):
    """A file to one worker, and some folders too."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


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
        """In workers only: first what has slow tests, then what has many."""
        if not hasattr(config, "workerinput"):
            return
        size = Counter(share_of(item.nodeid) for item in items)
        slow = {share_of(item.nodeid) for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: (share_of(item.nodeid) not in slow, -size[share_of(item.nodeid)]))
