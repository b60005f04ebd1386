"""A database that says something else than what was written: a lost page, a flipped bit, a row set back, a hand in it.

Nothing rests on such a row: a node stops rather than decide by it, nothing of it is shown, and `check` finds it, whatever the
column. Triggers do not help: a disk knows none, and whoever owns a database can drop them.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, insert, select, text, update

from api.checking import Findings, examine
from api.checking.columns import CHECKED
from api.office.facts import Notes, details_hash, facts_name
from ledger.assembly import open_ledger
from ledger.canonical import encode
from ledger.entries.leaf import OPENING_SIZE, consent_chain
from ledger.errors import Corrupt, LedgerError, NotFound, SequencerStopped
from ledger.notes.keys import Cosigner
from ledger.queries.parties import PartyQueries
from ledger.storage.cosignatures import CosignatureStore
from ledger.storage.packing import unpack
from ledger.storage.tables import (
    consents,
    credentials,
    entries,
    metadata,
    reconciliation_findings,
    tiles,
    used_challenges,
)
from ledger.vault.cipher import evidence_place
from ledger.witnessing import cosign, open_cosignatures
from tests.faults.test_every_column import changed
from tests.ledger.kit import BANK, FINTECH, Node, item, new_consent_id, reference, running, unguarded
from tests.ledger.test_reconciliation import HOUR, leg
from tests.verifier.test_gestures import RP, Passkey
from tests.world import record_index_head

FLIPS = 300
SEED = 20_271_130
WITNESS = Cosigner("witness.example/w", bytes(range(32)))


@dataclass
class Scene:
    """A log in which every table that speaks of the log has rows."""

    node: Node
    consent: str
    revoked: str
    passkey: Passkey

    @property
    def url(self) -> str:
        return self.node.config.database_url

    def check(self) -> Findings:
        ledger = self.node.ledger
        return examine(ledger.store, ledger.keystore, ledger.vkey, witnesses=(WITNESS.vkey,))

    def agree(self, passkey: Passkey) -> str:
        """A consent that its customer signs with a passkey."""
        consent_id = self.node.request()
        accounts = [reference("account-1")]
        gesture = encode(passkey.agree(consent_id, self.node.terms_of[consent_id], accounts)).decode()
        command = self.node.authorisation(consent_id)
        prepared = self.node.ledger.prepare(
            command.statement.text, companion=command.companion and command.companion.text, assertion=gesture
        )
        self.node.ledger.submit_and_wait(prepared)
        return consent_id

    def enrolment(self, passkey: Passkey, act: str = "subject.enrol", **changes: Any) -> str:
        now = self.node.clock.now() // 1000
        more: dict[str, Any] = {"reason": "lost"}
        if act == "subject.enrol":
            more = {"public_key": passkey.cose, "rp_id": RP, "sca": {"acr": "sca", "amr": ["otp"], "at": now}}
        members = {"credential_id": passkey.id, "subject": reference("alice"), **more, **changes}
        return self.node.say(self.node.bank, act, **members)


def made(node: Node) -> Scene:
    scene = Scene(node, node.grant(), node.grant(), Passkey("kept"))
    node.revoke(scene.revoked)
    for passkey in (scene.passkey, lost := Passkey("lost")):
        node.ledger.record(scene.enrolment(passkey))
    scene.agree(scene.passkey)
    node.ledger.record(scene.enrolment(lost, "subject.unenrol"))
    late = node.access(scene.consent)
    leg(node, "release", late)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    leg(node, "receive", late)
    node.clock.advance(seconds=HOUR)
    node.access(scene.consent)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    node.ledger.submit_and_wait(node.batch(*(item(scene.consent) for _ in range(260))))
    record_index_head(node.ledger)
    node.access(scene.consent)
    notes = Notes(scene.url, node.ledger.keystore, node.clock)
    facts = b'{"as":"it was worded"}'
    notes.add(scene.consent, facts_name(details_hash(facts)), facts)
    notes.close()
    size, note = node.ledger.tree.size(), node.ledger.tree.checkpoint()
    lines = CosignatureStore(scene.url)
    lines.put(size, open_cosignatures(note, cosign(note, WITNESS, 1_800_000_000), [WITNESS.vkey]))
    lines.close()
    return scene


@pytest.fixture
def scene(engine_url: str, tmp_path: Path) -> Iterator[Scene]:
    with running(tmp_path, engine_url) as node:
        yield made(node)


# -- check --------------------------------------------------------------------------------------------------------------


def test_somebody_has_said_of_every_column_how_it_is_checked() -> None:
    assert set(CHECKED) == {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.c}


def test_the_check_finds_a_change_in_every_column_that_speaks_of_the_log(scene: Scene) -> None:
    assert (scene.check().defects, scene.check().unchecked) == ([], [])
    unfound, tried = [], set()
    for table in metadata.tables.values():
        for column in table.c:
            name = f"{table.name}.{column.name}"
            if CHECKED[name].startswith("no: ") or column.name == "id":
                continue
            with unguarded(scene.url) as connection:
                rows = connection.execute(select(table)).all()
                values = [row._mapping for row in rows if row._mapping[column.name] is not None]
                if not values:
                    continue
                tried.add(name)
                row = dict(values[len(values) // 2])
                key = [table.c[one.name] == row[one.name] for one in table.primary_key]
                connection.execute(delete(table).where(*key))
                connection.execute(insert(table).values({**row, column.name: another(column.name, row[column.name])}))
            if not scene.check().count:
                unfound.append(name)
            with unguarded(scene.url) as connection:
                connection.execute(delete(table))
                connection.execute(insert(table), [dict(one._mapping) for one in rows])
    assert unfound == []
    assert tried == {name for name, says in CHECKED.items() if not says.startswith("no: ") and not name.endswith(".id")}
    assert scene.check().defects == []


def another(column: str, value: Any) -> Any:
    """Another value that the engine takes in this column."""
    if column == "kind":
        return "subject" if value == "consent" else "consent"
    if column == "status":
        return "REVOKED" if value == "ACTIVE" else "ACTIVE"
    if column in ("confirmed", "next_index", "position", "used_day", "used_today"):
        return value + 20_000
    return changed(value)


def test_the_check_finds_a_finding_that_is_shown_as_open_after_its_leg_has_come(scene: Scene) -> None:
    table = reconciliation_findings
    with unguarded(scene.url) as connection:
        closed = connection.execute(select(table.c.key).where(table.c.closed_by.is_not(None))).scalars().all()
        connection.execute(update(table).where(table.c.key == closed[0]).values(closed_by=None))
    assert [one for one in scene.check().defects if "closes it, and its row does not say so" in one]


@pytest.mark.parametrize("table", [consents, credentials, used_challenges, entries, tiles], ids=lambda one: one.name)
def test_the_check_misses_every_row_that_is_gone(scene: Scene, table: Any) -> None:
    with unguarded(scene.url) as connection:
        rows = connection.execute(select(table)).all()
        row = rows[len(rows) // 2]._mapping
        connection.execute(delete(table).where(*(table.c[one.name] == row[one.name] for one in table.primary_key)))
    assert scene.check().count


def test_a_missing_key_is_told_apart_from_an_erased_one(scene: Scene) -> None:
    ledger = scene.node.ledger
    ledger.erase([consent_chain(scene.revoked)], "gdpr-17", ("anna", "bert"))
    found = scene.check()
    assert (found.defects, found.erased) == ([], 3)
    ledger.keystore.destroy([consent_chain(scene.node.grant())])
    [lost] = scene.check().defects
    assert "no entry records an erasure" in lost
    engine = create_engine(scene.node.config.keystore_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM data_keys WHERE chain = :chain"), {"chain": consent_chain(scene.consent)})
    engine.dispose()
    ledger.keystore.forget([consent_chain(scene.consent)])
    found = scene.check()
    assert found.erased == 5
    assert any("the key store has no key" in defect for defect in found.defects)


def test_what_the_engine_cannot_compare_is_not_a_success(postgres_url: str, tmp_path: Path) -> None:
    with running(tmp_path, postgres_url) as node:
        node.grant()
        engine = create_engine(postgres_url)
        with engine.begin() as connection:
            connection.execute(text("DROP EXTENSION amcheck"))
        engine.dispose()
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey)
    assert (found.count, found.unchecked_count) == (0, 1)
    assert "amcheck" in found.unchecked[0]


def test_every_flipped_bit_of_a_database_file_is_found(sqlite_url: str, tmp_path: Path) -> None:
    with running(tmp_path, sqlite_url) as node:
        scene = made(node)
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    good, before = path.read_bytes(), contents(path)
    chance, told, missed = random.Random(SEED), Counter[str](), []
    for _ in range(FLIPS):
        at, bit = chance.randrange(100, len(good)), chance.randrange(8)
        data = bytearray(good)
        data[at] ^= 1 << bit
        for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        path.write_bytes(data)
        is_same = contents(path) == before
        try:
            ledger = open_ledger(scene.node.config)
            try:
                says = (
                    "found"
                    if examine(ledger.store, ledger.keystore, ledger.vkey, None, (WITNESS.vkey,)).count
                    else "clean"
                )
            finally:
                ledger.stop()
        except LedgerError:
            says = "refused"
        told[says] += 1
        if says == "clean" and not is_same:
            missed.append((at, bit))
    assert missed == []
    assert told["found"] > FLIPS // 2, told


def contents(path: Path) -> tuple[str, dict[str, list[str]]] | None:
    """What SQLite says of the file, and all values that speak of the log, read past every index; None: it is not readable."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            values = {}
            for table in metadata.tables.values():
                names = [one.name for one in table.c if not CHECKED[f"{table.name}.{one.name}"].startswith("no: ")]
                if names:
                    query = f"SELECT {', '.join(names)} FROM {table.name} NOT INDEXED"
                    values[table.name] = sorted(map(repr, connection.execute(query).fetchall()))
            return said, values
    except sqlite3.Error:
        return None


# -- what rests on it ---------------------------------------------------------------------------------------------------


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
    with running(tmp_path, engine_url) as node:
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
    with running(tmp_path, engine_url) as node:
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
