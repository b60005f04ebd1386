"""The figures of one period by groups, and the CSV that they give (docs/spec/reports.md). Memory is per group."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from verifier.rules.report_forms import Definition
from verifier.rules.scores import INPUTS, SCORE, behind, score

Group = tuple[str, ...]
"""The values of the dimensions in `by`."""
OTHER = "other"
NO_COUNTS = (SCORE, "acknowledge_seconds_max", "acknowledge_seconds_median")
SECONDS = ("acknowledge_seconds_max", "acknowledge_seconds_median")


@dataclass(slots=True)
class Figures:
    """Of one group: counts by measure, and first acknowledgements by their seconds."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """All of another group."""
        self.counts.update(other.counts)
        self.seconds.update(other.seconds)

    def value(self, measure: str) -> int:
        """One figure."""
        if measure not in SECONDS:
            return self.counts[measure]
        if not self.seconds:
            return 0
        if measure == SECONDS[0]:
            return max(self.seconds)
        left = (self.seconds.total() - 1) // 2  # the lower one of an even number
        for value in sorted(self.seconds):
            left -= self.seconds[value]
            if left < 0:
                return value
        raise AssertionError("a median lies among its values")


@dataclass(slots=True)
class Period:
    """The figures of the period [since, to) (seconds) of a definition. `open`: why they are not known, if they are not;
    `wanted`: how many ask for them."""

    definition: Definition
    since: int
    to: int
    groups: dict[Group, Figures] = field(default_factory=dict)
    open: str = ""
    wanted: int = 0
    reconciled: list[int] = field(default_factory=list)
    """The reconciliation reports in it, if their findings are wanted by participant."""

    @property
    def is_parted(self) -> bool:
        """Whether it wants findings by participant, which are known when the whole log was read."""
        return bool(self.definition.by) and self._counts("findings")

    def _counts(self, measure: str) -> bool:
        definition = self.definition
        return measure in definition.measures or (definition.weights is not None and measure in INPUTS)

    def note(self, what: str, groups: list[Group], number: int = 1) -> None:
        """Count so many more inputs of a score that are no measure."""
        if number and self.definition.weights is not None:
            for group in groups:
                self._figures(group).counts[what] += number

    def count(self, measure: str, groups: list[Group], number: int = 1) -> None:
        """So many more, in each of these groups."""
        if number and self._counts(measure):
            for group in groups:
                self._figures(group).counts[measure] += number

    def acknowledge(self, groups: list[Group], seconds: int) -> None:
        """A first acknowledgement, so long after the end."""
        for group in groups:
            self._figures(group).seconds[seconds] += 1

    def _figures(self, group: Group) -> Figures:
        known = self.groups.get(group)
        if known is None:
            known = self.groups[group] = Figures()
        return known

    def csv(self) -> tuple[bytes, int]:
        """The report, and how many lines it has below its first."""
        definition = self.definition
        measures = [name for name in definition.measures if "reason" not in definition.by or name == "accesses_refused"]
        lines = [",".join((*definition.by, "measure", "value"))]
        for group, figures in sorted(self._shown(measures).items()):
            lines += [",".join((*group, name, self._spell(figures, name))) for name in measures]
        return ("\n".join(lines) + "\n").encode("utf-8"), len(lines) - 1

    def _shown(self, measures: list[str]) -> dict[Group, Figures]:
        """The groups that have a line, those that are too small together."""
        by, limit = self.definition.by, self.definition.suppress
        if not by:
            return {(): self.groups.get((), Figures())}
        rest, shown = (OTHER,) * len(by), dict[Group, Figures]()
        small: list[Figures] = []
        for group, figures in self.groups.items():
            counts = [figures.counts[name] for name in measures if name not in NO_COUNTS and figures.counts[name]]
            if self.definition.weights is not None and behind(figures.counts):
                counts.append(behind(figures.counts))
            if not counts:
                continue
            if group != rest and all(count < limit for count in counts):
                small.append(figures)
            else:
                shown[group] = figures
        if small:
            together = Figures()
            for figures in (*small, *([shown[rest]] if rest in shown else [])):
                together.add(figures)
            shown[rest] = together
        return shown

    def _spell(self, figures: Figures, measure: str) -> str:
        limit, weights = self.definition.suppress, self.definition.weights
        if measure == SCORE and weights is not None:
            return f"<{limit}" if behind(figures.counts) < limit else str(score(figures.counts, weights))
        number = figures.seconds.total() if measure in SECONDS else figures.counts[measure]
        return f"<{limit}" if 0 < number < limit else str(figures.value(measure))
