"""What a head log says of its set: for who looks for the shard of a holder, or for a set proof (docs/spec/sets.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.entries.leaf import heads_chain, set_chain
from ledger.errors import NotFound
from ledger.kept import Kept
from ledger.queries.tree import Prover, head_of
from ledger.queries.witnessed import FEW_TILES, WitnessedQueries
from ledger.sets import Shard
from ledger.storage.log import LogStore
from ledger.storage.operator import said_in_row
from ledger.storage.tables import entries

LOOKED_AT: Final = 10_000
"""Documents, the newest first, among which a shard's head is looked for: some hours."""
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class ProvedLeaf:
    """A leaf with its place in the tree of a signed checkpoint (32-byte hashes, the leaf's sibling first)."""

    index: int
    leaf: bytes
    proof: tuple[bytes, ...]
    checkpoint: str


class HeadQueries:
    """Questions about the shards of this log's set."""

    def __init__(self, store: LogStore, witnessed: WitnessedQueries) -> None:
        self._store, self._witnessed = store, witnessed

    def documents(self) -> list[tuple[int, bytes]]:
        """Index and leaf of each document that adds a shard or places a holder, in order; none where this is no head log."""
        query = select(entries.c.idx, entries.c.leaf).where(entries.c.chain == set_chain()).order_by(entries.c.seq)
        with self._store.read() as connection:
            size, _ = head_of(connection)
            return [(row.idx, bytes(row.leaf)) for row in connection.execute(query.where(entries.c.idx < size))]

    def covering(self, shard: Shard, index: int) -> ProvedLeaf:
        """The newest document whose head of that shard covers the shard's entry `index`, proved in the newest checkpoint that
        the log's policy wants readers to be shown. Raises NotFound while there is none, which takes about a second."""
        if shard.head is None:
            raise NotFound(f"no head of {shard.origin!r} is committed yet: ask again in a second")
        try:
            size, note = self._witnessed.checkpoint()
        except NotFound:  # nobody is asked, or has answered yet
            size, note = 0, ""
        with self._store.read() as connection:
            if not size:
                size, note = head_of(connection)
            # what names the shard last is known: without witnesses that is the one
            at, leaf = _newest(connection, shard.origin, index, min(size, shard.head.index + 1))
            proof = tuple(Prover(connection, Kept(FEW_TILES)).inclusion(at, size))
        return ProvedLeaf(at, leaf, proof, note)


def _newest(connection: Connection, origin: str, index: int, size: int) -> tuple[int, bytes]:
    query = select(entries.c.idx, entries.c.leaf, entries.c.leaf_hash).where(
        entries.c.chain == heads_chain(), entries.c.idx < size
    )
    query = query.order_by(entries.c.seq.desc()).limit(LOOKED_AT).execution_options(yield_per=_AT_ONCE)
    with connection.execute(query) as rows:
        for row in rows:
            for head in said_in_row(row).says["heads"]:
                if head["origin"] != origin:
                    continue
                if head["size"] <= index:
                    raise NotFound(f"entry {index} of {origin!r} is not committed yet: ask again in a second")
                return row.idx, bytes(row.leaf)
    raise NotFound(f"no head of {origin!r} is committed lately", member="origin")
