"""The sequencer's thread: collect, plan, commit, sign, answer (docs/spec/log.md, Order of a commit).

Batches form by themselves: whatever arrived while the last commit ran is the next batch, so a lone client waits for nobody
and a crowd shares one commit. Several sequencers (one per process) may run on one database: the head's lock orders them.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, NamedTuple

from ledger.clock import Clock
from ledger.errors import Corrupt, LedgerError, QueueFull, Rollback, SequencerStopped, Unavailable
from ledger.highwater import HighWater
from ledger.merkle.edge import Edge, Growth
from ledger.notes.checkpoint import open_checkpoint, sign_checkpoint
from ledger.notes.keys import Signer
from ledger.participants import Registry
from ledger.planning.commands import Command, Recorded, RecordIndexHead
from ledger.planning.plan import plan_batch
from ledger.planning.world import Plan
from ledger.sequencer.alone import make_ready, stands_alone
from ledger.sequencer.answers import Deliver, Repeated
from ledger.sequencer.figures import Figures
from ledger.sequencer.memory import Memory, identities
from ledger.sequencer.rhythm import Rhythm
from ledger.storage.chainmap import MapState
from ledger.storage.log import BatchTransaction, Head, LogStore, advance_registry

log = logging.getLogger("ledger.sequencer")

COMMIT_TRIES: Final = 4
COMMIT_SECONDS: Final = 20.0
"""No try begins later than so long after the first: whoever waits gets an answer, and can send the statement again."""
PROBE_SECONDS: Final = 5.0
"""A node that records nothing for so long writes to its database all the same, to learn whether it could."""


class _Waiting(NamedTuple):
    command: Command | None
    """None: nothing to record, only a look at the head."""
    deliver: Deliver


class _Committed(NamedTuple):
    plan: Plan
    growth: Growth | None
    """None when nothing was recorded."""
    head: Head
    map: MapState | None = None
    """Where the completeness map stands, when that was looked at."""
    probed: bool = False
    """Whether the head was written as it was."""

    @property
    def wrote(self) -> bool:
        """Whether its commit had anything to write."""
        return self.growth is not None or self.probed


class Sequencer:
    """One thread that turns commands into entries. `submit` may be called from any thread."""

    def __init__(
        self,
        store: LogStore,
        signer: Signer,
        highwater: HighWater,
        clock: Clock,
        *,
        max_waiting: int = 4096,
        max_batch: int = 512,
        index_interval_ms: int = 0,
    ) -> None:
        """`max_waiting` commands may wait, beyond that `submit` refuses; at most `max_batch` share a commit.
        `index_interval_ms`: time within which an index-head covers every entry; 0: index-heads only when submitted."""
        self._store = store
        self._signer = signer
        self._origin = signer.vkey.name
        self._highwater = highwater
        self._clock = clock
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._held: _Waiting | None = None  # what waits for a batch of its own
        self._rhythm = Rhythm(index_interval_ms, clock)
        self._memory: Memory | None = None
        self._signed, self._note = 0, ""
        self._door = threading.Lock()  # between the look at `_stopped` and the queue nothing may come
        self._stopped: SequencerStopped | None = SequencerStopped("the sequencer has not been started")
        self._thread: threading.Thread | None = None
        self.figures = Figures(waiting=self._queue.qsize)

    # -- any thread -------------------------------------------------------------------------------------------------

    @property
    def stopped_because(self) -> str | None:
        """Why this node does not write; None while it does."""
        return None if self._stopped is None else self._stopped.detail

    @property
    def unready_because(self) -> str | None:
        """Why a submission would probably not be recorded now; None when one would."""
        return self.stopped_because or self.figures.unready_because()

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last batch this node has seen."""
        return Registry() if self._memory is None else self._memory.registry

    def submit(self, command: Command | None, deliver: Deliver) -> None:
        """Queue a command (None: only look at the head); `deliver` is called after its commit.

        Raises QueueFull, SequencerStopped.
        """
        with self._door:
            if self._stopped is not None:
                raise SequencerStopped(self._stopped.detail)
            if self._queue.qsize() < self._max_waiting:
                self._queue.put(_Waiting(command, deliver))
                return
        self.figures.pushed_back += 1
        raise QueueFull(f"{self._max_waiting} submissions are waiting already; nothing was recorded, try again shortly")

    def start(self) -> None:
        """Check the database against what this node has signed, then begin. Raises Rollback, Corrupt, Unavailable."""
        with self._store.batch() as transaction:
            head = transaction.head()
            self._recall(transaction, head)
            if self._rhythm.interval:
                state = transaction.map.check(head.size)
                self._rhythm.knows(state, state.head + 1)
                self._rhythm.saw(head.size, own=True)
        self._stopped = None
        self.figures.succeeded(wrote=False)
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end. Commands that come later are refused."""
        with self._door:
            self._stopped = self._stopped or SequencerStopped("this node is shutting down; another one will answer")
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._highwater.sync()

    def refresh(self) -> Future[None]:
        """Take note of what other nodes have recorded (new participants and keys); done when the future is."""
        done: Future[None] = Future()
        try:
            self.submit(None, lambda _: done.set_result(None))
        except Unavailable:  # stopped, or so busy that it looks at the head all the time
            done.set_result(None)
        return done

    # -- the sequencer's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._stopped is None or self._held is not None or self._queue.qsize():
            batch = self._collect()
            if batch is None:
                break
            broken = self._try(batch) if batch else None
            if broken is None and self._rhythm.due():
                broken = self._try([_Waiting(RecordIndexHead(every=self._rhythm.interval), _nobody)])
            if broken is not None:
                with self._door:
                    self._stopped = broken
                break
        self._drain()

    def _try(self, batch: list[_Waiting]) -> SequencerStopped | None:
        """Sequence one batch; why this node must not write any more, if so."""
        try:
            self._sequence(batch)
        except LedgerError as error:  # Corrupt or Rollback
            log.critical("the sequencer stops: %s", error.detail)
            broken = SequencerStopped(error.detail)
        except Exception as error:  # a defect of ours: stop rather than guess what was written
            log.exception("the sequencer stops after an unexpected error")
            broken = SequencerStopped(f"an internal error stopped this node ({type(error).__name__})")
        else:
            return None
        _fail(batch, broken)
        return broken

    def _collect(self) -> list[_Waiting] | None:
        """The next batch: one command and all that wait beside it, or one that stands alone. Empty when it is time for an
        index-head and nothing else came; None at the end."""
        try:
            item = self._held or self._queue.get(timeout=self._rhythm.seconds_left())
        except queue.Empty:
            return []
        self._held = None
        batch: list[_Waiting] = []
        while item is not None:
            alone = stands_alone(item.command)
            if alone and batch:
                self._held = item
                return batch
            batch.append(item)
            if alone or len(batch) >= self._max_batch:
                return batch
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)
        return batch or None

    def _drain(self) -> None:
        """Refuse what came in between the end and the last look into the queue."""
        reason = SequencerStopped(self.stopped_because or "this node has stopped")
        if self._held is not None:
            self._held.deliver(reason)
            self._held = None
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                item.deliver(reason)

    def _sequence(self, batch: list[_Waiting]) -> None:
        """Commit one batch and answer it."""
        commands = [item.command for item in batch if item.command is not None]
        begun = time.perf_counter()
        try:
            committed = self._commit_surely(commands)
        except Unavailable as error:
            self.figures.failed(error.detail)
            # what came meanwhile would wait as long for the same answer
            _fail([*batch, *self._come()], Unavailable(f"{error.detail}. Submitting the same statement again is safe"))
            return
        if committed.head.size > self._signed:  # also by another node, or in a commit whose answer was lost
            self._highwater.record(committed.head.checkpoint)  # before any receipt leaves, after the commit
            self._signed, self._note = committed.head.size, committed.head.checkpoint
        self.figures.succeeded(wrote=committed.wrote)
        if committed.map is None:
            self._rhythm.saw(committed.head.size, own=committed.growth is not None)
        else:
            self._rhythm.knows(committed.map, committed.head.size, time.perf_counter() - begun)
        if commands and (
            committed.map is None or committed.growth is not None
        ):  # else nobody asked, or nothing was due
            self.figures.batch_done(committed.plan, time.perf_counter() - begun)
        _answer(batch, committed)

    def _commit_surely(self, commands: Sequence[Command]) -> _Committed:
        """Commit; if the outcome is unknown, look for the checkpoint it would have left, and else run the batch again.

        Raises Unavailable after some tries.
        """
        doubtful: list[_Committed] = []
        until = time.monotonic() + COMMIT_SECONDS
        attempt = 1
        while True:
            try:
                return self._commit(commands, doubtful)
            except Unavailable as error:
                self._forget()
                self.figures.commit_failures += 1
                log.warning("a commit failed (try %d of %d): %s", attempt, COMMIT_TRIES, error.detail)
                if attempt == COMMIT_TRIES or time.monotonic() > until:
                    raise
            self._end_stalled()
            time.sleep(0.0125 * 4**attempt)
            attempt += 1

    def _end_stalled(self) -> None:
        """Another node may hold the log's lock and never let it go."""
        with suppress(Unavailable):
            if ended := self._store.end_stalled():
                log.warning("%d sessions that held the log's lock without doing anything were ended", ended)

    def _come(self) -> Iterator[_Waiting]:
        """What waits in the queue now."""
        for _ in range(self._queue.qsize()):
            item = self._queue.get()
            if item is None:
                self._queue.put(None)  # the end, for whoever looks next
                return
            yield item

    def _commit(self, commands: Sequence[Command], doubtful: list[_Committed]) -> _Committed:
        """One try. `doubtful` holds what earlier tries may have committed; this one is added before its commit."""
        with self._store.batch() as transaction:
            head = transaction.head(identities(commands))
            memory = self._recall(transaction, head)
            for earlier in doubtful:
                if transaction.note_at(earlier.head.size) == earlier.head.checkpoint:
                    return earlier
            now = self._clock.now()
            self.figures.clock_behind_ms = max(0, head.time - now)
            ready = make_ready(transaction, head, memory.registry, commands, now)
            if ready.nothing is not None:
                return _Committed(ready.nothing, None, head, ready.map)
            world = memory.load(transaction, ready.commands, now)
            plan = plan_batch(world, ready.commands, _openings(), None if ready.map is None else ready.map.root)
            if not plan.entries:
                if self.figures.seconds_since_write() > PROBE_SECONDS:
                    transaction.probe()
                    self.figures.probes += 1
                    return _Committed(plan, None, head, probed=True)
                return _Committed(plan, None, head)
            growth = memory.edge.grow([entry.leaf_hash for entry in plan.entries])
            note = sign_checkpoint(self._origin, growth.size, growth.root, self._signer)
            edge = growth.edge()
            after = Head(growth.size, world.time, world.last_hash, edge.to_bytes(), note)
            committed = _Committed(plan, growth, after, ready.finish(transaction, head, after))
            doubtful.append(committed)
            transaction.append(head.size, plan, growth.full_tiles(), after)
        memory.advance(after, edge, world)  # committed: only now may the memory move on
        return committed

    def _recall(self, transaction: BatchTransaction, head: Head) -> Memory:
        """The memory, if no other node has written since; else a fresh one. Refuses a database that went back."""
        memory = self._memory
        if memory is not None and memory.head == head:
            return memory
        if head.size < self._signed:
            raise Rollback(
                f"the database went back to {head.size} entries under a running node, which has signed {self._signed}. "
                "This node signs no more; see docs/operating.md, «Rollback»"
            )
        if self._signed == 0:
            recorded = self._highwater.read()
            self._highwater.check(head.size, transaction.note_at(recorded[0].size) if recorded else None)
            if recorded is not None:
                self._signed, self._note = recorded[0].size, recorded[1]
        elif transaction.note_at(self._signed) != self._note:
            raise Rollback(
                f"the database was exchanged under a running node: it has another history at size {self._signed}, which "
                "this node has signed. This node signs no more; see docs/operating.md, «Rollback»"
            )
        edge = Edge.from_bytes(head.edge)
        signed = open_checkpoint(head.checkpoint, self._signer.vkey)
        if (edge.size, signed.size, edge.root()) != (head.size, head.size, signed.root):
            raise Corrupt(f"the head row does not agree with its own checkpoint of size {signed.size}")
        registry = Registry() if memory is None else memory.registry
        registry = advance_registry(registry, transaction.documents_from(registry.size), head.size)
        if head.size and registry.origin != self._origin:
            raise Corrupt(f"this database holds the log {registry.origin!r}, and the key is that of {self._origin!r}")
        self._memory = Memory(head, edge, registry)
        return self._memory

    def _forget(self) -> None:
        """After a failed commit nothing in memory is certain but the registry, which `_recall` brings up to date."""
        if self._memory is not None:
            self._memory = Memory(Head(-1, 0, b"", b"", ""), Edge(), self._memory.registry)


def _openings() -> Iterator[bytes]:
    while True:
        yield os.urandom(32)


def _nobody(_: object) -> None:
    """The answer that nobody waits for."""


def _fail(batch: Iterable[_Waiting], error: LedgerError) -> None:
    for item in batch:
        item.deliver(error)


def _answer(batch: Iterable[_Waiting], committed: _Committed) -> None:
    plan, note = committed.plan, committed.head.checkpoint
    proofs = [] if committed.growth is None else committed.growth.proofs()
    recorded = [
        Recorded(
            entry.index, entry.time, entry.kind, entry.leaf, entry.evidence, entry.opening, entry.act,
            entry.consent_id, entry.outcome, tuple(proof), note,
        )
        for entry, proof in zip(plan.entries, proofs, strict=True)
    ]  # fmt: skip
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
