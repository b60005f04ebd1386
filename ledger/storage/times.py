"""Where a time falls in the log: times never fall, so halving finds it."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select

from ledger.storage.tables import entries


def last_before(connection: Connection, size: int, time: int) -> int:
    """The last index below `size` whose leaf has at most this time (ms); −1 for none."""
    low, high = -1, size - 1
    while low < high:
        middle = (low + high + 1) // 2
        leaf = connection.execute(select(entries.c.leaf).where(entries.c.idx == middle)).scalar_one()
        if msgspec.json.decode(leaf)["time"] <= time:
            low = middle
        else:
            high = middle - 1
    return low
