"""A set of logs, as its head log tells of it: a fold over the documents about shards (docs/spec/sets.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ledger.canonical import unb64u
from ledger.errors import BadEncoding, Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.notes.keys import ED25519, VerifierKey
from ledger.set_documents import HeadsCommitted, HolderPlaced, SetDocument, ShardAdded, ShardHead


@dataclass(frozen=True, slots=True)
class CommittedHead:
    """A shard's head (root: 32 bytes) as entry `index` of the head log commits to it, at `time` in milliseconds."""

    size: int
    root: bytes
    index: int
    time: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A log of the set. `vkey`: the log key that it opened with, from which its own documents lead to later ones."""

    origin: str
    vkey: VerifierKey
    added_at: int
    head: CommittedHead | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """The shard in which a holder lives, and the entry that says so."""

    origin: str
    index: int


@dataclass(frozen=True, slots=True)
class ShardSet:
    """Shards by origin, in the order in which they were added, and holders by id. It never changes: a document makes a new
    one."""

    shards: Mapping[str, Shard] = field(default_factory=dict)
    holders: Mapping[str, Home] = field(default_factory=dict)

    def after(
        self,
        document: SetDocument,
        index: int,
        time: int,
        own: str,
        own_keys: Collection[bytes],
    ) -> ShardSet:
        """What this document, recorded at `index` and `time` (ms) in the log `own`, leads to. `own_keys`: raw keys that this
        log names as its own. Raises Conflict, NotFound, IllegalTransition, InvalidInput."""
        match document:
            case ShardAdded():
                return self._add(document, index, own, own_keys)
            case HolderPlaced():
                self._shard(document.origin)
                if (home := self.holders.get(document.holder)) is not None:
                    raise Conflict(f"{document.holder!r} lives in {home.origin!r}, for ever", member="holder")
                placed = {**self.holders, document.holder: Home(document.origin, index)}
                return replace(self, holders=MappingProxyType(placed))
            case HeadsCommitted():
                shards = dict(self.shards)
                for head in document.heads:
                    shard = self._shard(head.origin)
                    _check_growth(shard, head)
                    committed = CommittedHead(head.size, unb64u(head.root, size=32), index, time)
                    shards[head.origin] = replace(shard, head=committed)
                return replace(self, shards=MappingProxyType(shards))

    def _add(self, document: ShardAdded, index: int, own: str, own_keys: Collection[bytes]) -> ShardSet:
        if document.origin == own or document.origin in self.shards:
            raise Conflict(f"{document.origin!r} is in the set already, or is this log", member="origin")
        try:
            vkey = VerifierKey(document.origin, ED25519, unb64u(document.key, size=32))
        except BadEncoding as error:
            raise InvalidInput(f"the shard's key is not acceptable: {error.detail}", member="key") from None
        taken = {shard.vkey.public_key for shard in self.shards.values()} | set(own_keys)
        if vkey.public_key in taken:
            raise Conflict("another log of the set has this key: one key, one log", member="key")
        return replace(self, shards=MappingProxyType({**self.shards, document.origin: Shard(vkey.name, vkey, index)}))

    def _shard(self, origin: str) -> Shard:
        found = self.shards.get(origin)
        if found is None:
            raise NotFound(f"{origin!r} is not a shard of this set: add it first (shard.added)", member="origin")
        return found


def _check_growth(shard: Shard, head: ShardHead) -> None:
    """Raises IllegalTransition for a head that the last one does not lead to."""
    last = shard.head
    if last is None or head.size > last.size:
        return
    if head.size < last.size:
        raise IllegalTransition(
            f"{shard.origin!r} had {last.size} entries in entry {last.index}, and now {head.size}: a log never shrinks"
        )
    if unb64u(head.root, size=32) != last.root:
        raise IllegalTransition(f"{shard.origin!r} has another root at size {last.size} than in entry {last.index}")
