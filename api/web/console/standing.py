"""Incidents and freezes as the consoles show them: what is due, how much time is left, what is in force."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.entries.scope import Scope
from ledger.queries.remit import Remit
from ledger.supervision import OPERATOR, Freeze, Incident, Supervision


@dataclass(frozen=True)
class IncidentTime:
    """What is due in an incident. Times are milliseconds; `delivered` is None while it is not."""

    name: str
    due: int
    delivered: int | None
    late: bool
    left: int
    """Seconds until it is due; 0 when it is delivered or past."""


@dataclass(frozen=True)
class OpenedIncident:
    """An incident with its clocks, as of some moment."""

    incident: Incident
    clocks: tuple[IncidentTime, ...]

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return self.incident.closed_at is None

    @property
    def is_late(self) -> bool:
        """Whether something was delivered too late, or is overdue."""
        return any(clock.late for clock in self.clocks)

    @property
    def next(self) -> IncidentTime | None:
        """What is due next."""
        return next((clock for clock in self.clocks if clock.delivered is None), None)


@dataclass(frozen=True)
class OrderedFreeze:
    """A freeze and its state at some moment: `drill`, `lifted`, `coming`, `in_force` or `over`."""

    freeze: Freeze
    stands: str

    @property
    def author(self) -> str | None:
        """The participant that ordered it; None for the operator."""
        return None if self.freeze.author == OPERATOR else self.freeze.author


def incidents_at(
    supervision: Supervision, now: int, *, remit: Remit | None = None, author: str = ""
) -> list[OpenedIncident]:
    """Incidents that a remit covers (or that `author` opened) at `now` (ms): open ones first, late ones before others."""
    found = []
    for (opener, _), incident in supervision.incidents.items():
        if (author and opener != author) or (
            remit is not None and not _is_theirs(remit, opener, incident.says.affected)
        ):
            continue
        found.append(OpenedIncident(incident, tuple(_clocks(incident, now))))
    return sorted(found, key=lambda one: (not one.is_open, not (one.is_open and one.is_late), -one.incident.index))


def _clocks(incident: Incident, now: int) -> list[IncidentTime]:
    clocks = []
    for clock in incident.says.clocks:
        due, delivered = clock.due * 1000, incident.delivered.get(clock.name)
        stopped = delivered is None and incident.closed_at is not None
        late = (now if delivered is None else delivered) > due
        left = 0 if delivered is not None or stopped else max(0, (due - now) // 1000)
        clocks.append(IncidentTime(clock.name, due, delivered, late, left))
    return clocks


def _is_theirs(remit: Remit, author: str, affected: Scope) -> bool:
    return remit.may_touch(author, affected.holder, affected.recipient)


def freezes_at(supervision: Supervision, now: int) -> list[OrderedFreeze]:
    """All freezes at `now` (ms), the last one first."""
    return [OrderedFreeze(freeze, _stands(freeze, now)) for freeze in [*supervision.freezes.values()][::-1]]


def _stands(freeze: Freeze, now: int) -> str:
    if freeze.lifted_at is not None:
        return "lifted"
    if now >= freeze.until * 1000:
        return "over"
    if freeze.drill:
        return "drill"
    return "in_force" if freeze.holds(now) else "coming"
