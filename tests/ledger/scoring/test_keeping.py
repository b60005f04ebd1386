"""A reader that starts again goes on where the one before it stopped, with the same alerts; and believes no state that is not
its own, of this log, since this activation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from api.node.scoring import AlertRaiser
from api.node.shelf import FileShelf
from api.tokens.keys import TokenSigner
from ledger.orders import SCORING
from ledger.queries.scoring import AlertReader
from ledger.scoring.seen import Raised
from tests.ledger.supervised import Place
from tests.verifier.alert_story import played


@dataclass
class Shelf:
    """In memory."""

    data: bytes | None = None

    def get(self) -> bytes | None:
        return self.data

    def put(self, data: bytes) -> None:
        self.data = data


def reader(place: Place, shelf: Shelf | None = None) -> AlertReader:
    ledger = place.node.ledger
    return AlertReader(ledger.store, ledger.keystore, shelf=shelf)


def found(read: AlertReader) -> list[Raised]:
    while not read.read():
        pass
    return read.waiting


def test_a_reader_that_is_stopped_anywhere_finds_in_the_end_what_one_finds_that_is_not(
    sqlite_url: str, tmp_path: Path
) -> None:
    with played(tmp_path, sqlite_url, 3, 20, planted=True) as (place, whole):
        expected = found(whole)
        assert len({alert.rule for alert in expected}) >= 10
        shelf = Shelf()
        size = place.node.ledger.tree.size()
        starts = []
        for _ in range(12):  # each is stopped after a twelfth of the log, and begins where the last one ended
            part = reader(place, shelf)
            part.read(most=size // 12 + 1)
            part.shelve()
            starts.append(part.position)
        assert starts == sorted(starts)
        assert len({*starts}) > 8, "each went on from where the one before it stopped"
        assert found(reader(place, shelf)) == expected


def test_alerts_that_were_raised_meanwhile_are_not_raised_again(sqlite_url: str, tmp_path: Path) -> None:
    with played(tmp_path, sqlite_url, 5, 15) as (place, first):
        shelf = Shelf()
        kept = reader(place, shelf)
        found(kept)
        kept.shelve()
        raised = AlertRaiser(place.node.ledger, lambda: first).turn()
        assert raised > 0
        later = reader(place, shelf)
        assert found(later) == []
        assert AlertRaiser(place.node.ledger, lambda: later).turn() == 0
        place.verify()


@pytest.mark.parametrize("wrong", ["cut", "another end", "another activation", "more than there is", "nothing"])
def test_a_state_that_is_not_of_this_log_is_read_again_from_the_log(
    wrong: str, sqlite_url: str, tmp_path: Path
) -> None:
    with played(tmp_path, sqlite_url, 5, 10) as (place, whole):
        expected = found(whole)
        shelf = Shelf()
        kept = reader(place, shelf)
        found(kept)
        kept.shelve()
        assert shelf.data is not None
        shelf.data = changed(shelf.data, wrong)
        again = reader(place, shelf)
        again.read(most=0)
        assert again.position < kept.position, "it begins at the activation"
        assert found(again) == expected


def changed(data: bytes, wrong: str) -> bytes:
    if wrong == "cut":
        return data[:-1]
    if wrong == "nothing":
        return b""
    plain = msgspec.msgpack.decode(data)
    plain |= {
        "another end": {"end": bytes(32)},
        "another activation": {"begun": plain["begun"] + 1},
        "more than there is": {"size": plain["size"] + 1},
    }[wrong]
    return msgspec.msgpack.encode(plain)


def test_scoring_that_was_activated_anew_begins_with_nothing_remembered(sqlite_url: str, tmp_path: Path) -> None:
    with played(tmp_path, sqlite_url, 5, 10) as (place, _):
        shelf = Shelf()
        kept = reader(place, shelf)
        found(kept)
        kept.shelve()
        begun = place.approved("scoring.activated", scoring=SCORING).index
        again = reader(place, shelf)
        again.read(most=0)
        assert again.position == begun + 1


def test_a_file_is_believed_only_with_this_nodes_signature_over_this_logs_name(tmp_path: Path) -> None:
    signer, other = (TokenSigner.make(tmp_path / name) for name in ("own.key", "other.key"))
    path = tmp_path / "scoring.state"
    shelf = FileShelf(path, signer, "log.example/1")
    assert shelf.get() is None
    shelf.put(b"what was remembered")
    assert shelf.get() == b"what was remembered"
    assert path.stat().st_mode & 0o777 == 0o600
    assert FileShelf(path, signer, "log.example/2").get() is None
    assert FileShelf(path, other, "log.example/1").get() is None
    content = path.read_bytes()
    for at in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
        assert shelf.get() is None
    path.write_bytes(content)
    assert shelf.get() == b"what was remembered"
