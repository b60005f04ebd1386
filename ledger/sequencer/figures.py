"""Figures of a running sequencer, for metrics and the operator's page. Written by its thread, read by any."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ledger.entries.evidence import AccessOutcome
from ledger.errors import JtiReused, LedgerError
from ledger.planning.world import Plan

READY_SECONDS: Final = 15.0
"""A node looks at its database at least once a second, and is not ready when no such look has finished for so long."""


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """One batch, for whoever watches: monotonic seconds (`time.perf_counter`), and counts."""

    begun: float
    committed: float
    answered: float
    entries: int
    submissions: int


@dataclass(slots=True)
class Figures:
    """Counts since the node started; seconds for times."""

    waiting: Callable[[], int]
    """How many submissions wait now."""
    told: Callable[[BatchTimes], None] | None = None
    """Called for each batch that is counted, on the sequencer's thread."""
    batches: int = 0
    entries: int = 0
    repeats: int = 0
    refusals: int = 0
    jti_reused: int = 0
    """Security events: an (iss, jti) that came again with another payload."""
    pushed_back: int = 0
    """Refused by the sequencer, because too many waited."""
    pushed_back_here: int = 0
    """Refused in this front process, before they reached the sequencer."""
    commit_failures: int = 0
    clock_behind_ms: int = 0
    clock_ahead_ms: int = 0
    """How far the machine's clock is ahead of the time it should show; 0 while it is within its bounds."""
    paused_because: str | None = None
    """Why nothing new is recorded for the moment; None while it is."""
    last_batch_entries: int = 0
    last_batch_seconds: float = 0.0
    busy_seconds: float = 0.0
    succeeded_at: float = field(default_factory=time.monotonic)
    """When a transaction last finished, one that only looked included (monotonic seconds)."""
    wrote_at: float = -math.inf
    """When one last wrote."""
    trouble: str | None = None
    """Why the last batch failed; None since something was written."""
    acts: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def succeeded(self, *, wrote: bool) -> None:
        """A transaction was committed."""
        self.succeeded_at = time.monotonic()
        if wrote:
            self.wrote_at, self.trouble = self.succeeded_at, None

    def failed(self, why: str) -> None:
        """A batch was given up. The next look writes, to learn whether writing works again."""
        self.trouble, self.wrote_at = why, -math.inf

    def seconds_since_write(self) -> float:
        """How long nothing has been written."""
        return time.monotonic() - self.wrote_at

    def unready_because(self) -> str | None:
        """Why the next submission would probably not be recorded; None when one was lately, or would have been."""
        if self.trouble is not None:
            return self.trouble
        waited = time.monotonic() - self.succeeded_at
        if waited > READY_SECONDS:
            return f"the database has not answered for {waited:.0f} s; submissions wait"
        return None

    def batch_done(self, plan: Plan, begun: float, committed: float) -> None:
        """Count one committed (or empty) batch. Monotonic seconds: when it was begun, and when its commit was done."""
        now = time.perf_counter()
        seconds = now - begun
        if self.told is not None:
            self.told(BatchTimes(begun, committed, now, len(plan.entries), len(plan.results)))
        self.batches += 1
        self.busy_seconds += seconds
        self.last_batch_seconds = seconds
        self.last_batch_entries = len(plan.entries)
        self.entries += len(plan.entries)
        self.repeats += sum(plan.repeated)
        for result in plan.results:
            if isinstance(result, LedgerError):
                self.refusals += 1
                self.jti_reused += isinstance(result, JtiReused)
        for entry in plan.entries:
            self.acts[entry.act] += 1
            if isinstance(entry.outcome, AccessOutcome):
                self.decisions[entry.outcome.decision] += 1
                self.reasons.update(entry.outcome.all_reasons)
