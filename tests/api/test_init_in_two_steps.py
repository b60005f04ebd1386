"""`init` in two steps: keys on one machine, tables and entry 0 from another, as a chart's job does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.settings import Settings
from ledger.custody.log_key import read_signer
from tests.world import World

ORIGIN = "ledger.example/two"


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    return Settings(state_dir=tmp_path / "state", index_interval_ms=0)


def init(settings: Settings, *words: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, ["init", "--origin", ORIGIN, *words, "--state", str(settings.state_dir)])
    assert done.exit_code == ends, done.output
    return done


def test_a_log_is_opened_with_the_keys_that_were_made_before(settings: Settings) -> None:
    made = json.loads(init(settings, "--keys-only", "--json").stdout)
    files = {path.name: path.read_bytes() for path in settings.state_dir.iterdir() if path.is_file()}
    assert {"log.key", "kek", "token.key", "event.key", "operator.jwks.json", "operator.key"} == set(files)
    opened = json.loads(init(settings, "--with-keys", "--json").stdout)
    assert opened["verifier_key"] == made["verifier_key"] == read_signer(settings.log_key_file).vkey.format()
    for name, content in files.items():
        assert (settings.state_dir / name).read_bytes() == content, name
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    init(settings, "--with-keys", ends=1)


def test_keys_of_another_log_or_a_missing_one_open_nothing(settings: Settings) -> None:
    assert "log.key" in init(settings, "--with-keys", ends=1).stderr
    init(settings, "--keys-only")
    other = CliRunner().invoke(
        app, ["init", "--origin", "ledger.example/other", "--with-keys", "--state", str(settings.state_dir)]
    )
    assert other.exit_code == 1
    assert f"is a key of {ORIGIN}" in other.stderr
    (settings.state_dir / "kek").unlink()
    assert "kek" in init(settings, "--with-keys", ends=1).stderr
    assert not (settings.state_dir / "ledger.sqlite").exists()


@pytest.mark.parametrize("words", [("--keys-only",), ("--log-key", "file:log.key")])
def test_with_keys_makes_none(settings: Settings, words: tuple[str, ...]) -> None:
    assert "takes the keys that are here" in init(settings, "--with-keys", *words, ends=1).stderr
    assert not settings.state_dir.exists() or not list(settings.state_dir.iterdir())
