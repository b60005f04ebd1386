"""Evidence packs: a selection of entries, bound together so that a part can be handed on (docs/spec/packs.md).

The tree is ours (ledger/merkle/selection.py). Where merkletools is installed, it builds the same tree from the same leaf
hashes before the pack is recorded, and a pack on which the two disagree is never signed (docs/adr/0023).
"""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.canonical import b64u, encode
from ledger.documents import PackIssued, document_of
from ledger.errors import Corrupt, InvalidInput
from ledger.merkle.hashing import Hash
from ledger.merkle.selection import path_in, rows_above
from ledger.planning.commands import Recorded
from ledger.receipts import receipt_bytes
from ledger.tags import PACK_LEAF, PACK_ROOT

FORMAT: Final = "consent-ledger-pack/1"
_LEAF_TAG: Final = hashlib.sha256(PACK_LEAF).digest()
_ROOT_TAG: Final = hashlib.sha256(PACK_ROOT).digest()


@dataclass(frozen=True, slots=True)
class PackItem:
    """One entry as it stands in a pack."""

    name: str
    value: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that is bound, and not yet recorded in the log."""

    pack_id: bytes
    scope: str
    size: int
    items: tuple[PackItem, ...]
    paths: tuple[tuple[dict[str, str], ...], ...]
    commitment: bytes
    compared: bool
    """Whether merkletools has built the same tree; false where it is not installed."""

    def document(self) -> dict[str, Any]:
        """The operator document that records the pack."""
        return document_of(PackIssued, commitment=b64u(self.commitment), items_count=len(self.items), scope=self.scope)

    def files(self, origin: str, issued: Recorded) -> list[tuple[str, bytes]]:
        """All files of the pack as (path, content); `issued` is the entry that records it."""
        head = {
            "commitment": b64u(self.commitment),
            "created": issued.time,
            "format": FORMAT,
            "items_count": len(self.items),
            "origin": origin,
            "pack_id": b64u(self.pack_id),
            "scope": self.scope,
            "size": self.size,
            "v": 1,
        }
        files = [("pack.json", encode(head)), ("pack.receipt.json", receipt_bytes(issued))]
        for position, (item, path) in enumerate(zip(self.items, self.paths, strict=True)):
            body = {
                "name": item.name,
                "path": list(path),
                "position": position,
                "salt": b64u(item.salt),
                "value": item.value.decode(),
            }
            files.append((f"items/{position:06d}.json", encode(body)))
        return files


def bind_pack(entries: Sequence[Recorded], *, scope: str, size: int, disclose: bool = True) -> Pack:
    """Bind entries, in order of their indexes, into a pack of a log of `size` entries.

    With `disclose` false the items hold leaves and proofs only. Raises InvalidInput without entries, Corrupt when merkletools
    disagrees about the tree.
    """
    if not entries:
        raise InvalidInput("there is nothing to put into a pack: the selection is empty")
    pack_id = os.urandom(32)
    ordered = sorted(entries, key=lambda entry: entry.index)
    items = tuple(
        PackItem(f"entry/{entry.index}", receipt_bytes(entry, disclose=disclose), os.urandom(32)) for entry in ordered
    )
    leaves = [item_hash(pack_id, item) for item in items]
    rows = rows_above(leaves)
    paths: tuple[tuple[dict[str, str], ...], ...] = tuple(
        tuple({side: sibling.hex()} for side, sibling in path_in(rows, position)) for position in range(len(items))
    )
    [root] = rows[-1]
    compared = compare_with_merkletools(leaves, root, paths)
    commitment = hashlib.sha256(b"\x02" + _ROOT_TAG + struct.pack(">Q", len(items)) + root).digest()
    return Pack(pack_id, scope, size, items, paths, commitment, compared)


def item_hash(pack_id: bytes, item: PackItem) -> bytes:
    """The leaf of an item: salted, so that a withheld item cannot be guessed from its siblings' paths."""
    name = item.name.encode()
    return hashlib.sha256(
        b"\x00"
        + _LEAF_TAG
        + pack_id
        + item.salt
        + struct.pack(">I", len(name))
        + name
        + struct.pack(">Q", len(item.value))
        + item.value
    ).digest()


def compare_with_merkletools(leaves: Sequence[Hash], root: Hash, paths: Sequence[Sequence[dict[str, str]]]) -> bool:
    """Have merkletools build the tree over the same leaves, and hold root and paths against ours.

    False where merkletools is not installed: it is not a dependency, since its own does not compile. Raises Corrupt when the
    trees differ.
    """
    try:
        with warnings.catch_warnings():  # it warns that SHA-3 is absent, which is not used here
            warnings.simplefilter("ignore")
            from merkletools import MerkleTools  # noqa: PLC0415  (optional)
    except ImportError:
        return False
    # The only way in which it is sound: ready leaf hashes, a node function with a prefix, and never its own validation.
    tree = MerkleTools("sha256")
    tree.hash_function = lambda children: hashlib.sha256(b"\x01" + children)
    tree.add_leaf([leaf.hex() for leaf in leaves])
    tree.make_tree()
    if tree.get_merkle_root() != root.hex():
        raise Corrupt("merkletools builds another tree over this selection: the pack is not recorded")
    for position, path in enumerate(paths):
        if tree.get_proof(position) != list(path):
            raise Corrupt(f"merkletools has another path for item {position}: the pack is not recorded")
    return True


def chainpoint_proof(entry: Recorded, leaf_hash: bytes) -> dict[str, Any]:
    """The inclusion proof of an entry as a Chainpoint v3 style list of operations, down to its checkpoint's root.

    An RFC 6962 node is H(01 ‖ left ‖ right): each step joins the sibling, then the prefix, then hashes. The anchor is the
    signed checkpoint, verbatim.
    """
    size = int(entry.checkpoint.split("\n")[1])
    operations: list[dict[str, Any]] = []
    node, last = entry.index, size - 1
    for sibling in entry.proof:
        while node == last and node % 2 == 0 and last > 0:  # the last node of an odd row rises unchanged
            node, last = node >> 1, last >> 1
        side = "l" if node % 2 else "r"
        operations += [{side: sibling.hex()}, {"l": "01"}, {"op": "sha-256"}]
        node, last = node >> 1, last >> 1
    operations.append(
        {"anchors": [{"type": "c2sp-checkpoint", "anchor_id": str(size), "checkpoint": entry.checkpoint}]}
    )
    return {
        "@context": "https://w3id.org/chainpoint/v3",
        "type": "Chainpoint",
        "hash": leaf_hash.hex(),
        "branches": [{"label": "consent_ledger_branch", "ops": operations}],
    }
