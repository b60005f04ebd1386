"""The sequencer's thread: collect, plan, commit, sign, answer (docs/spec/log.md, Order of a commit).

Batches form by themselves: whatever arrived while the last commit ran is the next batch, so a single client never waits
for others, and many share one commit. Several sequencers (one per process) may run on one database: the head's lock
orders them.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from ledger.clock import Clock
from ledger.custody.log_key import LogKeyring, known_vkeys
from ledger.errors import ClockAhead, Corrupt, LedgerError, QueueFull, Rollback, SequencerStopped, Unavailable
from ledger.highwater import HighWater
from ledger.merkle.edge import Edge
from ledger.notes.checkpoint import sign_checkpoint
from ledger.participants import Registry
from ledger.planning.commands import Command, RecordIndexHead
from ledger.planning.plan import plan_batch
from ledger.planning.world import Plan
from ledger.sequencer.alone import make_ready, stands_alone
from ledger.sequencer.answers import Deliver
from ledger.sequencer.batches import Committed, Waiting, answer_all, fail_all, openings, taken_from
from ledger.sequencer.figures import Figures
from ledger.sequencer.memory import Memory, edge_of, identities, registry_after
from ledger.sequencer.rhythm import Rhythm
from ledger.sequencer.watch import ClockWatch, judge_clock
from ledger.storage.chainmap import MapState
from ledger.storage.log import BatchTransaction, Head, LogStore

log = logging.getLogger("ledger.sequencer")

COMMIT_TRIES: Final = 4
COMMIT_SECONDS: Final = 20.0
"""No try begins later than so long after the first: the submitter gets an answer, and can send the statement again."""
PROBE_SECONDS: Final = 5.0
"""A node that records nothing for so long writes to its database all the same, to learn whether it could."""


class Sequencer:
    """One thread that turns commands into entries. `submit` may be called from any thread."""

    def __init__(
        self,
        store: LogStore,
        keys: LogKeyring,
        highwater: HighWater,
        clock: Clock,
        *,
        max_waiting: int = 4096,
        max_batch: int = 512,
        index_interval_ms: int = 0,
        watch: ClockWatch | None = None,
    ) -> None:
        """`max_waiting` commands may wait, beyond that `submit` refuses; at most `max_batch` share a commit.
        `index_interval_ms`: time within which an index-head covers every entry; 0: index-heads only when submitted.
        `watch` judges the clock; without it `clock` is believed."""
        # Set here and never again: any thread may read them.
        self._store = store
        self._keys = keys
        self._origin = keys.own.vkey.name
        self._clock = clock
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        # Owned by whoever runs the log: `start` before the sequencer's thread, then that thread, then `stop` after it.
        self._highwater = highwater
        self._watch = watch
        self._rhythm = Rhythm(index_interval_ms, clock)
        self._held: Waiting | None = None  # what waits for a batch of its own
        self._signed, self._note = 0, ""  # the newest checkpoint that this node has signed or found signed
        # Owned likewise. It is replaced as a whole and its registry never changes, so any thread may read that.
        self._memory: Memory | None = None
        # Guarded by `_door`. Without it a command could be queued after the last look into the queue, and wait for ever:
        # `submit` looks at `_stopped` and queues in one hold, and whoever sets `_stopped` holds it too. Reading
        # `_stopped` alone, to tell somebody, needs no lock.
        self._door = threading.Lock()
        self._stopped: SequencerStopped | None = SequencerStopped("the sequencer has not been started")
        self._halted: SequencerStopped | None = None  # set once, under the lock; read by its thread between two batches
        # Safe by itself: any thread puts (under `_door`), the sequencer's thread takes.
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        # Owned by the thread that calls `start` and `stop`.
        self._thread: threading.Thread | None = None
        # Written by the sequencer's thread, but for `pushed_back`, which any thread counts: a count may get lost.
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
                self._queue.put(Waiting(command, deliver))
                return
        self.figures.pushed_back += 1
        raise QueueFull(f"{self._max_waiting} submissions are waiting already; nothing was recorded, try again shortly")

    def start(self) -> None:
        """Check the database against what this node has signed, then begin. Raises Rollback, Corrupt, Unavailable."""
        with self._store.batch() as transaction:
            head = transaction.head()
            self._probe(self._recall(transaction, head).registry)
            transaction.fill_legs()
            if head.confirmed < head.size:  # the node before us died, or never knew
                transaction.confirm()
            if self._rhythm.interval:
                state = transaction.map.check(head.size)
                self._rhythm.knows(state, state.head + 1)
                self._rhythm.saw(head.size, own=True)
        self._store.horizon.reached(head.size)
        with self._door:
            self._stopped = self._halted  # a witness may have spoken before us
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
            self._leave_word()
        self._highwater.sync()

    def halt(self, reason: str) -> None:
        """Sign nothing more, or never begin: what waits is refused, and only the batch that is under way is finished."""
        with self._door:
            self._halted = self._halted or SequencerStopped(reason)
            if self._stopped is None:
                log.critical("the sequencer stops: %s", reason)
                self._stopped = self._halted
        self._queue.put(None)

    def refresh(self) -> Future[None]:
        """Take note of what other nodes have recorded (new participants and keys); done when the future is."""
        done: Future[None] = Future()
        try:
            self.submit(None, lambda _: done.set_result(None))
        except Unavailable:  # stopped, or so busy that it looks at the head all the time
            done.set_result(None)
        return done

    def _leave_word(self) -> None:
        """At the end, write down what this node knows to be confirmed, for those who read after it. Leaving it out is
        safe."""
        if self._memory is None or self._memory.head.size > self._store.horizon.size:
            return
        try:
            self._commit((), [])
        except LedgerError as error:
            log.info("the head row does not say how far the log is confirmed: %s", error.detail)

    # -- the sequencer's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._halted and (self._stopped is None or self._held is not None or self._queue.qsize()):
            batch = self._collect()
            if batch is None:
                break
            broken = self._try(batch) if batch else None
            if broken is None and self.figures.paused_because is not None:
                self._rhythm.put_off()  # a wrong clock says nothing of what is due
            elif broken is None and self._rhythm.due():
                broken = self._try([Waiting(RecordIndexHead(every=self._rhythm.interval), _nobody)])
            if broken is not None:
                break
        self._drain()

    def _try(self, batch: list[Waiting]) -> SequencerStopped | None:
        """Sequence one batch; why this node must not write any more, if so. It is stopped before anybody hears of it: who is
        refused and looks, or submits again, finds a node that has stopped."""
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
        with self._door:
            self._stopped = broken
        fail_all(batch, broken)
        return broken

    def _collect(self) -> list[Waiting] | None:
        """The next batch: one command and all that wait beside it, or one that stands alone. Empty when it is time for an
        index-head and nothing else came; None at the end."""
        try:
            item = self._held or self._queue.get(timeout=self._rhythm.seconds_left())
        except queue.Empty:
            return []
        self._held = None
        batch: list[Waiting] = []
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
        """Refuse what was queued after the last look into the queue."""
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

    def _sequence(self, batch: list[Waiting]) -> None:
        """Commit one batch and answer it."""
        commands = [item.command for item in batch if item.command is not None]
        begun = time.perf_counter()
        try:
            committed = self._commit_surely(commands)
            done = time.perf_counter()
        except Unavailable as error:
            if isinstance(error, ClockAhead):  # others may still be answered from the log
                late = batch
            else:
                self.figures.failed(error.detail)
                late = [*batch, *taken_from(self._queue)]  # what came meanwhile would wait as long for the same answer
            fail_all(late, type(error)(f"{error.detail}. Submitting the same statement again is safe"))
            return
        if committed.head.size > self._signed:  # recorded also by another node, or by a commit whose answer was lost
            self._highwater.record(committed.head.checkpoint)  # before any receipt leaves, after the commit
            self._signed, self._note = committed.head.size, committed.head.checkpoint
        self.figures.succeeded(wrote=committed.wrote)
        if committed.map is None:
            self._rhythm.saw(committed.head.size, own=committed.growth is not None)
        else:
            self._rhythm.knows(committed.map, committed.head.size, time.perf_counter() - begun)
        if commands and (
            committed.map is None or committed.growth is not None
        ):  # else it was only looked, or nothing was due
            self.figures.batch_done(committed.plan, begun, done)
        answer_all(batch, committed)

    def _commit_surely(self, commands: Sequence[Command]) -> Committed:
        """Commit; if the outcome is unknown, look for the checkpoint it would have left, and else run the batch again.

        Raises Unavailable after some tries.
        """
        doubtful: list[Committed] = []
        until = time.monotonic() + COMMIT_SECONDS
        attempt = 1
        while True:
            try:
                return self._commit(commands, doubtful)
            except ClockAhead:
                raise  # nothing was written, and trying again at once would not help
            except Unavailable as error:
                self._forget()
                self.figures.commit_failures += 1
                log.warning("a commit failed (try %d of %d): %s", attempt, COMMIT_TRIES, error.detail)
                if attempt == COMMIT_TRIES or time.monotonic() > until:
                    raise
            self._store.end_stalled()
            time.sleep(0.0125 * 4**attempt)
            attempt += 1

    def _commit(self, commands: Sequence[Command], doubtful: list[Committed]) -> Committed:
        """One try. `doubtful` holds what earlier tries may have committed; this one is added before its commit."""
        with self._store.batch() as transaction:
            committed, advance = self._write(transaction, commands, doubtful)
        advance()  # committed: only now may the memory move on
        self._store.horizon.reached(committed.head.size)  # and readers see what this commit found or added
        return committed

    def _write(
        self, transaction: BatchTransaction, commands: Sequence[Command], doubtful: list[Committed]
    ) -> tuple[Committed, Callable[[], None]]:
        """What the transaction of one try does; with what is to be done once it is committed."""
        head = transaction.head(identities(commands))
        memory = self._recall(transaction, head)
        for earlier in doubtful:
            if transaction.note_at(earlier.head.size) == earlier.head.checkpoint:
                transaction.confirm()  # it is visible, which a crash may have made it: this commit confirms it
                return earlier._replace(wrote=True), _nothing
        now = self._clock.now()
        judge_clock(self._watch, self.figures, now, head, record=bool(commands))
        ready = make_ready(transaction, head, memory.registry, commands, now)
        if ready.nothing is not None:
            return self._found(transaction, ready.nothing, head, ready.map)
        world = memory.load(transaction, ready.commands, now)
        plan = plan_batch(world, ready.commands, openings(), None if ready.map is None else ready.map.root)
        if not plan.entries:
            return self._found(transaction, plan, head, None, look=not commands)
        growth = memory.edge.grow([entry.leaf_hash for entry in plan.entries])
        signers = self._keys.signers(world.registry.log_keys.in_force)
        note = sign_checkpoint(self._origin, growth.size, growth.root, *signers)
        edge = growth.edge()
        after = Head(growth.size, world.time, world.last_hash, edge.to_bytes(), note)
        committed = Committed(plan, growth, after, ready.finish(transaction, head, after), wrote=True)
        doubtful.append(committed)
        transaction.append(head.size, plan, growth.full_tiles(), after)
        return committed, lambda: memory.advance(after, edge, world)

    def _found(
        self, transaction: BatchTransaction, plan: Plan, head: Head, state: MapState | None, *, look: bool = False
    ) -> tuple[Committed, Callable[[], None]]:
        """Nothing to record. An answer from the log must be confirmed all the same; a mere `look` also leaves word in
        the head row of what this node knows, for those who only read."""
        known = self._store.horizon.size
        due = look and (head.confirmed < head.size or self.figures.seconds_since_write() > PROBE_SECONDS)
        if due:
            self._probe(self.registry)  # a node that cannot sign is not ready, also while nobody asks it to
        if confirms := head.size > known or due:
            transaction.confirm()
        return Committed(plan, None, head, state, wrote=confirms), _nothing

    def _recall(self, transaction: BatchTransaction, head: Head) -> Memory:
        """The memory, if no other node has written since; else a fresh one. Refuses a database that was rolled back."""
        memory = self._memory
        if memory is not None and memory.head == head:
            return memory
        if head.size < self._signed:
            raise Rollback(
                f"the database was rolled back to {head.size} entries under a running node, which has signed {self._signed}. "
                "This node signs no more; see docs/operating.md, «Rollback»"
            )
        if self._signed and transaction.note_at(self._signed) != self._note:
            raise Rollback(
                f"the database was exchanged under a running node: it has another history at size {self._signed}, which "
                "this node has signed. This node signs no more; see docs/operating.md, «Rollback»"
            )
        registry = registry_after(memory, transaction, head.size)
        vkeys = known_vkeys(self._keys, registry.log_keys.vkeys(self._origin))
        self._highwater.know(vkeys)
        if self._signed == 0 and (recorded := self._highwater.read()) is not None:
            self._highwater.check(recorded, head.size, transaction.note_at(recorded[0].size))
            self._signed, self._note = recorded[0].size, recorded[1]
        edge = edge_of(head, vkeys)
        if head.size and registry.origin != self._origin:
            raise Corrupt(f"this database holds the log {registry.origin!r}, and the key is that of {self._origin!r}")
        self._memory = Memory(head, edge, registry, (head.size, head.checkpoint))
        return self._memory

    def _probe(self, registry: Registry) -> None:
        """Each key that signs is here, and its place answers. Raises Unavailable."""
        for signer in self._keys.signers(registry.log_keys.in_force):
            signer.probe()

    def _forget(self) -> None:
        """After a failed commit nothing in memory is certain but the registry, which `_recall` brings up to date."""
        if self._memory is not None:
            self._memory = Memory(Head(-1, 0, b"", b"", ""), Edge(), self._memory.registry, self._memory.seen)


def _nobody(_: object) -> None:
    """The answer that nobody waits for."""


def _nothing() -> None:
    """Nothing to be done after a commit."""
