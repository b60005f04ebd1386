"""The key store is the log's own and as young as the log; no key is ever made for a chain that has entries ."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, insert, select

from ledger.assembly import open_ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.errors import Corrupt, NotFound, SequencerStopped
from ledger.opening import open_key_store
from ledger.storage.naming import key_store_named
from ledger.storage.tables import named_key_store
from ledger.vault.keystore import data_keys
from tests.ledger.auditing import audit
from tests.world import BANK, Node


def lose(node: Node, *consent_ids: str) -> None:
    """Behind the node's back: its key store is one that never had the keys of these consents."""
    engine = create_engine(node.config.keystore_url)
    with engine.begin() as connection:
        connection.execute(delete(data_keys).where(data_keys.c.chain.in_([consent_chain(one) for one in consent_ids])))
    engine.dispose()


def started_anew(node: Node, **changes: object) -> None:
    node.ledger.stop()
    node.ledger = open_ledger(replace(node.config, **changes), clock=node.clock)  # type: ignore[arg-type]
    node.ledger.start()


def test_the_key_store_of_another_machine_is_refused_at_start(node: Node, tmp_path: Path) -> None:
    node.grant()
    with pytest.raises(Corrupt, match="not the one that belongs to the log"):
        started_anew(node, keystore_url=f"sqlite:///{tmp_path / 'other-keys.sqlite'}")


def test_a_key_store_that_lacks_the_newest_keys_is_refused_at_start(node: Node) -> None:
    lose(node, node.grant())
    with pytest.raises(Corrupt, match="older than the log"):
        started_anew(node)


def test_a_lost_key_stops_the_node_and_is_never_made_anew(node: Node) -> None:
    consent_id, other = node.grant(), node.grant()
    lose(node, consent_id)
    node.ledger.keystore.forget([consent_chain(consent_id)])
    with pytest.raises(SequencerStopped, match="no key"):
        node.access(consent_id)
    with pytest.raises(SequencerStopped):
        node.access(other)
    assert node.ledger.keystore.lacking([consent_chain(consent_id)]), "nobody made one"


def test_an_erased_chain_stays_erased_in_a_key_store_that_never_had_its_key(node: Node) -> None:
    consent_id = node.grant()
    chain = consent_chain(consent_id)
    lose(node, consent_id)
    node.ledger.keystore.destroy([chain])
    with pytest.raises(NotFound, match="destroyed"):
        node.ledger.keystore.ciphers([chain])


def erased_with_the_key_of_yesterday(node: Node) -> tuple[str, list[int]]:
    """A stopped node with a consent that is on record as erased, and whose key is there: its id, and where its entries are."""
    consent_id = node.grant()
    chain = consent_chain(consent_id)
    places = [entry.index for entry in node.ledger.records.history(BANK, consent_id)]
    engine = create_engine(node.config.keystore_url)
    with engine.connect() as connection:
        yesterday = dict(connection.execute(select(data_keys).where(data_keys.c.chain == chain)).mappings().one())
    node.ledger.erase([chain], "customer-request", ("operator-a", "operator-b"))
    node.ledger.stop()
    with engine.begin() as connection:
        connection.execute(delete(data_keys).where(data_keys.c.chain == chain))
        connection.execute(insert(data_keys).values(yesterday))
    engine.dispose()
    return consent_id, places


def test_erasures_are_applied_before_a_key_store_of_yesterday_opens_anything(node: Node) -> None:
    consent_id, _ = erased_with_the_key_of_yesterday(node)
    reader = open_ledger(node.config, clock=node.clock)
    try:
        assert open_key_store(reader.store, reader.keystore) == {b64u(consent_chain(consent_id))}
        assert all(entry.evidence is None for entry in reader.records.history(BANK, consent_id))
    finally:
        reader.stop()


def test_an_export_opens_nothing_that_is_on_record_as_erased(node: Node, tmp_path: Path) -> None:
    """Between the record of an erasure and the end of its key lies a moment, and a crash or a busy database makes it longer."""
    other = node.grant()
    kept = [entry.index for entry in node.ledger.records.history(BANK, other)]
    consent_id, gone = erased_with_the_key_of_yesterday(node)
    reader = open_ledger(node.config, clock=node.clock)
    try:
        assert reader.keystore.existing([consent_chain(consent_id)]), "its key is there"
        target = DirectoryTarget(tmp_path / "bundle")
        export_bundle(reader.store, reader.keystore, reader.vkey, target, disclose=Disclose.full())
    finally:
        reader.stop()
    files = (tmp_path / "bundle").glob("evidence/**/*.gz")
    opened = [json.loads(line)["index"] for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert set(opened) >= set(kept)
    assert not set(opened) & set(gone)


def test_a_log_of_before_names_the_key_store_that_has_its_keys(node: Node) -> None:
    node.grant()
    engine = create_engine(node.config.database_url)
    with engine.begin() as connection:
        connection.execute(delete(named_key_store))
    started_anew(node)
    node.grant()
    with engine.connect() as connection:
        assert key_store_named(connection) == node.ledger.keystore.identity()
    engine.dispose()
    audit(node.config.database_url, node.ledger)
