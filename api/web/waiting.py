"""Records what a page asks for: a person waits for some seconds, and is then told what is known and what to do next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import structlog

from ledger.app import Ledger
from ledger.errors import ClockAhead, LedgerError, QueueFull, Unavailable
from ledger.planning.commands import Command, Recorded
from ledger.sequencer.answers import Answer

log = structlog.get_logger("api.web.waiting")

PATIENCE_SECONDS: Final = 5.0
"""For a commit. It takes milliseconds, and a database that has not answered by then may not for a minute."""


class Unconfirmed(Unavailable):
    """Nobody knows yet whether the request is recorded."""


def record_soon(
    ledger: Ledger, command: Command, note: Callable[[tuple[Recorded, ...]], None] | None = None
) -> tuple[Recorded, ...]:
    """Submit a command and wait a little. `note` is told its entries, also when they come after the wait.

    Raises what the rules say, QueueFull and ClockAhead when nothing was recorded, Unconfirmed when that is not known.
    """
    future = ledger.submit_soon(command)
    try:
        recorded = ledger.settle(future.result(PATIENCE_SECONDS))
    except TimeoutError:
        if note is not None:
            future.add_done_callback(lambda done: _note_late(ledger, done, note))
        raise Unconfirmed(f"no answer within {PATIENCE_SECONDS:.0f} s: the log's database is busy") from None
    except (QueueFull, ClockAhead):
        raise
    except Unavailable as error:
        raise Unconfirmed(error.detail) from error
    if note is not None:
        note(recorded)
    return recorded


def _note_late(ledger: Ledger, done: Future[Answer], note: Callable[[tuple[Recorded, ...]], None]) -> None:
    """On a thread of its own, since the thread that brings the answer has others to serve."""
    if done.cancelled() or done.exception() is not None:
        return

    def write() -> None:
        try:
            note(ledger.settle(done.result()))
        except LedgerError as error:
            log.warning("an entry came after its page had ended, and is not noted there", reason=error.detail)

    threading.Thread(target=write, name="late note", daemon=True).start()
