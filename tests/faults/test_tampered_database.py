"""An administrator edits the stored log, then exports it: the auditor's own program refutes the bundle and names the entry.

The triggers are dropped first: whoever can edit a database can drop its triggers.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.assembly import open_ledger
from tests.verdicts import verdict
from tests.world import node_config, running_world

VICTIM = 9
"""An access in the middle of a small log."""


def flip(database: sqlite3.Connection, column: str, index: int = VICTIM) -> None:
    """Change one byte in the middle of a stored value."""
    (value,) = database.execute(f"SELECT {column} FROM entries WHERE idx = ?", (index,)).fetchone()
    data = bytearray(value)
    data[len(data) // 2] ^= 1
    database.execute(f"UPDATE entries SET {column} = ? WHERE idx = ?", (bytes(data), index))


def swap(database: sqlite3.Connection) -> None:
    """Exchange the contents of two neighbours."""
    rows = database.execute("SELECT leaf, sealed FROM entries WHERE idx IN (?, ?) ORDER BY idx", (VICTIM, VICTIM + 1))
    first, second = rows.fetchall()
    for index, row in ((VICTIM, second), (VICTIM + 1, first)):
        database.execute("UPDATE entries SET leaf = ?, sealed = ? WHERE idx = ?", (*row, index))


def delete(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM entries WHERE idx = ?", (VICTIM,))


def cut(database: sqlite3.Connection) -> None:
    """Cut the tail off, and leave all else."""
    database.execute("DELETE FROM entries WHERE idx >= ?", (VICTIM,))


def unseal(database: sqlite3.Connection) -> None:
    database.execute("UPDATE entries SET sealed = NULL WHERE idx = ?", (VICTIM,))


def rechain(database: sqlite3.Connection) -> None:
    """File the entry under another chain: its body no longer opens."""
    flip(database, "chain")


CHANGES: dict[str, Callable[[sqlite3.Connection], None]] = {
    "a byte of a leaf": lambda database: flip(database, "leaf"),
    "a byte of a sealed body": lambda database: flip(database, "sealed"),
    "a chain": rechain,
    "a body taken away": unseal,
    "a row deleted": delete,
    "two rows swapped": swap,
    "the tail cut off": cut,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_the_database_is_refuted_from_its_bundle_and_its_entry_named(tmp_path: Path, change: str) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with running_world(url, tmp_path) as world:
        recipient, holder = world.recipient(), world.holder()
        consent = world.active_consent(recipient, holder, frequency_per_day=0)
        for _ in range(6):
            world.record(recipient.access(consent))
    assert audited(tmp_path, "before").returncode == 0
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        CHANGES[change](database)
    database.close()
    verdict = audited(tmp_path, "after")
    assert verdict.returncode == 1, verdict.stdout
    lines = [json.loads(line) for line in verdict.stdout.splitlines()]
    named = [line["index"] for line in lines if line.get("index") is not None]
    assert named, verdict.stdout
    assert min(named) == VICTIM, verdict.stdout


def audited(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Export the log as it stands, and ask the independent verifier."""
    ledger = open_ledger(node_config(f"sqlite:///{folder / 'ledger.sqlite'}", folder))
    try:
        return verdict(ledger, folder / name, "--json")
    finally:
        ledger.stop()
