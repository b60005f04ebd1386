"""An erased chain's key does not come back into a node's memory by way of whoever had just read it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from ledger.engines.engine import keystore_engine
from ledger.errors import NotFound
from ledger.vault.keystore import KeyStore

CHAIN = bytes(range(32))


@pytest.mark.parametrize("remember", [True, False])
def test_a_key_that_was_read_a_moment_before_its_end_is_not_remembered(engine_url: str, remember: bool) -> None:
    kek = bytes(32)
    engine = keystore_engine(engine_url)
    reader, eraser = KeyStore(engine, kek), KeyStore(keystore_engine(engine_url), kek)
    eraser.ciphers([CHAIN])
    asked: list[str] = []

    @event.listens_for(engine, "after_cursor_execute")
    def erased_meanwhile(_c: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if "data_keys" in sql and not asked:
            asked.append(sql)
            reader.forget([CHAIN])  # what a node's housekeeper does once it has read of the erasure

    reader.existing([CHAIN], remember=remember)
    assert asked
    assert CHAIN not in reader._cache
    eraser.destroy([CHAIN])
    assert reader.existing([CHAIN]) == {}
    with pytest.raises(NotFound):
        reader.cipher(CHAIN)
    for one in (reader, eraser):
        one.close()
