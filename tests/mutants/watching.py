"""Which lines of one module each test runs: a mutant of other lines is none of its business."""

from __future__ import annotations

import functools
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

CACHE = type(functools.lru_cache(int))


def caches() -> list[Any]:
    """The verifier's caches. What they kept of one test would hide from the next what a function does."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, CACHE)]
    return [cache for cache in found if cache.__module__.partition(".")[0] == "verifier"]


@contextmanager
def watched(origin: str) -> Iterator[set[int]]:
    """The lines of this file that are run inside. What other processes run is not seen."""
    lines: set[int] = set()

    def line(frame: FrameType, event: str, _: object) -> Any:
        lines.add(frame.f_lineno)
        return line

    def call(frame: FrameType, event: str, _: object) -> Any:
        return line(frame, event, None) if frame.f_code.co_filename == origin else None

    before = sys.gettrace()
    threading.settrace(call)
    sys.settrace(call)
    try:
        yield lines
    finally:
        sys.settrace(before)
        threading.settrace(before)
