"""The findings of a check, and what it could not look at: a check that was not made is not a success."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SHOWN: Final = 20


@dataclass
class Findings:
    """What a check found."""

    size: int = 0
    opened: int = 0
    """Entries whose evidence was opened and fits its commitment."""
    erased: int = 0
    """Entries whose data key was destroyed."""
    consents: int = 0
    """Rows of consents that are what their chains lead to."""
    defects: list[str] = field(default_factory=list)
    """The first of them, in the order in which they were found."""
    count: int = 0
    unchecked: list[str] = field(default_factory=list)
    """The first checks that could not be made, each with the reason and what to do."""
    unchecked_count: int = 0

    def note(self, place: str, sentence: str) -> None:
        """Count a defect."""
        self.count += 1
        if len(self.defects) < SHOWN:
            self.defects.append(f"{place}: {sentence}")

    def could_not(self, place: str, sentence: str) -> None:
        """Count a check that could not be made."""
        self.unchecked_count += 1
        if len(self.unchecked) < SHOWN:
            self.unchecked.append(f"{place}: {sentence}")
