"""Several logs as one, folded from the documents of a head log (docs/spec/sets.md, 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import Object, check_members, get_bytes, get_integer, get_text
from verifier.crypto.keys import ed25519_key
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import PARTICIPANT, check_sorted
from verifier.rules.log_keys import LogKeys
from verifier.tlog.note import is_key_name

MEMBERS: dict[str, frozenset[str]] = {
    "shard.added": frozenset({"origin", "key"}),
    "holder.placed": frozenset({"holder", "origin"}),
    "heads.committed": frozenset({"heads"}),
}
"""Documents of version 2."""
HEADS_CHAIN = "operator:heads"
CHAINS = {"shard.added": "operator:set", "holder.placed": "operator:set", "heads.committed": HEADS_CHAIN}
MAX_HEADS = 6


class ShardHead(NamedTuple):
    """The first `size` entries of the log `origin` have this root (32 bytes)."""

    origin: str
    size: int
    root: bytes


Committed = Callable[[int, ShardHead], None]
"""Takes the index of a `heads.committed` and a head in it that counts."""


@dataclass(slots=True)
class Shards:
    """What the documents said so far. `added`: origin -> the key (raw) that the shard opened with, in log order; `placed`:
    holder -> origin; `heads`: the last one that was committed for each shard. `watch` is shown every head."""

    log_keys: LogKeys
    added: dict[str, bytes] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)
    heads: dict[str, ShardHead] = field(default_factory=dict)
    watch: Committed | None = None

    def fold(self, document: Object, index: int, own: str) -> None:
        """Apply one document of the log whose origin is `own`. Raises Refuted: BAD_ENCODING, BAD_SIGNATURE for its form,
        CONSENT_INVALID for what is illegal. Then it says nothing, but for the heads of shards that were added."""
        match document["type"]:
            case "shard.added":
                self._shard_added(document, own)
            case "holder.placed":
                self._holder_placed(document)
            case _:
                self._heads_committed(document, index)

    def _shard_added(self, document: Object, own: str) -> None:
        origin, key = get_origin(document), ed25519_key(get_bytes(document, "key", 32)).raw
        if origin == own or origin in self.added:
            raise _illegal("a shard is another log than the head log, and is added once", "a new origin", origin)
        if key in self.added.values() or key in self.log_keys.spans:
            raise _illegal("the key of a shard is that of no other log", "a new key", key.hex())
        self.added[origin] = key

    def _holder_placed(self, document: Object) -> None:
        holder, origin = get_text(document, "holder", 63, PARTICIPANT), get_origin(document)
        self._check_added(origin)
        if holder in self.placed:
            raise _illegal("a holder is placed once", "a holder that was not placed", holder)
        self.placed[holder] = origin

    def _heads_committed(self, document: Object, index: int) -> None:
        wrong: Refuted | None = None
        for head in read_heads(document):
            try:
                self._check_added(head.origin)
            except Refuted as refusal:  # nobody knows of which log it is
                wrong = wrong or refusal
                continue
            last = self.heads.get(head.origin)
            if last is not None and (head.size < last.size or (head.size == last.size and head.root != last.root)):
                expected = f"at least {last.size}, and {last.root.hex()} at that size"
                found = f"{head.origin}: {head.size}, {head.root.hex()}"
                wrong = wrong or _illegal("a shard only grows, and has one root for one size", expected, found)
            self.heads[head.origin] = head
            if self.watch is not None:
                self.watch(index, head)
        if wrong is not None:
            raise wrong

    def _check_added(self, origin: str) -> None:
        if origin not in self.added:
            raise _illegal("the log is no shard of this set", "a shard that was added before", origin)


def get_origin(value: Object) -> str:
    """An origin that a key can be named after (docs/spec/encoding.md, policies.md). Raises Refuted(BAD_ENCODING)."""
    origin = get_text(value, "origin", 255)
    if not is_key_name(origin):
        raise refuted(Code.BAD_ENCODING, "not the origin of a log", field="origin", found=origin)
    return origin


def read_heads(document: Object) -> list[ShardHead]:
    """The heads of a `heads.committed`, in its form. Raises Refuted(BAD_ENCODING)."""
    listed = document["heads"]
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or not 1 <= len(rows) == len(listed) <= MAX_HEADS:
        raise refuted(Code.BAD_ENCODING, "not a list of the expected length", field="heads", expected="1 to 6 heads")
    heads: list[ShardHead] = []
    for row in rows:
        check_members(row, {"origin", "root", "size"})
        heads.append(ShardHead(get_origin(row), get_integer(row, "size", 1), get_bytes(row, "root", 32)))
    check_sorted([head.origin for head in heads], "heads")
    return heads


def _illegal(sentence: str, expected: str, found: str) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=found)
