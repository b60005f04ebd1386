"""What following a log leaves on disk, also when the disk fails, and what it says of a log that lost its tiles."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.verifier.making import BACKEND, Signer, checkpoint_note, entries_of, put, write_log
from verifier.bytes.merkle import hash_leaf
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog.log import Followed, Forked, State, follow
from verifier.tlog.source import Directory

LOG = Signer("ledger.example/test")


def watch(root: Path, state: Path) -> Followed:
    return follow(Directory(root), [LOG.key], State(state), BACKEND, at_ms=1)


def note(size: int, history: str = "a") -> bytes:
    return checkpoint_note(LOG, [hash_leaf(entry) for entry in entries_of(size, history)])


class Disk:
    """Sees what is on disk at each fsync: a file's bytes, a directory's names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[bytes | set[str]] = []
        self.handles: list[int] = []
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            self.seen.append(set(os.listdir(handle)))
            self.handles.append(handle)
        else:
            self.seen.append(Path(f"/proc/self/fd/{handle}").read_bytes())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the files of a process are seen on Linux")
def test_state_and_evidence_are_on_disk_before_anybody_relies_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of the new file first, then its name in the directory: a crash leaves the old note or the new one."""
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    disk = Disk(monkeypatch)
    watch(log, state)
    [kept] = state.iterdir()
    assert disk.seen == [note(3), {kept.name}]
    put(log, "checkpoint", note(3, "b"))
    with pytest.raises(Forked) as caught:
        watch(log, state)
    assert caught.value.file
    assert disk.seen[2:] == [caught.value.file.read_bytes(), {kept.name, caught.value.file.name}]
    for handle in disk.handles:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)


def test_a_state_that_cannot_be_saved_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    watch(log, state)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    write_log(log, LOG, entries_of(5))
    with pytest.raises(CannotCheck, match="cannot be written: No space"):
        watch(log, state)
    put(log, "checkpoint", note(3, "b"))
    with pytest.raises(CannotCheck, match="evidence cannot be written"):
        watch(log, state)


def test_two_roots_of_one_size_need_no_tiles_and_the_file_that_shows_them_is_told(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(3))
    watch(log, state)
    bare = tmp_path / "bare"
    put(bare, "checkpoint", note(3, "b"))
    with pytest.raises(Forked) as caught:
        watch(bare, state)
    assert caught.value.file
    assert caught.value.defect.place.file == str(caught.value.file)


def test_a_rollback_says_whether_it_is_a_state_of_the_same_tree(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    write_log(log, LOG, entries_of(9))
    watch(log, state)
    bare = tmp_path / "bare"
    for place, told in ((log, "an older state of the same tree"), (bare, "do not show")):
        put(place, "checkpoint", note(5))
        with pytest.raises(Refuted, match=told) as caught:
            watch(place, state)
        assert caught.value.defect.code is Code.ROLLBACK
