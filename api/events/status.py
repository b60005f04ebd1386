"""Who has been told: for the pages people see («X told at 12:03:05», «not yet told»)."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.app import Ledger
from ledger.entries.leaf import consent_chain
from ledger.queries.events import EventQueries
from ledger.storage.events import DeliveryState


@dataclass(frozen=True, slots=True)
class Told:
    """One party of a consent that an entry concerns and that did not sign it."""

    participant: str
    state: DeliveryState
    told_at: int | None
    """Milliseconds: when it acknowledged; None while it has not."""


def told(ledger: Ledger, chain: bytes, index: int) -> list[Told]:
    """Who was to be told of entry `index` of the consent `chain`, and when each acknowledged; by participant id.

    Right from the commit on: what the sender has not looked at yet is PENDING. Empty when nobody is to be told, or the entry is
    not one of this chain. Blocking; raises Unavailable.
    """
    queries = EventQueries(ledger.store, ledger.keystore)
    notice = queries.notice(index)
    if notice is None or consent_chain(notice.consent_id) != chain:
        return []
    known = {one.participant: one for one in queries.deliveries_about(index)}
    return [
        Told(party, known[party].state, known[party].acknowledged_at)
        if party in known
        else Told(party, DeliveryState.PENDING, None)
        for party in sorted(notice.audience)
    ]
