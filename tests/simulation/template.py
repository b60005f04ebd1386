"""A new log with its participants, made once per process: each run begins with a copy of it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import migrations
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger, read_signer
from ledger.notes.keys import Ed25519NoteSigner
from ledger.secrets import read_secret
from tests.clocks import NOW, HandClock
from tests.simulation.cluster import Image
from tests.simulation.hub import Hub, simulated
from tests.world import BANK, FINTECH, ORIGIN, Signer, registered

PAGE: Final = 1024
"""Bytes: small pages, since whole files are copied."""


@dataclass(frozen=True)
class Template:
    """What a run begins with."""

    image: Image
    signer: Ed25519NoteSigner
    kek: bytes
    size: int


@cache
def template() -> Template:
    """The log's two databases, as created by the ledger itself, with the entropy of one seed."""
    made: list[Template] = []
    hub = Hub("template")
    with tempfile.TemporaryDirectory(prefix="ledger-sim-") as name, simulated(hub):
        hub.spawn(lambda: made.append(_make(Path(name))))
        hub.run(lambda: made)
        hub.end()
    return made[0]


def _make(folder: Path) -> Template:
    config = NodeConfig(
        f"sqlite:///{folder / 'log.sqlite'}",
        f"sqlite:///{folder / 'keys.sqlite'}",
        folder / "log.key",
        folder / "kek",
        folder / "highwater",
    )
    clock = HandClock(NOW - 60_000)
    make_keys(config, ORIGIN)
    for name in ("log", "keys"):
        with contextlib.closing(sqlite3.connect(folder / f"{name}.sqlite")) as database:
            database.execute(f"PRAGMA page_size={PAGE}")
            database.execute("VACUUM")
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        migrations.upgrade(config.database_url)
        create_log(config, clock=clock)
        ledger = open_ledger(config, clock=clock)
        ledger.start()
        recorded = ledger.record_documents(*_participants())
        ledger.stop()
    finally:
        logging.disable(disabled)
    image: Image = {}
    for name in ("log", "keys"):
        path = folder / f"{name}.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        image[name] = path.read_bytes(), b""
    return Template(image, read_signer(config.log_key_file), read_secret(config.kek_file), recorded[-1].index + 1)


def _participants() -> list[dict[str, Any]]:
    bank, fintech = Signer.named(BANK), Signer.named(FINTECH)
    return [registered(BANK, "holder"), registered(FINTECH, "recipient"), bank.key_added(), fintech.key_added()]
