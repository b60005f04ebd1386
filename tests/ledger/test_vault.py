"""The vault: what is sealed opens in its place only, and what is destroyed is gone."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text, update

from ledger.assembly import open_ledger
from ledger.canonical import b64u
from ledger.documents import Erasure, document_of
from ledger.engines.engine import keystore_engine
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.errors import Corrupt, NotFound, Unavailable
from ledger.receipts import check_receipt, receipt_bytes
from ledger.storage.tables import consents, entries
from ledger.vault.cipher import Cipher, consent_place, evidence_place
from ledger.vault.keystore import KeyStore, data_keys
from tests.ledger.auditing import audit
from tests.ledger.meddling import unguarded
from tests.world import BANK, FINTECH, STRANGER, Node, item, reference

CHAIN, OTHER = b"c" * 32, b"o" * 32


@pytest.fixture
def vault_url(engine_url: str) -> str:
    return engine_url


def store(url: str, kek: bytes = b"k" * 32, epoch: int = 1) -> KeyStore:
    return KeyStore(keystore_engine(url), kek, kek_epoch=epoch)


def test_a_data_key_is_made_once_and_is_the_same_for_all_nodes(vault_url: str) -> None:
    one, two = store(vault_url), store(vault_url)
    sealed = one.ciphers([CHAIN])[CHAIN].seal(b"words", b"place")
    assert two.ciphers([CHAIN, OTHER])[CHAIN].open(sealed, b"place") == b"words"
    assert set(two.existing([CHAIN, b"n" * 32])) == {CHAIN}
    with pytest.raises(NotFound):
        two.cipher(b"n" * 32)
    one.close()
    two.close()


@pytest.mark.parametrize("at", [0, 11, 12, -1])
def test_sealed_bytes_open_unchanged_in_their_place_with_their_key_only(at: int) -> None:
    cipher = Cipher(b"k" * 32)
    sealed = cipher.seal(b"words", evidence_place(1))
    assert cipher.seal(b"words", evidence_place(1)) != sealed
    changed = bytearray(sealed)
    changed[at] ^= 1
    for opened, place, by in (
        (bytes(changed), evidence_place(1), cipher),
        (sealed, evidence_place(2), cipher),
        (sealed, consent_place(CHAIN), cipher),
        (sealed, evidence_place(1), Cipher(b"x" * 32)),
        (sealed[:-1], evidence_place(1), cipher),
        (b"", evidence_place(1), cipher),
    ):
        with pytest.raises(Corrupt):
            by.open(opened, place)


def test_a_wrapped_key_moved_to_another_chain_does_not_open(vault_url: str) -> None:
    keys = store(vault_url)
    keys.ciphers([CHAIN, OTHER])
    engine = keystore_engine(vault_url)
    with engine.begin() as connection:
        wrapped = connection.execute(select(data_keys.c.wrapped).where(data_keys.c.chain == CHAIN)).scalar_one()
        connection.execute(update(data_keys).where(data_keys.c.chain == OTHER).values(wrapped=wrapped))
    engine.dispose()
    fresh = store(vault_url)
    with pytest.raises(Corrupt):
        fresh.cipher(OTHER)
    keys.close()
    fresh.close()


def test_a_destroyed_key_stays_destroyed(vault_url: str) -> None:
    keys = store(vault_url)
    keys.ciphers([CHAIN, OTHER])
    assert keys.destroy([CHAIN]) == 1
    assert keys.destroy([CHAIN]) == 0
    for attempt in (lambda: keys.cipher(CHAIN), lambda: keys.ciphers([CHAIN, OTHER])):
        with pytest.raises(NotFound, match="destroyed"):
            attempt()
    assert set(keys.existing([CHAIN, OTHER])) == {OTHER}
    keys.close()


def test_rewrapping_keeps_the_keys_and_locks_out_the_old_kek(vault_url: str) -> None:
    keys = store(vault_url)
    sealed = keys.ciphers([CHAIN, OTHER])[CHAIN].seal(b"words", b"place")
    keys.destroy([OTHER])
    assert keys.rewrap(b"n" * 32, 2) == 1
    assert keys.cipher(CHAIN).open(sealed, b"place") == b"words"
    new, old, wrong = store(vault_url, b"n" * 32, 2), store(vault_url), store(vault_url, b"w" * 32, 2)
    assert new.cipher(CHAIN).open(sealed, b"place") == b"words"
    for stale in (old, wrong):
        with pytest.raises(Corrupt):
            stale.cipher(CHAIN)
    for each in (keys, new, old, wrong):
        each.close()


def test_sqlites_files_hold_no_byte_of_a_destroyed_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'keys.sqlite'}"
    keys = store(url)
    chains = [bytes([number]) * 32 for number in range(20)]
    keys.ciphers(chains)
    engine = create_engine(url)
    with engine.connect() as connection:
        wrapped = {row.chain: row.wrapped for row in connection.execute(select(data_keys))}
    engine.dispose()
    keys.destroy(chains[:10])
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [chain for chain in chains if wrapped[chain] in held] == chains[10:]
    keys.rewrap(b"n" * 32, 2)
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(key in held for key in wrapped.values())
    keys.close()


def test_a_reader_that_keeps_old_bytes_alive_is_reported(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'keys.sqlite'}"
    keys = store(url)
    keys.ciphers([CHAIN])
    reader = create_engine(url)
    with reader.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT count(*) FROM data_keys").all()
        engine = keystore_engine(url)
        impatient = KeyStore(engine, b"k" * 32)
        with engine.connect() as held:
            held.connection.driver_connection.execute("PRAGMA busy_timeout=1")  # type: ignore[union-attr]
        with pytest.raises(Unavailable, match="again"):
            impatient.destroy([CHAIN])
        connection.rollback()
    assert impatient.destroy([CHAIN]) == 0
    reader.dispose()
    keys.close()
    impatient.close()


# -- in a log -----------------------------------------------------------------------------------------------------------


def test_evidence_moved_to_another_row_does_not_open(node: Node) -> None:
    consent_id = node.grant()
    first, second = node.access(consent_id), node.access(consent_id)
    with unguarded(node.config.database_url) as connection:
        sealed = connection.execute(select(entries.c.sealed).where(entries.c.idx == first.index)).scalar_one()
        connection.execute(update(entries).where(entries.c.idx == second.index).values(sealed=sealed))
    node.ledger.records.receipt_for(FINTECH, first.index)
    with pytest.raises(Corrupt):
        node.ledger.records.receipt_for(FINTECH, second.index)


def test_the_state_of_a_consent_moved_to_another_does_not_open(node: Node) -> None:
    first, second = node.grant(), node.grant()
    with unguarded(node.config.database_url) as connection:
        sealed = connection.execute(
            select(consents.c.sealed).where(consents.c.chain == consent_chain(first))
        ).scalar_one()
        connection.execute(update(consents).where(consents.c.chain == consent_chain(second)).values(sealed=sealed))
    with pytest.raises(Corrupt):
        node.ledger.records.consent(BANK, second)


def test_p04_after_erasure_proofs_hold_and_bodies_are_gone(node: Node) -> None:
    consent_id, kept = node.grant(), node.grant()
    said = node.access(consent_id)
    customer = subject_chain(BANK, reference("alice"))
    chains = [consent_chain(consent_id), customer]
    [record] = node.ledger.erase(chains, "gdpr-17", ("bert", "anna"))
    assert record.act == "erasure"
    assert node.ledger.erase(chains, "gdpr-17", ("anna", "bert")) == (), "once is enough"
    for _ in range(2):
        gone = node.ledger.records.receipt_for(FINTECH, said.index)
        assert (gone.evidence, gone.opening, gone.leaf, gone.proof) == (None, None, said.leaf, said.proof)
        check_receipt(receipt_bytes(gone), node.ledger.vkey)
        with pytest.raises(NotFound):
            node.ledger.records.consent(BANK, consent_id)
        assert [consent.consent_id for _, consent in node.ledger.records.consents(BANK)] == [kept]
        for act in (lambda: node.access(consent_id), lambda: node.revoke(consent_id), lambda: node.request(consent_id)):
            with pytest.raises(NotFound, match="erased"):
                act()
        with pytest.raises(NotFound, match="erased"):
            node.ledger.submit_and_wait(node.batch(item(kept), item(consent_id)))
        assert node.ledger.stopped_because is None
        assert node.access(kept).outcome.decision == "allow"  # type: ignore[union-attr]
        node.restart()
    audit(node.config.database_url, node.ledger)


def test_keys_that_a_crash_left_after_their_erasure_was_recorded_are_destroyed(node: Node) -> None:
    consent_id = node.grant()
    index = node.access(consent_id).index
    chain = b64u(consent_chain(consent_id))
    node.ledger.record_documents(document_of(Erasure, chains=(chain,), basis="gdpr-17", approved_by=("anna", "bert")))
    node.restart()
    ends = time.monotonic() + 30
    while node.ledger.records.receipt_for(FINTECH, index).evidence is not None:
        assert time.monotonic() < ends, "nobody destroyed it"
        threading.Event().wait(0.05)


def test_the_log_alone_is_ciphertext(node: Node) -> None:
    consent_id = node.grant()
    index = node.access(consent_id).index
    engine = create_engine(node.config.keystore_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM data_keys"))
    engine.dispose()
    node.ledger.stop()
    node.ledger = open_ledger(node.config, clock=node.clock)
    lost = node.ledger.records.receipt_for(FINTECH, index)
    assert lost.evidence is None
    check_receipt(receipt_bytes(lost), node.ledger.vkey)
    with pytest.raises(Corrupt, match="no key"):
        node.ledger.start()


def test_p01_no_file_of_the_log_holds_what_was_said_about_a_person(sqlite_node: Node, tmp_path: Path) -> None:
    words = "Maintenance for Erika Mustermann"
    consent_id = sqlite_node.grant(purpose={"code": "budgeting", "text": words})
    access = sqlite_node.access(consent_id, accounts=[reference("account-1")])
    assert access.outcome.decision == "allow"  # type: ignore[union-attr]
    secrets = [
        words,
        consent_id,
        *(reference(n) for n in ("account-1", "alice", "pseudonym-alice", "authoriser-alice")),
    ]
    for restarted in (False, True):
        if restarted:
            sqlite_node.restart()
        held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert [
            secret for secret in secrets if secret.encode() in held or hashlib.sha256(secret.encode()).digest() in held
        ] == []


def test_p02_a_leaf_hash_is_not_found_by_guessing_the_evidence(sqlite_node: Node) -> None:
    node = sqlite_node
    recorded = node.access(node.grant())
    assert recorded.evidence is not None
    leaf = recorded.leaf.decode()
    committed = leaf.split('"commitment":"')[1][:43]
    digest = hashlib.sha256(recorded.evidence).digest()
    tag = b"consent-ledger/v1/commitment\0"
    guesses = [digest, hashlib.sha256(tag + digest).digest(), hashlib.sha256(recorded.evidence + bytes(32)).digest()]
    guesses += [hashlib.sha256(os.urandom(32) + tag + digest).digest() for _ in range(100)]
    assert committed not in {b64u(guess) for guess in guesses}
    twice = [node.access(node.grant()).leaf for _ in range(2)]
    assert twice[0] != twice[1]


def test_p03_two_recipients_find_nothing_in_common(sqlite_node: Node) -> None:
    """The same customer of the same bank, at two recipients: no value of one receipt occurs in the other's."""
    node = sqlite_node
    seen = []
    for recipient, signer in ((FINTECH, node.fintech), (STRANGER, node.stranger)):
        node.fintech = signer
        consent_id = node.request(recipient=recipient)
        node.authorise(
            consent_id,
            subject=reference(f"p-{recipient}"),
            authoriser=reference(f"a-{recipient}"),
            accounts=[reference(f"acc-{recipient}")],
        )
        entries_seen = node.ledger.records.history(recipient, consent_id)
        assert all(entry.kind == "consent" for entry in entries_seen)
        seen.append(b"".join((entry.evidence or b"") + entry.leaf for entry in entries_seen))
    chain = b64u(subject_chain(BANK, reference("alice"))).encode()
    for told, other in (seen, seen[::-1]):
        assert chain not in told
        assert reference("alice").encode() not in told
        assert other not in told
