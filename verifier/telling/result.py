"""The result of every command of `consent-verify`: one verdict, one exit status, facts, defects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.errors import Code, ExitStatus
from verifier.rules.findings import Findings

if TYPE_CHECKING:
    from verifier.records.concern import Concern
    from verifier.rules.sheets import TotalsOf
    from verifier.telling.parties import Party


@dataclass(frozen=True, slots=True)
class Part:
    """What was found about one log of several, `log` being its origin, and how many entries of it were handed over."""

    log: str
    code: Code | None
    entries: int
    findings: Findings


@dataclass(slots=True)
class Result:
    """`code` is None when the question could not be answered; then `reason` says why. `facts` are label and value,
    `inputs` path and SHA-256 of what was read, `lines` the command's own text (a story, an explanation),
    `parties` who could sign, `concerned` what the entries named say of themselves, by index.
    `attested`: the histories that holders brought.
    `parts`: the logs of a set, of which `findings` hold the sums. `explains`: nothing was checked, something was explained."""

    command: str
    code: Code | None
    facts: list[tuple[str, str]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    inputs: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    parties: list[Party] = field(default_factory=list)
    concerned: dict[int, Concern] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    attested: list[TotalsOf] = field(default_factory=list)
    reason: str = ""
    explains: bool = False

    @property
    def status(self) -> ExitStatus:
        """docs/spec/verdicts.md."""
        return ExitStatus.VERIFIED if self.explains else status_of(self.code, self.findings)

    @property
    def heading(self) -> str:
        """The name of the verdict: a label of `messages.WORDS`. A thing of which a part was not checked is never called
        verified."""
        if self.explains:
            return "EXPLAINED"
        if self.status is ExitStatus.VERIFIED and self.findings.not_checked:
            return "IN PART"
        return self.status.name.replace("_", " ")


def status_of(code: Code | None, findings: Findings) -> ExitStatus:
    """The exit status of a verdict and what was found."""
    if code is None:
        return ExitStatus.COULD_NOT_CHECK
    if findings.count or code not in (Code.VALID, Code.VALID_UNWITNESSED, Code.ERASED):
        return ExitStatus.REFUTED
    return ExitStatus.UNWITNESSED if code is Code.VALID_UNWITNESSED else ExitStatus.VERIFIED
