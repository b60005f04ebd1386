"""Which declarations a participant may read (docs/spec/ruleset-3.md, 9 and 14; partners.md, 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ledger.entries.acts import Act
from ledger.entries.case_acts import CaseHandOver, CaseReceive
from ledger.entries.partner_acts import TariffAccept, TariffEnd, TariffOffer, UsageAnswer, UsageState
from ledger.entries.payload import acting_for

TOLD_TO_ALL: Final = frozenset(
    {
        "assessment.require",
        "assessment.waive",
        "attestation.give",
        "attestation.withdraw",
        "freeze.lift",
        "freeze.order",
        "map.publish",
        "purpose.define",
    }
)
"""Declarations that every participant may read: they say what it may do."""


def concerns(says: Act, viewer: str, declared: Callable[[int], Act | None]) -> bool:
    """Whether a declaration is for this participant, who did not sign it. `declared`: what the declaration at an index says, if
    it can still be read."""
    if says.act in TOLD_TO_ALL or says.on_behalf_of == viewer:
        return True
    match says:
        case TariffOffer():
            return says.recipient in ("", viewer)
        case UsageState():
            return says.recipient == viewer
        case CaseHandOver():
            return says.to == viewer
        case CaseReceive():
            handed = declared(says.handover)
            return handed is not None and viewer == acting_for(handed.iss, handed.on_behalf_of)
        case TariffAccept() | TariffEnd() | UsageAnswer():
            about = declared(says.statement if isinstance(says, UsageAnswer) else says.offer)
            if about is None:
                return False
            author = acting_for(about.iss, about.on_behalf_of)
            ended_for_all = isinstance(says, TariffEnd) and acting_for(says.iss, says.on_behalf_of) == author
            return viewer == author or (ended_for_all and getattr(about, "recipient", None) in ("", viewer))
        case _:
            return False
