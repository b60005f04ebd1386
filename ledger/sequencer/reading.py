"""In a sequencer's place in a node that only reads: it follows what others record, and records nothing."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from typing import Final

from ledger.errors import SequencerStopped, Unavailable
from ledger.participants import Registry
from ledger.planning.commands import Command
from ledger.sequencer.answers import Deliver
from ledger.sequencer.figures import Figures
from ledger.sequencer.follower import Follower

log = logging.getLogger("ledger.reading")

SILENT_SECONDS: Final = 15.0
"""Its database is asked once a second."""
READS_ONLY: Final = "this node only reads: statements are submitted at the nodes that record"


class ReadingOnly:
    """The shape of a sequencer, for a process whose database may be a standby that cannot be written."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._read_at = time.monotonic()
        self.figures = Figures(waiting=lambda: 0)

    @property
    def stopped_because(self) -> str | None:
        """None: it is not there to write, and so has not stopped."""
        return None

    @property
    def unready_because(self) -> str | None:
        """Why a read would probably not be answered; None when one would."""
        silent = time.monotonic() - self._read_at
        return None if silent <= SILENT_SECONDS else f"this reader's database has not answered for {silent:.0f} s"

    @property
    def registry(self) -> Registry:
        """Participants and keys as of the last refresh."""
        return self._follower.registry

    def start(self) -> None:
        """Read participants and keys. Raises Unavailable."""
        self._follower.refresh()
        self._read_at = time.monotonic()

    def stop(self) -> None:
        """Nothing waits here."""

    def halt(self, reason: str) -> None:
        """It signs nothing as it is."""
        log.warning("told to sign nothing more, which a reader does not: %s", reason)

    def refresh(self) -> Future[None]:
        """Learn of participants and keys that were recorded since."""
        done: Future[None] = Future()
        try:
            self._follower.refresh()
            self._read_at = time.monotonic()
        except Unavailable as error:
            log.warning("cannot read participants and keys: %s", error.detail)
        done.set_result(None)
        return done

    def submit(self, command: Command, deliver: Deliver) -> None:  # noqa: ARG002  (the shape of a sequencer)
        """Raises SequencerStopped."""
        raise SequencerStopped(READS_ONLY)
