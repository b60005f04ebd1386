"""Nothing rests on a changed row: a node stops rather than decide by it, and nothing of it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from api.checking import examine
from ledger.entries.leaf import OPENING_SIZE, consent_chain
from ledger.errors import Corrupt, NotFound, SequencerStopped
from ledger.queries.parties import PartyQueries
from ledger.storage.packing import unpack
from ledger.storage.tables import (
    consents,
    credentials,
    entries,
)
from ledger.vault.cipher import evidence_place
from tests.faults.changing import another
from tests.faults.rows import Scene, made
from tests.ledger.meddling import unguarded
from tests.verifier.gestures import Passkey
from tests.world import BANK, FINTECH, new_consent_id, running


@pytest.fixture
def scene(engine_url: str, tmp_path: Path) -> Iterator[Scene]:
    with running(engine_url, tmp_path) as node:
        yield made(node)


def restarted(scene: Scene) -> None:
    """A node that knows only what is stored."""
    scene.node.restart()


CHANGES = {
    "status": "ACTIVE",
    "subject_chain": bytes(32),
    "basis": 0,
    "used_today": -1_000,
    "used_day": 1,
    "expires_at": 4_000_000_000,
    "recipient": "fintech-c",
    "holder": "bank-d",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_column_of_a_consent_stops_the_node_and_is_not_shown(scene: Scene, column: str) -> None:
    mine = consents.c.chain == consent_chain(scene.revoked)
    restarted(scene)
    with unguarded(scene.url) as connection:
        connection.execute(update(consents).where(mine).values({column: CHANGES[column]}))
    records = scene.node.ledger.records
    for viewer in {BANK, FINTECH, str(CHANGES[column])} & {BANK, FINTECH, "fintech-c", "bank-d"}:
        with pytest.raises((Corrupt, NotFound)):
            records.consent(viewer, scene.revoked)
        if viewer not in (BANK, FINTECH) or column not in ("recipient", "holder"):
            with pytest.raises(Corrupt, match="was changed in the database"):
                records.consents(viewer)
    with pytest.raises(SequencerStopped, match="was changed in the database"):
        scene.node.access(scene.revoked)
    assert scene.node.ledger.stopped_because is not None


def test_a_state_of_before_its_last_event_stops_the_node_and_is_not_shown(scene: Scene) -> None:
    mine = consents.c.chain == consent_chain(scene.consent)
    with unguarded(scene.url) as connection:
        old = dict(connection.execute(select(consents).where(mine)).one()._mapping)
    scene.node.revoke(scene.consent)
    restarted(scene)
    with unguarded(scene.url) as connection:
        connection.execute(update(consents).where(mine).values(old))
    with pytest.raises(Corrupt, match="is older than entry"):
        scene.node.ledger.records.consent(BANK, scene.consent)
    with pytest.raises(SequencerStopped, match="is older than entry"):
        scene.node.access(scene.consent)


def test_a_counter_of_before_the_last_access_stops_the_node(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path) as node:
        consent = node.grant(frequency_per_day=2)
        mine = consents.c.chain == consent_chain(consent)
        with unguarded(engine_url) as connection:
            old = dict(connection.execute(select(consents).where(mine)).one()._mapping)
        for _ in range(2):
            assert node.access(consent, customer_present=False).outcome.decision == "allow"  # type: ignore[union-attr]
        node.restart()
        with unguarded(engine_url) as connection:
            connection.execute(update(consents).where(mine).values(old))
        with pytest.raises(SequencerStopped, match="is older than entry"):
            node.access(consent, customer_present=False)


def test_a_state_holds_after_any_number_of_accesses(engine_url: str, tmp_path: Path) -> None:
    with running(engine_url, tmp_path) as node:
        consent = node.grant(frequency_per_day=0)
        for count in range(1, 20):
            for _ in range(count % 3 + 1):
                node.access(consent, customer_present=True)
            node.restart()
            assert node.access(consent, customer_present=True).outcome.decision == "allow"  # type: ignore[union-attr]
            assert node.ledger.records.consent(BANK, consent).basis > 0
        assert examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey).defects == []


def test_a_missing_state_stops_the_node_and_a_strangers_tries_do_not(scene: Scene) -> None:
    unknown = new_consent_id()
    for _ in range(3):
        scene.node.access(unknown)
    restarted(scene)
    assert scene.node.access(unknown).outcome.decision == "deny"  # type: ignore[union-attr]
    assert scene.node.request(unknown) == unknown
    with unguarded(scene.url) as connection:
        connection.execute(delete(consents).where(consents.c.chain == consent_chain(scene.consent)))
    restarted(scene)
    with pytest.raises(SequencerStopped, match="is missing"):
        scene.node.access(scene.consent)


@pytest.mark.parametrize("change", ["enrolled again", "never enrolled", "another customer's"])
def test_a_changed_passkey_stops_the_node(scene: Scene, change: str) -> None:
    lost = Passkey("lost")
    with unguarded(scene.url) as connection:
        if change == "enrolled again":
            connection.execute(update(credentials).values(unenrolled_at=None))
        elif change == "never enrolled":
            connection.execute(delete(credentials))
        else:
            connection.execute(update(credentials).values(subject_chain=bytes(32)))
    with pytest.raises(SequencerStopped, match="a passkey is not what"):
        scene.agree(lost)


@pytest.mark.parametrize("column", ["sealed", "leaf", "leaf_hash", "kind", "seq"])
def test_a_changed_entry_is_not_shown(scene: Scene, column: str) -> None:
    index = scene.node.access(scene.consent).index
    ledger = scene.node.ledger
    with unguarded(scene.url) as connection:
        row = connection.execute(select(entries).where(entries.c.idx == index)).one()
        value = row._mapping[column]
        if column == "sealed":  # by somebody who has the key: the body says something else, and opens
            cipher = ledger.keystore.cipher(row.chain)
            plain = cipher.open(row.sealed, evidence_place(index))
            lie = unpack(plain[OPENING_SIZE:]).replace(b'"decision":"allow"', b'"decision":"deny"')
            value = cipher.seal(plain[:OPENING_SIZE] + lie, evidence_place(index))
        else:
            value = another(column, value)
        connection.execute(update(entries).where(entries.c.idx == index).values({column: value}))
    asked = (
        lambda: ledger.records.receipt_for(FINTECH, index),
        lambda: ledger.records.history(BANK, scene.consent, after=260, limit=500),
        lambda: ledger.records.history_of_chain(consent_chain(scene.consent), after=260, limit=500),
        lambda: PartyQueries(ledger.store, ledger.keystore).calls(FINTECH, "recipient"),
    )
    for ask in asked:
        if column == "kind" and ask is asked[-1]:
            continue  # it is not found as one of a consent
        with pytest.raises((Corrupt, NotFound)):
            ask()
