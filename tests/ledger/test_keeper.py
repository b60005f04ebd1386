"""The process that keeps the key-encryption key, and those who ask it: the same keys, and nothing but keys."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.engines.engine import keystore_engine
from ledger.errors import Corrupt, InvalidInput, Unavailable
from ledger.vault.cipher import Cipher, evidence_place
from ledger.vault.keeper import AT_ONCE, FRAME_LIMIT, AskedKek, Keeper
from ledger.vault.keystore import KeyStore

KEK = bytes(range(32))
EPOCH = 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kek.sock"


@pytest.fixture
def keeper(path: Path) -> Iterator[Keeper]:
    with closing(Keeper(Cipher(KEK), EPOCH, path)) as keeper:
        yield keeper


@pytest.fixture
def asked(path: Path, keeper: Keeper) -> Iterator[AskedKek]:
    with closing(AskedKek(path)) as asked:
        yield asked


def key_store(folder: Path, kek: bytes | AskedKek, epoch: int = EPOCH) -> closing[KeyStore]:
    return closing(KeyStore(keystore_engine(f"sqlite:///{folder / 'keys.sqlite'}"), kek, kek_epoch=epoch))


def test_each_side_reads_what_the_other_wrote(tmp_path: Path, asked: AskedKek) -> None:
    chains = [number.to_bytes(32) for number in range(2 * AT_ONCE + 1)]
    with key_store(tmp_path, KEK) as holder, key_store(tmp_path, asked, asked.epoch) as front:
        sealed = {chain: cipher.seal(chain, b"") for chain, cipher in holder.ciphers(chains).items()}
        read = front.existing(chains)
        assert [read[chain].open(sealed[chain], b"") for chain in chains] == chains
        written = front.ciphers([b"\xff" * 32])[b"\xff" * 32].seal(b"by the front", b"")
        assert holder.cipher(b"\xff" * 32).open(written, b"") == b"by the front"
        front.probe()


def test_nothing_but_a_data_key_is_sealed_or_opened(asked: AskedKek) -> None:
    """A front that was taken over gets no use of the key beyond the one it needs."""
    place = b"consent-ledger/data_keys/wrapped/" + b"0" * 64 + b"/3"
    assert asked.open(asked.seal(bytes(32), place), place) == bytes(32)
    other = evidence_place(7)
    with pytest.raises(InvalidInput, match="only data keys"):
        asked.open(Cipher(KEK).seal(b"another text", other), other)
    for text, where in ((bytes(31), place), (bytes(33), place), (bytes(32), other), (bytes(32), place + b"\n")):
        with pytest.raises(InvalidInput):
            asked.seal(text, where)
    with pytest.raises(Corrupt, match="does not decrypt"):
        asked.open(Cipher(bytes(32)).seal(bytes(32), place), place)


def test_a_keeper_that_ended_is_told_and_its_successor_is_found(path: Path) -> None:
    place = b"consent-ledger/data_keys/wrapped/" + b"a" * 64 + b"/1"
    with pytest.raises(Unavailable, match="started again"):
        AskedKek(path)
    first = Keeper(Cipher(KEK), EPOCH, path)
    with closing(AskedKek(path)) as asked:
        sealed = asked.seal(bytes(32), place)
        first.close()
        path.unlink()
        with pytest.raises(Unavailable, match="started again"):
            asked.open(sealed, place)
        with closing(Keeper(Cipher(KEK), EPOCH, path)):
            assert asked.open(sealed, place) == bytes(32)


@pytest.mark.parametrize("sent", [(FRAME_LIMIT + 1).to_bytes(4, "big"), b"\0\0\0\2{}", b"\0\0\0\1\x91", b"\0\0"])
def test_a_client_that_talks_nonsense_is_cut_off_and_nobody_else(path: Path, asked: AskedKek, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(path))
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
    asked.probe()


@pytest.mark.usefixtures("keeper")
def test_nobody_but_the_nodes_own_user_can_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
