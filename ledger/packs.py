"""Evidence packs: a selection of entries, bound together so that a part can be handed on (docs/spec/packs.md).

merkletools builds the tree, in the only way in which it is sound: it is given ready leaf hashes and a node function with a
prefix. Its own validation accepts forgeries and is never called; the independent verifier has one of its own.
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
from ledger.errors import InvalidInput
from ledger.planning.commands import Recorded
from ledger.receipts import receipt_bytes
from ledger.tags import PACK_LEAF, PACK_ROOT

with warnings.catch_warnings():  # it warns that SHA-3 is absent, which nobody here wants from it
    warnings.simplefilter("ignore")
    from merkletools import MerkleTools

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

    def document(self) -> dict[str, Any]:
        """The operator document that records the pack."""
        return {
            "commitment": b64u(self.commitment),
            "items_count": len(self.items),
            "scope": self.scope,
            "type": "pack.issued",
            "v": 1,
        }

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

    With `disclose` false the items hold leaves and proofs only. Raises InvalidInput without entries.
    """
    if not entries:
        raise InvalidInput("there is nothing to put into a pack: the selection is empty")
    pack_id = os.urandom(32)
    ordered = sorted(entries, key=lambda entry: entry.index)
    items = tuple(
        PackItem(f"entry/{entry.index}", receipt_bytes(entry, disclose=disclose), os.urandom(32)) for entry in ordered
    )
    tree = MerkleTools("sha256")
    tree.hash_function = _node
    tree.add_leaf([item_hash(pack_id, item).hex() for item in items])
    tree.make_tree()
    root = bytes.fromhex(tree.get_merkle_root())
    commitment = hashlib.sha256(b"\x02" + _ROOT_TAG + struct.pack(">Q", len(items)) + root).digest()
    paths = tuple(tuple(tree.get_proof(position)) for position in range(len(items)))
    return Pack(pack_id, scope, size, items, paths, commitment)


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


def _node(children: bytes) -> Any:
    """merkletools' hash function for inner nodes: it asks for a hash object over two joined hashes."""
    if len(children) != 64:
        raise InvalidInput("an inner node has two children of 32 bytes")
    return hashlib.sha256(b"\x01" + children)


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
