"""Ends and complaints of a period that a score rests on, and what became of them (docs/spec/partners.md, 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.entries.acts import ConsentAcknowledge, SubjectAnswer, SubjectFeedback
from ledger.entries.evidence import Evidence
from ledger.reporting.periods import ReportPeriod
from ledger.reporting.tally import Dimensions, ReportTally, ScoreInputs
from ledger.storage.standing import recorded_payload

LATE_MS: Final = 86_400_000
"""How long after an end its acknowledgement is in time."""


@dataclass(frozen=True, slots=True)
class _End:
    index: int
    time: int
    of: Dimensions


@dataclass(frozen=True, slots=True)
class _Complaint:
    due: int
    of: Dimensions


class Scored:
    """Takes entries in order. Memory grows with the ends of the period, and with its complaints."""

    def __init__(self, tally: ReportTally, period: ReportPeriod) -> None:
        self._tally = tally
        self._period = period
        self._ends: dict[bytes, _End] = {}
        self._complaints: dict[tuple[bytes, str], _Complaint] = {}

    @property
    def waiting(self) -> frozenset[bytes]:
        """Chains of consents whose end in the period nobody has acknowledged so far."""
        return frozenset(self._ends)

    def ended(self, index: int, time: int, chain: bytes, of: Dimensions) -> None:
        """A consent came to its end in the period."""
        self._tally.score(of, ScoreInputs(ends=1))
        self._ends[chain] = _End(index, time, of)

    def complained(self, chain: bytes, says: SubjectFeedback, of: Dimensions) -> None:
        """A customer has complained in the period."""
        self._tally.score(of, ScoreInputs(complaints=1))
        if says.due <= self._period.end:
            self._complaints[chain, says.number] = _Complaint(says.due, of)

    def entry(self, time: int, chain: bytes, evidence: Evidence) -> None:
        """Any entry after those: does it acknowledge an end, or answer a complaint in time?"""
        if evidence.act == "consent.acknowledge" and (end := self._ends.get(chain)) is not None:
            says = recorded_payload(evidence)
            if isinstance(says, ConsentAcknowledge) and says.basis == end.index:
                if time - end.time > LATE_MS:
                    self._tally.score(end.of, ScoreInputs(late=1))
                del self._ends[chain]
        elif evidence.act == "subject.answer":
            answer = recorded_payload(evidence)
            if isinstance(answer, SubjectAnswer) and answer.state in ("answered", "closed"):
                complaint = self._complaints.get((chain, answer.number))
                if complaint is not None and time < complaint.due * 1000:
                    del self._complaints[chain, answer.number]

    def close(self) -> None:
        """Count everything that was not acknowledged or answered by now as late."""
        for end in self._ends.values():
            self._tally.score(end.of, ScoreInputs(late=1))
        for complaint in self._complaints.values():
            self._tally.score(complaint.of, ScoreInputs(overdue=1))
