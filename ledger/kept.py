"""Values that never change, kept in memory up to a bound; the oldest leave first."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Thread-safe. First in, first out: reading costs no lock and moves nothing."""

    def __init__(self, most: int) -> None:
        """At most `most` values are kept."""
        self._most = most
        self._values: dict[K, V] = {}
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value that was put under this key, while it is kept."""
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        with self._lock:  # two threads must not drop the same oldest value
            if key not in self._values and len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = value
