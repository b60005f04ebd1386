"""Cases of ruleset 3 in tables: what is told at a mark of the annotated log, and the one defect that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.cases import Told, case
from tests.vectors.story_3 import BALANCES, MARKS, Story3

Tell = Callable[[Story3], Any]
BASIS = MARKS["active"] - 2
"""The authorisation of the first consent."""
ONCE = MARKS["once"] - 2
"""And of the one that is for once."""
END = MARKS["ended"] - 1
PRESENT: dict[str, Any] = {"customer_present": True, **BALANCES}


def rows(mark: str, *steps: str, code: str = "CONSENT_INVALID", more: int = 0, **tells: tuple[str, Tell]) -> None:
    """Cases of one defect at the first entry after a mark (or `more` after it): name → why, and what is told there."""
    for name, (why, tell) in tells.items():
        at = MARKS[mark]

        def told(log: Any, tell: Tell = tell) -> None:
            tell(log)

        told.__name__, told.__doc__ = name, why
        defects: tuple[Told, ...] = ((code, at + more),)
        case(*steps, base="ruleset-3", at=at, told=defects)(told)


def honest(name: str, why: str, mark: str, tell: Tell, *steps: str, unchecked: bool | None = None) -> None:
    """A case without a defect."""

    def told(log: Any) -> None:
        tell(log)

    told.__name__, told.__doc__ = name, why
    case(*steps, base="ruleset-3", at=MARKS[mark], exit=0, unchecked=unchecked)(told)


def both(*tells: Tell) -> Tell:
    """One after the other."""

    def tell(log: Story3) -> None:
        for each in tells:
            each(log.tick())

    return tell
