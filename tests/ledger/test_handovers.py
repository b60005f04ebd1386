"""A case goes from one authority to another: who may say so, in which order, and that a refused one leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.documents import activation
from ledger.errors import BadStatement, Conflict, IllegalTransition, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import Recorded
from tests.ledger.supervised import APPROVED, HASH, OTHER_REGULATOR, REGULATOR, Place, supervised
from tests.world import BANK, FINTECH, Party


@pytest.fixture
def place(engine_url: str, tmp_path: Path) -> Iterator[Place]:
    with supervised(engine_url, tmp_path) as made:
        yield made


@pytest.fixture
def quick(sqlite_url: str, tmp_path: Path) -> Iterator[Place]:
    with supervised(sqlite_url, tmp_path) as made:
        yield made


def opened(place: Place, participant: str = REGULATOR) -> int:
    return place.document(
        "disclosure", participant=participant, case="case-7", from_index=0, to_index=3, approved_by=APPROVED
    ).index


def hand(place: Place, disclosure: int, *, signer: Party | None = None, **changes: Any) -> Recorded:
    members = {"basis": "gdpr-61", "disclosure": disclosure, "handover_id": "h-1", "pack_hash": HASH, "scope": {}}
    said = {**members, "to": OTHER_REGULATOR, **changes}
    return (signer or place.regulator).record("case.hand_over", **said)


def receive(place: Place, handover: int, *, signer: Party | None = None, pack_hash: str = HASH) -> Recorded:
    return (signer or place.other).record("case.receive", handover=handover, pack_hash=pack_hash)


def refused(place: Place, kind: type[LedgerError], member: str, tried: Callable[[], Any]) -> None:
    before = place.node.ledger.registry.size
    with pytest.raises(kind) as caught:
        tried()
    assert (type(caught.value), caught.value.member) == (kind, member)
    assert place.node.ledger.registry.size == before


def test_a_case_is_handed_over_and_signed_for_and_the_verifier_agrees(place: Place) -> None:
    disclosure = opened(place)
    handed = hand(place, disclosure, scope={"holder": BANK})
    [waiting] = place.node.ledger.registry.handovers.of_disclosure(disclosure)
    assert (waiting.author, waiting.says.to, waiting.received_at) == (REGULATOR, OTHER_REGULATOR, None)
    assert waiting.time == handed.time
    received = receive(place, handed.index)
    place.restart()
    [signed] = place.node.ledger.registry.handovers.of_disclosure(disclosure)
    assert signed.received_at == received.index
    place.verify()


def test_only_what_was_opened_to_oneself_is_handed_over_and_only_to_another_authority(quick: Place) -> None:
    mine, theirs = opened(quick), opened(quick, OTHER_REGULATOR)
    for index in (0, mine - 1, theirs, 10**9):
        refused(quick, NotFound, "disclosure", lambda index=index: hand(quick, index))
    for to in (REGULATOR, BANK, FINTECH):
        refused(quick, IllegalTransition, "to", lambda to=to: hand(quick, mine, to=to))
    refused(quick, NotFound, "participant", lambda: hand(quick, mine, to="nobody"))
    with pytest.raises(NotPermitted):
        hand(quick, mine, signer=quick.node.bank)
    hand(quick, mine)
    refused(quick, Conflict, "handover_id", lambda: hand(quick, mine))
    hand(quick, theirs, signer=quick.other, to=REGULATOR)
    quick.document("participant.removed", participant=OTHER_REGULATOR, reason="over")
    refused(quick, IllegalTransition, "to", lambda: hand(quick, mine, handover_id="h-2"))
    quick.verify()


def test_only_who_was_given_it_signs_once_and_only_for_the_very_file(quick: Place) -> None:
    handed = hand(quick, opened(quick)).index
    other = b64u(bytes(31) + b"\x01")
    refused(quick, IllegalTransition, "pack_hash", lambda: receive(quick, handed, pack_hash=other))
    refused(quick, NotFound, "handover", lambda: receive(quick, handed, signer=quick.regulator))
    for index in (0, handed - 1, handed + 1):
        refused(quick, NotFound, "handover", lambda index=index: receive(quick, index))
    with pytest.raises(NotPermitted):
        receive(quick, handed, signer=quick.node.bank)
    receive(quick, handed)
    refused(quick, Conflict, "handover", lambda: receive(quick, handed))
    quick.verify()


def test_both_authorities_have_the_receipts_of_both_and_nobody_else_has(quick: Place) -> None:
    handed = hand(quick, opened(quick)).index
    received = receive(quick, handed).index
    records = quick.node.ledger.records
    for viewer in (REGULATOR, OTHER_REGULATOR):
        assert records.receipt_for(viewer, handed).evidence
        assert records.receipt_for(viewer, received).evidence
    for viewer in (BANK, FINTECH):
        for index in (handed, received):
            with pytest.raises(NotFound):
                records.receipt_for(viewer, index)


def test_before_ruleset_3_no_case_is_handed_over(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path, ruleset=2) as old:
        disclosure = old.document("disclosure", participant=REGULATOR, case="case-7", from_index=0, to_index=3).index
        with pytest.raises(BadStatement):
            hand(old, disclosure)
        old.node.ledger.record_documents(activation(3))
        handed = hand(old, disclosure)
        receive(old, handed.index)
        old.verify()
