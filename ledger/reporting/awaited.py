"""Ends of consents that their recipients are to acknowledge (docs/spec/reports.md, Measures). Pure."""

from __future__ import annotations

from typing import Final

from ledger.entries.acts import ConsentStep
from ledger.entries.payload import acting_for

AWAITED: Final = frozenset({"unacknowledged", "unacknowledged_late"})
OF_A_MOMENT: Final = frozenset({"consents_active", *AWAITED})
"""Measures of the end of a period. They rest on all entries below it."""
LATE_MS: Final = 259_200_000
"""How long after an end it is late that nobody has acknowledged it."""
_RULESET: Final = 3


def is_awaited(says: object, recipient: str, ruleset: int) -> bool:
    """Whether this step, which ended a consent of the recipient under this ruleset, is one that it acknowledges."""
    return (
        isinstance(says, ConsentStep)
        and says.act in ("consent.revoke", "consent.terminate")
        and ruleset >= _RULESET
        and acting_for(says.iss, says.on_behalf_of) != recipient
    )
