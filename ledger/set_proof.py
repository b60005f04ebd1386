"""Set proofs: a head log has committed to an entry of a shard (docs/spec/sets.md, 3). Where their bytes are made and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from ledger.canonical import b64u, unb64u
from ledger.documents import parse_document
from ledger.entries.fields import Bytes32
from ledger.entries.leaf import OperatorLeaf, heads_chain, parse_leaf
from ledger.errors import BadEncoding, InvalidInput
from ledger.merkle.hashing import Hash, leaf_hash
from ledger.merkle.proofs import verify_inclusion
from ledger.notes.checkpoint import Checkpoint, Vkeys, open_checkpoint
from ledger.notes.proof_file import parse_proof
from ledger.set_documents import HeadsCommitted, ShardHead

SET_PROOF_LIMIT: Final = 65_536
"""Bytes."""


class SetProof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The members of the file."""

    v: Literal[1] = 1
    leaf: str
    path: Annotated[tuple[Bytes32, ...], Meta(max_length=63)]
    proof: str


@dataclass(frozen=True, slots=True)
class VouchedHeads:
    """What a leaf of the head log vouches for: it is entry `index`, in the tree of `checkpoint` (`note` is that, as signed)."""

    index: int
    heads: tuple[ShardHead, ...]
    checkpoint: Checkpoint
    note: str

    def head_of(self, origin: str, index: int) -> ShardHead:
        """The head of that shard, which covers its entry `index`. Raises InvalidInput."""
        found = next((head for head in self.heads if head.origin == origin), None)
        if found is None:
            raise InvalidInput(f"entry {self.index} of the head log commits to no head of {origin!r}")
        if found.size <= index:
            raise InvalidInput(
                f"entry {self.index} of the head log commits to {found.size} entries of {origin!r}: {index} is none of them"
            )
        return found


def committed_by(leaf: bytes, proof: str, vkeys: Vkeys) -> VouchedHeads:
    """A leaf that commits to heads, proved in the head log. Raises BadEncoding, BadSignature, InvalidInput."""
    read = parse_proof(proof)
    if read.extra is not None:
        raise BadEncoding("the proof of a set proof must have no extra line, since no signature covers it")
    checkpoint = open_checkpoint(read.checkpoint, vkeys)
    document = _heads_in(leaf, read.index)
    verify_inclusion(read.index, checkpoint.size, leaf_hash(leaf), read.hashes, checkpoint.root)
    return VouchedHeads(read.index, document.heads, checkpoint, read.checkpoint)


def check_path(head: ShardHead, index: int, hashed: Hash, path: Sequence[Hash]) -> None:
    """Raises InvalidInput unless `path` leads from the shard's entry `index`, of that leaf hash, to the head's root."""
    verify_inclusion(index, head.size, hashed, path, unb64u(head.root, size=32))


def set_proof_bytes(leaf: bytes, proof: str, path: Sequence[Hash]) -> bytes:
    """The file."""
    told: dict[str, Any] = {"leaf": leaf.decode(), "path": [b64u(one) for one in path], "proof": proof, "v": 1}
    return msgspec.json.encode(told)


def check_set_proof(data: bytes, origin: str, index: int, hashed: Hash, vkeys: Vkeys) -> VouchedHeads:
    """Check that the head log (its keys: `vkeys`) has committed to the shard's entry `index`, of that leaf hash.

    Raises BadEncoding, BadSignature, InvalidInput.
    """
    if len(data) > SET_PROOF_LIMIT:
        raise BadEncoding(f"a set proof has at most {SET_PROOF_LIMIT} bytes")
    try:
        read = msgspec.json.decode(data, type=SetProof)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"not a set proof: {error}") from None
    committed = committed_by(read.leaf.encode(), read.proof, vkeys)
    check_path(committed.head_of(origin, index), index, hashed, [unb64u(one, size=32) for one in read.path])
    return committed


def _heads_in(data: bytes, index: int) -> HeadsCommitted:
    leaf = parse_leaf(data)
    if not isinstance(leaf, OperatorLeaf) or leaf.chain != b64u(heads_chain()):
        raise BadEncoding("the leaf of a set proof is one that commits to heads")
    if leaf.index != index:
        raise InvalidInput(f"the leaf has index {leaf.index}, its proof is about {index}")
    try:
        document = parse_document(leaf.document)
    except InvalidInput as error:
        raise BadEncoding(error.detail) from None
    if not isinstance(document, HeadsCommitted):
        raise BadEncoding("the leaf of a set proof is one that commits to heads")
    return document
