"""From the sequencer's thread to the event loop: one wake-up for all answers of a batch."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from weakref import WeakKeyDictionary

from ledger.app import Ledger
from ledger.errors import LedgerError
from ledger.planning.commands import Command
from ledger.sequencer.answers import Answer

_known: WeakKeyDictionary[Ledger, Answers] = WeakKeyDictionary()


class Answers:
    """Awaits answers on one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        # Set here and never again; the loop is used from other threads by `call_soon_threadsafe` only.
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        # The sequencer's thread appends, the loop's thread takes from the left; no lock, since each step on a deque is
        # atomic. An answer leaves only once it is settled, so that «the first to arrive» wakes the loop exactly when
        # the loop is not looking. The futures belong to the loop's thread.
        self._arrived: deque[tuple[asyncio.Future[Answer], Answer | LedgerError]] = deque()

    @classmethod
    def of(cls, ledger: Ledger) -> Answers:
        """The one for this ledger on the running loop."""
        known = _known.get(ledger)
        if known is None or known._loop is not asyncio.get_running_loop():
            known = _known[ledger] = cls(ledger)
        return known

    async def to(self, command: Command) -> Answer:
        """Submit a command and wait. Raises what `Ledger.submit` raises, and what the rules say."""
        future: asyncio.Future[Answer] = self._loop.create_future()

        def deliver(answer: Answer | LedgerError) -> None:
            if threading.get_ident() == self._thread:
                _settle(future, answer)
                return
            self._arrived.append((future, answer))
            if len(self._arrived) == 1:  # else a wake-up is on its way
                self._loop.call_soon_threadsafe(self._settle_all)

        self._ledger.submit(command, deliver)
        return await future

    def _settle_all(self) -> None:
        while True:
            try:
                future, answer = self._arrived[0]
            except IndexError:
                return
            _settle(future, answer)
            # removed only now: as long as it is there, nobody wakes the loop again, and this loop looks again
            self._arrived.popleft()


def _settle(future: asyncio.Future[Answer], answer: Answer | LedgerError) -> None:
    if future.done():  # its caller is gone; the entry stands
        return
    if isinstance(answer, LedgerError):
        future.set_exception(answer)
    else:
        future.set_result(answer)
