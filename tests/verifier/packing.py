"""The forge's packs: a third maker of docs/spec/packs.md, recursive and without a library; tests bend its parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.verifier.forge import ORIGIN, Forge, b64u, encode, node, sha

Json = dict[str, Any]


def item_hash(pack_id: bytes, salt: bytes, name: str, value: str) -> bytes:
    said, text = name.encode(), value.encode()
    return sha(
        b"\0"
        + sha(b"consent-ledger/v1/pack-leaf\0")
        + pack_id
        + salt
        + len(said).to_bytes(4)
        + said
        + len(text).to_bytes(8)
        + text
    )


def rows_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The rows of the tree, leaves first; the last node of an odd row rises unchanged."""
    rows = [list(hashes)]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([node(*row[at : at + 2]) if at + 1 < len(row) else row[at] for at in range(0, len(row), 2)])
    return rows


def path_of(position: int, rows: list[list[bytes]]) -> list[dict[str, str]]:
    path = []
    for row in rows[:-1]:
        if position % 2:
            path.append({"left": row[position - 1].hex()})
        elif position + 1 < len(row):
            path.append({"right": row[position + 1].hex()})
        position //= 2
    return path


def commitment_of(count: int, root: bytes) -> bytes:
    return sha(b"\2" + sha(b"consent-ledger/v1/pack-root\0") + count.to_bytes(8) + root)


@dataclass
class Packing:
    """How a pack is made: by default honestly."""

    scope: str = "customer"
    record: Callable[[Json], None] = lambda _: None
    """Changes the operator document before it is recorded."""
    chain: str | None = None
    values: dict[int, str] = field(default_factory=dict)
    """Texts instead of the receipts of these positions."""
    names: dict[int, str] = field(default_factory=dict)
    size: int | None = None
    cosign: bool = False


def pack(world: Forge, indexes: Sequence[int], how: Packing | None = None) -> dict[str, bytes]:
    """A pack of these entries, recorded in the forge's log: its files by path."""
    how = how or Packing()
    pack_id, size = world.random.randbytes(32), len(world.entries) if how.size is None else how.size
    values = [
        how.values.get(at) or json.dumps(world.receipt(index, how.cosign), ensure_ascii=False, separators=(",", ":"))
        for at, index in enumerate(indexes)
    ]
    names = [how.names.get(at, f"entry/{index}") for at, index in enumerate(indexes)]
    salts = [world.random.randbytes(32) for _ in indexes]
    rows = rows_of([item_hash(pack_id, salts[at], names[at], values[at]) for at in range(len(indexes))])
    commitment = b64u(commitment_of(len(indexes), rows[-1][0]))
    document = {"commitment": commitment, "items_count": len(indexes), "scope": how.scope, "type": "pack.issued"}
    how.record(document)
    issued = world.operator(document, how.chain)
    head = {
        "commitment": commitment,
        "created": world.time,
        "format": "consent-ledger-pack/1",
        "origin": ORIGIN,
        "items_count": len(indexes),
        "pack_id": b64u(pack_id),
        "scope": how.scope,
        "size": size,
        "v": 1,
    }
    files = {"pack.json": encode(head), "pack.receipt.json": encode(world.receipt(issued, how.cosign))}
    for at in range(len(indexes)):
        files[f"items/{at:06d}.json"] = encode(
            {"name": names[at], "path": path_of(at, rows), "position": at, "salt": b64u(salts[at]), "value": values[at]}
        )
    return files
