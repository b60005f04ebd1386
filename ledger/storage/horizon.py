"""The confirmed horizon: up to which size the log is durable beyond doubt (docs/spec/log.md, «Confirmed horizon»).

A database that has crashed and recovered may show a commit that nobody ever confirmed: its standby lacks it, or the
disk does. A commit that the head's lock orders behind it and that came back says more: everything before is kept as
well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, select

from ledger.storage.tables import log_head

OPTION: Final = "consent_ledger_horizon"
"""The execution option under which a reader's connection has the horizon of its process."""

_CONFIRMED: Final = select(log_head.c.confirmed)


class Horizon:
    """The largest size that this process knows to be confirmed. It only rises. Thread-safe."""

    def __init__(self) -> None:
        self._size = 0
        self._lock = threading.Lock()
        self._told: tuple[Callable[[int], None], ...] = ()

    @property
    def size(self) -> int:
        """Entries below this size are confirmed."""
        return self._size

    def reached(self, size: int) -> int:
        """Take note that `size` is confirmed; the size that is known now."""
        if size > self._size:
            with self._lock:  # else a slower thread could put a smaller size back
                risen = size > self._size
                self._size = max(size, self._size)
            if risen:
                for tell in self._told:
                    tell(size)
        return self._size

    def tell(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each new size from here on, on the thread that learned it. It must be quick."""
        with self._lock:
            self._told = (*self._told, listener)


def horizon_of(connection: Connection) -> Horizon:
    """The horizon of the process that reads by this connection; a new one for a connection from elsewhere."""
    horizon = connection.get_execution_options().get(OPTION)
    return horizon if isinstance(horizon, Horizon) else Horizon()


def confirmed_size(connection: Connection, wanted: int) -> int:
    """The confirmed size as far as it is known here; the database is asked only when that is less than `wanted`."""
    horizon = horizon_of(connection)
    if horizon.size >= wanted:
        return horizon.size
    return horizon.reached(connection.execute(_CONFIRMED).scalar_one_or_none() or 0)
