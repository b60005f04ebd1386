"""The findings of an audit: defects, notices, what was and what was not checked, and counts for the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from verifier.errors import Code, Defect, Place, Refuted, printable
from verifier.records.facts import OTHER_VERSION, DefectRow

MAX_KEPT = 10_000
DAY_MS = 86_400_000


@dataclass(slots=True)
class Findings:
    """Collects; the first MAX_KEPT defects are kept whole, all are counted.

    `first_bad` is the lowest index that a defect names, `headline` the defect that is told first. `checked` counts what was
    verified by kind of check, `unchecked` what could not be, with the reason in the key. `notices` are not grounds to doubt
    the log. `disputes` are findings about participants who differ, or of whom one says nothing. They are no grounds
    either: the log records truly what each said. `open` says why no verdict can be given, if none can."""

    defects: list[Defect] = field(default_factory=list)
    notices: list[Defect] = field(default_factory=list)
    disputes: list[Defect] = field(default_factory=list)
    open: str = ""
    by_code: Counter[str] = field(default_factory=Counter)
    notices_by_code: Counter[str] = field(default_factory=Counter)
    disputed: int = 0
    first_bad: int | None = None
    headline: Defect | None = None
    checked: Counter[str] = field(default_factory=Counter)
    unchecked: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)  # entries per UTC day (days since 1970)
    denials: Counter[int] = field(default_factory=Counter)
    first_time: int | None = None
    last_time: int | None = None

    def add(self, defect: Defect) -> None:
        """One defect."""
        self.by_code[str(defect.code)] += 1
        index = defect.place.index
        if self.headline is None or _rank(defect) < _rank(self.headline):
            self.headline = defect
        if index is not None and (self.first_bad is None or index < self.first_bad):
            self.first_bad = index
        if len(self.defects) < MAX_KEPT:
            self.defects.append(defect)

    def postpone(self, index: int, sentence: str, version: str) -> None:
        """The entry at `index` is of a version that nobody here can read, so that there is no verdict on the whole."""
        self.unchecked["entries of a version this verifier does not know"] += 1
        self.open = self.open or f"entry {index}: {sentence} (version {version}; it knows 1)"

    def refuse(
        self, refusal: Refuted, *, index: int | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        """The defect of a refusal, at the place known to the caller where it does not name one itself."""
        known = refusal.defect.place
        place = replace(
            known,
            index=index if known.index is None else known.index,
            file=file if known.file is None else known.file,
            line=line if known.line is None else known.line,
        )
        self.add(replace(refusal.defect, place=place))

    def notice(self, defect: Defect) -> None:
        """A notice, which does not refute the log."""
        self.notices_by_code[str(defect.code)] += 1
        if len(self.notices) < MAX_KEPT:
            self.notices.append(defect)

    def dispute(self, dispute: Defect) -> None:
        """A finding about participants."""
        self.disputed += 1
        if len(self.disputes) < MAX_KEPT:
            self.disputes.append(dispute)

    def take(self, other: Findings, log: str | None = None) -> None:
        """Add what was found elsewhere: more about the same log, or all about another one of a set, the log of this origin.
        Of a set the first log with a defect gives the headline."""
        for mine, theirs in (
            (self.defects, other.defects),
            (self.notices, other.notices),
            (self.disputes, other.disputes),
        ):
            room = MAX_KEPT - len(mine)
            mine.extend(replace(one, place=replace(one.place, log=log)) for one in theirs[:room])
        for name in ("by_code", "notices_by_code", "checked", "unchecked", "kinds", "acts", "decisions", "reasons"):
            getattr(self, name).update(getattr(other, name))
        self.days.update(other.days)
        self.denials.update(other.denials)
        self.disputed += other.disputed
        self.open = self.open or other.open
        best, found = self.headline, other.headline
        if found is not None and (best is None or (log is None and _rank(found) < _rank(best))):
            self.headline = replace(found, place=replace(found.place, log=log))
            self.first_bad = other.first_bad

    @property
    def count(self) -> int:
        """How many defects in all."""
        return self.by_code.total()

    @property
    def not_checked(self) -> int:
        """How many things were not checked, of all kinds together."""
        return self.unchecked.total()

    def verdict(self, witnessed: bool) -> Code | None:
        """The headline: the code of the defect with the lowest index; None while the question stays open; else VALID or
        VALID_UNWITNESSED. Source: docs/spec/verdicts.md, «The headline»."""
        if self.count:
            return None if self.headline is None else self.headline.code
        if self.open:
            return None
        return Code.VALID if witnessed else Code.VALID_UNWITNESSED


class Reporter:
    """Tells the defects of one entry after the other; `index` is the entry's."""

    def __init__(self, findings: Findings) -> None:
        self.findings, self.index = findings, 0

    def at(self, index: int) -> Reporter:
        """A reporter of another entry."""
        other = Reporter(self.findings)
        other.index = index
        return other

    def bad(self, code: Code, sentence: str, field: str, expected: object, found: object) -> None:
        """One defect of this entry."""
        place = Place(self.index, field=field or None)
        self.findings.add(Defect(code, sentence, place, _text(expected), _text(found)))

    def row(self, row: DefectRow) -> None:
        """A defect as plain texts."""
        code, sentence, field, expected, found = row
        if code == OTHER_VERSION:
            self.findings.postpone(self.index, sentence, found)
            return
        self.findings.add(Defect(Code(code), sentence, Place(self.index, field=field or None), expected, found))

    def refuse(self, refusal: Refuted) -> None:
        """A refusal within this entry."""
        self.findings.refuse(refusal, index=self.index)


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else printable(value)


def _rank(defect: Defect) -> tuple[int, int]:
    """The lowest index first: later defects may follow from it."""
    index = defect.place.index
    return (0, index) if index is not None else (1, 0)
