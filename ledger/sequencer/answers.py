"""What comes back from a sequencer, and the shape that all sequencers have."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from msgspec import Struct

from ledger.errors import LedgerError
from ledger.participants import Registry
from ledger.planning.commands import Command, Recorded, RecordedBatch
from ledger.sequencer.figures import Figures


class Repeated(Struct, frozen=True):
    """The answer to a statement that is in the log already: where."""

    indexes: tuple[int, ...]


Answer = tuple[Recorded, ...] | RecordedBatch | Repeated
Deliver = Callable[[Answer | LedgerError], None]
"""Called once with the answer or the error, on a thread of the sequencer's. It must be quick and must not raise."""


class SequencerLike(Protocol):
    """A sequencer: the one of this process, or a line to the one of this node."""

    figures: Figures

    @property
    def stopped_because(self) -> str | None:
        """Why this node does not write; None while it does."""

    @property
    def unready_because(self) -> str | None:
        """Why a submission would probably not be recorded now, or not soon; None when one would."""

    @property
    def registry(self) -> Registry:
        """Participants and keys as this process knows them."""

    def submit(self, command: Command, deliver: Deliver) -> None:
        """Queue a command. Raises QueueFull, SequencerStopped."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Finish what waits, then end."""

    def halt(self, reason: str) -> None:
        """Sign nothing more, and refuse what waits."""

    def refresh(self) -> Future[None]:
        """Learn of participants and keys that other processes have recorded."""
