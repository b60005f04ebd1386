"""What a bundle comes in: whatever could be read in two ways, or would never end, is refused at its file
(docs/spec/bundles.md, «Containers»)."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.auditing import audit_folder
from tests.verifier.cases import Files, honest
from tests.verifier.forge import World, encode, write
from verifier.audit.bundle import Audit
from verifier.audit.evidence_files import evidence_path
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.gzipped import PIECE, Broken, gzip_lines
from verifier.cli import main
from verifier.errors import Code

SHARD = "evidence/000.jsonl.gz"


def told(found: Audit) -> list[tuple[str, int | None, str | None]]:
    return [(str(one.code), one.place.index, one.place.file) for one in found.findings.defects]


def zipped(place: Path, members: list[tuple[str, bytes]], *, before: bytes = b"", mode: int = 0o100644) -> Path:
    """A zip with these members in this order, a name as often as it stands there."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    place.write_bytes(before + made.getvalue())
    return place


# --- a zip ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["checkpoint", "manifest.json", "policy", "tile/entries/000", "tile/0/000", SHARD])
@pytest.mark.parametrize("last", [True, False])
def test_a_zip_with_two_contents_under_one_name_is_refused(name: str, last: bool, tmp_path: Path) -> None:
    """Whichever of them a reader takes, another reader takes the other."""
    files, world = honest()
    other = (name, files[name][:-1])
    members = [*files.items(), other] if last else [other, *files.items()]
    found = audit_folder(zipped(tmp_path / "bundle.zip", members), world.policy())
    assert ("BAD_ENCODING", None, name) in told(found)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_equal_members_are_two_members(tmp_path: Path) -> None:
    files, world = honest()
    found = audit_folder(zipped(tmp_path / "bundle.zip", [*files.items(), ("policy", files["policy"])]), world.policy())
    assert told(found) == [("BAD_ENCODING", None, "policy")]


def test_a_zip_with_something_before_it_is_refused(tmp_path: Path) -> None:
    files, world = honest()
    place = zipped(tmp_path / "bundle.zip", [*files.items()], before=b"#!/bin/sh\n")
    assert told(audit_folder(place, world.policy())) == [("BAD_ENCODING", None, str(place))]


def test_a_zip_of_links_is_refused_and_folders_in_it_are_not(tmp_path: Path) -> None:
    files, world = honest()
    found = audit_folder(zipped(tmp_path / "links.zip", [*files.items()], mode=stat.S_IFLNK | 0o777), world.policy())
    assert {code for code, _, _ in told(found)} == {"BAD_ENCODING"}
    assert found.findings.count == len(files)
    folders = zipped(tmp_path / "folders.zip", [("tile/", b""), ("tile/0/", b""), *files.items()])
    assert told(audit_folder(folders, world.policy())) == []
    full = zipped(tmp_path / "full.zip", [("tile/", b"content"), *files.items()])
    assert told(audit_folder(full, world.policy())) == [("BAD_ENCODING", None, "tile/")]


# --- a directory ------------------------------------------------------------------------------------------------


def _fifo(place: Path) -> None:
    os.mkfifo(place)


def _endless(place: Path) -> None:
    place.symlink_to("/dev/zero")


def _elsewhere(place: Path) -> None:
    other = place.parent / ".elsewhere"
    other.write_bytes(b"")
    place.symlink_to(other.name)


def _itself(place: Path) -> None:
    place.symlink_to(place.name)


@pytest.mark.parametrize("make", [_fifo, _endless, _itself])
@pytest.mark.parametrize("name", ["checkpoint", "policy", "tile/entries/000", "tile/0/000", SHARD])
def test_anything_but_a_regular_file_is_refused_at_once(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    files, world = honest()
    write(files, tmp_path)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    found = audit_folder(tmp_path, world.policy())
    assert any(code == "BAD_ENCODING" and file == name for code, _, file in told(found))


@pytest.mark.parametrize("make", [_fifo, _endless, _elsewhere, _itself])
def test_a_manifest_that_is_not_a_regular_file_is_refused_and_the_rest_is_checked(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    files, world = honest()
    write(files, tmp_path)
    (tmp_path / "manifest.json").unlink()
    make(tmp_path / "manifest.json")
    found = audit_folder(tmp_path, world.policy())
    assert {place for place in told(found) if place[2] != ".elsewhere"} == {("BAD_ENCODING", None, "manifest.json")}
    assert found.findings.checked["entries"] == len(world.entries)


def test_a_manifest_that_is_too_long_is_refused_and_the_rest_is_checked(tmp_path: Path) -> None:
    files, world = honest()
    write(files | {"manifest.json": files["manifest.json"] + b" " * 4_096}, tmp_path)
    found = audit_folder(tmp_path, world.policy())
    assert told(found) == [("BAD_ENCODING", None, "manifest.json")]
    assert found.findings.checked["entries"] == len(world.entries)


def test_a_folder_with_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    files, world = honest()
    write(files, tmp_path)
    (tmp_path / "tile" / "again").symlink_to("..")
    (tmp_path / "more").symlink_to(tmp_path)
    assert sorted(told(audit_folder(tmp_path, world.policy()))) == [
        ("BAD_ENCODING", None, "more"),
        ("BAD_ENCODING", None, "tile/again"),
    ]


def test_files_named_on_the_command_line_are_regular_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe would be waited for without end."""
    _, world = honest()
    (tmp_path / "policy").write_text(world.policy())
    (tmp_path / "receipt").write_bytes(encode(world.receipt(20)))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("receipt")
    names = {name: str(tmp_path / name) for name in ("policy", "receipt", "pipe", "link")}
    assert main(["receipt", names["link"], "--policy", names["policy"]]) == 0
    for arguments in (
        ["receipt", names["pipe"], "--policy", names["policy"]],
        ["receipt", names["receipt"], "--policy", names["pipe"]],
        ["receipt", names["receipt"], "--policy", "/dev/zero"],
        ["bundle", names["pipe"], "--policy", names["policy"]],
        ["completeness", names["pipe"], "--policy", names["policy"]],
        ["completeness", names["receipt"], names["pipe"], "--policy", names["policy"]],
    ):
        capsys.readouterr()
        assert main([*arguments, "--json"]) in (1, 2)
        assert "internal error" not in capsys.readouterr().out


# --- evidence shards --------------------------------------------------------------------------------------------


def shard(change: Callable[[bytes], bytes]) -> tuple[Files, World]:
    files, world = honest()
    return files | {SHARD: change(files[SHARD])}, world


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("zero bytes behind it", lambda raw: raw + bytes(512)),
        ("one byte behind it", lambda raw: raw + b"x"),
        ("a second member without content", lambda raw: raw + gzip.compress(b"")),
        ("an empty member before it", lambda raw: gzip.compress(b"") + raw),
        ("a wrong checksum", lambda raw: raw[:-8] + bytes(4) + raw[-4:]),
        ("a wrong length", lambda raw: raw[:-4] + bytes(4)),
    ],
)
def test_a_shard_is_one_gzip_member_and_nothing_else(
    what: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    files, world = shard(change)
    write(files, tmp_path)
    defects = told(audit_folder(tmp_path, world.policy()))
    assert ("BAD_ENCODING", None, SHARD) in defects, what
    lost = [defect for defect in defects if defect[0] == "BODY_MISSING"]
    assert bool(lost) is (what == "an empty member before it")  # which is the one member, and ends at once


def test_two_members_that_share_the_lines_are_refused(tmp_path: Path) -> None:
    def split(raw: bytes) -> bytes:
        rows = gzip.decompress(raw).splitlines(keepends=True)
        return gzip.compress(b"".join(rows[:100])) + gzip.compress(b"".join(rows[100:]))

    files, world = shard(split)
    write(files, tmp_path)
    assert ("BAD_ENCODING", None, SHARD) in told(audit_folder(tmp_path, world.policy()))


def test_a_shard_without_lines_and_a_last_line_without_an_end_are_refused(tmp_path: Path) -> None:
    files, world = honest()
    files = world.files("partial", frozenset(world.evidence)) | {SHARD: gzip.compress(b"")}
    write(files, tmp_path / "empty")
    assert told(audit_folder(tmp_path / "empty", world.policy())) == [("BAD_ENCODING", None, SHARD)]
    files, world = shard(lambda raw: gzip.compress(gzip.decompress(raw)[:-1]))
    write(files, tmp_path / "open")
    assert told(audit_folder(tmp_path / "open", world.policy())) == [("BAD_ENCODING", max(world.evidence), SHARD)]


@pytest.mark.parametrize(("length", "whole"), [(98_560, True), (98_561, False)])
def test_a_line_that_is_too_long_ends_the_shard_and_one_as_long_as_may_be_is_a_wrong_line(
    length: int, whole: bool, tmp_path: Path
) -> None:
    files, world = shard(lambda raw: gzip.compress(b"x" * length + b"\n" + gzip.decompress(raw)))
    defects = told(audit_folder(write(files, tmp_path), world.policy()))
    lost = [index for code, index, _ in defects if code == "BODY_MISSING"]
    assert (lost == []) is whole
    assert [defect for defect in defects if defect[0] == "BAD_ENCODING"] == [
        ("BAD_ENCODING", None if whole else 0, SHARD)
    ]


def test_a_bundle_that_says_it_has_no_evidence_has_none(tmp_path: Path) -> None:
    files, world = honest()
    bare = world.files("none")
    write(bare, tmp_path / "bare")
    assert told(audit_folder(tmp_path / "bare", world.policy())) == []
    write(bare | {SHARD: files[SHARD]}, tmp_path / "more")
    assert told(audit_folder(tmp_path / "more", world.policy())) == [("BAD_ENCODING", None, SHARD)]


def test_shards_from_a_thousand_on_are_named_as_tiles_are() -> None:
    assert [evidence_path(n) for n in (0, 999, 1_000, 1_234_567)] == [
        "evidence/000.jsonl.gz",
        "evidence/999.jsonl.gz",
        "evidence/x001/000.jsonl.gz",
        "evidence/x001/x234/567.jsonl.gz",
    ]


class Shelved:
    """An archive of one file."""

    name = "shelved"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.content)


def read_lines(packed: bytes) -> tuple[list[bytes], type[Exception] | None]:
    lines: list[bytes] = []
    shelved: Any = Shelved(packed)
    archive: Archive = shelved
    try:
        for line, ended in gzip_lines(archive, "shard", 1 << 20):
            lines.append(line + (b"\n" if ended else b""))
    except Unreadable as error:
        return lines, type(error)
    return lines, None


def readable(packed: bytes) -> bytes:
    """All that a stream gives before its first wrong byte, by the slowest and surest way."""
    stream, given = zlib.decompressobj(wbits=31), bytearray()
    try:
        for at in range(len(packed)):
            given += stream.decompress(packed[at : at + 1])
    except zlib.error:
        pass
    return bytes(given)


ROWS = [f'{{"n":{n},"hash":"{n * 2654435761 % 2**64:x}"}}\n'.encode() for n in range(40_000)]
WHOLE = gzip.compress(b"".join(ROWS), 6, mtime=0)


def test_a_whole_stream_gives_its_lines() -> None:
    assert len(WHOLE) > 4 * PIECE
    assert read_lines(WHOLE) == (ROWS, None)
    assert read_lines(gzip.compress(b"one\ntwo")) == ([b"one\n", b"two"], None)
    assert read_lines(gzip.compress(b"")) == ([], None)
    assert read_lines(b"") == ([], Broken)


CUTS = [
    0,
    1,
    9,
    10,
    11,
    500,
    PIECE - 1,
    PIECE,
    PIECE + 1,
    2 * PIECE + 7,
    len(WHOLE) - 9,
    len(WHOLE) - 8,
    len(WHOLE) - 1,
]


@pytest.mark.parametrize("cut", CUTS)
def test_of_a_stream_that_is_cut_short_only_what_cannot_be_read_is_missing(cut: int) -> None:
    lines, error = read_lines(WHOLE[:cut])
    expected = readable(WHOLE[:cut])
    assert error is Broken
    assert b"".join(lines) == expected[: expected.rfind(b"\n") + 1]


@pytest.mark.parametrize("at", [2, 10, 11, 700, PIECE - 3, PIECE, PIECE + 2, 3 * PIECE + 1, len(WHOLE) - 100])
def test_a_damaged_stream_is_read_up_to_the_wrong_byte(at: int) -> None:
    damaged = WHOLE[:at] + bytes([WHOLE[at] ^ 0x41]) + WHOLE[at + 1 :]
    lines, error = read_lines(damaged)
    expected = readable(damaged)
    assert error is not None
    assert b"".join(lines) == expected[: expected.rfind(b"\n") + 1]


def test_a_truncated_shard_is_blamed_on_its_first_unreadable_entry(tmp_path: Path) -> None:
    files, world = honest()
    for number, cut in enumerate((400, 2_000, len(files[SHARD]) // 2, len(files[SHARD]) - 300)):
        packed = files[SHARD][:cut]
        whole = readable(packed)
        read = [json.loads(line)["index"] for line in whole[: whole.rfind(b"\n") + 1].splitlines()]
        lost = sorted(set(world.evidence) - set(read))
        place = write(files | {SHARD: packed}, tmp_path / str(number))
        defects = told(audit_folder(place, world.policy()))
        first = read[-1] + 1 if read else 0
        assert ("BAD_ENCODING", first, SHARD) in defects
        assert sorted(index or 0 for code, index, _ in defects if code == "BODY_MISSING") == lost


# --- bounds before work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10**6, 2**50, 2**53 - 1])
def test_a_bundle_of_any_size_is_judged_by_what_was_handed_over(size: int, tmp_path: Path) -> None:
    """Whoever signs a checkpoint of 2^50 entries and hands over 300 does not keep an auditor busy."""
    files, world = honest()
    manifest = json.loads(files["manifest.json"]) | {"size": size}
    text, _, line = files["checkpoint"].partition(b"\n\n")
    origin, _, root = text.split(b"\n")
    unsigned = b"\n".join([origin, str(size).encode(), root]) + b"\n\n" + line
    for checkpoint, code in ((unsigned, "BAD_SIGNATURE"), (None, "BAD_PROOF")):
        changed = {**files, "manifest.json": encode(manifest)}
        changed.pop("checkpoint") if checkpoint is None else changed.update(checkpoint=checkpoint)
        place = write(changed, tmp_path / code)
        before = time.process_time()
        found = audit_folder(place, world.policy())
        assert time.process_time() - before < 20, "bounded by the files, not by the size"
        assert (code, None, "checkpoint") in told(found)
        assert ("BAD_ENCODING", None, "tile/entries") in told(found)
        assert found.verdict is not Code.VALID


def test_a_bundle_that_lacks_some_of_its_entries_is_gone_through(tmp_path: Path) -> None:
    files, world = honest()
    fewer = {name: content for name, content in files.items() if name != "tile/entries/000"}
    found = audit_folder(write(fewer, tmp_path), world.policy())
    assert ("BAD_ENCODING", 0, "tile/entries/000") in told(found)
    assert found.findings.checked["tiles"] > 0
