"""A disk that is full or broken: no receipt for what is not on it, and when it is well again everything goes on (F04)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.conformance import lacking
from tests.faults.killed import Writer, jti_of, prepared, whole
from tests.world import item

WRITER = [sys.executable, "-m", "tests.faults.writer"]
BOUNDED = """
import os, resource, sys
most = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a program that can make no file longer than so many bytes: to SQLite, a write that fails."""


def survived(url: str, folder: Path, program: Sequence[str], count: int = 60) -> Writer:
    """Write until the disk fails, then on a disk that is well: what the first writer said, after everything was checked."""
    with prepared(folder, url) as (node, consent_id):
        statements = [node.fintech.sign("access.request", **item(consent_id)) for _ in range(count)]
        suffering = Writer(node.config, program)
        with suppress(BrokenPipeError):  # it may have given up
            for at in range(0, count, 10):
                suffering.submit(statements[at : at + 10])
                suffering.read(10)
        suffering.end()
        well = Writer(node.config)
        well.submit(statements)
        well.end()
        assert well.process.returncode == 0
        told = {**well.repeated, **{name: index for name, (index, _) in well.acknowledged.items()}}
        assert told.keys() == {jti_of(statement) for statement in statements}
        for name, (index, _) in suffering.acknowledged.items():
            assert well.repeated[name] == index, "acknowledged, and not where it was"
        in_log = whole(node)
        assert {name: in_log[name] for name in told} == told
    return suffering


def test_f04_a_disk_that_fills_while_many_write_loses_nothing_acknowledged(sqlite_url: str, tmp_path: Path) -> None:
    most = 450_000  # room for the tables and a few batches in the write-ahead log
    first = survived(sqlite_url, tmp_path, [sys.executable, "-c", BOUNDED, str(most), *WRITER], count=300)
    assert first.acknowledged
    assert first.failed or first.process.returncode, "there was room for everything"


@cache
def can_trace() -> bool:
    """Whether strace is there and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("failing", ["fdatasync", "pwrite64"])
def test_f04_a_disk_that_reports_errors_loses_nothing_acknowledged(
    sqlite_url: str, tmp_path: Path, failing: str
) -> None:
    if not can_trace():
        lacking("no strace that may trace: it makes the disk's errors")
    # After some calls every fourth fails, as on a disk that is dying.
    first_failing = {"fdatasync": 4, "pwrite64": 90}[failing]  # counted for each thread
    errors = ["-e", f"trace={failing}", "-e", f"inject={failing}:error=EIO:when={first_failing}+4"]
    first = survived(
        sqlite_url, tmp_path, ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), *errors, *WRITER], count=150
    )
    assert "EIO" in (tmp_path / "trace").read_text(), "no call has failed: nothing was tried"
    assert first.acknowledged
