"""`doctor`: what is wrong around a node is found, and what could not be looked at is never called well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from tests.world import World


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state")
    initialise(made, "ledger.example/doctor")
    with short_lived(made) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    return made


def looks(settings: Settings, ends: int) -> dict[str, tuple[str, str]]:
    """What was looked at → verdict, sentence."""
    said = CliRunner().invoke(app, ["doctor", "--json", "--state", str(settings.state_dir)])
    assert said.exit_code == ends, said.output
    return {one["what"]: (one["verdict"], one["said"]) for one in json.loads(said.stdout)["looks"]}


def test_a_node_in_order_is_told_line_by_line(settings: Settings) -> None:
    before = sorted(path.name for path in settings.state_dir.rglob("*"))
    found = looks(settings, 0)
    for what in (
        "state folder",
        "log key",
        "KEK",
        "token key",
        "event key",
        "schema",
        "policy",
        "log and key store",
        "clock",
    ):
        assert found[what][0] == "ok", (what, found[what])
    assert found["backup"][0] == "warning"
    assert sorted(path.name for path in settings.state_dir.rglob("*")) == before, "it changes nothing"


def test_a_failed_look_says_what_to_do_and_its_dependents_are_not_checked(settings: Settings) -> None:
    settings.token_key_file.chmod(0o644)
    found = looks(settings, 3)
    assert found["token key"] == (
        "failed",
        f"the key file {settings.token_key_file} is open to others: set its mode to 0600",
    )
    assert found["log and key store"][0] == "failed", "no node opens with it"
    assert (found["clock"][0], found["database set-up"][0]) == ("not checked", "not checked")
    settings.token_key_file.chmod(0o600)
    settings.kek_file.write_bytes(bytes(32))
    assert "it is another one" in looks(settings, 3)["log and key store"][1]


def test_a_witness_that_does_not_answer_and_a_policy_of_another_log_are_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = CliRunner().invoke(app, ["witness", "init", str(tmp_path / "w"), "--name", "w.example", "--json"])
    witness = json.loads(made.stdout)["verifier_key"]
    with short_lived(settings) as node:
        vkey = node.ledger.vkey.format()
    policy = tmp_path / "policy"
    monkeypatch.setenv("CONSENT_LEDGER_POLICY_FILE", str(policy))
    policy.write_text(f"log {vkey}\nwitness w {witness} http://127.0.0.1:9\nquorum w\n")
    found = looks(settings, 3)
    assert found["witness w"] == ("failed", "http://127.0.0.1:9 does not answer (ConnectError)")
    assert found["policy"][0] == "ok"
    policy.write_text("quorum none\n")
    found = looks(settings, 3)
    assert "does not name this log's key" in found["policy"][1]
    assert found["witnesses"][0] == "not checked"


def test_a_folder_without_a_log_is_not_made_by_looking(settings: Settings) -> None:
    shutil.rmtree(settings.state_dir)
    found = looks(settings, 3)
    assert "«consent-ledger init»" in found["state folder"][1]
    assert not settings.state_dir.exists()
