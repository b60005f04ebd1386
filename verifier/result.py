"""What every command of `consent-verify` ends in: one verdict, one exit status, facts, defects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.errors import Code, ExitStatus
from verifier.findings import Findings

if TYPE_CHECKING:
    from verifier.parties import Party


@dataclass(slots=True)
class Result:
    """`code` is None when the question could not be answered; then `reason` says why. `facts` are label and value,
    `inputs` path and SHA-256 of what was read, `lines` the command's own text (a story, an explanation),
    `parties` who could sign."""

    command: str
    code: Code | None
    facts: list[tuple[str, str]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    inputs: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    parties: list[Party] = field(default_factory=list)
    reason: str = ""

    @property
    def status(self) -> ExitStatus:
        """docs/spec/verdicts.md."""
        if self.code is None:
            return ExitStatus.COULD_NOT_CHECK
        if self.findings.count or self.code not in (Code.VALID, Code.VALID_UNWITNESSED, Code.ERASED):
            return ExitStatus.REFUTED
        return ExitStatus.UNWITNESSED if self.code is Code.VALID_UNWITNESSED else ExitStatus.VERIFIED
