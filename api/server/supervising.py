"""Keeping processes running: one that ends is started again, and all end together, in an order, within a time.

It waits for the processes themselves (their sentinels) and asks them nothing: a process that is killed while it starts
is seen at once, and a signal to end never waits for a timeout. Processes are forked from one that has imported
everything and done nothing else: to start one anew costs a tenth of a second, not the two that importing takes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import structlog

log = structlog.get_logger("api.server.supervising")

RESTART_SECONDS: Final = 1.0
"""From one start of a process to the next: one that cannot start must not spin, and one that ran until now starts at once."""
FAILED: Final = 1
"""Exit code of a process that an error ended, rather than a signal."""
LONGEST_RESTART_SECONDS: Final = 30.0
"""One that ends again and again, each time soon, is waited for twice as long each time, up to this."""
_CONTEXT: Final = multiprocessing.get_context("forkserver")


@dataclass
class KeptProcess:
    """One process to be kept running. `target` and `arguments` must be picklable."""

    name: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    process: BaseProcess = field(init=False)
    started: float = field(init=False, default=0.0)
    pause: float = field(init=False, default=RESTART_SECONDS)
    due: float = field(init=False, default=0.0)
    """When it is to be started again (monotonic seconds); 0 while it runs."""

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = _CONTEXT.Process(target=self.target, args=self.arguments, name=self.name)
        self.process.start()
        self.started, self.due = time.monotonic(), 0.0


class Supervisor:
    """Keeps processes running until a signal to end comes, then ends them one group after the other."""

    def __init__(self, *, patience: float) -> None:
        """`patience`: seconds that each group has to end by itself before it is killed. Main thread only."""
        self._patience = patience
        self._groups: list[list[KeptProcess]] = []
        # Signals to end make `_reader` readable: `wait` sees them whatever it waits for, also those that come while the
        # first processes start.
        self._reader, self._writer = os.pipe()
        self._handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}

    def _on_signal(self, *_: object) -> None:
        os.write(self._writer, b".")

    def add(self, group: Sequence[KeptProcess]) -> None:
        """Start a group. The group added last is ended first."""
        self._groups.append(list(group))
        for kept in group:
            kept.start()

    def run(self) -> None:
        """Restart what ends until SIGTERM or SIGINT."""
        while True:
            running = {kept.process.sentinel: kept for kept in self._all() if not kept.due}
            due = [kept.due for kept in self._all() if kept.due]
            pause = max(0.0, min(due) - time.monotonic()) if due else None
            ready = wait([self._reader, *running], pause)
            if self._reader in ready:
                return
            for sentinel in ready:
                self._note_end(running[sentinel])  # type: ignore[index]  # sentinels are ints here
            for kept in self._all():
                if kept.due and time.monotonic() >= kept.due:
                    self._start_again(kept)

    def stop(self) -> None:
        """End all groups, the last one first; what does not end in time is killed."""
        for group in reversed(self._groups):
            alive = [kept.process for kept in group if not kept.due]
            for process in alive:
                process.terminate()
            until = time.monotonic() + self._patience
            for process in alive:
                process.join(max(0.0, until - time.monotonic()))
                if process.is_alive():
                    log.error("a process did not end in time and is killed", process=process.name)
                    process.kill()
                    process.join()
        self._groups.clear()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _all(self) -> Iterator[KeptProcess]:
        return (kept for group in self._groups for kept in group)

    def _start_again(self, kept: KeptProcess) -> None:
        try:
            kept.start()
        except (OSError, EOFError) as error:  # the fork server was killed just now; the next try starts it anew
            log.warning("a process could not be started and is tried again", process=kept.name, error=repr(error))
            kept.due = time.monotonic() + RESTART_SECONDS

    def _note_end(self, kept: KeptProcess) -> None:
        kept.process.join()
        now = time.monotonic()
        soon = now - kept.started < LONGEST_RESTART_SECONDS and kept.process.exitcode == FAILED
        kept.pause = min(kept.pause * 2, LONGEST_RESTART_SECONDS) if soon else RESTART_SECONDS
        kept.due = max(now, kept.started + kept.pause)
        seconds = round(kept.due - now, 1)
        log.warning(
            "a process ended and is started again",
            process=kept.name,
            exit_code=kept.process.exitcode,
            in_seconds=seconds,
        )


def when_orphaned(end: Callable[[], None]) -> None:
    """Call `end`, from a thread, once the process that started this one is gone: nobody would restart or stop this one.

    That process, not the fork server between them: it lives as long as any of us does (`multiprocessing` gives each of us its
    pipe), so the number of the parent never changes.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by multiprocessing"  # noqa: S101

    def watch() -> None:
        parent.join()
        end()

    threading.Thread(target=watch, name="orphan watch", daemon=True).start()
