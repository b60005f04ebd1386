"""The command line: a log is made, looked after and checked; what goes wrong is one sentence and an exit status."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.settings import Settings
from api.node.slots import claim_slot
from tests.api.service import Service
from tests.bundles import decode_bundle
from tests.keys import KeyPair
from tests.registers.feeds import feed as register
from tests.world import World
from verifier.cli import main as verify

runner = CliRunner()


def run(state: Path, *arguments: str) -> Result:
    return runner.invoke(app, [*arguments, "--state", str(state)])


@pytest.fixture
def state(tmp_path: Path, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with a new log in it, on each engine."""
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = run(tmp_path / "state", "init", "--origin", "bank.example/log")
    assert made.exit_code == 0, made.output
    assert "bank.example/log+" in made.output
    return tmp_path / "state"


def test_a_log_is_made_once_with_keys_for_its_owner_only(state: Path) -> None:
    for name in ("log.key", "kek", "token.key", "operator.key"):
        assert (state / name).stat().st_mode & 0o777 == 0o600, name
    again = run(state, "init")
    assert again.exit_code == 1
    assert "second history" in again.stderr
    assert "Traceback" not in again.stderr


def test_participants_are_looked_after_without_a_server(state: Path, tmp_path: Path) -> None:
    key = KeyPair.generate("ES256", "bank-a-1")
    jwk = tmp_path / "bank.jwk"
    jwk.write_text(json.dumps(key.jwk))
    for arguments in (
        ["participant", "add", "bank-a", "--role", "holder", "--role", "auditor", "--name", "Bank A"],
        ["participant", "key", "bank-a", str(jwk), "--kid", key.kid, "--alg", "ES256"],
        ["participant", "suspend", "bank-a", "--reason", "test"],
    ):
        assert run(state, *arguments).exit_code == 0
    listed = run(state, "participant", "list").output
    assert "bank-a  Bank A  [auditor, holder]  SUSPENDED" in listed
    assert "bank-a-1  ES256  statement" in listed
    assert run(state, "participant", "reinstate", "bank-a", "--reason", "test").exit_code == 0
    assert run(state, "participant", "revoke-key", "bank-a", key.kid).exit_code == 0
    refused = run(state, "participant", "suspend", "bank-b", "--reason", "test")
    assert (refused.exit_code, refused.stderr) == (1, "consent-ledger: there is no participant 'bank-b'\n")


def test_a_confusingly_similar_participant_is_refused_without_force(state: Path) -> None:
    """Security review, S15."""
    add = ("participant", "add", "--role", "holder")
    assert run(state, *add, "bank-a", "--name", "Bank of Amber").exit_code == 0
    twin = (*add, "bank-amber", "--name", "Bank of Amber")
    refused = run(state, *twin)
    assert refused.exit_code == 1
    assert "bank-a'" in refused.stderr
    assert "'bank-amber'" in refused.stderr
    assert "bank-amber" not in run(state, "participant", "list").output
    forced = run(state, *twin, "--force")
    assert forced.exit_code == 0
    assert "warning: the name 'Bank of Amber' of 'bank-amber' is also the name" in forced.stderr
    assert "bank-amber" in run(state, "participant", "list").output


def test_a_delegation_names_acts_that_there_are_between_participants_that_there_are(state: Path) -> None:
    for participant, role in (
        ("bank-a", "holder"),
        ("provider", "technology-provider"),
        ("gone", "technology-provider"),
    ):
        added = run(state, "participant", "add", participant, "--role", role, "--name", participant)
        assert added.exit_code == 0
    assert run(state, "participant", "remove", "gone", "--reason", "test").exit_code == 0
    refused = run(
        state, "delegation", "grant", "bank-a", "provider", "--act", "consent.revoke", "--act", "consent.invent"
    )
    assert (refused.exit_code, "consent.invent" in refused.stderr) == (1, True)
    for pair in (("bank-a", "gone"), ("gone", "provider")):
        refused = run(state, "delegation", "grant", *pair, "--act", "consent.revoke")
        assert (refused.exit_code, "'gone' was removed" in refused.stderr) == (1, True)
    assert run(state, "delegation", "grant", "bank-a", "provider", "--act", "consent.revoke").exit_code == 0


def test_a_bundle_is_exported_and_the_log_checked(state: Path, tmp_path: Path) -> None:
    assert run(state, "export", str(tmp_path / "bundle.zip"), "--evidence", "none").exit_code == 0
    assert run(state, "export", str(tmp_path / "bundle"), "--evidence", "none").exit_code == 0
    assert (tmp_path / "bundle" / "checkpoint").read_text().startswith("bank.example/log\n1\n")
    assert run(state, "export", str(tmp_path / "bundle.zip"), "--evidence", "none").exit_code == 1
    assert run(state, "export", str(tmp_path / "other"), "--evidence", "some").exit_code == 2
    for given in (("--evidence", "none"), ("--all",)):
        refused = run(state, "export", str(tmp_path / "texts"), "--requests", *given)
        assert (refused.exit_code, "go with the evidence" in refused.stderr) == (2, True)
    checked = run(state, "check")
    assert checked.exit_code == 0, checked.output
    assert "1 entries are as they were signed" in checked.output


def _documents(bundle: Path) -> list[dict[str, Any]]:
    """The operator documents of a small bundle, in their order."""
    size = int((bundle / "checkpoint").read_text().split("\n")[1])
    data = (bundle / "tile" / "entries" / f"000.p/{size}").read_bytes()
    return [leaf["document"] for leaf in map(json.loads, decode_bundle(data, size)) if leaf["kind"] == "operator"]


def test_evidence_is_opened_for_a_reason_that_the_log_records_before_it_is_written(state: Path, tmp_path: Path) -> None:
    """Mission review, M7: the operator exported bodies, and nobody could see it."""
    refused = run(state, "export", str(tmp_path / "bundle"))
    assert (refused.exit_code, "--reason" in refused.stderr, (tmp_path / "bundle").exists()) == (1, True, False)
    for name, evidence, covered in (("full", "full", (0, 0)), ("some", "0-99", (0, 1))):
        given = ("--evidence", evidence, "--reason", f"audit-{name}", "--by", "desk-7", "--requests")
        done = run(state, "export", str(tmp_path / name), *given)
        assert done.exit_code == 0, done.output
        *_, said = _documents(tmp_path / name)  # the bundle itself shows it, as its last entry
        assert said == {
            "type": "evidence.opened",
            "v": 1,
            "by": "desk-7",
            "case": f"audit-{name}",
            "from_index": covered[0],
            "to_index": covered[1],
        }
        verdict = verify(["bundle", str(tmp_path / name), "--policy", str(tmp_path / name / "policy")])
        assert verdict == 0
    taken = run(state, "export", str(tmp_path / "full"), "--reason", "again")
    assert taken.exit_code == 1
    assert run(state, "export", str(tmp_path / "none"), "--evidence", "none").exit_code == 0
    assert [one["case"] for one in _documents(tmp_path / "none") if one["type"] == "evidence.opened"] == [
        "audit-full",
        "audit-some",
    ]


TAMPERINGS = {
    "a leaf": "UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'Tpp-1', 'Tpp-2') AS BLOB) WHERE idx = 1",
    "a leaf, as a text": "UPDATE entries SET leaf = CAST(leaf AS TEXT) WHERE idx = 1",
    "a leaf hash": "UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 2",
    "a row": "DELETE FROM entries WHERE idx = 3",
    "a sealed body": "UPDATE entries SET sealed = zeroblob(100) WHERE sealed IS NOT NULL",
    "a missing body": "UPDATE entries SET sealed = NULL WHERE kind = 'consent'",
    "a chain": "UPDATE entries SET seq = 9 WHERE idx = 1",
    "a checkpoint": "DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)",
    "the head": "UPDATE log_head SET last_hash = zeroblob(32)",
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_the_check_finds_what_was_changed(sqlite_service: Service, what: str) -> None:
    world: World = sqlite_service.world
    world.active_consent(world.recipient(), world.holder())
    settings: Settings = sqlite_service.node.settings
    sqlite_service.node.stop()
    path = settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        assert database.execute(TAMPERINGS[what]).rowcount > 0
    database.close()
    checked = runner.invoke(
        app, ["check", "--state", str(settings.state_dir)], env={"CONSENT_LEDGER_DATABASE_URL": settings.database_url}
    )
    assert checked.exit_code == 3, checked.output
    assert "defects in" in checked.stderr


def test_health_asks_a_running_server(sqlite_service: Service) -> None:
    assert runner.invoke(app, ["health", "--url", sqlite_service.base_url]).exit_code == 0
    sqlite_service.node.stop()
    stopped = runner.invoke(app, ["health", "--url", sqlite_service.base_url])
    assert (stopped.exit_code, "not ready" in stopped.stderr) == (1, True)
    assert runner.invoke(app, ["health", "--url", "http://127.0.0.1:9"]).exit_code == 1


def test_a_folder_without_a_log_is_told_what_to_do(tmp_path: Path) -> None:
    missing = run(tmp_path / "empty", "participant", "list")
    assert missing.exit_code == 1
    assert "consent-ledger init" in missing.stderr
    unsafe = run(tmp_path / "empty", "serve", "--host", "0.0.0.0")  # noqa: S104  (refused)
    assert unsafe.exit_code == 1
    assert "TLS" in unsafe.stderr


def test_slots_are_given_one_by_one_and_come_back(tmp_path: Path) -> None:
    first, second = claim_slot(tmp_path), claim_slot(tmp_path)
    assert (first.number, second.number) == (0, 1)
    first.release()
    assert claim_slot(tmp_path).number == 0


def test_delegations_purposes_removals_and_rulesets_are_recorded(state: Path) -> None:
    for arguments in (
        ["participant", "add", "bank-a", "--role", "holder", "--name", "Bank A"],
        ["participant", "add", "provider-x", "--role", "technology-provider", "--name", "Provider X"],
        ["delegation", "grant", "bank-a", "provider-x", "--act", "subject.consent", "--act", "consent.authorise"],
        ["delegation", "end", "bank-a", "provider-x", "--reason", "contract-over"],
        ["purpose", "define", "lending", "--permission", "ReadBalances", "--max-days", "30"],
        ["participant", "remove", "bank-a", "--reason", "licence-withdrawn"],
    ):
        done = run(state, *arguments)
        assert done.exit_code == 0, done.output
    assert "bank-a  Bank A  [holder]  REMOVED" in run(state, "participant", "list").output
    refused = run(state, "ruleset", "activate", "3")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "consent-ledger: the ruleset in force is 3, and it never falls\n",
    )
    assert run(state, "delegation", "grant", "bank-a", "provider-x", "--act", "consent.invent").exit_code == 1


def test_a_registers_feed_is_shown_first_and_recorded_once(state: Path, tmp_path: Path) -> None:
    feed = tmp_path / "register.json"
    feed.write_bytes(register())
    shown = run(state, "participant", "import", str(feed))
    assert "2 documents would be recorded" in shown.output
    assert run(state, "participant", "list").output == ""
    assert "2 documents recorded." in run(state, "participant", "import", str(feed), "--apply").output
    assert run(state, "participant", "list").output.count("[") == 2
    assert "0 documents" in run(state, "participant", "import", str(feed), "--apply").output
    feed.write_bytes(register(brand=2, product=3))
    changed = run(state, "participant", "import", str(feed), "--apply").output
    assert "participant.suspended" in changed
    assert "participant.removed" in changed
    feed.write_text("[]")
    assert run(state, "participant", "import", str(feed)).exit_code == 1


@pytest.mark.parametrize("address", ["mysql://user:secret@host/name", "no address with a secret"])
def test_an_address_of_no_database_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", address)
    refused = run(tmp_path, "check")
    assert refused.exit_code == 1
    assert "sqlite" in refused.stderr
    assert "secret" not in refused.stderr
    assert isinstance(refused.exception, SystemExit)
