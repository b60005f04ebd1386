"""Figures of a running sequencer, for metrics and the operator's page. Written by its thread, read by any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.entries.evidence import AccessOutcome
from ledger.errors import JtiReused, LedgerError
from ledger.planning.world import Plan


@dataclass(slots=True)
class Figures:
    """Counts since the node started; seconds for times."""

    waiting: Callable[[], int]
    """How many submissions wait now."""
    batches: int = 0
    entries: int = 0
    repeats: int = 0
    refusals: int = 0
    jti_reused: int = 0
    """Security events: an (iss, jti) that came again with another payload."""
    pushed_back: int = 0
    commit_failures: int = 0
    clock_behind_ms: int = 0
    clock_ahead_ms: int = 0
    """How far the machine's clock is ahead of the time it should show; 0 while it is within its bounds."""
    paused_because: str | None = None
    """Why nothing new is recorded for the moment; None while it is."""
    last_batch_entries: int = 0
    last_batch_seconds: float = 0.0
    busy_seconds: float = 0.0
    acts: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def batch_done(self, plan: Plan, seconds: float) -> None:
        """Count one committed (or empty) batch."""
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
