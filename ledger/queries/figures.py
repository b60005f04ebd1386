"""Figures for supervisors by participant and period, from the count book (docs/consoles.md, «The supervisor's page»)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import UNSET, Struct

from ledger.entries.scope import Scope
from ledger.queries.counting import Counting, Read
from ledger.queries.remit import Remit
from ledger.reporting.awaited import LATE_MS
from ledger.storage.counted_facts import AwaitedEnd, Booked, Counted, Details, Dims, What

Side = Literal["holder", "recipient"]
COLUMNS: Final = (
    "consents_active",
    "consents_requested",
    "consents_ended",
    "consents_withdrawn",
    "accesses_allowed",
    "accesses_unattended",
    "accesses_refused",
    "accesses_after_withdrawal",
    "accesses_foreign",
    "acknowledged",
    "acknowledge_seconds_median",
    "acknowledge_seconds_max",
    "unacknowledged",
    "unacknowledged_late",
    "findings",
    "complaints",
    "alerts",
)
"""What a row counts. Names are those of docs/spec/reports.md; `accesses_foreign` are tries on consents that are unknown or not
the signer's."""
REFUSALS: Final = (What.REFUSED, What.FOREIGN)
ACCESSES: Final = (What.ALLOWED, What.UNATTENDED, *REFUSALS)


@dataclass(slots=True)
class PartyFigures:
    """What is counted for one participant."""

    participant: str
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why accesses were refused; one refusal may have several reasons."""
    delays: list[int] = field(default_factory=list)
    oldest: int = 0
    """Time (ms) of the oldest end that is still to be acknowledged; 0 = there is none."""

    @property
    def accesses(self) -> int:
        """Allowed and refused."""
        return self.counts["accesses_allowed"] + self.refused

    @property
    def refused(self) -> int:
        """All that were refused, tries on others' consents too."""
        return self.counts["accesses_refused"] + self.counts["accesses_foreign"]

    @property
    def share(self) -> float:
        """Refused ones among all accesses, 0 … 1."""
        return self.refused / self.accesses if self.accesses else 0.0

    def value(self, column: str) -> int:
        """A column of the table."""
        if column.startswith("acknowledge_seconds"):
            delays = sorted(self.delays)
            if not delays:
                return 0
            return delays[-1] if column.endswith("max") else delays[(len(delays) - 1) // 2]
        return self.counts[column]


class FigureSlot(Struct, frozen=True):
    """A part of a period, from `first` (ms) onwards."""

    first: int
    allowed: int
    refused: int


class ScopeReach(Struct, frozen=True):
    """The reach of a scope: consents that are active now and their parties, and the accesses of the time before."""

    consents: int
    customers: int
    holders: tuple[str, ...]
    recipients: tuple[str, ...]
    accesses: int


class FigureQueries:
    """Questions about counts. Each sees only what the remit covers."""

    def __init__(self, counting: Counting, remit: Remit | None = None) -> None:
        self._counting = counting
        self._book = counting.book
        self._remit = remit or Remit()

    def read(self, seconds: float) -> Read:
        """Bring the book to the end of the log, or as far as these seconds allow. Raises Corrupt, Unavailable."""
        return self._counting.catch_up(seconds=seconds)

    def table(self, by: Side, first: int, end: int, *, now: int) -> dict[str, PartyFigures]:
        """Figures by participant, of entries with first ≤ time < end (ms); those refused most often come first.

        What waits to be acknowledged is counted at the end, or `now` (ms) if that comes first.
        """
        rows: dict[str, PartyFigures] = {}

        def of(dims: Dims) -> Iterable[PartyFigures]:
            if not self._remit.covers(dims):
                return ()
            return [rows.setdefault(name, PartyFigures(name)) for name in dims.get(by, ())]

        with self._book.view():
            for one in self._book.counted(first, end):
                for figures in of(one.dims):
                    _count(figures, one)
            for standing in self._book.standing(end):
                if standing.status == "ACTIVE":
                    for figures in of(standing.dims):
                        figures.counts["consents_active"] += standing.times
            for waiting in self._book.awaited(min(end, now + 1)):
                for figures in of(waiting.dims):
                    figures.counts["unacknowledged"] += waiting.times
                    figures.counts["unacknowledged_late"] += waiting.late
                    figures.oldest = min(figures.oldest or waiting.oldest, waiting.oldest)
        return dict(sorted(rows.items(), key=lambda row: (-row[1].refused, -row[1].accesses, row[0])))

    def reach(self, scope: Scope, now: int, since: int) -> ScopeReach:
        """The reach at `now` (ms) of a freeze of this scope, or of an incident. Accesses: those from `since` (ms) onwards that
        would have matched. For a `country`, which belongs to an access, consents are those of all countries."""

        def fits(dims: Dims) -> bool:
            pairs = ((scope.holder, "holder"), (scope.recipient, "recipient"), (scope.purpose, "purpose"))
            permission = scope.permission is UNSET or scope.permission in dims.get("permission", ())
            if not permission or "purpose" not in dims or not self._remit.covers(dims):
                return False
            return all(mine is UNSET or mine in dims[name] for mine, name in pairs)

        with self._book.view():
            touched = self._book.touched(fits, now + 1)
            accesses = sum(
                one.times
                for one in self._book.counted(since, now + 1)
                if one.what in ACCESSES
                and "purpose" in one.dims
                and _matches(scope, one)
                and self._remit.covers(one.dims)
            )
        return ScopeReach(
            touched.consents,
            touched.customers,
            tuple(sorted(touched.holders)),
            tuple(sorted(touched.recipients)),
            accesses,
        )

    def slots(self, first: int, end: int, step: int) -> list[FigureSlot]:
        """Accesses by parts of `step` ms, those without any too."""
        allowed, refused = Counter[int](), Counter[int]()
        with self._book.view():
            for slot, what, dims, times in self._book.slots(first, end, step, ACCESSES):
                if self._remit.covers(dims):
                    (refused if what in REFUSALS else allowed)[slot] += times
        return [
            FigureSlot(first + slot * step, allowed[slot], refused[slot])
            for slot in range(max(1, -(-(end - first) // step)))
        ]

    def entries(
        self,
        first: int,
        end: int,
        *,
        side: Side,
        participant: str,
        reason: str = "",
        after: int = -1,
        limit: int = 100,
    ) -> list[Booked]:
        """The refused accesses of a participant in a period, in order: what a figure is made of."""

        def fits(dims: Dims, details: Details) -> bool:
            mine = participant in dims.get(side, ()) and self._remit.covers(dims)
            return mine and (not reason or reason in details.reasons)

        with self._book.view():
            return self._book.entries(first, end, REFUSALS, fits, after=after, limit=limit)

    def awaited(
        self, end: int, *, side: Side, participant: str, only_late: bool = False, after: int = -1, limit: int = 100
    ) -> list[AwaitedEnd]:
        """The ends of a participant's consents that waited to be acknowledged at `end` (ms), the oldest first."""

        def fits(dims: Dims) -> bool:
            return participant in dims.get(side, ()) and self._remit.covers(dims)

        with self._book.view():
            until = end - LATE_MS if only_late else end
            return self._book.awaited_ends(end, fits, until=until, after=after, limit=limit)


def _count(figures: PartyFigures, one: Counted) -> None:
    counts, times = figures.counts, one.times
    match one.what:
        case What.REQUESTED:
            counts["consents_requested"] += times
        case What.ENDED | What.WITHDRAWN:
            counts["consents_ended"] += times
            counts["consents_withdrawn"] += times if one.what is What.WITHDRAWN else 0
        case What.ALLOWED | What.UNATTENDED:
            counts["accesses_allowed"] += times
            counts["accesses_unattended"] += times if one.what is What.UNATTENDED else 0
            counts["accesses_after_withdrawal"] += times if one.number else 0
        case What.REFUSED | What.FOREIGN:
            counts["accesses_refused" if one.what is What.REFUSED else "accesses_foreign"] += times
            for reason in one.details.reasons:
                figures.reasons[reason] += times
        case What.ACKNOWLEDGED:
            counts["acknowledged"] += times
            figures.delays += [one.number] * (times if one.number >= 0 else 0)
        case What.FINDING | What.COMPLAINT | What.ALERT:
            name = {What.FINDING: "findings", What.COMPLAINT: "complaints", What.ALERT: "alerts"}[one.what]
            counts[name] += times
        case _:
            pass


def _matches(scope: Scope, one: Counted) -> bool:
    [holder], [recipient], [purpose] = one.dims["holder"], one.dims["recipient"], one.dims["purpose"]
    return scope.matches(holder, recipient, purpose, one.details.permissions, one.details.region or UNSET)
