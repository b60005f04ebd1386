"""Key sets that others publish: fetched when they are needed, kept for a while, asked for again after longer and longer waits.

A register that does not answer locks nobody out at once: its keys of yesterday still hold. One that has withdrawn a key is
believed at the next look, a quarter of an hour later at most, or when `forget` says that there is something new.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.tokens.keys import PublicKey, parse_key_set
from ledger.errors import InvalidInput, Unavailable

log = logging.getLogger("api.registers.key_sets")

Fetch = Callable[[str], bytes]
"""An address to what is there. Raises Unavailable."""
KEEP_SECONDS: Final = 900.0
REFETCH_SECONDS: Final = 60.0
STALE_SECONDS: Final = 86_400.0
"""How long keys are used while their publisher does not answer."""
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 900.0
MOST_SETS: Final = 1024


@dataclass(slots=True)
class _Published:
    keys: dict[str, PublicKey] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    wait: float = 0.0
    """Seconds until the next try; 0 while the publisher answers."""
    try_at: float = float("-inf")
    news: bool = False
    """Somebody said that there is something new."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeySets:
    """Key sets by address. Thread-safe; blocking."""

    def __init__(
        self, fetch: Fetch, monotonic: Callable[[], float] = time.monotonic, *, refetch: float = REFETCH_SECONDS
    ) -> None:
        """`refetch`: after how many seconds an unknown key id makes us look again."""
        self._fetch = fetch
        self._refetch = refetch
        self._monotonic = monotonic
        self._sets: dict[str, _Published] = {}
        self._lock = threading.Lock()

    def keys(self, address: str, kid: str | None = None) -> dict[str, PublicKey]:
        """The keys at this address, by key id; a `kid` that is not among them makes us look again, by default once in a minute.

        Raises Unavailable when there is no answer, and none of the last day.
        """
        known = self._of(address)
        with known.lock:
            now = self._monotonic()
            age = now - known.fetched_at
            unknown = kid is not None and kid not in known.keys and age > self._refetch
            if known.news or ((age > KEEP_SECONDS or unknown) and now >= known.try_at):
                self._look(address, known, now)
            if self._monotonic() - known.fetched_at > STALE_SECONDS:
                raise Unavailable(
                    f"the keys at {address} cannot be read now; the next try is within {known.wait:.0f} s"
                )
            return known.keys

    def forget(self, address: str) -> None:
        """Look again the next time, however often it failed."""
        known = self._of(address)
        with known.lock:
            known.news = True

    def forget_all(self) -> None:
        """Look again at every address, the next time it is asked about."""
        with self._lock:
            known = list(self._sets.values())
        for one in known:
            with one.lock:
                one.news = True

    def _of(self, address: str) -> _Published:
        with self._lock:
            if address not in self._sets and len(self._sets) >= MOST_SETS:
                del self._sets[next(iter(self._sets))]  # the one that was first asked for
            return self._sets.setdefault(address, _Published())

    def _look(self, address: str, known: _Published, now: float) -> None:
        try:
            known.news = False
            known.keys = parse_key_set(self._fetch(address), address, any_use=True)
            known.fetched_at, known.wait = now, 0.0
        except (Unavailable, InvalidInput) as error:
            known.wait = min(LONGEST_WAIT, known.wait * 2 or FIRST_WAIT)
            log.warning(
                "the keys at %s cannot be read: %s; the next try is in %.0f s", address, error.detail, known.wait
            )
        known.try_at = now + known.wait
