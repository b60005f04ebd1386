"""What a chain says, without the proofs: for pages that count and compare many entries, and give no receipt of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ledger.entries.leaf import CommitmentLeaf, parse_leaf
from ledger.storage.horizon import confirmed_size
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry
from ledger.storage.tables import entries
from ledger.vault.keystore import KeyStore


@dataclass(frozen=True, slots=True)
class Glance:
    """One entry of a chain. `time` is in ms; `evidence` is None when it was erased."""

    index: int
    seq: int
    time: int
    evidence: bytes | None


class GlanceQueries:
    """Questions about one chain, for the customer it belongs to. The evidence of every row is held against its leaf."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore

    def newest(self, chain: bytes, limit: int) -> list[Glance]:
        """The newest `limit` entries of a chain, oldest first. Raises Corrupt."""
        with self._store.read() as connection:
            query = select(entries).where(entries.c.chain == chain).order_by(entries.c.seq.desc()).limit(limit)
            rows = connection.execute(query).all()
            size = confirmed_size(connection, max((row.idx + 1 for row in rows), default=0))
        cipher = self._keystore.existing([chain]).get(chain)
        found = []
        for row in reversed(rows):
            leaf = parse_leaf(row.leaf)
            if row.idx < size and isinstance(leaf, CommitmentLeaf):
                evidence = None if cipher is None or row.sealed is None else open_entry(row, cipher)[0]
                found.append(Glance(row.idx, row.seq, leaf.time, evidence))
        return found

    def seq_at(self, chain: bytes, time: int) -> int:
        """The `seq` of a chain's first entry at `time` (ms) or later; its length when there is none. Logarithmic."""
        place = select(entries.c.seq, entries.c.leaf).where(entries.c.chain == chain)
        with self._store.read() as connection:
            last = connection.execute(place.order_by(entries.c.seq.desc()).limit(1)).one_or_none()
            low, high = 0, 0 if last is None else last.seq + 1
            while low < high:  # times never fall (docs/spec/leaves.md)
                middle = (low + high) // 2
                leaf = parse_leaf(connection.execute(place.where(entries.c.seq == middle)).one().leaf)
                if leaf.time < time:
                    low = middle + 1
                else:
                    high = middle
        return low
