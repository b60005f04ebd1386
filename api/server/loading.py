"""Imports the modules of a process, fast.

Modules live as long as the process, so collecting garbage while importing them wastes time: about a fifth of a start.
Afterwards the collector leaves them alone, and processes forked from this one keep sharing their memory.
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
