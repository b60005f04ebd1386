"""A check remembers what it needs on disk, and keeps no key: its memory does not grow with the consents of a log."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from api.checking import examine
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.engines.engine import keystore_engine
from ledger.entries.leaf import consent_chain
from ledger.errors import NotFound
from ledger.storage.spill import CACHED, Spill
from ledger.vault.kek import read_kek
from ledger.vault.keystore import KeyStore
from tests.world import node_config, running_world


@pytest.mark.parametrize("reads", ["check", "export"])
def test_a_pass_over_the_whole_log_leaves_no_data_key_in_memory(reads: str, engine_url: str, tmp_path: Path) -> None:
    """A key takes 2.5 KiB there, and a log has two for each consent."""
    with running_world(engine_url, tmp_path) as world:
        bank, app = world.holder(), world.recipient()
        chain = consent_chain(world.active_consent(app, bank).consent_id)
        node, config = world.ledger, node_config(engine_url, tmp_path)
        with closing(KeyStore(keystore_engine(config.keystore_url), read_kek(config.kek_file).key)) as fresh:
            if reads == "check":
                assert examine(node.store, fresh, node.vkey).defects == []
            else:
                export_bundle(node.store, fresh, node.vkey, DirectoryTarget(tmp_path / "out"), disclose=Disclose.full())
            node.keystore.destroy([chain])
            with pytest.raises(NotFound):
                fresh.cipher(chain)


def test_beyond_a_bound_a_replay_keeps_its_memory_in_a_file() -> None:
    def taken(count: int) -> int:
        with closing(Spill()) as spill:
            table = spill.table("states")
            for number in range(count):
                table.put(number.to_bytes(32), bytes(200))
            held, _ = tracemalloc.get_traced_memory()
            assert sum(1 for _ in table.items()) == count
            assert table.get((3).to_bytes(32)) == bytes(200)
            return held

    tracemalloc.start()
    try:
        few, many = taken(CACHED), taken(6 * CACHED)
    finally:
        tracemalloc.stop()
    assert many < 1.1 * few
