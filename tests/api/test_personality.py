"""The scratch log: foreign clients of tile logs add opaque entries, and any C2SP reader can follow."""

from __future__ import annotations

import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.assembly import read_signer
from tests.bench.places import Serving, program
from verifier.crypto.backend import select
from verifier.tlog.log import Followed, State, follow
from verifier.tlog.note import parse_vkey
from verifier.tlog.source import open_source


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serve(tmp_path) as running:
        yield running


def serve(folder: Path):
    command = [sys.executable, "-m", "tests.bench.personality", str(folder)]
    return program(command, {}, folder, "/checkpoint")


def add(server: Serving, entry: bytes) -> int:
    with urllib.request.urlopen(f"http://{server.host}:{server.port}/add", data=entry, timeout=30) as answer:
        return int(answer.read())


def followed(server: Serving, folder: Path) -> Followed:
    vkey = parse_vkey(read_signer(folder / "scratch.key").vkey.format())
    source = open_source(f"http://{server.host}:{server.port}")
    return follow(source, [vkey], State(folder / "state"), select(), at_ms=0)


def test_every_entry_added_at_once_by_many_is_at_the_index_its_adder_was_told(server: Serving, tmp_path: Path) -> None:
    entries = [b"entry %d" % number for number in range(600)]
    with ThreadPoolExecutor(16) as pool:
        indexes = list(pool.map(lambda entry: add(server, entry), entries))
    assert sorted(indexes) == list(range(600))
    log = followed(server, tmp_path)
    assert log.head.size == 600
    held = [entry for number in range(3) for entry in log.tiles.bundle(number)]
    assert [held[index] for index in indexes] == entries


def test_a_killed_log_resumes_where_it_stopped(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        told = [add(server, b"before %d" % number) for number in range(3)]
        followed(server, tmp_path)
        server.process.kill()
    with serve(tmp_path) as server:
        told.append(add(server, b"after"))
        log = followed(server, tmp_path)
        assert told == [0, 1, 2, 3]
        assert log.tiles.entry(2) == b"before 2"
        assert log.tiles.entry(3) == b"after"


@pytest.mark.parametrize(
    ("entry", "status"),
    [(b"", 400), (bytes(65_536), 413), (bytes(65_535), 200), (b"x", 200)],
    ids=["empty", "long", "limit", "one"],
)
def test_entries_have_one_to_65535_bytes(server: Serving, entry: bytes, status: int) -> None:
    try:
        add(server, entry)
        answered = 200
    except urllib.error.HTTPError as error:
        answered = error.code
    assert answered == status


def test_an_absent_tile_is_not_found(server: Serving) -> None:
    for path in ("/tile/0/000", "/tile/entries/000.p/1", "/tile/0/x000/000", "/elsewhere"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{server.host}:{server.port}{path}", timeout=10)


def test_readers_are_served_while_others_write(server: Serving, tmp_path: Path) -> None:
    add(server, b"first")
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            add(server, b"more")

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        sizes = [followed(server, tmp_path).head.size for _ in range(20)]
        done.set()
        for writer in writers:
            writer.result()
    assert sizes == sorted(sizes)
