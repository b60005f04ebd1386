"""Reading the log as a stranger would, with arithmetic of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from sqlalchemy import create_engine, select

from ledger.app import Ledger
from ledger.canonical import b64u, encode
from ledger.notes.checkpoint import open_checkpoint
from ledger.storage.tables import checkpoints, entries
from tests.ledger.merkle.reference import ReferenceTree
from tests.world import Document


def audit(database_url: str, ledger: Ledger) -> list[Document]:
    """Recompute the whole log from its rows and demand that everything agrees; its leaves.

    Own arithmetic: SHA-256, the recursive RFC 6962 tree, JSON.
    """
    engine = create_engine(database_url)
    with engine.connect() as connection:
        rows = connection.execute(select(entries).order_by(entries.c.idx)).all()
        notes = {row.size: row.note for row in connection.execute(select(checkpoints.c.size, checkpoints.c.note))}
    engine.dispose()
    leaves: list[Document] = []
    hashes: list[bytes] = []
    chains: dict[str, tuple[int, str]] = {}
    values: dict[bytes, bytes] = {}
    previous, time = b64u(bytes(32)), 0
    for index, row in enumerate(rows):
        leaf = msgspec.json.decode(row.leaf)
        assert encode(leaf) == row.leaf
        assert (row.idx, leaf["index"], leaf["prev"]) == (index, index, previous)
        assert leaf["time"] >= time
        digest = hashlib.sha256(b"\0" + row.leaf).digest()
        assert row.leaf_hash == digest
        previous, time = b64u(digest), leaf["time"]
        if "chain" in leaf:
            assert (leaf["seq"], leaf["prev_in_chain"]) == chains.get(leaf["chain"], (0, b64u(bytes(32))))
            chains[leaf["chain"]] = (leaf["seq"] + 1, previous)
            values[row.chain] = (leaf["seq"] + 1).to_bytes(8, "big") + digest
        else:
            assert (leaf["map_size"], leaf["map_root"]) == (index, b64u(map_root(values)))
        leaves.append(leaf)
        hashes.append(digest)
    tree = ReferenceTree(hashes)
    for size, note in notes.items():
        checkpoint = open_checkpoint(note, ledger.vkey)
        assert (checkpoint.size, checkpoint.root) == (size, tree.root(size))
    assert max(notes) == len(rows)
    said = [(row.iss, bytes(row.jti), row.position) for row in rows if row.iss is not None]
    assert len(set(said)) == len(said)
    return leaves


def map_root(values: Mapping[bytes, bytes]) -> bytes:
    """The completeness map's root, from its definition (docs/spec/log.md); keys and values of fewer than 128 bytes."""
    if len(values) < 2:
        for key, value in values.items():
            return hashlib.sha256(b"".join((b"\0", bytes([len(key)]), key, bytes([len(value)]), value))).digest()
        return hashlib.sha256(b"").digest()
    numbers = {key: int.from_bytes(key, "big") for key in values}
    bit = 256 - (min(numbers.values()) ^ max(numbers.values())).bit_length()
    sides: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for key, value in values.items():
        sides[numbers[key] >> (255 - bit) & 1][key] = value
    branch = bytes([bit]) if bit < 128 else bytes([bit & 127 | 128, bit >> 7])
    return hashlib.sha256(b"\1" + branch + map_root(sides[0]) + map_root(sides[1])).digest()
