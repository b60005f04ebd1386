"""docs/tutorials, done as they stand: every command, and what it prints."""

from __future__ import annotations

import re
import sys
import tomllib
from contextlib import ExitStack
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.client.packaged import ROOT, write_client
from tests.client.tutorials import INSTALL, LIBRARY, Reader, steps
from tests.client.walk import DOCS, Walk

PAGES = sorted(path.name for path in (DOCS / "tutorials").glob("*.md"))
IN_ORDER = [["first-receipt.md", "first-audit.md", "guard-an-app.md"], ["first-node.md"]]
"""Each goes on where the one before it ends."""


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    for name in (
        "CONSENT_LEDGER_STATE_DIR",
        "CONSENT_LEDGER_DATABASE_URL",
        "CONSENT_LEDGER_PARTICIPANT_DIR",
        "CONSENT_LEDGER_CONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "empty"
    folder.mkdir()
    library = write_client(tmp_path / "library")
    return Walk(Path(sys.executable).with_name("consent-ledger"), [], folder, {"PYTHONPATH": str(library)})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pages", IN_ORDER, ids=lambda pages: pages[-1])
def test_the_tutorials_lead_where_they_say(walk: Walk, pages: list[str]) -> None:
    with ExitStack() as stack:
        reader = Reader(walk, stack)
        for page in pages:
            reader.follow(f"tutorials/{page}")
            if page == "first-receipt.md":
                receipts = list((walk.folder / "app" / "receipts").glob("*.receipt"))
                assert len(receipts) == 3, "asked, allowed, denied"


def test_every_tutorial_is_followed() -> None:
    assert sorted(page for pages in IN_ORDER for page in pages) == PAGES


def test_a_first_receipt_takes_ten_commands() -> None:
    commands = [command for step in steps("tutorials/first-receipt.md") for command in step.commands]
    first = next(at for at, command in enumerate(commands) if command.startswith("consent-ledger receipt verify"))
    assert first + 1 <= 10
    assert commands[0].startswith(INSTALL)


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_installs_our_packages_and_they_bring_the_programs_it_calls(page: str) -> None:
    extras = tomllib.loads((ROOT / "sdk/python/pyproject.toml").read_text())["project"]["optional-dependencies"]
    for step in steps(f"tutorials/{page}"):
        for command in step.commands:
            if command.startswith(INSTALL):
                name = re.match(r"[\w-]+", command.removeprefix(INSTALL).strip('"'))
                assert name
                assert name[0] in {one.name for one in distribution(name[0]).entry_points}, command
            if command.startswith(LIBRARY):
                ours = re.search(r'"consent-ledger-client\[(\w+)\]"', command)
                assert ours
                assert ours[1] in extras, command


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_in_chinese_has_the_same_commands(page: str) -> None:
    assert steps(f"zh/tutorials/{page}") == steps(f"tutorials/{page}")
