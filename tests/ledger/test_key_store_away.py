"""A key store that does not answer is Unavailable, whatever it was asked: whoever waits for that tries again later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from ledger.engines.engine import keystore_engine
from ledger.errors import Unavailable
from ledger.vault.keystore import KeyStore

CHAIN = bytes(32)
QUESTIONS: dict[str, Callable[[KeyStore], object]] = {
    "identity": lambda keys: keys.identity(),
    "ciphers": lambda keys: keys.ciphers([CHAIN]),
    "cipher": lambda keys: keys.cipher(CHAIN),
    "existing": lambda keys: keys.existing([CHAIN]),
    "lacking": lambda keys: keys.lacking([CHAIN]),
    "destroyed": lambda keys: keys.destroyed([CHAIN]),
    "destroy": lambda keys: keys.destroy([CHAIN]),
    "rewrap": lambda keys: keys.rewrap(bytes(32), 2),
    "probe": lambda keys: keys.probe(),
}


class Away:
    """A database that fails at once, or in the statement that begins a transaction, where SQLAlchemy does not look."""

    def __init__(self, folder: Path) -> None:
        self.engine = keystore_engine(f"sqlite:///{folder / 'keys.sqlite'}")
        self.keys = KeyStore(self.engine, bytes(32))
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "begin", self._begin)
        self.engine.dispose()
        self.refuses = self.breaks = False

    def _connect(self, *_: object) -> None:
        if self.refuses:
            raise sqlite3.OperationalError("unable to open database file")

    def _begin(self, _: object) -> None:
        if self.breaks:
            raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    away = Away(tmp_path)
    yield away
    away.refuses = away.breaks = False
    away.keys.close()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("how", ["refuses", "breaks"])
def test_a_key_store_that_does_not_answer_is_unavailable(away: Away, question: str, how: str) -> None:
    setattr(away, how, True)
    with pytest.raises(Unavailable, match="does not answer"):
        QUESTIONS[question](away.keys)
    setattr(away, how, False)
    assert away.keys.ciphers([CHAIN]).keys() == {CHAIN}, "it goes on when the store is back"


def test_a_key_store_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    engine = keystore_engine(f"sqlite:///{tmp_path / 'keys.sqlite'}")
    engine.dispose()
    (tmp_path / "keys.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(Unavailable, match="does not answer"):
        KeyStore(engine, bytes(32))
    engine.dispose()


def test_a_key_that_was_found_is_made_durable_before_anything_is_sealed_with_it(away: Away) -> None:
    """It may be the leavings of a commit that a failover takes back: then what it sealed could be read by nobody."""
    KeyStore(away.engine, bytes(32)).ciphers([CHAIN])
    away.breaks = True
    with pytest.raises(Unavailable):
        away.keys.ciphers([CHAIN])
    away.breaks = False
    away.keys.ciphers([CHAIN])
    away.breaks = True
    assert away.keys.ciphers([CHAIN], begun=[CHAIN]).keys() == {CHAIN}, "what entries rest on is durable already"
