"""Where the demo shows what it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.demo.story import Tick
from api.demo.words import Says


class Stage:
    """Where the demo shows what it does, in one language: bars while it works, and the time each act took."""

    def __init__(self, console: Console, say: Says) -> None:
        self.console = console
        self.say = say
        self.seconds = 0.0

    @contextmanager
    def act(self, name: str, total: int | None = None) -> Iterator[Tick]:
        """A bar for one act (`act.<name>` of the words); call what it gives for every step."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<46}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        started = time.perf_counter()
        with Progress(*columns, console=self.console, transient=False) as progress:
            bar = progress.add_task(self.say(f"act.{name}"), total=total or 1)
            yield lambda: progress.advance(bar)
            progress.update(bar, completed=total or 1)
        self.seconds = time.perf_counter() - started
