"""Reading and following logs: nothing unproved is believed, and two histories leave evidence that stands alone."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.making import (
    BACKEND,
    Signer,
    accepts,
    checkpoint_note,
    entries_of,
    put,
    refusal,
    without_seed,
    write_log,
)
from tests.verifier.trees import inclusion_path, root_of, subtree_path
from verifier.bytes import merkle
from verifier.bytes.growing_tree import Growth
from verifier.errors import CannotCheck, Code, NotFound
from verifier.tlog.evidence import FORK, check_evidence, encode_evidence, judge
from verifier.tlog.head import open_head
from verifier.tlog.log import Followed, Forked, Progress, State, follow
from verifier.tlog.source import Directory, open_source
from verifier.tlog.tiles import TileReader, parse_tile_path, split_entries, tile_path

LOG = Signer("ledger.example/test")


def leaves_of(count: int, history: str = "a") -> list[bytes]:
    return [merkle.hash_leaf(entry) for entry in entries_of(count, history)]


def reader_of(root: Path, count: int) -> TileReader:
    return TileReader(Directory(root), count, root_of(leaves_of(count)))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700])
def test_entries_and_proofs_of_a_log_on_disk_are_those_of_the_definition(tmp_path: Path, size: int) -> None:
    write_log(tmp_path, LOG, entries_of(size))
    reader, leaves = reader_of(tmp_path, size), leaves_of(size)
    for index in {0, size // 2, size - 1} & set(range(size)):
        assert reader.entry(index) == entries_of(size)[index]
        assert reader.leaf(index) == leaves[index]
        assert reader.inclusion(index) == inclusion_path(index, leaves)
    for old in {1, 2, 3, 128, 256, 300, size - 1} & set(range(1, size)):
        assert without_seed(old, reader.consistency(old)) == subtree_path(0, old, leaves)
        assert merkle.consistency_roots(old, size, reader.consistency(old)) == (
            root_of(leaves[:old]),
            root_of(leaves),
        )
    for outside in (-1, size, size + 1):
        with refusal(Code.BAD_PROOF):
            reader.entry(outside)


def test_a_forged_hash_or_entry_in_any_file_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    size = 65_536 + 256 + 44
    write_log(tmp_path, LOG, entries_of(size))
    root = root_of(leaves_of(size))
    interesting = [
        "tile/0/000",
        "tile/0/255",
        "tile/0/256",
        "tile/0/257.p/44",
        "tile/1/000",
        "tile/1/001.p/1",
        "tile/2/000.p/1",
        "tile/entries/000",
        "tile/entries/257.p/44",
    ]
    for path in interesting:
        _, n, _ = parse_tile_path(path)
        level = path.split("/")[1]
        index = min(n * (1 if level in ("0", "entries") else 256 ** int(level)) * 256, size - 1)
        honest = (tmp_path / path).read_bytes()
        for at in (3, len(honest) - 1):
            put(tmp_path, path, honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :])
            last = size - 1 if "257" in path else index + 255
            with refusal(Code.BAD_PROOF, Code.BAD_ENCODING):
                reader = TileReader(Directory(tmp_path), size, root)
                for wanted in {index, last}:
                    reader.entry(wanted)
        for wrong in (honest + b"\0", honest[:-1], b""):
            put(tmp_path, path, wrong)
            with refusal(Code.BAD_PROOF, Code.BAD_ENCODING):
                TileReader(Directory(tmp_path), size, root).entry(index)
        put(tmp_path, path, honest)
    TileReader(Directory(tmp_path), size, root).entry(size - 1)


def test_a_full_tile_serves_where_the_partial_one_was_deleted(tmp_path: Path) -> None:
    write_log(tmp_path, LOG, entries_of(300))
    reader = TileReader(Directory(tmp_path), 200, root_of(leaves_of(200)))
    assert [reader.entry(199), len(reader.bundle(0))] == [b"a-199", 200]
    (tmp_path / "tile/0/000").unlink()
    with pytest.raises(NotFound, match="tile/0/000"):
        TileReader(Directory(tmp_path), 200, root_of(leaves_of(200)))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/x000/067",
        "tile/0/67",
        "tile/00/067",
        "tile/64/067",
        "tile/0/0067",
        "tile/0/٠٦٧",
        "tile/0/067.p/0",
        "tile/0/067.p/256",
        "tile/0/067.p/01",
        "tile/0/067/",
        "/tile/0/067",
        "tile/0/x1/067",
        "tile/0/067\n",
        "tile/x/067",
        "tile/0/../067",
        "tile/entries/067.p/",
        "tile/-1/067",
        "tile/0/001/x002",
        "tile/0/" + "x999/" * 40 + "999",
    ],
)
def test_other_spellings_of_tile_paths_are_refused(path: str) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_tile_path(path)


@given(st.sampled_from([0, 1, 63, "entries", "data"]), st.integers(0, 2**60), st.integers(1, 256))
def test_tile_paths_read_back(level: int | str, n: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, n, width)) == (level, n, width)


def test_tile_paths_of_the_specification() -> None:
    assert [tile_path(0, n) for n in (0, 999, 1000, 1234067)] == [
        "tile/0/000",
        "tile/0/999",
        "tile/0/x001/000",
        "tile/0/x001/x234/067",
    ]
    assert tile_path("entries", 273, 112) == "tile/entries/273.p/112"


@given(st.lists(st.binary(max_size=300), max_size=8), st.binary(max_size=3))
def test_bundles_read_back_and_leave_nothing_over(entries: list[bytes], more: bytes) -> None:
    data = b"".join(len(entry).to_bytes(2) + entry for entry in entries)
    assert split_entries(data) == entries
    if more and accepts(lambda: split_entries(data + more)):
        assert b"".join(len(e).to_bytes(2) + e for e in split_entries(data + more)) == data + more


@settings(max_examples=30)
@given(st.integers(0, 1500), st.integers(0, 1500))
def test_a_resumed_tree_grows_like_one_that_never_stopped(first: int, more: int) -> None:
    whole = Growth()
    for leaf in leaves_of(first):
        whole.append(leaf)
    resumed = Growth.resume(first, {tile.level: tile.hashes for tile in whole.partial_tiles()})
    for leaf in leaves_of(first + more)[first:]:
        assert whole.append(leaf) == resumed.append(leaf)
    assert resumed.root() == whole.root() == root_of(leaves_of(first + more))
    assert list(resumed.partial_tiles()) == list(whole.partial_tiles())


def test_every_subtree_of_small_trees_is_proved_and_only_with_its_own_root() -> None:
    leaves = leaves_of(19)
    for size in range(1, 20):
        root = root_of(leaves[:size])
        for start in range(size):
            for end in range(start + 1, size + 1):
                part, proof = (
                    root_of(leaves[start:end]),
                    subtree_path(start, end, leaves[:size]),
                )
                if accepts(merkle.check_subtree, start, end, size):
                    merkle.verify_subtree_consistency(start, end, size, proof, part, root)
                    with refusal(Code.BAD_PROOF):
                        merkle.verify_subtree_consistency(start, end, size, proof, leaves[-1][::-1], root)
                    with refusal(Code.BAD_PROOF):
                        merkle.verify_subtree_consistency(start, end, size, [*proof, root], part, root)


# --- following ------------------------------------------------------------------------------------------------


def watch(root: Path, state: Path) -> Followed:
    return follow(Directory(root), [LOG.key], State(state), BACKEND, at_ms=1)


def test_a_log_that_grows_is_followed_and_remembered(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    told = []
    for size in (0, 3, 3, 300, 700):
        write_log(log, LOG, entries_of(size))
        told.append(watch(log, state).progress)
    assert told == [Progress.FIRST, Progress.GREW, Progress.SAME, Progress.GREW, Progress.GREW]
    assert [path.read_bytes() for path in state.iterdir()] == [(log / "checkpoint").read_bytes()]


@pytest.mark.parametrize(("old", "new"), [(3, 3), (3, 7), (4, 7), (256, 300), (255, 700), (1, 2)])
def test_m07_m08_two_histories_are_equivocation_with_evidence_that_stands_alone(
    tmp_path: Path, old: int, new: int
) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(old, "a"))
    watch(log, state)
    write_log(log, LOG, entries_of(new, "b"))
    with pytest.raises(Forked) as caught:
        watch(log, state)
    assert caught.value.defect.code is Code.EQUIVOCATION
    kept = state / next(path.name for path in state.iterdir() if path.suffix == ".checkpoint")
    assert kept.read_bytes() == checkpoint_note(LOG, leaves_of(old))
    assert caught.value.file
    evidence = caught.value.file.read_bytes()
    found = check_evidence(evidence, BACKEND, [LOG.key])
    assert found.proven
    assert (found.a.size, found.b.size) == (old, new)
    with refusal(Code.BAD_SIGNATURE):
        check_evidence(evidence, BACKEND, [Signer("ledger.example/test2").key])
    with pytest.raises(Forked):
        watch(log, state)
    assert caught.value.file.read_bytes() == evidence


def test_m09_a_smaller_log_is_a_rollback_and_a_smaller_other_history_is_equivocation(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(300))
    watch(log, state)
    put(log, "checkpoint", checkpoint_note(LOG, leaves_of(200)))
    with refusal(Code.ROLLBACK):
        watch(log, state)
    put(log, "checkpoint", checkpoint_note(LOG, leaves_of(200, "b")))
    with pytest.raises(Forked) as caught:
        watch(log, state)
    assert caught.value.misbehaviour.proven
    empty = tmp_path / "empty"
    put(empty, "checkpoint", checkpoint_note(LOG, leaves_of(200)))
    with refusal(Code.ROLLBACK):
        watch(empty, state)


def test_an_honest_log_cannot_be_framed(tmp_path: Path) -> None:
    write_log(tmp_path, LOG, entries_of(9))
    honest = [open_head(checkpoint_note(LOG, leaves_of(n)), [LOG.key], BACKEND) for n in (5, 9)]
    path = reader_of(tmp_path, 9).consistency(5)
    with refusal(Code.BAD_PROOF):
        judge(honest[0], honest[0])
    for proof in (path, path[:-1], [*path, path[0]], [path[1], path[0], *path[2:]], [b"\0" * 32, *path[1:]]):
        with refusal(Code.BAD_PROOF):
            judge(*honest, proof)


def test_a_claim_without_a_path_is_called_a_claim() -> None:
    a = open_head(checkpoint_note(LOG, leaves_of(5)), [LOG.key], BACKEND)
    b = open_head(checkpoint_note(LOG, leaves_of(9, "b")), [LOG.key], BACKEND)
    claim = judge(a, b)
    assert (claim.kind, claim.proven) == (FORK, False)
    assert "claim" in claim.sentence
    assert not check_evidence(encode_evidence(claim, 5, []), BACKEND).proven


def test_a_state_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    watch(log, state)
    for path in state.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n3\n", b"\n2\n"))
    with refusal(Code.BAD_SIGNATURE):
        watch(log, state)


def test_evidence_names_first_what_was_trusted_and_is_kept_under_its_hash(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "not" / "yet" / "there"
    write_log(log, LOG, entries_of(3))
    watch(log, state)
    write_log(log, LOG, entries_of(3, "b"))
    with pytest.raises(Forked) as caught:
        watch(log, state)
    found, file = caught.value.misbehaviour, caught.value.file
    assert (found.a.root, found.b.root) == (root_of(leaves_of(3)), root_of(leaves_of(3, "b")))
    assert file
    kept = file.read_bytes()
    digest = hashlib.sha256(kept).hexdigest()
    assert file.name.partition(".")[2] == f"evidence-{digest[:16]}.json"
    assert json.loads(kept)["seen"] == 1


def test_a_log_that_neither_grows_nor_shrinks_must_still_show_its_tiles(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    watch(log, state)
    put(log, "tile/0/000.p/3", (log / "tile/0/000.p/3").read_bytes()[::-1])
    with refusal(Code.BAD_PROOF):
        watch(log, state)
    (log / "tile/0/000.p/3").unlink()
    with pytest.raises(NotFound):
        watch(log, state)


def test_a_state_that_cannot_be_read_or_written_is_not_a_reason_to_trust(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    state.write_bytes(b"a file where a folder should be")
    with pytest.raises(CannotCheck, match="cannot be"):
        watch(log, state)
    state.unlink()
    watch(log, state)
    [kept] = state.iterdir()
    kept.unlink()
    kept.mkdir()
    with pytest.raises(CannotCheck, match="cannot be read"):
        watch(log, state)


# --- over http ------------------------------------------------------------------------------------------------


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", "http://other.example/checkpoint")
            self.end_headers()
        elif self.path.startswith(("/zipped/", "/bomb/", "/cut/")):
            plain = b"0" * 50_000_000 if self.path.startswith("/bomb/") else b"plain"
            data = gzip.compress(plain)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(data[:-1] if self.path.startswith("/cut/") else data)
        else:
            super().do_GET()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_log_is_followed_over_http(served: tuple[Path, str], tmp_path: Path) -> None:
    root, url = served
    write_log(root / "log", LOG, entries_of(300))
    found = follow(open_source(f"{url}/log/"), [LOG.key], State(tmp_path / "state"), BACKEND, at_ms=1)
    assert found.tiles.entry(17) == b"a-17"
    with pytest.raises(NotFound):
        open_source(f"{url}/log").read("tile/0/777", 10)
    with refusal(Code.BAD_ENCODING):
        open_source(f"{url}/log").read("checkpoint", 10)


def test_redirects_elsewhere_and_compressed_floods_are_refused(served: tuple[Path, str]) -> None:
    _, url = served
    assert open_source(f"{url}/zipped").read("x", 10) == b"plain"
    with refusal(Code.BAD_ENCODING):
        open_source(f"{url}/bomb").read("checkpoint", 1_000_000)
    for place, told in (("away", "redirects"), ("cut", "cut short")):
        with pytest.raises(CannotCheck, match=told):
            open_source(f"{url}/{place}").read("checkpoint", 1_000_000)
    for place in (
        "ftp://x.example/",
        "http:///x",
        "http://x.example/?a=b",
        "file:///etc",
        "/no/such/directory",
    ):
        with pytest.raises(CannotCheck):
            open_source(place)
    with pytest.raises(CannotCheck, match="could not be read"):
        open_source("http://127.0.0.1:9/").read("checkpoint", 10)
