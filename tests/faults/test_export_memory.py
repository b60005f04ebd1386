"""An export holds what one query reads, whatever the length of the log: a file of evidence goes out as it is read."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import bundle
from ledger.app import Ledger
from ledger.bundle import DirectoryTarget, Disclose, ZipTarget, export_bundle
from tests.world import World, running_world

FEW, AT_ONCE = 200, 50


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_an_export_of_nine_times_as_much_takes_no_more_memory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_ROWS", AT_ONCE)
    taken = []
    with running_world(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path) as world:
        for accesses in (FEW, 8 * FEW):
            accessed(world, accesses)
            to = tmp_path / f"{accesses}"
            export(world.ledger, kind, to)  # whatever is loaded once, is loaded
            taken.append(peak(lambda to=to: export(world.ledger, kind, to.with_name(f"{to.name}-again"))))
    few, many = taken
    assert many < 1.3 * few, "bytes at most, of few and of many entries"


def test_a_file_of_evidence_is_the_same_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the row, at once, in a folder, in a zip; and two exports of one log are equal byte by byte."""
    with running_world(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path) as world:
        accessed(world, FEW)
        zips = []
        for rows in (1, 7, 2_048, 2_048):
            monkeypatch.setattr(bundle, "_ROWS", rows)
            zips.append(io.BytesIO())
            exported(world.ledger, ZipTarget(zips[-1]))
        exported(world.ledger, DirectoryTarget(tmp_path / "folder"))
    assert len({zipped.getvalue() for zipped in zips}) == 1
    name = "evidence/000.jsonl.gz"
    with zipfile.ZipFile(zips[0]) as archive:
        assert archive.testzip() is None
        written = archive.read(name)
    assert written == (tmp_path / "folder" / name).read_bytes()
    lines = gzip.decompress(written)
    assert lines.count(b"\n") >= FEW
    assert written == gzip.compress(lines, 6, mtime=0)


def accessed(world: World, times: int) -> None:
    """That many accesses, each with its evidence, under one consent."""
    bank, app = (
        world.parties.get(name) or join(name) for name, join in (("bank-a", world.holder), ("tpp-1", world.recipient))
    )
    consent = world.active_consent(app, bank)
    for _ in range(times // 100):
        world.record(app.batch([app.item(consent) for _ in range(100)]))


def export(ledger: Ledger, kind: str, to: Path) -> None:
    if kind == "folder":
        exported(ledger, DirectoryTarget(to))
    else:
        with to.open("wb") as stream:
            exported(ledger, ZipTarget(stream))


def exported(ledger: Ledger, target: DirectoryTarget | ZipTarget) -> None:
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, target, disclose=Disclose.full(), created=1)


def peak(work: Callable[[], None]) -> int:
    """Most bytes that Python's objects took while this was done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
