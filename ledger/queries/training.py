"""What a model learns from: the vectors of a window of entries (docs/spec/risk.md, «The model»)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select

from ledger.entries.leaf import Kind
from ledger.errors import InvalidInput
from ledger.queries.scoring import PAGE
from ledger.queries.sight import Sight
from ledger.scoring.memory import Vectors
from ledger.scoring.seen import SeenAccess
from ledger.scoring.training import Vector
from ledger.storage.log import LogStore
from ledger.storage.tables import entries, log_head
from ledger.vault.keystore import KeyStore


@dataclass(slots=True)
class Window:
    """Vectors in the order of the log. Memory: 64 bytes or so for each fifty accesses."""

    first: int
    last: int
    vectors: list[Vector] = field(default_factory=list)
    accesses: int = 0
    unreadable: int = 0
    """Entries of consents that were erased: what they were is not known to the model."""


def read_window(store: LogStore, keystore: KeyStore, first: int = 0, last: int | None = None) -> Window:
    """The vectors that a model would have seen from entry `first` to `last` (default: the newest), from `first` onwards.

    Raises InvalidInput for a window outside the log, Corrupt, Unavailable.
    """
    vectors, sight = Vectors(), Sight()
    sight.since = first
    with store.read() as connection:
        newest = connection.execute(select(log_head.c.size)).scalar_one() - 1
        last = newest if last is None else last
        if not 0 <= first <= last <= newest:
            raise InvalidInput(f"a window lies within the entries 0 to {newest}, and begins before it ends")
        window = Window(first, last)
        for page in range(first, last + 1, PAGE):
            query = select(entries).where(entries.c.idx >= page, entries.c.idx < min(last + 1, page + PAGE))
            rows = connection.execute(query.where(entries.c.kind == Kind.CONSENT.value).order_by(entries.c.idx)).all()
            ciphers = keystore.existing({row.chain for row in rows})
            for row in rows:
                if row.sealed is None or row.chain not in ciphers:
                    window.unreadable += 1
                    continue
                seen = sight.see(connection, row, ciphers[row.chain])
                if isinstance(seen, SeenAccess):
                    window.accesses += 1
                    vector = vectors.see(seen)
                    if vector is not None:
                        window.vectors.append(vector)
    return window
