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
from ledger.entries.acts import AccessBatch, AccessLeg, ConsentSupersede, SubjectConsent, SubjectEnrol, SubjectUnenrol
from ledger.entries.leaf import consent_chain, subject_chain
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

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Memory:
    """The state after the last batch this node has seen."""

    head: Head
    edge: Edge
    registry: Registry
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
            awaited=frozenset(touched.bases),
            allowed=transaction.allowed_accesses(touched.bases),
            legs=transaction.legs_under(touched.bases),
        )

    def advance(self, head: Head, edge: Edge, world: World) -> None:
        """Take over the state after a committed batch."""
        self.head, self.edge, self.registry = head, edge, world.registry
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
        payload = command.statement.payload
        if isinstance(payload, AccessBatch):
            self.consents.update(item.says.consent_id for item in command.items)
        elif isinstance(payload, SubjectEnrol | SubjectUnenrol):
            chain = subject_chain(acting_for(payload.iss, payload.on_behalf_of), payload.subject)
            self.chains.add(chain)
            self.credentials[payload.credential_id] = chain
        else:
            self.consents.add(payload.consent_id)
            if isinstance(payload, AccessLeg):
                self.bases.add(payload.basis)
            elif isinstance(payload, ConsentSupersede):
                self.consents.add(payload.superseded_by)
        if command.companion is not None and isinstance(command.companion.payload, SubjectConsent):
            link = command.companion.payload
            chain = subject_chain(acting_for(link.iss, link.on_behalf_of), link.subject)
            self.chains.add(chain)
            if command.assertion is not None:
                self.credentials[command.assertion.credential_id] = chain
        if command.assertion is not None:
            self.challenges.add(b64u(command.assertion.challenge()))


def registry_after(memory: Memory | None, transaction: BatchTransaction, size: int) -> Registry:
    """The registry as of `size` leaves, brought up to date from what was known before."""
    registry = Registry() if memory is None else memory.registry
    return advance_registry(registry, transaction.documents_from(registry.size), size)


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
