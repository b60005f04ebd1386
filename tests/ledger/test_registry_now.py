"""Who was shut out by one node is shut out on all others with the same commit, for whoever asks for the present registry."""

from __future__ import annotations

from ledger.documents import ParticipantReinstated, ParticipantSuspended, document_of
from tests.ledger.supervised import Place
from tests.world import FINTECH


def test_a_node_that_only_reads_knows_at_once_what_another_has_recorded(place: Place) -> None:
    ledger, other = place.node.ledger, place.node.beside("other")
    other.start()
    try:
        party = FINTECH
        for reason in ("first", "second", "third"):
            ledger.record_documents(document_of(ParticipantSuspended, participant=party, reason=reason))
            assert other.registry_now().participants[party].suspended
            ledger.record_documents(document_of(ParticipantReinstated, participant=party, reason=reason))
            assert not other.registry_now().participants[party].suspended
    finally:
        other.stop()
