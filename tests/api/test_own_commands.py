"""A participant's own commands, over HTTP with its own key files: a consent is asked for, given, used, ended and verified."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from tests.client.service import Service, running_service, serving
from verifier.cli import main as verify

RECIPIENT, HOLDER = "own-app", "own-bank"
Command = Callable[..., Result]


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(sqlite_url, tmp_path / "operator") as running:
        yield running


def run(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == ends, done.output
    return done


def told(*arguments: str, ends: int = 0) -> dict[str, Any]:
    """The one object that a command tells with `--json`."""
    said = run(*arguments, "--json", ends=ends).stdout
    assert said.count("\n") == 1, said
    decoded: dict[str, Any] = json.loads(said)
    return decoded


def joined(service: Service, folder: Path, participant: str, role: str, alg: str = "EdDSA") -> Path:
    """A participant's folder, whose public halves the operator has registered by its own commands."""
    vkey = service.node.ledger.vkey.format()
    made = told(
        "keys", "new", str(folder), "--participant", participant, "--url", service.url, "--log-key", vkey, "--alg", alg
    )
    state = ["--state", str(service.node.settings.state_dir)]
    run("participant", "add", participant, "--role", role, "--name", f"The {participant}", *state)
    for command in made["register"]:
        words = command.split()[1:]
        words[3] = str(folder / words[3])
        run(*words, *state)
    service.node.ledger.sequencer.refresh().result(20)  # the server learns within a second what a command has recorded
    return folder


def asked(own: Path, notice: Path, *more: str, permission: str = "ReadBalances") -> list[str]:
    return [
        *("consent", "request", "--as", str(own), "--holder", HOLDER, "--permission", permission),
        *("--purpose", "budgeting", "--purpose-text", "Budget planning", "--notice", str(notice), *more),
    ]


def read(own: Path, consent: str) -> list[str]:
    return [
        *("access", consent, "--as", str(own), "--permission", "ReadBalances", "--purpose", "budgeting"),
        *("--request", "GET /accounts?page=1"),
    ]


@pytest.fixture
def notice(tmp_path: Path) -> Path:
    file = tmp_path / "notice.txt"
    file.write_text("We show you your spending by category.")
    return file


def test_a_consent_is_asked_for_given_used_ended_and_proved_from_the_command_line(
    service: Service, tmp_path: Path, notice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", service.node.settings.database_url)
    app_, bank = (
        joined(service, tmp_path / "app", RECIPIENT, "recipient"),
        joined(service, tmp_path / "bank", HOLDER, "holder", alg="ES256"),
    )
    requested = told(*asked(app_, notice))
    consent = requested["consent_id"]
    assert (requested["act"], requested["statement"]["terms"]["permissions"]) == ("consent.request", ["ReadBalances"])

    given: tuple[str, ...] = (
        "--customer",
        "anna",
        "--account",
        "DE-1",
        "--acr",
        "psd2:sca",
        "--amr",
        "pwd",
        "--amr",
        "otp",
    )
    lacking = run("consent", "authorise", consent, "--as", str(bank), *given, ends=1)
    assert "--separate provision=FILE" in lacking.stderr
    given += ("--separate", f"provision={notice}", "--separate", f"sensitive={notice}")
    authorised = told("consent", "authorise", consent, "--as", str(bank), *given)
    assert authorised["status"] == "ACTIVE"
    assert "anna" not in json.dumps(authorised), "the bank's own name for the customer never leaves it"

    first = told(*read(app_, consent))
    assert (first["allowed"], first["outcome"]["decision"]) == (True, "allow")
    assert told("consent", "revoke", consent, "--as", str(bank))["status"] == "REVOKED"
    denied = told(*read(app_, consent), ends=5)
    assert (denied["allowed"], denied["reasons"]) == (False, ["CONSENT_REVOKED"])
    assert denied["index"] > first["index"]

    shown = told("consent", "show", consent, "--as", str(bank))
    assert shown["consent"]["status"] == "REVOKED"
    assert [one["act"] for one in shown["history"]][-1] == "access.request"
    assert "REVOKED" in run("consent", "show", consent, "--as", str(app_)).output

    receipt = denied["file"]
    verified = told("receipt", "verify", receipt, "--log-key", service.node.ledger.vkey.format())
    assert verified["index"] == denied["index"]
    assert "REVOKED" in run("receipt", "show", receipt, "--as", str(app_)).output
    policy = tmp_path / "policy"
    policy.write_text(f"log {service.node.ledger.vkey.format()}\nquorum none\n")
    assert verify(["receipt", receipt, "--policy", str(policy)]) == 0, "the independent verifier takes the same file"
    state = str(service.node.settings.state_dir)
    made = told("receipt", "cose", receipt, "--out", str(tmp_path / "access.cose"), "--state", state)
    assert made["bytes"] == (tmp_path / "access.cose").stat().st_size
    assert verify(["receipt", made["file"], "--policy", str(policy)]) == 0, "as a transparent statement too"
    refused = run("receipt", "cose", str(policy), "--out", str(tmp_path / "no.cose"), "--state", state, ends=1)
    assert "not a receipt" in refused.stderr
    assert not (tmp_path / "no.cose").exists()
    assert told("follow", "--once", "--as", str(app_))["size"] >= denied["index"]


def test_private_halves_are_for_their_owner_and_are_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    run("keys", "new", str(folder), "--participant", "bank-a")
    for secret in ("statement.pem", "client.pem", "references.key"):
        assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600, secret
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for public in ("statement.jwk", "client.jwk"):
        assert "d" not in json.loads((folder / public).read_text())
    before = (folder / "statement.pem").read_bytes()
    again = run("keys", "new", str(folder), "--participant", "bank-a", ends=1)
    assert "never overwritten" in again.stderr
    assert (folder / "statement.pem").read_bytes() == before
    assert (
        "is not a participant id" in run("keys", "new", str(tmp_path / "x"), "--participant", "Bank A", ends=1).stderr
    )
    assert not (tmp_path / "x").exists()


def test_a_receipt_that_was_changed_or_is_of_another_log_proves_nothing_and_ends_with_3(
    service: Service, tmp_path: Path, notice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", service.node.settings.database_url)
    joined(service, tmp_path / "bank", HOLDER, "holder")
    own = joined(service, tmp_path / "app", RECIPIENT, "recipient")
    receipt = Path(told(*asked(own, notice))["file"])
    changed = tmp_path / "changed.receipt"
    changed.write_bytes(receipt.read_bytes().replace(b"consent.request", b"consent.refused"))
    refused = run("receipt", "verify", str(changed), "--as", str(own), ends=3)
    assert "changed.receipt: the receipt is refused" in refused.stderr
    other = "ledger.example/other+8f2ee02c+AfkqJ1bfu8cYqAFb9F3WWHRbrHKtBuzcCEGYwAl4t7Gr"
    assert "Traceback" not in run("receipt", "verify", str(receipt), "--log-key", other, ends=1).stderr
    assert "--log-key" in run("receipt", "verify", str(receipt), ends=1).stderr


def test_a_fault_of_a_folder_or_a_ledger_is_told_in_one_sentence(tmp_path: Path) -> None:
    nowhere = run("consent", "show", "x", "--as", str(tmp_path / "none"), ends=1)
    assert "«consent-ledger keys new» makes one" in nowhere.stderr
    own = tmp_path / "own"
    run("keys", "new", str(own), "--participant", "bank-a", "--url", "http://127.0.0.1:9")
    unknown = run("follow", "--once", "--as", str(own), ends=1)
    assert "log_key in participant.toml" in unknown.stderr
    with (own / "participant.toml").open("a") as file:
        file.write('log_keys = "x"\n')
    assert "log_keys" in run("follow", "--once", "--as", str(own), ends=1).stderr


def answering(text: str) -> Any:
    """A server that answers everything with this."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": text.encode()})

    return answer


def test_a_log_that_went_back_is_told_with_status_3_and_both_checkpoints_are_kept(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", service.node.settings.database_url)
    own = joined(service, tmp_path / "app", RECIPIENT, "recipient")
    seen = told("follow", "--once", "--as", str(own))
    remembered = own / "newest.checkpoint"
    assert f"\n{seen['size']}\n" in remembered.read_text()
    ahead = service.node.ledger.tree.checkpoint()
    service.join("another", "auditor")
    run("follow", "--once", "--as", str(own))
    with serving(answering(ahead)) as url:
        toml = own / "participant.toml"
        toml.write_text(toml.read_text().replace(service.url, url))
        back = run("follow", "--once", "--as", str(own), ends=3)
    assert str(own / "contradictions") in back.stderr
    assert list((own / "contradictions").iterdir())
