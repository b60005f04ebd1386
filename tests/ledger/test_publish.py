"""A published directory is a C2SP log that a reader who trusts only the log's key can follow, whenever the publisher died."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from ledger.app import Ledger
from ledger.assembly import open_ledger
from ledger.errors import Conflict, Corrupt, InvalidInput
from ledger.notes.policy import Policy
from ledger.publish.bucket import PublicBucket
from ledger.publish.directory import PublicDirectory
from ledger.publish.place import PublicPlace
from ledger.publish.places import open_place
from ledger.publish.publisher import Publisher
from ledger.queries.witnessed import WitnessedQueries
from tests.bench.statements import Crowd
from tests.world import ORIGIN, node_config, running_ledger
from verifier.crypto.backend import select
from verifier.tlog.log import Progress, State, follow
from verifier.tlog.note import NoteKey, parse_vkey
from verifier.tlog.source import Directory


@pytest.fixture
def ledger(sqlite_url: str, tmp_path: Path) -> Iterator[Ledger]:
    with running_ledger(sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
def crowd(ledger: Ledger) -> Crowd:
    crowd = Crowd(ORIGIN)
    crowd.settle(ledger, 2)
    return crowd


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return tmp_path / "public"


def grow(ledger: Ledger, crowd: Crowd, to: int) -> None:
    """Accesses until the log has so many entries."""
    posts = crowd.accesses(to - ledger.tree.size())
    for future in [ledger.submit_soon(post.prepare(ledger)) for post in posts]:
        future.result(60)


@contextmanager
def running_again(url: str, folder: Path) -> Iterator[Ledger]:
    ledger = open_ledger(node_config(url, folder))
    ledger.start()
    yield ledger
    ledger.stop()


def publisher(ledger: Ledger, place: PublicPlace, *, entries: bool = True) -> Publisher:
    return Publisher(ledger.store, ledger.vkey, place, WitnessedQueries(ledger.store, Policy()), entries=entries)


def key_of(ledger: Ledger) -> NoteKey:
    return parse_vkey(ledger.vkey.format())


class DyingPlace(PublicDirectory):
    """Dies before, or right after, a file is replaced, or after so many files."""

    def __init__(self, root: Path, *, files: int = 1_000_000, before: str = "", after: str = "") -> None:
        super().__init__(root)
        self.files, self.before, self.after = files, before, after

    def create(self, path: str, content: bytes) -> bool:
        if self.files == 0:
            raise KeyboardInterrupt
        self.files -= 1
        return super().create(path, content)

    def replace(self, name: str, content: bytes) -> None:
        if name == self.before:
            raise KeyboardInterrupt
        super().replace(name, content)
        if name == self.after:
            raise KeyboardInterrupt


def test_a_reader_with_the_logs_key_follows_the_directory_as_it_grows(
    ledger: Ledger, crowd: Crowd, public: Path, tmp_path: Path
) -> None:
    place, state = publisher(ledger, PublicDirectory(public)), State(tmp_path / "state")
    seen = []
    for size in (40, 256, 300, 1025):
        grow(ledger, crowd, size)
        assert place.publish().size == size
        followed = follow(Directory(public), [key_of(ledger)], state, select(), at_ms=0)
        seen.append((followed.progress, followed.head.size))
        assert [followed.tiles.entry(index) for index in (0, size - 1)] == [leaf(ledger, 0), leaf(ledger, size - 1)]
    assert seen == [(Progress.FIRST, 40), (Progress.GREW, 256), (Progress.GREW, 300), (Progress.GREW, 1025)]


def leaf(ledger: Ledger, index: int) -> bytes:
    return ledger.records.recorded([index])[0].leaf


def test_only_what_is_new_is_written_and_superseded_partial_tiles_go(
    ledger: Ledger, crowd: Crowd, public: Path
) -> None:
    place = publisher(ledger, PublicDirectory(public))
    grow(ledger, crowd, 300)
    place.publish()
    assert place.publish().written == 0
    grow(ledger, crowd, 600)
    done = place.publish()
    # level 0: 001, 002.p/88; entries: the same two; level 1: 000.p/2; both checkpoints
    assert (done.written, done.removed) == (7, 2)
    files = {path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file()}
    assert files == {
        "checkpoint",
        "checkpoint.newest",
        "log/keys",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    }


DEATHS: list[dict[str, Any]] = [
    {"files": 0},
    {"files": 3},
    {"before": "checkpoint.newest"},
    {"after": "checkpoint.newest"},
    {"before": "checkpoint"},
    {"after": "checkpoint"},
]


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_a_publisher_that_dies_anywhere_is_simply_run_again(
    ledger: Ledger, crowd: Crowd, public: Path, tmp_path: Path, death: dict[str, Any]
) -> None:
    grow(ledger, crowd, 300)
    publisher(ledger, PublicDirectory(public)).publish()
    grow(ledger, crowd, 560)
    with pytest.raises(KeyboardInterrupt):
        publisher(ledger, DyingPlace(public, **death)).publish()
    state = State(tmp_path / "state")
    follow(Directory(public), [key_of(ledger)], state, select(), at_ms=0)  # what is public holds together all the time
    (public / "tile" / ".new-0123456789abcdef").write_bytes(b"half a ti")
    publisher(ledger, PublicDirectory(public)).publish()
    followed = follow(Directory(public), [key_of(ledger)], state, select(), at_ms=0)
    assert followed.head.size == 560
    assert len(followed.tiles.bundle(1)) == 256
    assert not list(public.rglob(".new-*"))
    assert not (public / "tile/0/001.p").exists()


def test_leaves_are_published_only_when_asked_for_and_then_all_of_them(
    ledger: Ledger, crowd: Crowd, public: Path, tmp_path: Path
) -> None:
    grow(ledger, crowd, 600)
    publisher(ledger, PublicDirectory(public), entries=False).publish()
    assert not (public / "tile/entries").exists()
    grow(ledger, crowd, 800)
    publisher(ledger, PublicDirectory(public)).publish()
    followed = follow(Directory(public), [key_of(ledger)], State(tmp_path / "state"), select(), at_ms=0)
    assert [len(followed.tiles.bundle(number)) for number in range(4)] == [256, 256, 256, 32]


def test_a_tile_with_other_bytes_stops_the_publisher_and_stays_as_evidence(
    ledger: Ledger, crowd: Crowd, public: Path
) -> None:
    place = PublicDirectory(public)
    place.create("tile/0/000", bytes(8192))
    grow(ledger, crowd, 300)
    with pytest.raises(Corrupt, match="other bytes"):
        publisher(ledger, place).publish()
    assert (public / "tile/0/000").read_bytes() == bytes(8192)
    assert not (public / "checkpoint").exists()


def test_another_logs_checkpoint_is_not_replaced(ledger: Ledger, crowd: Crowd, public: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with running_ledger(f"sqlite:///{tmp_path / 'other' / 'log.sqlite'}", tmp_path / "other") as other:
        publisher(other, PublicDirectory(public)).publish()
    before = (public / "checkpoint").read_bytes()
    with pytest.raises(Corrupt, match="not one of this log"):
        publisher(ledger, PublicDirectory(public)).publish()
    assert (public / "checkpoint").read_bytes() == before


def test_a_database_that_went_back_is_not_published(sqlite_url: str, tmp_path: Path, public: Path) -> None:
    database = tmp_path / "ledger.sqlite"
    with running_ledger(sqlite_url, tmp_path) as ledger:
        crowd = Crowd(ORIGIN)
        crowd.settle(ledger, 1)
    old = database.read_bytes()
    with running_again(sqlite_url, tmp_path) as ledger:
        grow(ledger, crowd, 20)
        publisher(ledger, PublicDirectory(public)).publish()
    database.write_bytes(old)
    ledger = open_ledger(node_config(sqlite_url, tmp_path))  # it would not start; publishing only reads
    with pytest.raises(Corrupt, match="the database was rolled back"):
        publisher(ledger, PublicDirectory(public)).publish()
    ledger.stop()


def test_two_publishers_of_one_directory_do_not_work_at_once(ledger: Ledger, crowd: Crowd, public: Path) -> None:
    place = PublicDirectory(public)
    with place.alone(), pytest.raises(Conflict, match="another publisher"):
        publisher(ledger, PublicDirectory(public)).publish()


# ---------------------------------------------------------------------------------------------- object stores


class StoreSource:
    """Reads a log from an object store, for the verifier."""

    name = "memory"

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def read(self, path: str, limit: int) -> bytes:
        from verifier.errors import NotFound

        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            raise NotFound(path) from None


def test_an_object_store_is_followed_as_a_directory_is(ledger: Ledger, crowd: Crowd, tmp_path: Path) -> None:
    store, state = MemoryStore(), State(tmp_path / "state")
    place = publisher(ledger, PublicBucket(store))
    for size in (300, 600):
        grow(ledger, crowd, size)
        done = place.publish()
        followed = follow(StoreSource(store), [key_of(ledger)], state, select(), at_ms=0)
        assert followed.head.size == size
        assert followed.tiles.entry(size - 1) == leaf(ledger, size - 1)
    assert done.removed == 2


@pytest.mark.parametrize("overtaken", ["log/keys", "checkpoint.newest", "checkpoint"])
def test_the_later_of_two_publishers_of_a_bucket_does_not_replace_the_others_files(
    ledger: Ledger, crowd: Crowd, overtaken: str
) -> None:
    class Overtaken(PublicBucket):
        def replace(self, name: str, content: bytes) -> None:
            if name == overtaken:
                grow(ledger, crowd, 20)
                publisher(ledger, PublicBucket(store)).publish()
            super().replace(name, content)

    store = MemoryStore()
    grow(ledger, crowd, 10)
    with pytest.raises(Conflict, match="another publisher"):
        publisher(ledger, Overtaken(store)).publish()
    for name in ("checkpoint.newest", "checkpoint"):
        assert bytes(obstore.get(store, name).bytes()).decode() == ledger.tree.checkpoint()


def test_places_are_named_by_path_or_address(tmp_path: Path) -> None:
    assert isinstance(open_place(str(tmp_path / "public")), PublicDirectory)
    assert isinstance(open_place("memory:///log"), PublicBucket)
    with pytest.raises(InvalidInput):
        open_place("gopher://bucket/log")
