"""Commands that wait for a batch, the result of a batch, and who is told what of it."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.errors import LedgerError
from ledger.merkle.edge import Growth
from ledger.planning.commands import Command, Recorded
from ledger.planning.world import Plan
from ledger.sequencer.answers import Deliver, Repeated
from ledger.storage.chainmap import MapState
from ledger.storage.log import Head


class Waiting(NamedTuple):
    """A command in the queue."""

    command: Command | None
    """None: nothing to record, only a look at the head."""
    deliver: Deliver


class Committed(NamedTuple):
    """What a committed transaction has recorded, or found."""

    plan: Plan
    growth: Growth | None
    """None when nothing was recorded."""
    head: Head
    map: MapState | None = None
    """Where the completeness map stands, when that was looked at."""
    wrote: bool = False
    """Whether its commit had anything to write: entries, or the head as it was."""


def taken_from(waiting: queue.SimpleQueue[Waiting | None]) -> Iterator[Waiting]:
    """Take out all that waits in a queue now; None, which marks its end, stays in."""
    for _ in range(waiting.qsize()):
        item = waiting.get()
        if item is None:
            waiting.put(None)
            return
        yield item


def fail_all(batch: Iterable[Waiting], error: LedgerError) -> None:
    """Tell everybody the same."""
    for item in batch:
        item.deliver(error)


def answer_all(batch: Iterable[Waiting], committed: Committed) -> None:
    """Tell everybody what was recorded, refused, or in the log already."""
    plan, note = committed.plan, committed.head.checkpoint
    proofs = [] if committed.growth is None else committed.growth.proofs()
    recorded = [
        Recorded(
            entry.index,
            entry.time,
            entry.kind,
            entry.leaf,
            entry.evidence,
            entry.opening,
            entry.act,
            entry.consent_id,
            entry.outcome,
            tuple(proof),
            note,
        )
        for entry, proof in zip(plan.entries, proofs, strict=True)
    ]
    first = plan.entries[0].index if plan.entries else 0
    results = iter(zip(plan.results, plan.repeated, strict=True))
    for item in batch:
        if item.command is None:
            item.deliver(())
            continue
        result, repeated = next(results)
        if isinstance(result, LedgerError):
            item.deliver(result)
        elif repeated:
            item.deliver(Repeated(result))
        else:
            item.deliver(tuple(recorded[result[0] - first : result[-1] - first + 1]) if result else ())


def openings() -> Iterator[bytes]:
    """Fresh openings of commitments: 32 random bytes each."""
    while True:
        yield os.urandom(32)
