"""docs/client.md and docs/guard.md, run as they stand under the distribution's own name."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.client.packaged import ROOT, write_client
from tests.client.walk import Walk, guarded, programs, receipt
from tests.datamaps import bank_map


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    folder = tmp_path / "walk"
    folder.mkdir()
    client = write_client(tmp_path / "client")
    # A program that is run by its file has the checkout on its path through the editable install alone; a package `api`
    # of the walker's own stands before it, so that nothing of ours is found under another name than the distribution's.
    for name in ("api", "ledger"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise ImportError('this is the walker\\'s own package')\n")
    return Walk(
        Path(sys.executable).with_name("consent-ledger"),
        [sys.executable],
        folder,
        {"PYTHONPATH": os.pathsep.join([str(folder), str(client)])},
    )


@pytest.mark.slow
def test_the_pages_lead_to_a_receipt_and_a_guarded_route(walk: Walk) -> None:
    with ExitStack() as stack:
        told = receipt(walk, stack)
        assert "consent.request (logged)" in told
        assert (walk.folder / "app-1-statement.pem").stat().st_mode & 0o077 == 0
        answer = guarded(walk, stack)
        walk.program("with_tokens.py")
        (walk.folder / "accounts-1.json").write_bytes(bank_map().encoded())
        walk.program("with_map.py")
    assert answer.startswith("200 ")
    assert answer.strip().endswith("True"), "the receipt comes with the data"
    assert "Coffee" not in answer, "the customer shares what comes in only"
    assert "4000123412341234" not in answer
    assert '"booked":1764460800' in answer


@pytest.mark.parametrize("name", ["own_book.py", "shared_memory.py"])
def test_the_other_programs_of_the_guards_page_run(walk: Walk, name: str) -> None:
    walk.key = "unused"
    walk.write("guard.md")
    walk.program(name)


@pytest.mark.parametrize("page", ["client.md", "guard.md"])
def test_every_block_of_python_is_a_program_that_a_test_runs(page: str) -> None:
    run = (ROOT / "tests/client/walk.py").read_text() + (ROOT / "tests/client/test_client_docs.py").read_text()
    unrun = [name for name in programs(page) if f'"{name}"' not in run and name != "bank.py"]
    assert unrun == []
    assert "bank:app" in run
