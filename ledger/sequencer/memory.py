"""What a sequencer keeps between batches, and how it loads the rest.

The memory is valid as long as no other node has written since: the head row tells. Otherwise it is thrown away and what a
batch touches is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ledger.canonical import b64u
from ledger.consent.state import Consent
from ledger.documents import document_chain, parse_document
from ledger.entries.acts import (
    AccessBatch,
    AccessLeg,
    AccessRequest,
    AlertDecide,
    ConsentAcknowledge,
    ConsentAct,
    ConsentSupersede,
    Declaration,
    HistorySheet,
    SubjectAnswer,
    SubjectConsent,
    SubjectEnrol,
    SubjectFeedback,
    SubjectUnenrol,
)
from ledger.entries.leaf import consent_chain, declaration_chain, history_chain, subject_chain
from ledger.entries.payload import acting_for
from ledger.errors import Corrupt, InvalidInput
from ledger.merkle.edge import Edge
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.participants import Registry
from ledger.planning.commands import (
    Command,
    ExpireConsent,
    RecordComposed,
    RecordDocuments,
    RecordIndexHead,
    SubmitStatement,
)
from ledger.planning.world import ChainHead, World
from ledger.storage.log import BatchTransaction, Head
from ledger.storage.operator import advance_registry

CACHED_ITEMS: Final = 200_000

OfConsent = ConsentAct | ConsentAcknowledge | AccessLeg | SubjectConsent
SubjectAct = SubjectConsent | SubjectEnrol | SubjectUnenrol | SubjectFeedback | SubjectAnswer
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Memory:
    """The state after the last batch this node has seen. `seen`: size and checkpoint of the log that the registry is of; it
    outlives a failed commit, after which nothing else is certain."""

    head: Head
    edge: Edge
    registry: Registry
    seen: tuple[int, str]
    consents: dict[str, Consent] = field(default_factory=dict)
    chains: dict[bytes, ChainHead] = field(default_factory=dict)

    def load(self, transaction: BatchTransaction, commands: Sequence[Command], now: int) -> World:
        """The world for these commands at `now` (ms): from memory, the rest from the database."""
        touched = _Touched.by(commands)
        wanted = {*touched.chains, *map(consent_chain, touched.consents)}
        chains = _known(self.chains, wanted) | transaction.chains(wanted - self.chains.keys())
        return World(
            size=self.head.size,
            time=max(now, self.head.time),
            last_hash=self.head.last_hash,
            registry=self.registry,
            seen=transaction.seen,
            consents=_known(self.consents, touched.consents)
            | transaction.consents(touched.consents - self.consents.keys(), chains),
            chains=chains,
            credentials=transaction.credentials(touched.credentials),
            challenges=transaction.challenges(touched.challenges),
            awaited=frozenset(touched.bases | touched.acknowledged | touched.alerts),
            allowed=transaction.allowed_accesses(touched.bases),
            legs=transaction.legs_under(touched.bases),
            moved=transaction.moving_entries(touched.acknowledged),
            alerts=transaction.alerts_among(touched.alerts),
            began=transaction.beginnings(touched.began),
            feedback=transaction.feedback_in(touched.feedback),
        )

    def advance(self, head: Head, edge: Edge, world: World) -> None:
        """Take over the state after a committed batch."""
        self.head, self.edge, self.registry = head, edge, world.registry
        self.seen = (head.size, head.checkpoint)
        _remember(self.consents, world.consents)
        _remember(self.chains, world.chains)


@dataclass(slots=True)
class _Touched:
    """The things that a batch of commands may touch."""

    consents: set[str] = field(default_factory=set)
    chains: set[bytes] = field(default_factory=set)
    """Chains other than those of the consents."""
    credentials: dict[str, bytes] = field(default_factory=dict)
    """Passkeys, each with the subject chain that it is spoken of with."""
    challenges: set[str] = field(default_factory=set)
    bases: set[int] = field(default_factory=set)
    """Decisions that legs rest on."""
    acknowledged: set[int] = field(default_factory=set)
    """Entries that are acknowledged."""
    alerts: set[int] = field(default_factory=set)
    """Alerts that are decided about."""
    began: set[bytes] = field(default_factory=set)
    """Chains of customers whose history is brought."""
    feedback: set[bytes] = field(default_factory=set)
    """Chains of customers whose feedback is given or answered."""

    @classmethod
    def by(cls, commands: Iterable[Command]) -> _Touched:
        touched = cls()
        for command in commands:
            match command:
                case SubmitStatement():
                    touched.add(command)
                case ExpireConsent():
                    touched.consents.add(command.consent_id)
                case RecordDocuments():
                    for document in command.documents:
                        with suppress(InvalidInput):  # the planner tells its submitter
                            touched.chains.add(document_chain(parse_document(document)))
                case RecordIndexHead() | RecordComposed():
                    pass
        return touched

    def add(self, command: SubmitStatement) -> None:
        match command.statement.payload:
            case AccessRequest() as says:  # first, as nearly all acts are accesses
                self.consents.add(says.consent_id)
            case AccessBatch():
                self.consents.update(item.says.consent_id for item in command.items)
            case SubjectEnrol() | SubjectUnenrol() as says:
                self.credentials[says.credential_id] = self._customer(says)
            case SubjectFeedback() | SubjectAnswer() as says:
                self.feedback.add(self._customer(says))
                if isinstance(says, SubjectFeedback):
                    self.consents.add(says.consent_id)
            case HistorySheet() as says:
                holder, subject = acting_for(says.iss, says.on_behalf_of), says.sheet.subject
                self.chains.add(history_chain(holder, subject))
                self.began.add(subject_chain(holder, subject))
            case says if isinstance(says, Declaration):
                self.chains.add(declaration_chain(acting_for(says.iss, says.on_behalf_of)))
                if isinstance(says, AlertDecide):
                    self.alerts.add(says.alert)
            case says:
                self._of_consent(says)
        if command.companion is not None and isinstance(command.companion.payload, SubjectConsent):
            chain = self._customer(command.companion.payload)
            if command.assertion is not None:
                self.credentials[command.assertion.credential_id] = chain
        if command.assertion is not None:
            self.challenges.add(b64u(command.assertion.challenge()))

    def _of_consent(self, says: OfConsent) -> None:
        self.consents.add(says.consent_id)
        if isinstance(says, AccessLeg):
            self.bases.add(says.basis)
        elif isinstance(says, ConsentSupersede):
            self.consents.add(says.superseded_by)
        elif isinstance(says, ConsentAcknowledge):
            self.acknowledged.add(says.basis)

    def _customer(self, says: SubjectAct) -> bytes:
        """The chain of the customer that an act is about, which it adds to."""
        chain = subject_chain(acting_for(says.iss, says.on_behalf_of), says.subject)
        self.chains.add(chain)
        return chain


def registry_after(memory: Memory | None, transaction: BatchTransaction, size: int) -> Registry:
    """The registry as of `size` leaves, brought up to date from what was known before.

    What was known may rest on entries that were visible and never confirmed: a failover takes them back, and others stand in
    their places. So it counts only in the log that it was read from; in another one everything is read anew.
    """
    registry = Registry()
    if memory is not None and transaction.note_at(memory.seen[0]) == memory.seen[1]:
        registry = memory.registry
    return advance_registry(registry, transaction.said_from(registry.size), size)


def edge_of(head: Head, vkeys: Sequence[VerifierKey]) -> Edge:
    """The right edge of the tree, as the head row has it and one of the log's keys has signed it.

    Raises Corrupt, BadSignature.
    """
    edge, signed = Edge.from_bytes(head.edge), open_checkpoint(head.checkpoint, vkeys)
    if (edge.size, signed.size, edge.root()) != (head.size, head.size, signed.root):
        raise Corrupt(f"the head row does not agree with its own checkpoint of size {signed.size}")
    return edge


def identities(commands: Iterable[Command]) -> set[tuple[str, bytes]]:
    """The (iss, jti) of all statements in these commands."""
    found: set[tuple[str, bytes]] = set()
    for command in commands:
        if isinstance(command, SubmitStatement):
            found.add(command.identity)
            if command.companion is not None:
                found.add((command.companion.payload.iss, command.companion.jti))
    return found


def _known(memory: dict[K, V], keys: set[K]) -> dict[K, V]:
    return {key: memory[key] for key in keys if key in memory}


def _remember(memory: dict[K, V], news: dict[K, V]) -> None:
    if len(memory) > CACHED_ITEMS:
        memory.clear()
    memory.update(news)
