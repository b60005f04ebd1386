"""The ledger without HTTP: many submitters in one process, batches, and what a hundred thousand entries do to memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

from ledger.app import Ledger
from ledger.errors import LedgerError
from ledger.planning.commands import Command
from ledger.sequencer.answers import Answer
from tests.bench.audit import Answer as Acknowledged
from tests.bench.audit import answer_of
from tests.bench.statements import Post


@dataclass
class Flow:
    """What came of a stream of submissions."""

    entries: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]
    acknowledged: list[tuple[Post, Acknowledged]]


def flow(ledger: Ledger, posts: Sequence[Post], *, submitters: int, prepared: bool, keep: bool = True) -> Flow:
    """Keep `submitters` submissions under way until all are answered.

    One thread feeds and the answers make room, as an event loop would; a thread for each submitter would measure threads.
    With `prepared`, parsing and signature checks are done before the clock starts: what is left is the sequencer alone.
    Raises the first refusal.
    """
    ready: Iterable[Command] = (
        [post.prepare(ledger) for post in posts] if prepared else (p.prepare(ledger) for p in posts)
    )
    room = threading.Semaphore(submitters)
    answers: list[Answer | LedgerError | None] = [None] * len(posts)
    begun_at, taken = [0.0] * len(posts), [0.0] * len(posts)
    cpu, begun = time.process_time(), time.perf_counter()
    for number, command in enumerate(ready):
        room.acquire()
        begun_at[number] = time.perf_counter()

        def deliver(answer: Answer | LedgerError, number: int = number) -> None:
            answers[number] = answer
            taken[number] = time.perf_counter() - begun_at[number]
            room.release()

        ledger.submit(command, deliver)
    for _ in range(submitters):
        room.acquire()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    acknowledged = []
    for post, answer in zip(posts, answers, strict=True):
        if isinstance(answer, LedgerError):
            raise answer
        assert answer is not None
        if keep:
            acknowledged.append((post, answer_of(ledger.settle(answer))))
    return Flow(sum(post.entries for post in posts), seconds, cpu, taken, acknowledged)


def resident() -> int:
    """Resident bytes of this process."""
    return int(psutil.Process().memory_info().rss)
