"""From a log key that a reader knows to the next one, by the log's own documents (docs/spec/log.md, «The log's keys»).

The server that hands the documents over is not trusted: the known key vouches for the tree that names its successor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from api.client.errors import ReceiptRefused
from ledger.canonical import unb64u
from ledger.documents import LogKeyAdded, LogKeyCompromised, LogKeyRetired, parse_document
from ledger.entries.leaf import OperatorLeaf, parse_leaf
from ledger.errors import LedgerError
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import root_above
from ledger.notes.checkpoint import Checkpoint
from ledger.notes.keys import ED25519, VerifierKey

FetchInclusion = Callable[[int, int], Awaitable[list[bytes]]]
"""Takes an index and a tree size; returns the proof's hashes (32 bytes each)."""


@dataclass(frozen=True, slots=True)
class KeySuccession:
    """A key of the log that another, which was trusted, has led to."""

    vkey: VerifierKey
    by: VerifierKey
    first: int
    """The least size of a checkpoint that it may sign."""


@dataclass(frozen=True, slots=True)
class _Told:
    """The documents about keys, by index, as far as they are what they are said to be."""

    leaves: dict[int, bytes]
    added: dict[int, LogKeyAdded]
    retired: dict[int, LogKeyRetired]
    compromised: dict[bytes, tuple[int, int]]
    """Raw key → the size from which on it counts for nothing alone, and the index of the document."""


async def successors(
    trusted: Sequence[VerifierKey], documents: Iterable[tuple[int, bytes]], fetch: FetchInclusion
) -> list[KeySuccession]:
    """The keys that the trusted ones lead to, nearest first. `documents`: index and leaf of each.

    Raises ReceiptRefused when a document or a proof does not hold, or when they lead to none because somebody else may have
    a key on the way.
    """
    try:
        told = _read(documents)
        known, found = await _found(list(trusted), told, fetch)
    except LedgerError as error:
        raise ReceiptRefused(f"the log's documents about its keys do not prove what they say: {error.detail}") from None
    if not found:
        _refuse_what_was_stolen(known, told)
    return found


def _read(documents: Iterable[tuple[int, bytes]]) -> _Told:
    """Raises BadEncoding, InvalidInput, ReceiptRefused."""
    told = _Told({}, {}, {}, {})
    for index, leaf_bytes in documents:
        leaf = parse_leaf(leaf_bytes)
        if not isinstance(leaf, OperatorLeaf) or leaf.index != index:
            raise ReceiptRefused(f"entry {index} is not the document about a key of the log that it is said to be")
        told.leaves[index] = leaf_bytes
        match parse_document(leaf.document):
            case LogKeyAdded() as document:
                told.added[index] = document
            case LogKeyRetired() as document:
                told.retired[index] = document
            case LogKeyCompromised() as document:
                key = unb64u(document.key, size=32)
                before = told.compromised.get(key, (document.from_size, index))
                told.compromised[key] = min(before, (document.from_size, index))
            case _:
                raise ReceiptRefused(f"entry {index} is about no key of the log")
    return told


async def _found(
    known: list[VerifierKey], told: _Told, fetch: FetchInclusion
) -> tuple[list[VerifierKey], list[KeySuccession]]:
    """All keys on the way, and those that are trusted from now on: none that somebody else may have. Raises BadSignature,
    BadEncoding, InvalidInput."""
    found: list[KeySuccession] = []
    for by in known:  # grows: what a key so found leads to is found as well
        for j, retired in sorted(told.retired.items()):
            stolen_from, _ = told.compromised.get(by.public_key, (j + 1, 0))
            if unb64u(retired.key, size=32) != by.public_key or stolen_from <= j:
                continue
            for i, added in sorted(told.added.items()):
                key = unb64u(added.key, size=32)
                if i >= j or unb64u(added.previous, size=32) != by.public_key:
                    continue
                if any(one.public_key == key for one in known):
                    continue
                root = root_above(i, j, leaf_hash(told.leaves[i]), await fetch(i, j))
                by.verify(Checkpoint(by.name, j, root).format().encode(), unb64u(retired.signature, size=64))
                known.append(VerifierKey(by.name, ED25519, key))
                if key not in told.compromised:
                    found.append(KeySuccession(known[-1], by, i + 1))
    return known, found


def _refuse_what_was_stolen(known: Sequence[VerifierKey], told: _Told) -> None:
    for vkey in known:
        if vkey.public_key in told.compromised:
            _, index = told.compromised[vkey.public_key]
            raise ReceiptRefused(
                f"entry {index} of the log says that somebody else may have its key {vkey.format()}, which therefore vouches "
                "for no successor: get the new verifier key from the operator by another way than the log, or have a bundle "
                "verified"
            )
