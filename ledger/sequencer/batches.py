"""Commands that wait for a batch, the result of a batch, and who is told what of it."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger.entries.evidence import batch_tail
from ledger.entries.leaf import OPENING_SIZE
from ledger.entries.statement import Statement
from ledger.errors import Corrupt, LedgerError
from ledger.merkle.edge import Growth
from ledger.planning.commands import BatchEntry, Command, Recorded, RecordedBatch, SubmitStatement
from ledger.planning.world import Entry, Plan
from ledger.sequencer.answers import Deliver, Repeated
from ledger.storage.chainmap import MapState
from ledger.storage.log import Head

MOST_OPENINGS: Final = 64
"""Asked of the system at once."""


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
    plan = committed.plan
    recorded = _Recorded(committed)
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
        elif isinstance(item.command, SubmitStatement) and item.command.items:
            item.deliver(recorded.together(result, item.command.statement))
        else:
            item.deliver(recorded.singly(result))


class _Recorded:
    """What a commit recorded, made into answers."""

    def __init__(self, committed: Committed) -> None:
        self._entries = committed.plan.entries
        self._growth = committed.growth
        self._note = committed.head.checkpoint
        self._first = self._entries[0].index if self._entries else 0
        self._proofs: list[list[bytes]] = []

    def together(self, indexes: Sequence[int], statement: Statement) -> RecordedBatch:
        """The entries of one batch."""
        if self._growth is None:
            raise Corrupt("a batch was recorded, and no commit made it")
        tail = batch_tail(statement.text)
        entries = self._entries[indexes[0] - self._first : indexes[-1] - self._first + 1]
        return RecordedBatch(
            entries[0].time,
            tail,
            self._growth.shared_proofs(indexes[0], len(indexes)),
            self._note,
            tuple(_of_batch(entry, len(tail)) for entry in entries),
        )

    def singly(self, indexes: Sequence[int]) -> tuple[Recorded, ...]:
        """The entries of anything else."""
        if not self._proofs and self._growth is not None:
            self._proofs = self._growth.proofs()
        return tuple(self._one(index - self._first) for index in indexes)

    def _one(self, at: int) -> Recorded:
        entry = self._entries[at]
        return Recorded(
            entry.index,
            entry.time,
            entry.kind,
            entry.leaf,
            entry.evidence,
            entry.opening,
            entry.act,
            entry.consent_id,
            entry.outcome,
            tuple(self._proofs[at]),
            self._note,
        )


def _of_batch(entry: Entry, tail: int) -> BatchEntry:
    """`tail`: bytes of the evidence that all entries of the batch have in common."""
    return BatchEntry(entry.leaf, entry.opening or b"", (entry.evidence or b"")[:-tail], entry.consent_id or "")


def openings() -> Iterator[bytes]:
    """Fresh openings of commitments: 32 random bytes each, asked of the system in growing portions."""
    portion = 1
    while True:
        fresh = os.urandom(OPENING_SIZE * portion)
        yield from (fresh[at : at + OPENING_SIZE] for at in range(0, len(fresh), OPENING_SIZE))
        portion = min(2 * portion, MOST_OPENINGS)
