"""The ledger: the one door for writing, and the questions that can be asked.

Flow of one submission: `prepare` (any thread: parse, check the signature) → `submit` (queue) → sequencer → `settle`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from ledger.canonical import b64u, unb64u
from ledger.clock import Clock, SystemClock
from ledger.documents import Erasure, document_of
from ledger.entries.acts import AccessBatch, ConsentAuthorise
from ledger.entries.assertion import parse_assertion
from ledger.entries.statement import Statement, parse_statement
from ledger.errors import BadStatement, LedgerError, Unavailable
from ledger.log_keys import LogKeys
from ledger.notes.keys import VerifierKey
from ledger.opening import hold_to_signed, open_key_store
from ledger.participants import Registry
from ledger.planning.commands import (
    Command,
    ExpireConsent,
    RecordComposed,
    RecordDocuments,
    Recorded,
    RecordedBatch,
    SubmitStatement,
    batch_items,
)
from ledger.queries.completeness import CompletenessQueries
from ledger.queries.log_keys import log_keys_now, read_log_keys
from ledger.queries.reconciliation import ReconciliationQueries
from ledger.queries.records import RecordQueries
from ledger.queries.tree import TreeQueries
from ledger.queries.usage import UsageQueries
from ledger.sequencer.answers import Answer, Deliver, Repeated, SequencerLike
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.operator import advance_registry, said_from
from ledger.vault.keystore import KeyStore

log = logging.getLogger("ledger.app")

WAIT_SECONDS = 60.0
HOUSEKEEPING_SECONDS = 1.0
KEYSTORE_SECONDS = 5.0
CHAINS_A_DOCUMENT = 8
CHAINS_AT_ONCE = 500


class Ledger:
    """A running node of one log."""

    def __init__(
        self,
        store: LogStore,
        keystore: KeyStore,
        sequencer: SequencerLike,
        vkey: VerifierKey,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        """The time that this node records by."""
        self._store = store
        self.keystore = keystore
        self._sequencer = sequencer
        self._own_vkey = vkey
        self._named: LogKeys | None = None
        self.origin = vkey.name
        self.tree = TreeQueries(store)
        self.records = RecordQueries(store, keystore, self.tree.known_tiles)
        self.completeness = CompletenessQueries(store, self.records)
        self.reconciliation = ReconciliationQueries(store, keystore)
        self.usage = UsageQueries(store, keystore)
        self.figures = sequencer.figures
        self._end = threading.Event()
        self._housekeeper: threading.Thread | None = None
        self._erased: frozenset[str] = frozenset()
        self._troubles: dict[str, str] = {}

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write. Raises Rollback, Corrupt or Unavailable, each with what to do."""
        hold_to_signed(self._store, lambda: self.vkeys)  # before anyone takes a key out of a document
        open_key_store(self._store, self.keystore)  # before anyone decides by what is sealed, or reads it
        self._sequencer.start()
        try:
            self._destroy_erased()  # a key store from an older backup brings erased keys back: gone before anyone reads
        except Unavailable as error:  # housekeeping tries again
            log.warning("destroying keys of erased chains: %s", error.detail)
        self._housekeeper = threading.Thread(target=self._keep_house, name="housekeeper", daemon=True)
        self._housekeeper.start()

    def stop(self) -> None:
        """Finish what was submitted, then close."""
        self._sequencer.stop()
        self._end.set()
        if self._housekeeper is not None:
            self._housekeeper.join()
        self._store.close()
        self.keystore.close()

    @property
    def stopped_because(self) -> str | None:
        """Why this node does not write; None while it does."""
        return self._sequencer.stopped_because

    def halt(self, reason: str) -> None:
        """Sign nothing more from now on, whatever waits: the reason is told to everybody."""
        self._sequencer.halt(reason)

    @property
    def paused_because(self) -> str | None:
        """Why nothing new is recorded for the moment, though this node will go on by itself; None while it records."""
        return self.figures.paused_because

    @property
    def unready_because(self) -> str | None:
        """Why a submission would probably not be recorded now: this node has stopped, its database or its key store has not
        answered lately, or its housekeeping fails. None when all of that was well a few seconds ago. Costs nothing."""
        return self._sequencer.unready_because or next(iter(self._troubles.values()), None)

    @property
    def engine_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._store.engine_name

    @property
    def store(self) -> LogStore:
        """The log's storage, for exports and checks."""
        return self._store

    def _keep_house(self) -> None:
        """Once a second: move SQLite's write-ahead log into the database, learn of keys and erasures from other nodes."""
        looked = -math.inf
        while not self._end.wait(HOUSEKEEPING_SECONDS):
            destroy = partial(self._destroy_erased, self._sequencer.refresh())
            self._try("keeping house", destroy, self._store.checkpoint_wal)
            if time.monotonic() - looked > KEYSTORE_SECONDS or "the key store" in self._troubles:
                self._try("the key store", self.keystore.probe)
                looked = time.monotonic()

    def _try(self, what: str, *works: Callable[[], None]) -> None:
        """Do what can be done again later; until it succeeds, this node says that it is not ready."""
        try:
            for work in works:
                work()
        except LedgerError as error:
            log.warning("%s: %s", what, error.detail)
            self._troubles[what] = f"{what}: {error.detail}"
        else:
            self._troubles.pop(what, None)

    def _destroy_erased(self, looking: Future[None] | None = None) -> None:
        """Make what is on record as erased unreadable here too: drop copies of keys that another node destroyed, and
        destroy keys that a crash left between record and destruction. What is on record and not confirmed waits: a failover
        can take the record back, and never a key.
        """
        if looking is not None and self.registry.erased - self._erased:
            try:
                looking.result(HOUSEKEEPING_SECONDS)
            except TimeoutError:
                return  # the node writes, or waits for the database: the next turn sees
        registry = self.registry
        erased = registry.erased
        names = sorted(erased - self._erased)
        if names and not self._is_confirmed(registry.size):
            return
        for at in range(0, len(names), CHAINS_AT_ONCE):
            self.keystore.destroy(map(unb64u, names[at : at + CHAINS_AT_ONCE]))
        self._erased = erased

    def _is_confirmed(self, size: int) -> bool:
        """Whether nothing below this size can be lost any more (docs/spec/log.md, «Confirmed horizon»)."""
        with self._store.read() as connection:
            return confirmed_size(connection, size) >= size

    @property
    def sequencer(self) -> SequencerLike:
        """What orders and writes, in this process or beside it."""
        return self._sequencer

    # -- writing ----------------------------------------------------------------------------------------------------

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        """The log's verifier keys: those in force, the newest first, then those of former times, whose word still counts for
        what they signed. Raises Unavailable."""
        return tuple(dict.fromkeys((*self.log_keys.vkeys(self.origin), self._own_vkey)))

    @property
    def vkey(self) -> VerifierKey:
        """The newest of them, which readers are to be told. Raises Unavailable."""
        return self.vkeys[0]

    @property
    def log_keys(self) -> LogKeys:
        """What the log names of its keys; on a node that has not been started it is read once. Raises Unavailable."""
        if self.registry.size:
            return self.registry.log_keys
        if self._named is None:
            self._named = read_log_keys(self._store)
        return self._named

    def log_keys_now(self) -> LogKeys:
        """As `log_keys`, with what other nodes and commands have recorded a moment ago. Raises Corrupt, Unavailable."""
        registry = self.registry
        return log_keys_now(self._store, registry.log_keys, registry.size)

    @property
    def registry(self) -> Registry:
        """Participants and keys as this node knows them."""
        return self._sequencer.registry

    def registry_now(self) -> Registry:
        """Participants and keys as of this moment, those that another process has recorded since included: for whoever must
        not let somebody in whom a commit has just shut out. Blocking. Raises Unavailable."""
        registry = self.registry
        with self._store.read() as connection:
            said = said_from(connection, self.keystore, registry.size)
        return advance_registry(registry, said, said[-1].at + 1) if said else registry

    def prepare(
        self,
        statement: str,
        *,
        items: Sequence[str] | None = None,
        companion: str | None = None,
        assertion: str | None = None,
    ) -> SubmitStatement:
        """Read and verify a statement and what goes beside it. Any thread; about the cost of one signature check.

        Raises BadEncoding, BadSignature, BadStatement.
        """
        registry = self.registry
        read = parse_statement(statement, registry.check_signature)
        beside: Statement | None = None
        if companion is not None:
            if not isinstance(read.payload, ConsentAuthorise):
                raise BadStatement("only consent.authorise has a companion", member="companion")
            beside = parse_statement(companion, registry.check_signature)
        if isinstance(read.payload, AccessBatch):
            return SubmitStatement(read, batch_items(read.payload, items or ()))
        if items is not None:
            raise BadStatement("only access.batch has items", member="items")
        signed_by_customer = None
        if assertion is not None:
            if not isinstance(read.payload, ConsentAuthorise):
                raise BadStatement("only consent.authorise carries the customer's assertion", member="assertion")
            signed_by_customer = parse_assertion(assertion)
        return SubmitStatement(read, companion=beside, assertion=signed_by_customer)

    def submit(self, command: Command, deliver: Deliver) -> None:
        """Hand a command to the sequencer, which calls `deliver` on its thread. Raises QueueFull, SequencerStopped."""
        self._sequencer.submit(command, deliver)

    def submit_soon(self, command: Command) -> Future[Answer]:
        """Hand a command to the sequencer; the future has the answer or the error. Raises QueueFull, SequencerStopped."""
        future: Future[Answer] = Future()

        def deliver(answer: Answer | LedgerError) -> None:
            if not future.set_running_or_notify_cancel():
                return  # nobody waits any more; the entry stands
            if isinstance(answer, LedgerError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        self._sequencer.submit(command, deliver)
        return future

    def settle(self, answer: Answer) -> tuple[Recorded, ...]:
        """The entries of an answer; for a repeated statement its first receipts are read again (blocking)."""
        if isinstance(answer, Repeated):
            return self.records.recorded(answer.indexes, repeated=True)
        if isinstance(answer, RecordedBatch):
            return answer.recorded()
        return answer

    def submit_and_wait(self, command: Command, *, seconds: float = WAIT_SECONDS) -> tuple[Recorded, ...]:
        """Submit and wait for the commit. Raises what the rules say, or Unavailable after so many seconds."""
        try:
            return self.settle(self.submit_soon(command).result(seconds))
        except TimeoutError:
            raise Unavailable(
                f"no answer within {seconds:.0f} s; submitting the same statement again is safe"
            ) from None

    def record(
        self,
        statement: str,
        *,
        items: Sequence[str] | None = None,
        companion: str | None = None,
        assertion: str | None = None,
    ) -> tuple[Recorded, ...]:
        """`prepare` and `submit_and_wait` in one call."""
        prepared = self.prepare(statement, items=items, companion=companion, assertion=assertion)
        return self.submit_and_wait(prepared)

    def record_documents(self, *documents: Mapping[str, Any]) -> tuple[Recorded, ...]:
        """Record operator documents, all or none."""
        return self.submit_and_wait(RecordDocuments(documents))

    def erase(
        self, chains: Iterable[bytes], basis: str, approved_by: tuple[str, str], *, seconds: float = WAIT_SECONDS
    ) -> tuple[Recorded, ...]:
        """Put on record that these chains are erased, by two people's approval, and destroy their data keys.

        On record first: a crash between the two leaves keys that every node's housekeeping destroys within a second, while the
        reverse would leave unreadable entries that nobody can account for.
        """
        wanted = {b64u(chain) for chain in chains}
        if wanted & self.registry.erased:
            # An answer rests on what the log holds now, not on what this node once saw of it.
            try:
                self._sequencer.refresh().result(seconds)
            except TimeoutError:
                raise Unavailable(f"no look at the log within {seconds:.0f} s; asking again is safe") from None
            if not self._is_confirmed(self.registry.size):
                raise Unavailable("an erasure of these records is seen and not yet confirmed; ask again")
        names = sorted(wanted - self.registry.erased)
        first, second = sorted(approved_by)
        documents = [
            document_of(
                Erasure, chains=tuple(names[at : at + CHAINS_A_DOCUMENT]), basis=basis, approved_by=(first, second)
            )
            for at in range(0, len(names), CHAINS_A_DOCUMENT)
        ]
        recorded = self.submit_and_wait(RecordDocuments(tuple(documents)), seconds=seconds) if documents else ()
        self.keystore.destroy(unb64u(name) for name in names)
        return recorded

    def reconcile(self, *, at: int | None = None) -> Recorded:
        """Compare the legs of all accesses that are an hour old, from where the last report ended, and record the report.
        `at`: the present time (ms), to see before much is read whether there is anything to report.

        Raises Conflict when there is nothing to report, or another node has just done so. Not in a front process.
        """
        self._sequencer.refresh().result(WAIT_SECONDS)
        survey = self.reconciliation.survey(self.registry.reconciled)
        survey.look_ahead(self.registry, at)
        return self.submit_and_wait(RecordComposed(survey))[0]

    def record_expiry(self, consent_id: str) -> Recorded:
        """Make visible that a consent has expired."""
        return self.submit_and_wait(ExpireConsent(consent_id))[0]
