"""Counts by group, and the CSV that they make (docs/spec/reports.md, Measures, The CSV). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final, NamedTuple

from msgspec import UNSET

from ledger.errors import InvalidInput
from ledger.orders import ReportDefined, ScoreWeights

DELAYS: Final = frozenset({"acknowledge_seconds_max", "acknowledge_seconds_median"})
"""The measures that are no counts."""
_WITHOUT_CONSENT: Final[Mapping[str, frozenset[str]]] = {
    "findings": frozenset({"holder", "recipient"}),
    "erasures": frozenset(),
    "alerts": frozenset({"holder", "recipient"}),
    "score": frozenset({"holder", "recipient"}),
}
"""What these measures can be broken down by; the others by all but `reason`."""
_REASONED: Final = frozenset({"accesses_refused"})

Group = tuple[str, ...]
Dimensions = Mapping[str, Iterable[str]]
"""The values that something has in each dimension; it counts once for each of them, and not at all where one is absent."""


class ReportCSV(NamedTuple):
    """`rows`: the lines below the first."""

    content: bytes
    rows: int


@dataclass(slots=True)
class ScoreInputs:
    """What a score rests on (docs/spec/partners.md, 6)."""

    allowed: int = 0
    refused: int = 0
    findings: int = 0
    ends: int = 0
    late: int = 0
    """Ends that were acknowledged late or not at all."""
    complaints: int = 0
    overdue: int = 0
    """Complaints that were due and not answered by then."""

    @property
    def behind(self) -> int:
        """The accesses and ends that it rests on."""
        return self.allowed + self.refused + self.ends

    def add(self, other: ScoreInputs) -> None:
        """Add the inputs of another one."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def score(self, weights: ScoreWeights) -> int:
        """0 to 1,000."""
        lost = (
            weights.refused * _share(self.refused, self.allowed + self.refused)
            + weights.findings * min(1_000, _share(self.findings, self.allowed))
            + weights.acknowledge * _share(self.late, self.ends)
            + weights.complaints * _share(self.overdue, self.complaints)
        )
        return 1_000 - lost // 1_000


def _share(part: int, whole: int) -> int:
    return 1_000 * part // whole if whole else 0


@dataclass(slots=True)
class _Cells:
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    delays: list[int] = field(default_factory=list)
    """Seconds from the end of a consent to its first acknowledgement."""
    scored: ScoreInputs = field(default_factory=ScoreInputs)


def check_countable(says: ReportDefined) -> None:
    """Refuse a definition that cannot be counted exactly. Raises InvalidInput, which names the measure."""
    by = set(says.by)
    for measure in says.measures:
        allowed = _WITHOUT_CONSENT.get(measure)
        if ("reason" in by and measure not in _REASONED) or (allowed is not None and not by <= allowed):
            raise InvalidInput(
                f"{measure} cannot be counted by {', '.join(says.by)}: leave it out, or define another report for it",
                member="measures",
            )
        if measure in DELAYS and by and "acknowledged" not in says.measures:
            raise InvalidInput(f"{measure} by {', '.join(says.by)} needs the measure acknowledged", member="measures")


class ReportTally:
    """The counts of a report of this definition so far."""

    def __init__(self, says: ReportDefined) -> None:
        self._says = says
        self._groups: dict[Group, _Cells] = defaultdict(_Cells)

    def count(self, measure: str, of: Dimensions, number: int = 1) -> None:
        """Count something, if the definition has this measure."""
        if measure in self._says.measures:
            for group in self._groups_of(of):
                self._groups[group].counts[measure] += number

    def score(self, of: Dimensions, inputs: ScoreInputs) -> None:
        """Something of what a score rests on, if the definition has one."""
        if self._says.weights is not UNSET:
            for group in self._groups_of(of):
                self._groups[group].scored.add(inputs)

    def delay(self, seconds: int, of: Dimensions) -> None:
        """The first acknowledgement of an end came so many seconds after it."""
        for group in self._groups_of(of):
            self._groups[group].delays.append(seconds)

    def csv(self) -> ReportCSV:
        """The file as it is hashed."""
        lines = [",".join((*self._says.by, "measure", "value"))]
        shown = self._shown()
        for group in sorted(shown, key=lambda names: ",".join(names).encode()):
            lines += [",".join((*group, name, self._value(name, shown[group]))) for name in self._says.measures]
        return ReportCSV("".join(line + "\n" for line in lines).encode(), len(lines) - 1)

    def _groups_of(self, of: Dimensions) -> Iterable[Group]:
        return set(product(*(tuple(of.get(name, ())) for name in self._says.by)))

    def _shown(self) -> dict[Group, _Cells]:
        """The groups of the file: small ones are added to the group that is `other` in all dimensions."""
        rest: Group = ("other",) * len(self._says.by)
        shown: dict[Group, _Cells] = {} if self._says.by else {(): _Cells()}
        for group, cells in self._groups.items():
            counted = [number for number in (*cells.counts.values(), cells.scored.behind) if number]
            if not counted and self._says.by:
                continue
            place = rest if all(number < self._says.suppress for number in counted) else group
            target = shown.setdefault(place, _Cells())
            for name, number in cells.counts.items():
                target.counts[name] += number
            target.delays += cells.delays
            target.scored.add(cells.scored)
        return shown

    def _value(self, measure: str, cells: _Cells) -> str:
        if measure == "score" and self._says.weights is not UNSET:
            few = cells.scored.behind < self._says.suppress
            return f"<{self._says.suppress}" if few else str(cells.scored.score(self._says.weights))
        if measure not in DELAYS:
            return self._number(cells.counts[measure], cells.counts[measure])
        delays = sorted(cells.delays)
        if not delays:
            return "0"
        value = delays[-1] if measure.endswith("max") else delays[(len(delays) - 1) // 2]
        return self._number(value, len(delays))

    def _number(self, value: int, behind: int) -> str:
        """A value, unless it rests on too few."""
        return f"<{self._says.suppress}" if 0 < behind < self._says.suppress else str(value)
