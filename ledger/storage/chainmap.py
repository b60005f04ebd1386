"""The completeness map in the database: kept up to date entry by entry, always under the log's lock (docs/adr/0014).

It is not a source of truth: it can be made again from `entries` at any time. Two things keep it from being signed when it is
wrong: each page is compared with its parent up to the root, and that root with the last index-head, a leaf of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from ledger.canonical import b64u
from ledger.engines.driver import Driver
from ledger.engines.engine import driver_for, writer_engine
from ledger.entries.leaf import Kind
from ledger.errors import Corrupt
from ledger.merkle.hashing import EMPTY_ROOT, Hash
from ledger.merkle.pages import REPAIR, Found, KeptBranches, PagedMap
from ledger.storage.tables import entries, map_pages, map_state

PORTION: Final = 5_000
"""Entries taken into the map in one transaction, at most: half a second or so in which nobody else can write."""


_STATE: Final = select(map_state)

Progress = Callable[[int, int], None]
"""Takes entries done and entries in all."""


class MapState(NamedTuple):
    """Which leaves the map covers."""

    size: int
    """It covers the leaves below this index."""
    root: Hash
    head: int
    """Index of the last index-head among them; −1 before the first."""
    head_time: int
    """Its time, milliseconds."""

    @property
    def signed(self) -> bool:
        """Whether the last leaf it covers is the index-head that signs it: nothing was added since."""
        return self.head >= 0 and self.head == self.size - 1


class _ChainEnd(NamedTuple):
    """How a run of leaves changes one chain."""

    first_seq: int
    value: bytes
    """The map's value after it: be64(count) ‖ leaf hash of the last leaf."""


def unsigned(head: int) -> Corrupt:
    """Entry `head` does not sign the map's root."""
    return Corrupt(f"the completeness map is not the one that index-head {head} signs; {REPAIR}")


class ChainMap:
    """The map within one transaction, or one snapshot for reading."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _driver(self) -> Driver:
        """Looked up when it is needed: each batch has a map, and few touch it."""
        return driver_for(self._connection.engine)

    def state(self) -> MapState:
        """The leaves that it covers. Raises Corrupt when there is no state, or an index-head signs another root."""
        state = self.said()
        if state.signed:
            leaf = self._connection.execute(
                select(entries.c.leaf).where(entries.c.idx == state.head)
            ).scalar_one_or_none()
            says = {} if leaf is None else msgspec.json.decode(leaf)
            if (says.get("kind"), says.get("map_root")) != (Kind.INDEX_HEAD.value, b64u(state.root)):
                raise unsigned(state.head)
        return state

    def said(self) -> MapState:
        """The state as its row says it. Raises Corrupt when there is none."""
        row = self._connection.execute(_STATE).one_or_none()
        if row is None:
            raise Corrupt(f"the completeness map has no state; {REPAIR}")
        return MapState(row.size, bytes(row.root), row.head, row.head_time)

    def check(self, size: int) -> MapState:
        """The state, if it can be the one of a log of `size` leaves; cheap enough for every start. Raises Corrupt."""
        state = self.state()
        if state.size > size:
            raise Corrupt(f"the completeness map covers {state.size} leaves and the log has {size}; {REPAIR}")
        PagedMap(state.root, self._read).find(bytes(32))  # one way from the root down
        return state

    def find(self, state: MapState, chain: bytes) -> Found:
        """The map's entry for a chain, with the proof. Raises Corrupt."""
        return PagedMap(state.root, self._read).find(chain)

    def values(self, state: MapState, chains: Collection[bytes], kept: KeptBranches) -> dict[bytes, bytes]:
        """be64(count) ‖ last leaf hash of each of these chains; zeros for one that has no leaf. Raises Corrupt."""
        return PagedMap(state.root, self._read).values(chains, kept)

    def count(self, state: MapState) -> int:
        """Compare all pages with their parents; how many chains there are. Raises Corrupt."""
        return PagedMap(state.root, self._read).check()

    def advance(self, size: int, portion: int = PORTION) -> MapState:
        """Take in the leaves below `size`, at most `portion` of them. Raises Corrupt; then the transaction is to be undone."""
        state = self.state()
        until = min(size, state.size + portion)
        if until <= state.size:
            return state
        heads, last = self._chains(state.size, until)
        tree = PagedMap(state.root, self._read)
        change = tree.update({chain: head.value for chain, head in heads.items()})
        for chain, head in heads.items():
            if int.from_bytes(change.replaced.get(chain, b"")[:8], "big") != head.first_seq:
                raise Corrupt(f"the completeness map does not know all leaves of a chain below {state.size}; {REPAIR}")
        if change.pages:
            self._driver.write_pages(self._connection, change.pages)
        after = MapState(until, tree.root, *(last or (state.head, state.head_time)))
        self.store(after)
        return after

    def store(self, state: MapState) -> None:
        """Replace the state."""
        self._connection.execute(update(map_state).values(state._asdict()))

    def clear(self) -> None:
        """Begin again with a map over nothing."""
        for table in (map_pages, map_state):
            self._connection.execute(delete(table))
        self._connection.execute(insert(map_state).values(id=1, **MapState(0, EMPTY_ROOT, -1, 0)._asdict()))

    def _chains(self, first: int, until: int) -> tuple[dict[bytes, _ChainEnd], tuple[int, int] | None]:
        """How these leaves change their chains, and (index, time) of the last index-head, if any."""
        columns = (entries.c.idx, entries.c.kind, entries.c.chain, entries.c.seq, entries.c.leaf_hash)
        query = select(*columns).where(entries.c.idx >= first, entries.c.idx < until).order_by(entries.c.idx)
        heads: dict[bytes, _ChainEnd] = {}
        last = -1
        count = 0
        for index, kind, chain, seq, leaf in self._connection.execute(query):
            count += 1
            if chain is not None:
                first_seq = heads[chain].first_seq if chain in heads else seq
                heads[chain] = _ChainEnd(first_seq, (seq + 1).to_bytes(8, "big") + leaf)
            elif kind == Kind.INDEX_HEAD.value:
                last = index
        if count != until - first:
            raise Corrupt(f"the log has {count} entries between {first} and {until}, not {until - first}")
        if last < 0:
            return heads, None
        leaf = self._connection.execute(select(entries.c.leaf).where(entries.c.idx == last)).scalar_one()
        return heads, (last, msgspec.json.decode(leaf)["time"])

    def _read(self, prefixes: Iterable[str]) -> Mapping[str, bytes]:
        return {prefix: bytes(page) for prefix, page in self._driver.read_pages(self._connection, list(prefixes))}


def rebuild_map(url: str, *, afresh: bool = True, portion: int = PORTION, progress: Progress | None = None) -> int:
    """Make the completeness map of the log at `url` from its entries (`afresh`), or only bring it up to them; how many leaves
    it then covers, 0 without a log.

    One transaction for each portion, below the log's lock, so that servers can go on writing. Needs no key. Raises Corrupt.
    """
    engine = writer_engine(url)
    driver = driver_for(engine)
    try:
        if afresh:
            with engine.begin() as connection:
                driver.lock_head(connection)
                ChainMap(connection).clear()
        while True:
            with engine.begin() as connection:
                head, _ = driver.lock_head(connection)
                if head is None:
                    return 0
                size: int = head[0]
                state = ChainMap(connection).advance(size, portion)
            if progress is not None:
                progress(state.size, size)
            if state.size >= size:
                return state.size
    finally:
        engine.dispose()
