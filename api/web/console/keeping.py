"""What every participant's console says of the participant itself: its keys, who signs for whom, and the end of it all."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.responses import Response

from api.partners.invitations import OWN
from api.web.desk import Desk
from ledger.documents import ParticipantSuspended, document_of
from ledger.participants import Delegation, Participant
from ledger.queries.overview import OverviewQueries


@dataclass(frozen=True, slots=True)
class KnownDelegation:
    """A delegation with what its reader needs beside it. Times in milliseconds; `ended` is None while nothing ended it."""

    delegation: Delegation
    stands: str
    """`in_force`, `suspended` (one of the two is, and may only reduce sharing), `replaced`, `ended` or `removed`."""
    granted: int
    ended: int | None

    @property
    def can_end(self) -> bool:
        """Whether its principal can still end it."""
        return self.stands in {"in_force", "suspended"}


def delegations_at(desk: Desk, participant: str) -> list[KnownDelegation]:
    """What this participant delegated and what was delegated to it: those in force first, then the last ones first."""
    ledger = desk.office.ledger
    registry, found = ledger.registry, ledger.registry.delegations_of(participant)
    indexes = {index for one in found for index in (one.granted_at, one.ended_at) if index is not None}
    times = OverviewQueries(ledger.store).times(indexes)

    def stands(one: Delegation) -> str:
        if one.ended_at is not None:
            return "ended" if one.reason else "replaced"
        if not registry.is_in_force(one):
            return "removed"
        quiet = registry.is_suspended(one.participant) or registry.is_suspended(one.delegate)
        return "suspended" if quiet else "in_force"

    known = [
        KnownDelegation(one, stands(one), times[one.granted_at], None if one.ended_at is None else times[one.ended_at])
        for one in found
    ]
    return sorted(known, key=lambda one: (not one.can_end, -one.delegation.granted_at))


def keys_page(desk: Desk, participant: Participant, here: str) -> Response:
    """Own keys, and the button that stops it all; `here` is the page's own address."""
    registry = desk.office.ledger.registry
    return desk.render(
        "console/keys.html",
        participant=participant,
        keys=[key for key in registry.keys.values() if key.participant == participant.id],
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        here_keys=here,
    )


def suspend_own(desk: Desk, here: str) -> Response:
    """Suspend the visitor's own participant at once. Raises StepUpNeeded."""
    desk.require_fresh(here)
    document = document_of(ParticipantSuspended, participant=desk.staff.participant, reason=f"{OWN}console")
    desk.office.ledger.record_documents(document)
    return desk.redirect(here)
