"""Every stored column that an export is made of, on both engines: one byte of it is changed, and the bundle is refuted, or it
is not made; every other column of these tables does not reach the bundle at all (A07)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, create_engine, select, update

from ledger.assembly import open_ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.errors import LedgerError
from ledger.storage.tables import checkpoints, entries, log_head, tiles
from ledger.vault.keystore import data_keys
from tests.conformance import ROOT
from tests.faults.changing import changed
from tests.ledger.meddling import unguarded
from tests.world import node_config, running_world

VICTIM = 280
"""An access in the second hundred of a batch, beyond the first full tile."""
BELOW = 128
"""The entry whose hash stands in the middle of the full tile."""


@dataclass(frozen=True)
class Spot:
    """One stored value: its table and column, the row, and what of it is named when it is changed."""

    table: Table
    column: str
    row: dict[str, Any]
    index: int | None = None
    file: str | None = None

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column}"


FEEDING = {
    "entries.idx",
    "entries.chain",
    "entries.leaf",
    "entries.sealed",
    "tiles.level",
    "tiles.number",
    "tiles.content",
    "checkpoints.size",
    "checkpoints.note",
    "log_head.size",
    "log_head.edge",
    "data_keys.chain",
    "data_keys.wrapped",
    "data_keys.kek_epoch",
}
"""What a bundle is made of. The other columns of these tables serve the ledger's own questions."""


@contextmanager
def tampered(url: str, spot: Spot, column: Column[Any]) -> Iterator[None]:
    """The value is another one for a while."""
    where = [spot.table.c[name] == value for name, value in spot.row.items()]
    with unguarded(url) as connection:
        before = connection.execute(select(column).where(*where)).scalar_one()
        connection.execute(update(spot.table).where(*where).values({column.name: changed(before)}))
    now = {**spot.row, **({column.name: changed(before)} if column.name in spot.row else {})}
    yield
    with unguarded(url) as connection:
        connection.execute(
            update(spot.table)
            .where(*(spot.table.c[name] == value for name, value in now.items()))
            .values({column.name: before})
        )


def exported(folder: Path, url: str, name: str) -> dict[str, bytes] | LedgerError:
    """The files of a full bundle, or why there is none."""
    ledger = open_ledger(node_config(url, folder))
    try:
        bundle = folder / name
        export_bundle(
            ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full(), created=1
        )
    except LedgerError as error:
        return error
    finally:
        ledger.stop()
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


def verdict(folder: Path, name: str) -> tuple[int, list[dict[str, Any]]]:
    command = [
        "bundle",
        str(folder / name),
        "--policy",
        str(folder / "policy"),
        "--json",
        "--no-signatures",
        "--jobs",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "verifier", *command], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def spots(engine_url: str, keys: str) -> list[tuple[str, Spot]]:
    """One row of each table that feeds the export, with what must be named: its entry, or its file."""
    engine = create_engine(engine_url)
    with engine.connect() as connection:
        head = connection.execute(select(log_head)).one()
        chain = connection.execute(select(entries.c.chain).where(entries.c.idx == VICTIM)).scalar_one()
    engine.dispose()
    rows = [
        (engine_url, entries, {"idx": VICTIM}, VICTIM, None),
        (engine_url, tiles, {"level": 0, "number": 0}, BELOW, None),
        (engine_url, checkpoints, {"size": head.size}, None, "checkpoint"),
        (engine_url, log_head, {"id": 1}, None, None),
        (keys, data_keys, {"chain": chain}, VICTIM, None),
    ]
    return [
        (url, Spot(table, column.name, row, index, file))
        for url, table, row, index, file in rows
        for column in table.c
        if (table, column.name) != (log_head, "id")
    ]


def test_a_byte_of_any_column_that_feeds_an_export_is_refuted_or_refused(engine_url: str, tmp_path: Path) -> None:
    with running_world(engine_url, tmp_path) as world:
        recipient, holder = world.recipient(), world.holder()
        consent = world.active_consent(recipient, holder, frequency_per_day=0)
        for _ in range(3):
            world.record(recipient.batch([recipient.item(consent) for _ in range(100)]))
        (tmp_path / "policy").write_text(f"log {world.ledger.vkey.format()}\nquorum none\n")
    before = exported(tmp_path, engine_url, "before")
    assert isinstance(before, dict)
    assert verdict(tmp_path, "before")[0] == 0
    reached, unfound = set(), {}
    for number, (url, spot) in enumerate(spots(engine_url, f"sqlite:///{tmp_path / 'keys.sqlite'}")):
        with tampered(url, spot, spot.table.c[spot.column]):
            after = exported(tmp_path, engine_url, str(number))
        if after == before:
            continue
        reached.add(spot.name)
        if isinstance(after, LedgerError):
            continue  # the operator is told; nothing leaves
        status, events = verdict(tmp_path, str(number))
        named = {event["index"] for event in events if event["event"] == "defect"} | {
            event["file"] for event in events if event["event"] == "defect"
        }
        if status == 0 or not ({spot.index, spot.file} - {None} <= named):
            unfound[spot.name] = (status, events[-1])
    assert unfound == {}
    assert reached <= FEEDING, "a column reaches the bundle that is not in the list above"
    # a head that says more than is confirmed is passed by: the newest confirmed checkpoint leaves in its place
    assert reached >= FEEDING - {"tiles.level", "tiles.number", "log_head.size"}
