"""One thread plays all: simulated time, and a scheduler whose every choice comes from a seed.

Each thread of the ledger is a greenlet here. It gives way where a real one could be overtaken: at each call of the database
driver, when it sleeps and when it waits. Who goes on is the hub's choice, and the same for the same seed.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from greenlet import greenlet

PATIENCE = 1_000_000
"""Turns that a run may take at most: more are a loop without an end."""


class Died(BaseException):
    """The process that this code ran in is no more: nothing of it goes on, and no handler of errors is asked."""


class Process:
    """What dies at once: the greenlets of one process, and what it holds open."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False


class Task(greenlet):
    """A thread of a process."""

    def __init__(self, hub: Hub, process: Process, target: Callable[[], object]) -> None:
        super().__init__(self._body, hub.main)
        self.hub, self.process, self.target = hub, process, target
        self.finished = False
        self.turn = 0
        """Which of its wakes counts: older ones in the heap are void."""

    def _body(self) -> None:
        try:
            if not self.process.dead:
                self.target()
        except Died:
            pass
        except BaseException as error:  # noqa: BLE001  (the run ends with it)
            self.hub.broken = self.hub.broken or error
        finally:
            self.finished = True


class Hub:
    """Time and turns."""

    def __init__(self, seed: int | str, *, keep: bool = False) -> None:
        """`keep`: remember the trace's lines, not only its hash."""
        self.random = random.Random(f"consent-ledger/{seed}")
        self.entropy = random.Random(f"consent-ledger/entropy/{seed}")
        self.now = 0.0
        self.main = greenlet.getcurrent()
        self.world = Process("world")
        """What never dies: clients, operators, supervisors."""
        self.lines: list[str] | None = [] if keep else None
        self.broken: BaseException | None = None
        self.keeps_house = True
        """Whether the nodes' housekeepers have their turns."""
        self._hash = hashlib.sha256()
        self._heap: list[tuple[float, float, int, Task, int]] = []
        self._count = 0

    # -- the trace --------------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        """What happened, at which moment: the trace of a run."""
        text = f"{self.now:11.4f} {line}"
        self._hash.update(text.encode() + b"\n")
        if self.lines is not None:
            self.lines.append(text)

    @property
    def digest(self) -> str:
        """The hash of the trace so far."""
        return self._hash.hexdigest()

    # -- tasks ------------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Task | None:
        """The task that runs now; None outside of all."""
        running = greenlet.getcurrent()
        return running if isinstance(running, Task) else None

    @property
    def process(self) -> Process:
        """The process that runs now."""
        task = self.current
        return self.world if task is None else task.process

    def spawn(self, target: Callable[[], object], process: Process | None = None, *, after: float = 0.0) -> Task:
        """A new thread of `process`; by default of the world's."""
        task = Task(self, process or self.world, target)
        self.wake(task, after)
        return task

    def wake(self, task: Task, after: float = 0.0) -> None:
        """Let a task go on in so many seconds; an earlier call of this does not count any more."""
        self._count += 1
        task.turn = self._count
        heapq.heappush(self._heap, (self.now + after, self.random.random(), self._count, task, self._count))

    def pause(self, seconds: float) -> None:
        """Let others have their turns for so long. Raises Died when its process is dead then."""
        task = self.current
        if task is None:
            raise AssertionError("only a task can wait")
        if task.process.dead:
            raise Died
        self.wake(task, seconds)
        self.main.switch()
        if task.process.dead:
            raise Died

    def wait(self, holds: Callable[[], object], timeout: float | None, *, step: float = 0.05) -> bool:
        """Wait until something holds; whether it does."""
        end = None if timeout is None else self.now + timeout
        while not holds():
            if end is not None and self.now >= end:
                return False
            self.pause(step if end is None else max(min(step, end - self.now), 1e-6))
        return True

    def run(self, done: Callable[[], object]) -> None:
        """Give turns until `done` holds. Raises what a task did not catch."""
        turns = 0
        while not done():
            turns += 1
            if turns > PATIENCE or not self._heap:
                raise AssertionError(f"the run does not come to its end (turn {turns}, second {self.now:.0f})")
            at, _, _, task, turn = heapq.heappop(self._heap)
            if task.finished or task.turn != turn:
                continue
            self.now = max(self.now, at)
            task.switch()
            if self.broken is not None:
                raise self.broken

    def kill(self, process: Process) -> None:
        """End a process where it stands; the caller goes on, if it is of another one."""
        process.dead = True
        for _, _, _, task, turn in list(self._heap):
            if task.process is process and task.turn == turn and not task.finished:
                self.wake(task)

    def end(self) -> None:
        """Let go of all tasks that still wait."""
        for process in {id(item[3].process): item[3].process for item in self._heap}.values():
            process.dead = True
        while self._heap:
            *_, task, turn = heapq.heappop(self._heap)
            if not task.finished and task.turn == turn:
                task.switch()


# -- the library's edges, as the ledger's modules see them ------------------------------------------------------------


class SimulatedQueue:
    """As queue.SimpleQueue."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._items: deque[Any] = deque()
        self._waiting: Task | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waiting is not None:
            task, self._waiting = self._waiting, None
            self._hub.wake(task)

    def get(self, timeout: float | None = None) -> Any:
        """Raises Empty."""
        hub = self._hub
        end = hub.now + (timeout if timeout is not None else 3600.0)
        while not self._items:
            if hub.now >= end:
                raise Empty
            self._waiting = hub.current
            hub.pause(end - hub.now)
        self._waiting = None
        return self._items.popleft()

    def get_nowait(self) -> Any:
        """Raises Empty."""
        if not self._items:
            raise Empty
        return self._items.popleft()

    def qsize(self) -> int:
        return len(self._items)


class SimulatedThread:
    """As threading.Thread, in the process that makes it."""

    def __init__(self, hub: Hub, target: Callable[[], object]) -> None:
        self._hub, self._target = hub, target
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._hub.spawn(self._target, self._hub.process)

    def join(self) -> None:
        task = self._task
        self._hub.wait(lambda: task is None or task.finished, None)


class SimulatedEvent:
    """As threading.Event, but that a wait may be late, as on a machine that has much to do."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._set = False

    def set(self) -> None:
        self._set = True

    def wait(self, timeout: float) -> bool:
        self._hub.wait(lambda: self._set or self._hub.keeps_house, None, step=60.0)
        self._hub.wait(lambda: self._set, timeout * self._hub.random.choice((1, 3, 9)), step=1.0)
        return self._set


@contextmanager
def simulated(hub: Hub) -> Iterator[None]:
    """The core's threads, queues, time and entropy are the hub's."""

    class Soon(Future[Any]):
        def result(self, timeout: float | None = None) -> Any:
            if not hub.wait(self.done, timeout):
                raise TimeoutError
            return super().result(0)

    def bytes_of(size: int) -> bytes:
        return hub.entropy.randbytes(size)

    clock = SimpleNamespace(
        monotonic=lambda: hub.now,
        perf_counter=lambda: hub.now,
        sleep=hub.pause,
        monotonic_ns=lambda: int(hub.now * 1e9),
    )
    threads = SimpleNamespace(
        Thread=lambda target, **_: SimulatedThread(hub, target),
        Event=lambda: SimulatedEvent(hub),
        Lock=_Lock,
    )
    edges: dict[str, Any] = {
        "ledger.app.threading": threads,
        "ledger.app.time": clock,
        "ledger.app.Future": Soon,
        "ledger.sequencer.loop.threading": threads,
        "ledger.sequencer.loop.time": clock,
        "ledger.sequencer.loop.queue": SimpleNamespace(SimpleQueue=lambda: SimulatedQueue(hub), Empty=Empty),
        "ledger.sequencer.loop.Future": Soon,
        "ledger.sequencer.figures.time": clock,
        "os.urandom": bytes_of,
    }
    with pytest.MonkeyPatch.context() as patches:
        for name, value in edges.items():
            patches.setattr(name, value)
        yield


class _Lock:
    """As threading.Lock: it is never held across a turn, so there is nothing to wait for."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
