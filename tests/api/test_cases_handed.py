"""Two authorities hand a case over by their own commands; the other one's receipt holds offline, and the log is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.folder import ParticipantFolder
from api.cli.main import app
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.documents import Disclosure, activation, document_of
from tests.client.service import Service, running_service
from verifier.cli import main as verify


def run(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == ends, done.output
    return done


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(sqlite_url, tmp_path / "operator") as running:
        yield running


def own_folder(service: Service, participant: str, path: Path) -> str:
    """A participant's folder, as «keys new» makes it, with the keys that the log has."""
    member = service.members[participant]
    path.mkdir(mode=0o700)
    member.signer.save(path / "statement.pem")
    member.client_key.save(path / "client.pem")
    kids = member.signer.kid, member.client_key.kid
    ParticipantFolder(path, participant, service.url, service.node.ledger.vkey.format(), *kids).write()
    return str(path)


def test_a_case_goes_from_one_authority_to_another_which_signs_for_the_very_file(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = service.node.ledger
    if ledger.registry.ruleset < 3:
        ledger.record_documents(activation(3))
    for name in ("authority-a", "authority-b"):
        service.join(name, "regulator")
    opening = {"participant": "authority-a", "case": "case-7", "from_index": 0, "to_index": 2}
    [opened] = ledger.record_documents(document_of(Disclosure, approved_by=("one", "two"), **opening))
    first, second, bank = (
        own_folder(service, name, tmp_path / name) for name in ("authority-a", "authority-b", "bank-a")
    )
    pack, other = tmp_path / "case-7.zip", tmp_path / "other.zip"
    pack.write_bytes(b"what was opened")
    other.write_bytes(b"something else")
    to_b = ("--to", "authority-b", "--disclosure", str(opened.index), "--basis", "gdpr-61", "--id", "case-7-to-b")

    run("case", "hand-over", str(pack), "--as", bank, *to_b, ends=1)
    size = ledger.tree.size()
    handed = told("case", "hand-over", str(pack), "--as", first, *to_b, "--scope", "holder=bank-a")
    at = str(handed["index"])
    wrong = run("case", "receive", str(other), "--as", second, "--handover", at, ends=1)
    assert "not the hash of the file" in wrong.output
    run("case", "receive", str(pack), "--as", first, "--handover", at, ends=1)
    received = told("case", "receive", str(pack), "--as", second, "--handover", at)
    assert ledger.tree.size() == size + 2, "what was refused is not in the log"
    for folder, count in ((first, 1), (second, 1)):
        listed = told("case", "list", "--as", folder)["handovers"]
        assert [(one["author"], one["to"], one["received_at"]) for one in listed] == [
            ("authority-a", "authority-b", received["index"])
        ] * count
    policy, bundle = tmp_path / "policy", tmp_path / "bundle"
    policy.write_text(f"log {ledger.vkey.format()}\nquorum none\n")
    target = DirectoryTarget(bundle)
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, target, disclose=Disclose.full())
    for file in (handed["file"], received["file"]):
        capsys.readouterr()
        assert verify(["receipt", str(file), "--policy", str(policy), "--bundle", str(bundle)]) == 0
        assert "[ ✔ VERIFIED ]" in capsys.readouterr().out, "the signature too, offline"
    assert handed["statement"]["pack_hash"] == received["statement"]["pack_hash"]
    assert verify(["bundle", str(bundle), "--policy", str(policy)]) == 0
