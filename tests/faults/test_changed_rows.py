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
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete, insert, select, text, update

from api.checking import examine
from api.checking.columns import CHECKED
from ledger.assembly import open_ledger
from ledger.entries.leaf import consent_chain
from ledger.errors import LedgerError
from ledger.storage.tables import (
    consents,
    credentials,
    entries,
    metadata,
    reconciliation_findings,
    tiles,
    used_challenges,
)
from tests.faults.changing import another
from tests.faults.rows import WITNESS, Scene, made
from tests.ledger.meddling import unguarded
from tests.world import running

FLIPS = 300
SEED = 20_271_130


@pytest.fixture
def scene(engine_url: str, tmp_path: Path) -> Iterator[Scene]:
    with running(engine_url, tmp_path, bodies_at=str(tmp_path / "bodies")) as node:
        scene = made(node)
        scene.move_bodies()
        yield scene


def test_somebody_has_said_of_every_column_how_it_is_checked() -> None:
    assert set(CHECKED) == {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.c}


def test_the_check_finds_a_change_in_every_column_that_speaks_of_the_log(scene: Scene) -> None:
    # not running: a node that reads a changed head may write what follows from it after the row was put back
    scene.node.ledger.stop()
    scene.node.ledger = open_ledger(scene.node.config, clock=scene.node.clock)
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


def test_a_comparison_that_the_engine_cannot_make_is_not_a_success(postgres_url: str, tmp_path: Path) -> None:
    with running(postgres_url, tmp_path) as node:
        node.grant()
        engine = create_engine(postgres_url)
        with engine.begin() as connection:
            connection.execute(text("DROP EXTENSION amcheck"))
        engine.dispose()
        found = examine(node.ledger.store, node.ledger.keystore, node.ledger.vkey)
    assert (found.count, found.unchecked_count) == (0, 1)
    assert "amcheck" in found.unchecked[0]


def test_every_flipped_bit_of_a_database_file_is_found(sqlite_url: str, tmp_path: Path) -> None:
    with running(sqlite_url, tmp_path) as node:
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
    except (sqlite3.Error, UnicodeDecodeError):
        return None
