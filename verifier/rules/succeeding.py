"""From the log keys that a reader trusts to those that came after them (docs/spec/log.md, «A reader that knows only an
older key»), purely: who hands the documents out is trusted in nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from verifier.bytes.encoding import Object, check_members, get_bytes, get_integer, get_text
from verifier.crypto.keys import ed25519_key
from verifier.errors import Code, refuted
from verifier.records.terms import CODE
from verifier.rules.log_keys import MEMBERS


@dataclass(frozen=True, slots=True)
class Successor:
    """A key (raw, 32 bytes) that the reader now trusts for checkpoints of `first` entries and more, by the word of another."""

    key: bytes
    by: bytes
    first: int


@dataclass(frozen=True, slots=True)
class Words:
    """What documents say of a log's keys, by their index; keys and signatures are raw."""

    added: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    """The key, and the one beside which it was put."""
    retired: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    """The key, and its signature over the tree below its end."""
    compromised: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Key → the least size from which on somebody else may have signed, and the document that says so."""

    def read(self, document: Object, index: int) -> None:
        """Take in a document of version 2. Raises Refuted (BAD_ENCODING, BAD_SIGNATURE) if it is not of its form."""
        kind = document.get("type")
        if kind not in MEMBERS or document.get("v") != 2:
            raise refuted(Code.BAD_ENCODING, "the entry is no document about a key of the log", index=index)
        check_members(document, MEMBERS[str(kind)] | {"type", "v"})
        key = ed25519_key(get_bytes(document, "key", 32)).raw
        if kind == "log.key_added":
            self.added[index] = key, ed25519_key(get_bytes(document, "previous", 32)).raw
        elif kind == "log.key_retired":
            self.retired[index] = key, get_bytes(document, "signature", 64)
        else:
            get_text(document, "reason", 64, CODE)
            told = get_integer(document, "from_size"), index
            self.compromised[key] = min(told, self.compromised.get(key, told))


Vouches = Callable[[bytes, bytes, int, int], None]
"""Takes a key, its signature, the index i of the document that it vouches for and the size j of the tree: the signature
holds over the checkpoint of that tree, of which the document is entry i. Raises Refuted."""


def successors(trusted: Iterable[bytes], words: Words, vouches: Vouches) -> list[Successor]:
    """The keys that the trusted ones lead to, nearest first.

    Raises Refuted: what `vouches` raises, and KEY_COMPROMISED when they lead to none, and one of them was compromised.
    """
    known = list(trusted)
    found: list[Successor] = []
    for by in known:  # grows: from a key so found the way goes on
        stolen = words.compromised.get(by)
        for end, (key, signature) in sorted(words.retired.items()):
            if key != by or (stolen is not None and stolen[0] <= end):
                continue
            for index, (new, previous) in sorted(words.added.items()):
                if index >= end or previous != by or new in known:
                    continue
                vouches(by, signature, index, end)
                known.append(new)
                if new not in words.compromised:
                    found.append(Successor(new, by, index + 1))
    told = [words.compromised[key] for key in known if key in words.compromised]
    if told and not found:
        raise refuted(
            Code.KEY_COMPROMISED,
            "somebody else may have a key of this log, which therefore leads to no later one: get the present key from the "
            "operator by another way than the log",
            index=min(index for _, index in told),
        )
    return found
