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
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.canonical import b64u
from ledger.clock import Clock
from ledger.consent.state import Consent
from ledger.entries.acts import AccessBatch, SubjectEnrol, SubjectUnenrol
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.errors import Corrupt, LedgerError, QueueFull, Rollback, SequencerStopped, Unavailable
from ledger.highwater import HighWater
from ledger.merkle.edge import Edge, Growth
from ledger.notes.checkpoint import open_checkpoint, sign_checkpoint
from ledger.notes.keys import Signer
from ledger.participants import Registry, document_chain, parse_document
from ledger.planning.commands import Command, ExpireConsent, RecordDocuments, Recorded, SubmitStatement
from ledger.planning.plan import ChainHead, Plan, World, plan_batch
from ledger.sequencer.figures import Figures
from ledger.storage.log import BatchTransaction, Head, LogStore, advance_registry

log = logging.getLogger("ledger.sequencer")

COMMIT_TRIES = 4
CACHED_ITEMS = 200_000


@dataclass(frozen=True, slots=True)
class Repeated:
    """The answer to a statement that is in the log already: where."""

    indexes: tuple[int, ...]


Answer = tuple[Recorded, ...] | Repeated


@dataclass(slots=True)
class _Memory:
    """What the last batch left, valid as long as no other node has written since."""

    head: Head
    edge: Edge
    registry: Registry
    consents: dict[str, Consent] = field(default_factory=dict)
    chains: dict[bytes, ChainHead] = field(default_factory=dict)


_Waiting = tuple[Command, "Future[Answer]"]
K = TypeVar("K")
V = TypeVar("V")


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
    ) -> None:
        """`max_waiting` commands may wait, beyond that `submit` refuses; at most `max_batch` share a commit."""
        self._store = store
        self._signer = signer
        self._origin = signer.vkey.name
        self._highwater = highwater
        self._clock = clock
        self._max_batch = max_batch
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(max_waiting)
        self._memory: _Memory | None = None
        self._signed = 0
        self._stopped: SequencerStopped | None = SequencerStopped("the sequencer has not been started")
        self._thread: threading.Thread | None = None
        self.figures = Figures(waiting=self._queue.qsize)

    # -- any thread -------------------------------------------------------------------------------------------------

    @property
    def stopped_because(self) -> str | None:
        """Why this node does not write; None while it does."""
        return None if self._stopped is None else self._stopped.detail

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last batch this node has seen."""
        return Registry() if self._memory is None else self._memory.registry

    def submit(self, command: Command) -> Future[Answer]:
        """Queue a command. The future's result comes after the commit. Raises QueueFull, SequencerStopped."""
        if self._stopped is not None:
            raise SequencerStopped(self._stopped.detail)
        future: Future[Answer] = Future()
        try:
            self._queue.put_nowait((command, future))
        except queue.Full:
            self.figures.pushed_back += 1
            raise QueueFull(
                f"{self._queue.maxsize} submissions are waiting already; nothing was recorded, try again shortly"
            ) from None
        return future

    def start(self) -> None:
        """Check the database against what this node has signed, then begin. Raises Rollback, Corrupt, Unavailable."""
        with self._store.batch() as transaction:
            self._recall(transaction, transaction.head())
        self._stopped = None
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end. Commands that come later are refused."""
        self._stopped = self._stopped or SequencerStopped("this node is shutting down; another one will answer")
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._highwater.sync()

    def refresh(self) -> None:
        """Take note of what other nodes have recorded (new participants and keys)."""
        if self._stopped is None:
            self._queue.put((_REFRESH, Future()))

    # -- the sequencer's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        broken = False
        while not broken and (batch := self._collect()) is not None:
            try:
                self._sequence(batch)
            except LedgerError as error:  # Corrupt or Rollback: this node must not write any more
                log.critical("the sequencer stops: %s", error.detail)
                broken, reason = True, SequencerStopped(error.detail)
            except Exception as error:  # a defect of ours: stop rather than guess what was written
                log.exception("the sequencer stops after an unexpected error")
                broken, reason = True, SequencerStopped(f"an internal error stopped this node ({type(error).__name__})")
            if broken:
                self._stopped = reason
                _fail(batch, reason)
        self._drain()

    def _collect(self) -> list[_Waiting] | None:
        """The next batch: one command at least, and all that wait beside it. None at the end."""
        first = self._queue.get()
        batch: list[_Waiting] = []
        item: _Waiting | None = first
        while item is not None:
            if item[1].set_running_or_notify_cancel():  # a client gone before this point costs nothing
                batch.append(item)
            if len(batch) >= self._max_batch:
                return batch
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._queue.put(None)
            return batch
        return None

    def _drain(self) -> None:
        """Refuse what came in between the end and the last look into the queue."""
        reason = SequencerStopped(self.stopped_because or "this node has stopped")
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None and item[1].set_running_or_notify_cancel():
                item[1].set_exception(reason)

    def _sequence(self, batch: list[_Waiting]) -> None:
        """Commit one batch and answer it. If a commit's outcome is unknown, the batch runs again: what is in is found."""
        commands = [command for command, _ in batch if command is not _REFRESH]
        for attempt in range(COMMIT_TRIES):
            try:
                begun = time.perf_counter()
                plan, growth, head = self._commit(commands)
                break
            except Unavailable as error:
                self._memory_is_stale()
                self.figures.commit_failures += 1
                log.warning("a commit failed (try %d of %d): %s", attempt + 1, COMMIT_TRIES, error.detail)
                if attempt + 1 == COMMIT_TRIES:
                    _fail(batch, Unavailable(f"{error.detail}. Submitting the same statement again is safe"))
                    return
                time.sleep(0.05 * 4**attempt)
        if growth is not None:
            self._highwater.record(head.checkpoint)  # before any receipt leaves, after the commit
            self._signed = head.size
        self.figures.batch_done(plan, time.perf_counter() - begun)
        _answer(batch, plan, growth, head.checkpoint)

    def _commit(self, commands: Sequence[Command]) -> tuple[Plan, Growth | None, Head]:
        with self._store.batch() as transaction:
            head = transaction.head()
            memory = self._recall(transaction, head)
            world = self._world(transaction, memory, commands)
            plan = plan_batch(world, commands, _openings())
            if not plan.entries:
                return plan, None, head
            growth = memory.edge.grow([entry.leaf_hash for entry in plan.entries])
            note = sign_checkpoint(self._origin, growth.size, growth.root, self._signer)
            edge = growth.edge()
            after = Head(growth.size, world.time, world.last_hash, edge.to_bytes(), note)
            transaction.append(head.size, plan, growth.full_tiles(), after)
        # committed: only now may the memory move on
        memory.head, memory.edge, memory.registry = after, edge, world.registry
        _remember(memory.consents, world.consents)
        _remember(memory.chains, world.chains)
        return plan, growth, after

    def _recall(self, transaction: BatchTransaction, head: Head) -> _Memory:
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
        edge = Edge.from_bytes(head.edge)
        signed = open_checkpoint(head.checkpoint, self._signer.vkey)
        if (edge.size, signed.size, edge.root()) != (head.size, head.size, signed.root):
            raise Corrupt(f"the head row does not agree with its own checkpoint of size {signed.size}")
        registry = Registry() if memory is None else memory.registry
        registry = advance_registry(registry, transaction.documents_from(registry.size), head.size)
        if head.size and registry.origin != self._origin:
            raise Corrupt(f"this database holds the log {registry.origin!r}, and the key is that of {self._origin!r}")
        self._memory = _Memory(head, edge, registry)
        return self._memory

    def _memory_is_stale(self) -> None:
        if self._memory is not None:
            self._memory = _Memory(Head(-1, 0, b"", b"", ""), Edge(), self._memory.registry)

    def _world(self, transaction: BatchTransaction, memory: _Memory, commands: Sequence[Command]) -> World:
        """Load what this batch touches and the memory does not hold."""
        identities, consent_ids, chains = _touched(commands)
        credential_ids, challenges = _passkeys(commands)
        now = self._clock.now()
        self.figures.clock_behind_ms = max(0, memory.head.time - now)
        return World(
            size=memory.head.size,
            time=max(now, memory.head.time),
            last_hash=memory.head.last_hash,
            registry=memory.registry,
            seen=transaction.seen(identities),
            consents=_known(memory.consents, consent_ids)
            | transaction.consents(consent_ids - memory.consents.keys()),
            chains=_known(memory.chains, chains) | transaction.chains(chains - memory.chains.keys()),
            credentials=transaction.credentials(credential_ids) if credential_ids else {},
            challenges=transaction.challenges(challenges) if challenges else set(),
        )


_REFRESH = ExpireConsent("")
"""A command that records nothing: it only makes the sequencer look at the head."""


def _openings() -> Iterator[bytes]:
    while True:
        yield os.urandom(32)


def _touched(commands: Iterable[Command]) -> tuple[set[tuple[str, str]], set[str], set[bytes]]:
    """The identities, consents and chains that these commands may need."""
    identities: set[tuple[str, str]] = set()
    consent_ids: set[str] = set()
    chains: set[bytes] = set()
    for command in commands:
        match command:
            case SubmitStatement():
                identities.add(command.identity)
                payload = command.statement.payload
                if isinstance(payload, AccessBatch):
                    consent_ids.update(item.says.consent_id for item in command.items)
                elif isinstance(payload, SubjectEnrol | SubjectUnenrol):
                    chains.add(subject_chain(payload.iss, payload.subject))
                else:
                    consent_ids.add(payload.consent_id)
                if command.companion is not None:
                    link = command.companion.payload
                    identities.add((link.iss, link.jti))
                    chains.add(subject_chain(link.iss, getattr(link, "subject", "")))
            case ExpireConsent():
                consent_ids.add(command.consent_id)
            case RecordDocuments():
                chains.update(document_chain(parse_document(document)) for document in command.documents)
    chains.update(map(consent_chain, consent_ids))
    return identities, consent_ids, chains


def _passkeys(commands: Iterable[Command]) -> tuple[set[str], set[str]]:
    """The credential ids and challenges that these commands name."""
    credential_ids: set[str] = set()
    challenges: set[str] = set()
    for command in commands:
        if isinstance(command, SubmitStatement):
            if isinstance(command.statement.payload, SubjectEnrol | SubjectUnenrol):
                credential_ids.add(command.statement.payload.credential_id)
            if command.assertion is not None:
                credential_ids.add(command.assertion.credential_id)
                challenges.add(b64u(command.assertion.challenge()))
    return credential_ids, challenges


def _known(memory: dict[K, V], keys: set[K]) -> dict[K, V]:
    return {key: memory[key] for key in keys if key in memory}


def _remember(memory: dict[K, V], news: dict[K, V]) -> None:
    if len(memory) > CACHED_ITEMS:
        memory.clear()
    memory.update(news)


def _fail(batch: Iterable[_Waiting], error: LedgerError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _answer(batch: Iterable[_Waiting], plan: Plan, growth: Growth | None, checkpoint: str) -> None:
    proofs = [] if growth is None else growth.proofs()
    first = plan.entries[0].index if plan.entries else 0
    results = iter(zip(plan.results, plan.repeated, strict=True))
    for command, future in batch:
        if command is _REFRESH:
            future.set_result(())
            continue
        result, repeated = next(results)
        if isinstance(result, LedgerError):
            future.set_exception(result)
        elif repeated:
            future.set_result(Repeated(result))
        else:
            future.set_result(
                tuple(
                    Recorded(
                        entry.index, entry.time, entry.kind, entry.leaf, entry.evidence, entry.opening, entry.act,
                        entry.consent_id, entry.outcome, tuple(proofs[entry.index - first]), checkpoint,
                    )
                    for entry in plan.entries[result[0] - first : result[-1] - first + 1]
                )
            )  # fmt: skip

