"""What a customer is told beside her own doings: that her data is frozen, that something went wrong where it lies
(docs/spec/ruleset-3.md, 9; docs/people.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from ledger.consent.state import Consent
from ledger.entries.scope import Scope
from ledger.supervision import OPERATOR, Freeze, Incident, Supervision

REMEMBERED_MS: Final = 30 * 86_400_000
"""How long a closed incident is still shown, from when it was detected."""


@dataclass(frozen=True)
class ConsentTold:
    """What concerns one of her consents now: the newest of each first."""

    freezes: tuple[Freeze, ...]
    incidents: tuple[Incident, ...]
    name_of: Callable[[str], str]

    def by(self, author: str) -> str:
        """Who ordered or says it; empty for the operator."""
        return "" if author == OPERATOR else self.name_of(author)


NOTHING_TOLD: Final = ConsentTold((), (), str)


def told_of(supervision: Supervision, consent: Consent, now: int, name_of: Callable[[str], str]) -> ConsentTold:
    """Freezes in force that deny some access of this consent at `now` (ms), and incidents that may have touched it."""
    frozen = [one for one in supervision.freezing if one.holds(now) and _touches(one.scope, consent)]
    incidents = [
        one
        for one in supervision.incidents.values()
        if (one.closed_at is None or now - one.says.detected_at * 1000 < REMEMBERED_MS)
        and _touches(one.says.affected, consent)
    ]
    return ConsentTold(tuple(frozen[::-1]), tuple(incidents[::-1]), name_of)


def _touches(scope: Scope, consent: Consent) -> bool:
    """Whether some access under this consent can be in the scope."""
    terms = consent.terms
    countries = {one.country for one in terms.destinations or ()}
    return (
        (scope.holder is UNSET or scope.holder == terms.holder)
        and (scope.recipient is UNSET or scope.recipient == terms.recipient)
        and (scope.purpose is UNSET or scope.purpose == terms.purpose.code)
        and (scope.permission is UNSET or scope.permission in terms.permissions)
        and (scope.country is UNSET or scope.country in countries)
    )
