"""Loading what a process consists of, fast.

What modules are made of is kept for good, so looking for garbage among it while it is being made is time for nothing: about
a fifth of a start. Afterwards the collector leaves it alone, and processes forked from this one go on sharing its memory.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
from multiprocessing import forkserver
from types import ModuleType


def load(name: str) -> ModuleType:
    """Import a module and all that it needs."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def begin_preloading() -> None:
    """Start, without waiting for it, the process that a node's processes are forked from (see `supervising`). Once: later calls
    find it there."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["api.server.preloaded"])
    forkserver.ensure_running()
