"""The operator's own check of a database: is what is stored what was signed?

It never replaces the auditor's `consent-verify`, which shares no code with this program and also replays the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.canonical import b64u, unb64u
from ledger.entries.leaf import CommitmentLeaf, IndexHeadLeaf, Leaf, open_commitment, parse_leaf
from ledger.errors import LedgerError
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.pages import REPAIR
from ledger.merkle.patricia import PatriciaMap
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.storage.chainmap import ChainMap
from ledger.storage.log import LogStore
from ledger.storage.rows import open_evidence
from ledger.storage.tables import checkpoints, entries, log_head, tiles
from ledger.vault.keystore import KeyStore

PAGE: Final = 1000
SHOWN: Final = 20

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


@dataclass
class Findings:
    """What a check found."""

    size: int = 0
    opened: int = 0
    """Entries whose evidence was opened and fits its commitment."""
    erased: int = 0
    """Entries whose data key was destroyed."""
    defects: list[str] = field(default_factory=list)
    """The first of them, in rising order of their index."""
    count: int = 0

    def note(self, place: str, sentence: str) -> None:
        """Count a defect."""
        self.count += 1
        if len(self.defects) < SHOWN:
            self.defects.append(f"{place}: {sentence}")


def examine(store: LogStore, keystore: KeyStore, vkey: VerifierKey, progress: Progress | None = None) -> Findings:
    """Recompute leaf hashes, chains, tree, tiles, checkpoints, commitments, completeness map and head from one snapshot."""
    with store.read() as connection:
        return _Examination(connection, keystore, vkey, progress).run()


class _Examination:
    def __init__(
        self, connection: Connection, keystore: KeyStore, vkey: VerifierKey, progress: Progress | None
    ) -> None:
        self._connection = connection
        self._keystore = keystore
        self._vkey = vkey
        self._progress = progress
        self._found = Findings()
        self._edge = Edge()
        self._last = bytes(32)
        self._time = 0
        self._chains: dict[str, tuple[int, str]] = {}
        self._touched: set[str] = set()
        self._map = PatriciaMap()
        self._destroyed: set[bytes] = set()

    def run(self) -> Findings:
        head = self._connection.execute(select(log_head)).one_or_none()
        if head is None:
            self._found.note("head", "there is no log in this database")
            return self._found
        self._found.size = head.size
        rows = self._rows(head.size)
        note = ""
        for size, note in self._checkpoints():
            hashes = [leaf_hash(_bytes(row.leaf)) for row in self._take(rows, size - self._edge.size)]
            self._tree(size, note, hashes)
        if self._edge.size != head.size:
            self._found.note("head", f"it says {head.size} entries, and checkpoints cover {self._edge.size}")
        elif head.size:
            stored = (bytes(head.last_hash), bytes(head.edge), head.checkpoint, head.time)
            if stored != (self._last, self._edge.to_bytes(), note, self._time):
                self._found.note("head", "it does not continue the last entry, edge and checkpoint")
        if next(rows, None) is not None:
            self._found.note(f"entry {self._edge.size}", "no checkpoint covers it")
        self._stored_map(head.size)
        return self._found

    def _checkpoints(self) -> Iterator[tuple[int, str]]:
        after = 0
        while True:
            query = select(checkpoints).where(checkpoints.c.size > after).order_by(checkpoints.c.size).limit(PAGE)
            page = self._connection.execute(query).all()
            if not page:
                return
            for row in page:
                yield row.size, row.note
            after = page[-1].size

    def _rows(self, size: int) -> Iterator[Any]:
        after = -1
        while True:
            page = self._connection.execute(
                select(entries).where(entries.c.idx > after).order_by(entries.c.idx).limit(PAGE)
            ).all()
            if not page:
                return
            ciphers = self._keystore.existing(row.chain for row in page if row.sealed is not None)
            closed = {row.chain for row in page if row.sealed is not None} - ciphers.keys()
            self._destroyed = self._keystore.destroyed(closed) if closed else set()
            for row in page:
                self._entry(row, ciphers)
                yield row
            after = page[-1].idx
            if self._progress is not None:
                self._progress(min(after + 1, size), size)

    def _take(self, rows: Iterator[Any], count: int) -> Iterator[Any]:
        for _ in range(count):
            row = next(rows, None)
            if row is None:
                self._found.note("end", "entries are missing that a checkpoint covers")
                return
            yield row

    def _tree(self, size: int, note: str, hashes: list[bytes]) -> None:
        growth = self._edge.grow(hashes)
        self._edge = growth.edge()
        for tile in growth.full_tiles():
            query = select(tiles.c.content).where(tiles.c.level == tile.level, tiles.c.number == tile.number)
            if self._connection.execute(query).scalar_one_or_none() != tile.content:
                self._found.note(f"tile {tile.level}/{tile.number}", "it is missing or differs from the entries")
        try:
            signed = open_checkpoint(note, self._vkey)
            if (signed.size, signed.root) != (size, growth.root) or growth.size != size:
                self._found.note(f"checkpoint {size}", "the entries do not lead to its root")
        except LedgerError as error:
            self._found.note(f"checkpoint {size}", error.detail)

    def _entry(self, row: Any, ciphers: Any) -> None:
        place = f"entry {row.idx}"
        raw = _bytes(row.leaf)
        hashed = leaf_hash(raw)
        if raw is not row.leaf:
            self._found.note(place, "its leaf is stored as something else than bytes")
        try:
            leaf = parse_leaf(raw)
        except LedgerError as error:
            self._found.note(place, error.detail)
            self._last = hashed
            return
        if hashed != row.leaf_hash:
            self._found.note(place, "the stored leaf hash is not that of the leaf")
        if leaf.index != row.idx or leaf.prev != b64u(self._last):
            self._found.note(place, "it does not continue the entry before it")
        if leaf.time < self._time:
            self._found.note(place, "time runs backwards")
        self._last, self._time = hashed, max(leaf.time, self._time)
        self._chain(place, leaf, row, hashed)
        self._evidence(place, leaf, row, ciphers)

    def _chain(self, place: str, leaf: Leaf, row: Any, hashed: bytes) -> None:
        if isinstance(leaf, IndexHeadLeaf):
            if (leaf.map_size, leaf.map_root) != (leaf.index, b64u(self._replayed())):
                self._found.note(place, "it does not commit the completeness map over the leaves before it")
            return
        chain = leaf.chain
        seq, last = self._chains.get(chain, (0, b64u(bytes(32))))
        if (getattr(leaf, "seq", -1), getattr(leaf, "prev_in_chain", "")) != (seq, last):
            self._found.note(place, "it does not continue its chain")
        if b64u(bytes(row.chain or b"")) != chain or row.seq != getattr(leaf, "seq", -1):
            self._found.note(place, "its columns chain and seq are not those of the leaf")
        self._chains[chain] = (seq + 1, b64u(hashed))
        self._touched.add(chain)

    def _replayed(self) -> bytes:
        """The root of the completeness map over all leaves so far."""
        for chain in self._touched:
            count, last = self._chains[chain]
            self._map.set(unb64u(chain), count.to_bytes(8, "big") + unb64u(last))
        self._touched.clear()
        return self._map.root()

    def _stored_map(self, size: int) -> None:
        """The stored map is that of the leaves, page by page; a map that lags behind is brought up by the next index-head."""
        stored = ChainMap(self._connection)
        try:
            state = stored.check(size)
            chains = stored.count(state)
            if state.size == size and (state.root, chains) != (self._replayed(), len(self._map)):
                self._found.note("completeness map", f"it is not that of the entries: {REPAIR}")
        except LedgerError as error:
            self._found.note("completeness map", error.detail)

    def _evidence(self, place: str, leaf: Leaf, row: Any, ciphers: Any) -> None:
        if not isinstance(leaf, CommitmentLeaf):
            return
        if row.sealed is None:
            self._found.note(place, "its evidence is missing")
        elif row.chain in self._destroyed:
            self._found.erased += 1
        elif row.chain not in ciphers:
            self._found.note(place, "the key store has no key for its chain and destroyed none: bring a newer one back")
        else:
            try:
                evidence, opening = open_evidence(row.idx, row.sealed, ciphers[row.chain])
                open_commitment(leaf, evidence, opening)
                self._found.opened += 1
            except LedgerError as error:
                self._found.note(place, error.detail)


def _bytes(value: object) -> bytes:
    """A column's bytes; SQLite lets whoever tampers store any type in it."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
