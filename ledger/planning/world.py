"""What a planner knows and what it makes: the state before a batch, and the entries after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from ledger.consent.state import Consent
from ledger.entries.assertion import Credential
from ledger.entries.evidence import Outcome
from ledger.entries.leaf import NO_HASH, Kind
from ledger.errors import LedgerError
from ledger.participants import Registry


class ChainHead(Struct, frozen=True, gc=False):
    """Where a chain continues: the next `seq`, and the leaf hash of its last leaf."""

    seq: int = 0
    last_hash: bytes = NO_HASH


class Allowed(Struct, frozen=True):
    """An access that was allowed: what legs may rest on."""

    chain: bytes
    """Of its consent."""
    interaction_id: str


class SeenStatement(Struct, frozen=True):
    """A statement that is in the log already."""

    payload_hash: bytes
    indexes: tuple[int, ...]


@dataclass(slots=True)
class World:
    """What the planner may know: the state that all lower indexes produce, for the things this batch touches."""

    size: int
    time: int
    last_hash: bytes
    registry: Registry
    seen: dict[tuple[str, bytes], SeenStatement]
    """By (iss, jti)."""
    consents: dict[str, Consent]
    chains: dict[bytes, ChainHead]
    credentials: dict[str, Credential] = field(default_factory=dict)
    """Passkeys by credential id."""
    challenges: set[str] = field(default_factory=set)
    """Challenges (b64u) that entries of the log have used."""
    awaited: frozenset[int] = frozenset()
    """Indexes that legs, acknowledgements and decisions on alerts in this batch rest on."""
    allowed: dict[int, Allowed] = field(default_factory=dict)
    """Those of them that are allowed accesses."""
    legs: set[tuple[int, str]] = field(default_factory=set)
    """(basis, act) of the legs under them."""
    moved: set[tuple[bytes, int]] = field(default_factory=set)
    """(chain, index) of those of them that moved a consent."""
    alerts: set[int] = field(default_factory=set)
    """Those of them that are alerts."""
    began: dict[bytes, int] = field(default_factory=dict)
    """By customer's chain: the time (ms) of its first entry, of those that sheets of history speak of, and that begin now."""
    feedback: dict[bytes, dict[str, bool]] = field(default_factory=dict)
    """By customer's chain, and number: whether the feedback is closed."""


class Entry(Struct, frozen=True):
    """One entry to be written. A struct, not a dataclass: one is made for every access."""

    index: int
    time: int
    kind: Kind
    chain: bytes | None
    seq: int | None
    leaf: bytes
    leaf_hash: bytes
    evidence: bytes | None = None
    opening: bytes | None = None
    act: str = ""
    consent_id: str | None = None
    outcome: Outcome | None = None
    iss: str | None = None
    jti: bytes | None = None
    position: int | None = None
    payload_hash: bytes | None = None


@dataclass(slots=True)
class Plan:
    """What a batch leads to. `results` has one item per command: indexes of entries, or why it was refused."""

    entries: list[Entry] = field(default_factory=list)
    results: list[tuple[int, ...] | LedgerError] = field(default_factory=list)
    repeated: list[bool] = field(default_factory=list)
    """Whether the command of the same place was recorded before this batch (or earlier in it)."""
    changed: dict[str, Consent] = field(default_factory=dict)
    """Consents whose state differs after the batch."""
    credentials: dict[str, Credential] = field(default_factory=dict)
    """Passkeys that were enrolled or unenrolled."""
    challenges: dict[str, int] = field(default_factory=dict)
    """Challenges used in this batch, with the index of their entry."""
    legs: dict[tuple[int, str], int] = field(default_factory=dict)
    """Legs recorded in this batch, (basis, act), with the index of their entry."""
