"""The demo as a newcomer runs it, and what its customers' data must never reach."""

from __future__ import annotations

import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.demo.people import People, find_people
from api.demo.templates import find_templates
from ledger.canonical import unb64u
from tests.conformance import ROOT, conformance_dir
from tests.demo.running import CUSTOMERS, RunningDemo

FACTS = {
    "start",
    "consents",
    "pulls",
    "revocations",
    "after_revocation",
    "stranger",
    "replay",
    "frequency",
    "receipts",
    "bundle",
    "falsified",
    "total",
    "witnessed",
    "pages",
    "alerts",
    "freeze",
    "incident",
    "report",
    "usage",
    "score",
    "sandbox",
}


@dataclass(frozen=True)
class Played:
    """One run of the demo, with all it left behind."""

    folder: Path
    output: str
    status: int
    """0: it played to its end."""
    people: People

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.folder / "facts.json").read_text())
        return facts


def play(folder: Path, conformance: str) -> Played:
    command = [
        sys.executable,
        "-m",
        "api.cli.main",
        "demo",
        "--once",
        "--customers",
        str(CUSTOMERS),
        "--directory",
        str(folder),
    ]
    environment = os.environ | {"CONFORMANCE_DIR": conformance, "COLUMNS": "200"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170)
    return Played(folder, done.stdout + done.stderr, done.returncode, people_of(conformance))


def people_of(conformance: str) -> People:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFORMANCE_DIR", conformance)
        return find_people()


@pytest.fixture(scope="module", params=["sample", pytest.param("real", marks=pytest.mark.conformance)])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The sample that all tests look at, which goes on serving; the real customers with `--once`."""
    folder = tmp_path_factory.mktemp("demo")
    if request.param == "real":
        return play(folder / "kept", str(conformance_dir()))
    demo: RunningDemo = request.getfixturevalue("demo")
    return Played(demo.folder, demo.said, 0, people_of(str(folder / "nothing-here")))


@pytest.mark.slow
def test_everything_is_as_it_must_be(played: Played) -> None:
    assert played.status == 0, played.output
    assert set(played.facts) == FACTS
    assert all(fact["good"] for fact in played.facts.values()), played.output
    assert played.facts["consents"]["result"].startswith(f"{CUSTOMERS} consents")
    assert "in the log" in played.output
    assert "NO" not in played.output.split()
    fetched = CUSTOMERS + CUSTOMERS // 4
    assert f"in {fetched} fetches" in played.facts["pulls"]["result"]


@pytest.mark.slow
def test_the_demo_shows_every_refusal_that_it_promises(played: Played) -> None:
    assert re.fullmatch(r"(\d+) of \1 refused .*", played.facts["after_revocation"]["result"])
    assert "CONSENT_UNKNOWN" in played.facts["stranger"]["result"]
    assert "REPLAYED" in played.facts["replay"]["result"]
    assert re.fullmatch(r"[1-4] allowed, then [2-9] refused .*", played.facts["frequency"]["result"])


@pytest.mark.slow
def test_every_receipt_verified_and_the_changed_byte_was_named(played: Played) -> None:
    assert re.fullmatch(r"([\d,]+) of \1 verified", played.facts["receipts"]["result"])
    assert re.fullmatch(r"refuted, and entry \d+ named", played.facts["falsified"]["result"])


def personal_data(people: People) -> list[bytes]:
    """Names, birth numbers and cards of the customers who consented, and their account and client numbers as JSON text."""
    involved = people.accounts[: 2 * CUSTOMERS]
    persons = [person for account in involved for person in account.people]
    words = {person.name for person in persons} | {person.birth_number for person in persons}
    words |= {account.card for account in involved}
    words |= {f'"{account.id}"' for account in involved} | {f'"{person.id}"' for person in persons}
    return [word.encode() for word in sorted(words)]


def holds(content: bytes, word: bytes) -> bool:
    """Whether a word stands in it. One of digits only must stand alone: those of a time or a hash are nobody's birth number."""
    if word not in content or not word.isdigit():
        return word in content
    return re.search(rb"(?<![A-Za-z0-9_+/-])" + word + rb"(?![A-Za-z0-9_+/-])", content) is not None


def stored_values(path: Path) -> bytes:
    """Every text and byte value of a SQLite database, a line each: in the file itself they stand side by side."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for name in names for row in connection.execute(f'SELECT * FROM "{name}"')]
    return b"\n".join(value for row in rows for value in row if isinstance(value, bytes))


def public_files(folder: Path) -> dict[str, bytes]:
    """What others than a consent's parties can see: tiles, leaves, checkpoints, the ledger's log; and evidence, decrypted."""
    files = {"ledger.log": (folder / "ledger.log").read_bytes()}
    for path in (folder / "bundle").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            files[str(path.relative_to(folder))] = gzip.decompress(content) if path.suffix == ".gz" else content
    for path in (folder / "receipts").iterdir():
        files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def statements(content: bytes) -> bytes:
    """The payloads of all statements in evidence: base64url would hide from a search what is in them."""
    found = re.findall(rb"eyJ[A-Za-z0-9_-]+\.(eyJ[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+", content)
    return b"\n".join(unb64u(payload.decode()) for payload in found)


@pytest.mark.slow
def test_no_personal_datum_leaves_its_bank_but_to_its_recipient(played: Played) -> None:
    searched = public_files(played.folder)
    assert any(statements(content) for name, content in searched.items() if name.startswith("receipts/"))
    words = personal_data(played.people)
    assert len(words) > CUSTOMERS
    found = [
        (name, word)
        for name, content in searched.items()
        for text in (content, statements(content))
        for word in words
        if holds(text, word)
    ]
    assert found == []


@pytest.mark.slow
def test_the_databases_hold_no_personal_datum_either(played: Played) -> None:
    words = [word for word in personal_data(played.people) if not word.startswith(b'"')]
    stored = [path for path in (played.folder / "ledger").rglob("*") if path.is_file()]
    searched = {path.name: path.read_bytes() for path in stored}
    searched |= {f"values of {path.name}": stored_values(path) for path in stored if path.suffix == ".sqlite"}
    assert "values of ledger.sqlite" in searched
    assert [(name, word) for name, content in searched.items() for word in words if holds(content, word)] == []


def test_a_personal_datum_is_found_in_place_and_not_in_the_digits_of_a_time(tmp_path: Path) -> None:
    assert holds(b'{"born":"401125"}', b"401125")
    assert holds(b"a line\n401125\nanother", b"401125")
    assert not holds(b'{"time":1795540112584}', b"401125")
    with closing(sqlite3.connect(tmp_path / "one.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE people (name TEXT, born TEXT, note BLOB)")
        connection.execute("INSERT INTO people VALUES ('Anna', '401125', X'00')")
    assert not holds((tmp_path / "one.sqlite").read_bytes(), b"401125"), "side by side with the name"
    assert holds(stored_values(tmp_path / "one.sqlite"), b"401125")


@pytest.mark.slow
def test_no_private_key_of_a_participant_is_kept(played: Played) -> None:
    keys = [path.name for path in played.folder.rglob("*.pem")]
    assert keys == []
    secrets = [path for path in (played.folder / "ledger").iterdir() if path.suffix == ".key" or path.name == "kek"]
    assert len(secrets) >= 2
    assert [path.name for path in secrets if path.stat().st_mode & 0o077] == []


def test_the_sample_is_the_same_every_time_and_large_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONFORMANCE_DIR", str(tmp_path))
    first, second = find_people(), find_people()
    assert first == second
    assert len(first.accounts) >= 200
    assert any(len(account.people) == 2 for account in first.accounts)
    assert {template.source for template in find_templates()} == {"our own terms"}


@pytest.mark.conformance
def test_real_customers_and_the_standards_terms_are_found_by_their_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_DIR", str(conformance_dir()))
    people = find_people()
    assert "real" in people.source
    assert len(people.accounts) > 1_000
    assert people.transactions > 10_000
    assert sum(len(account.people) > 1 for account in people.accounts) > 100
    british, berlin = find_templates()
    assert "example" in british.source
    assert "example" in berlin.source
    assert {"ReadTransactionsDetail", "ReadBalances", "ReadAccountsDetail"} <= set(british.permissions) & set(
        berlin.permissions
    )


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    command = [sys.executable, "-m", "api.cli.main", "demo", "--once", "--directory", str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "not empty" in " ".join(done.stdout.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
