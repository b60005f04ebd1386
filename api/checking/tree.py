"""The completeness map over the entries, made again in a temporary file, and the links within each chain beside it."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from api.checking.findings import Findings
from ledger.canonical import b64u
from ledger.entries.leaf import NO_HASH
from ledger.errors import LedgerError
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.merkle.pages import REPAIR, PagedMap
from ledger.storage.chainmap import ChainMap
from ledger.storage.spill import Spill
from ledger.storage.tables import map_pages, map_state

PORTION: Final = 5_000


class _Run(NamedTuple):
    """How a run of leaves changes one chain: how it continues, at which entry, and where it ends."""

    at: int
    seq: int
    prev: str
    value: bytes


class ChainLinks:
    """Takes the leaves in the order of the log."""

    def __init__(self, spill: Spill, found: Findings) -> None:
        self._pages = spill.table("pages", sealed=False)
        self._found = found
        self._runs: dict[bytes, _Run] = {}
        self._map = PagedMap(EMPTY_ROOT, lambda prefixes: self._read(list(prefixes)))
        self._chains = 0
        self.head, self.head_time = -1, 0
        """Index and time of the last index-head so far."""

    def take(self, index: int, chain: bytes, seq: int, prev: str, hashed: bytes) -> None:
        """A leaf of a chain, with its `prev_in_chain` (b64u) and its own hash."""
        run = self._runs.get(chain)
        if run is not None and (int.from_bytes(run.value[:8], "big"), b64u(run.value[8:])) != (seq, prev):
            self._found.note(f"entry {index}", "it does not continue its chain")
        first = (index, seq, prev) if run is None else run[:3]
        self._runs[chain] = _Run(*first, min(seq + 1, 2**63).to_bytes(8, "big") + hashed)
        if len(self._runs) >= PORTION:
            self._settle()

    def root(self) -> bytes:
        """The root of the map over all leaves so far."""
        self._settle()
        return self._map.root

    def compare_stored(self, connection: Connection, size: int) -> None:
        """The stored map, which covers the leaves so far, is this one, page by page. `size`: leaves of the log."""
        stored = ChainMap(connection)
        try:
            state = stored.check(size)
            chains = stored.count(state)
            root = self.root()
            pages = connection.execute(select(func.count()).select_from(map_pages)).scalar_one()
            if (state.root, chains, pages) != (root, self._chains, sum(1 for _ in self._pages.items())) or (
                (state.head, state.head_time) != (self.head, self.head_time)
            ):
                self._found.note("completeness map", f"it is not that of the entries: {REPAIR}")
        except LedgerError as error:
            self._found.note("completeness map", error.detail)

    def _settle(self) -> None:
        if not self._runs:
            return
        change = self._map.update({chain: run.value for chain, run in self._runs.items()})
        for prefix, page in change.pages.items():
            self._pages.put(prefix.encode() or b"-", page)
        self._chains += len(self._runs) - len(change.replaced)
        for chain, run in self._runs.items():
            before = change.replaced.get(chain, bytes(8) + NO_HASH)
            if (int.from_bytes(before[:8], "big"), b64u(before[8:])) != (run.seq, run.prev):
                self._found.note(f"entry {run.at}", "it does not continue its chain")
        self._runs.clear()

    def _read(self, prefixes: list[str]) -> dict[str, bytes]:
        found = {prefix: self._pages.get(prefix.encode() or b"-") for prefix in prefixes}
        return {prefix: page for prefix, page in found.items() if page is not None}


def map_size(connection: Connection) -> int:
    """How many leaves the stored map covers; −1 without one."""
    size = connection.execute(select(map_state.c.size)).scalar_one_or_none()
    return size if isinstance(size, int) else -1
