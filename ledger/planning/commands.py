"""What can be submitted, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from ledger.canonical import b64u, b64u_of_hashes
from ledger.entries.acts import AccessBatch
from ledger.entries.assertion import Assertion
from ledger.entries.evidence import Outcome, decode_access_outcome, encode_place, outcome_at_end
from ledger.entries.leaf import Kind
from ledger.entries.statement import Statement, parse_item
from ledger.errors import BadStatement
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.together import SharedProofs
from ledger.participants import Registry
from ledger.policy.moment import Item


class AskedItem(Item, Protocol):
    """What one item of a batch says."""

    @property
    def consent_id(self) -> str: ...


class BatchItem(Struct, frozen=True):
    """One item of an `access.batch`: what it says, and its place under `items_root` as evidence holds it."""

    says: AskedItem
    place: bytes
    """The bytes of a `BatchPlace`: the item's CL-JSON text, path and position."""


@dataclass(frozen=True, slots=True)
class SubmitStatement:
    """A verified statement, with the items of a batch or the companion of an authorisation."""

    statement: Statement
    items: tuple[BatchItem, ...] = ()
    """For `access.batch`: its items, in their order."""
    companion: Statement | None = None
    """For `consent.authorise`: the `subject.consent` that goes with it."""
    assertion: Assertion | None = None
    """For `consent.authorise`: the customer's own passkey record."""

    @property
    def identity(self) -> tuple[str, bytes]:
        """(iss, jti): unique for ever."""
        return self.statement.payload.iss, self.statement.jti


@dataclass(frozen=True, slots=True)
class RecordDocuments:
    """Operator documents, recorded all or none, in this order."""

    documents: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ExpireConsent:
    """Make visible in the log that a consent has expired."""

    consent_id: str


@dataclass(frozen=True, slots=True)
class RecordIndexHead:
    """Commit the completeness map over all leaves so far; nothing is recorded when the last leaf does that already."""

    every: int = 0
    """Nor when the last index-head is younger than this, in milliseconds."""


class Composer(Protocol):
    """Writes operator documents that say what holds at the very index they get. For one use."""

    def compose(self, connection: Any, registry: Registry, size: int, time: int) -> Sequence[Mapping[str, Any]]:
        """The documents, if their first entry has index `size` and this `time` (ms). Below the log's lock, and again when a
        commit is tried again. `connection`: the batch's own. Raises LedgerError to record nothing."""

    def recorded(self, connection: Any, index: int) -> None:
        """The documents stand from `index` on, once this transaction is committed: write what belongs to them."""


@dataclass(frozen=True, slots=True)
class RecordComposed:
    """Operator documents that can be written only when their index and time are known; alone in their batch."""

    composer: Composer


Command = SubmitStatement | RecordDocuments | ExpireConsent | RecordIndexHead | RecordComposed


class Proved(Struct, frozen=True, gc=False):
    """An entry with its proof: what a receipt is made of."""

    index: int
    leaf: bytes
    evidence: bytes | None
    opening: bytes | None
    proof: tuple[bytes, ...]
    """Sibling hashes, the leaf's first, in the tree of `checkpoint`."""
    checkpoint: str
    """The signed checkpoint, a note."""


class Recorded(Struct, frozen=True):
    """One entry as its submitter may see it: durable, included, signed."""

    index: int
    time: int
    kind: Kind
    leaf: bytes
    evidence: bytes | None
    opening: bytes | None
    act: str
    consent_id: str | None
    outcome: Outcome | None
    proof: tuple[bytes, ...]
    """Sibling hashes, the leaf's first, in the tree of `checkpoint`."""
    checkpoint: str
    """The signed checkpoint, a note."""
    repeated: bool = False
    """True when this answers a statement that was recorded before."""
    statement: str | None = None
    """What its signer said, where the evidence holds the customer's passkey record too and the viewer may not have that."""


class BatchEntry(Struct, frozen=True, array_like=True):
    """What an entry of a batch has for itself."""

    leaf: bytes
    opening: bytes
    head: bytes
    """Its evidence up to the tail; the outcome is its end."""
    consent_id: str

    @property
    def outcome(self) -> bytes:
        """The outcome, as evidence holds it."""
        return outcome_at_end(self.head)


class RecordedBatch(Struct, frozen=True, array_like=True):
    """The entries of one batch, recorded one after another; what they have in common stands once."""

    time: int
    tail: bytes
    """The end of the evidence of each, from the statement on."""
    proofs: SharedProofs
    checkpoint: str
    """The signed checkpoint, a note."""
    entries: tuple[BatchEntry, ...]

    @property
    def first(self) -> int:
        """Index of the first of them."""
        return self.proofs.first

    def recorded(self) -> tuple[Recorded, ...]:
        """The entries, each with all that is its own."""
        return tuple(
            Recorded(
                index,
                self.time,
                Kind.CONSENT,
                entry.leaf,
                entry.head + self.tail,
                entry.opening,
                "access.request",
                entry.consent_id,
                decode_access_outcome(entry.outcome),
                path,
                self.checkpoint,
            )
            for index, (entry, path) in enumerate(zip(self.entries, self.proofs.paths(), strict=True), self.first)
        )


def batch_items(payload: AccessBatch, items: Sequence[str]) -> tuple[BatchItem, ...]:
    """The items of a batch with their paths. Raises BadStatement when they are not what `items_root` binds."""
    if len(items) != payload.items_count:
        raise BadStatement(f"items_count is {payload.items_count}, and {len(items)} items came", member="items_count")
    bodies = [item.encode("utf-8", "surrogatepass") for item in items]
    growth = Edge().grow([leaf_hash(body) for body in bodies])
    if b64u(growth.root) != payload.items_root:
        raise BadStatement("items_root is not the RFC 6962 root over the items as sent", member="items_root")
    read = [parse_item(body) for body in bodies]
    paths = growth.shared_proofs(0, len(items)).texts(lambda nodes: [f'"{text}",' for text in b64u_of_hashes(nodes)])
    return tuple(
        BatchItem(says, encode_place(body, path, position))
        for position, (body, says, path) in enumerate(zip(items, read, paths, strict=True))
    )
