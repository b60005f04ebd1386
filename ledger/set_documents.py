"""Operator documents of a head log: which logs are a set, and what their heads were (docs/spec/sets.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.entries.fields import SAFE_INTEGER, Bytes32, Origin, ParticipantId, require_sorted_unique


class _OfASet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: Literal[2] = 2


class ShardAdded(_OfASet, frozen=True, kw_only=True, tag_field="type", tag="shard.added"):
    """A log of the set that this head log stands for, and the log key that it opened with (docs/spec/sets.md)."""

    origin: Origin
    key: Bytes32


class HolderPlaced(_OfASet, frozen=True, kw_only=True, tag_field="type", tag="holder.placed"):
    """The shard in which a holder lives, for ever."""

    holder: ParticipantId
    origin: Origin


class ShardHead(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Size and root of a shard, as one of its signed checkpoints gave them."""

    origin: Origin
    root: Bytes32
    size: Annotated[int, Meta(ge=1, le=SAFE_INTEGER)]


class HeadsCommitted(_OfASet, frozen=True, kw_only=True, tag_field="type", tag="heads.committed"):
    """What the head log vouches for: the heads of some shards at one time."""

    heads: Annotated[tuple[ShardHead, ...], Meta(min_length=1, max_length=6)]

    def __post_init__(self) -> None:
        require_sorted_unique("heads", tuple(head.origin for head in self.heads))


SetDocument = ShardAdded | HolderPlaced | HeadsCommitted
