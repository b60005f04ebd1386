"""Changing the KEK: the log goes on, old backups of the key store end, and no crash leaves a key that nothing opens."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from api.node.slots import claim_slot
from ledger.assembly import key_store_of
from ledger.canonical import b64u
from ledger.errors import Corrupt
from ledger.vault.kek import Kek, read_kek
from tests.world import World


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A log with evidence in it, on each engine, and nobody who serves it."""
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, "ledger.example/kek")
    with short_lived(made) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(), world.holder())
    return made


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)])


def goes_on(settings: Settings) -> None:
    """Everything opens, and something new is recorded."""
    checked = run(settings, "check", "--json")
    assert checked.exit_code in (0, 4), checked.output  # 4: an extension of PostgreSQL may be missing
    found = json.loads(checked.stdout)
    assert (found["defect_count"], found["opened"] > 0) == (0, True)
    with short_lived(settings) as node:
        world = World(node.ledger)
        name = f"late-{node.ledger.tree.checkpoint().splitlines()[1]}"
        world.active_consent(world.recipient(f"{name}-r"), world.holder(f"{name}-h"))


def test_the_log_continues_under_the_new_kek_and_the_old_one_opens_nothing(settings: Settings) -> None:
    old = read_kek(settings.kek_file)
    for epoch in (2, 3):
        done = run(settings, "kek", "rotate", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert (told["epoch"], told["keys"] > 0) == (epoch, True)
        assert read_kek(settings.kek_file).epoch == epoch
        assert settings.kek_file.stat().st_mode & 0o777 == 0o600
        goes_on(settings)
    assert read_kek(settings.state_dir / "kek.epoch-1") == old
    stale = key_store_of(settings.keystore_url, old)
    with pytest.raises(Corrupt, match="epoch 3, and this node holds epoch 1"):
        stale.check_kek()
    stale.close()


def test_a_node_that_was_not_told_of_the_change_makes_no_key_under_the_old_kek(settings: Settings) -> None:
    stale = key_store_of(settings.keystore_url, read_kek(settings.kek_file))
    stale.ciphers([b"a" * 32])
    assert run(settings, "kek", "rotate").exit_code == 0
    with pytest.raises(Corrupt, match="start it anew"):
        stale.ciphers([b"b" * 32])
    with pytest.raises(Corrupt, match="start it anew"):
        stale.destroy([b"c" * 32])
    assert stale.lacking([b"b" * 32, b"c" * 32]) == {b"b" * 32, b"c" * 32}, "nothing of it stays"
    stale.close()
    goes_on(settings)


def test_a_change_that_was_cut_short_is_finished_by_repeating_it(settings: Settings) -> None:
    kek, new = settings.kek_file, settings.kek_file.with_name("kek.new")
    first = kek.read_bytes()
    assert run(settings, "kek", "rotate").exit_code == 0
    second = kek.read_bytes()
    aside = settings.state_dir / "kek.epoch-1"

    kek.rename(new)  # wrapped under the new one, and the files have their old names
    aside.rename(kek)
    refused = run(settings, "participant", "list")
    assert (refused.exit_code, "«consent-ledger kek rotate» finishes" in refused.stderr) == (1, True)
    assert run(settings, "kek", "rotate").exit_code == 0
    assert (kek.read_bytes(), aside.read_bytes()) == (second, first)

    kek.rename(new)  # the old file has its other name, and the new one not yet the old's
    assert run(settings, "kek", "rotate").exit_code == 0
    assert kek.read_bytes() == second
    goes_on(settings)

    third = Kek(3, os.urandom(32))  # written beside the old one, and nothing is wrapped under it

    new.touch(0o600)
    new.write_text(f"consent-ledger-kek 3 {b64u(third.key)}\n")
    assert run(settings, "kek", "rotate").exit_code == 0
    assert read_kek(kek) == third
    goes_on(settings)


def test_beside_anybody_who_uses_the_log_on_this_machine_it_is_refused(settings: Settings) -> None:
    slot = claim_slot(settings.highwater_dir)
    refused = run(settings, "kek", "rotate")
    assert (refused.exit_code, "stop all servers" in refused.stderr) == (1, True)
    slot.release()
    assert read_kek(settings.kek_file).epoch == 1
    assert not settings.kek_file.with_name("kek.new").exists()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"consent-ledger-kek 0 " + b"A" * 43 + b"\n", b"x" * 33])
def test_another_kek_is_refused_at_the_start_with_what_to_do(settings: Settings, content: bytes) -> None:
    settings.kek_file.write_bytes(content)
    refused = run(settings, "participant", "list")
    assert (refused.exit_code, "key-encryption key" in refused.stderr) == (1, True)
    settings.kek_file.write_bytes(os.urandom(32))
    refused = run(settings, "participant", "list")
    assert (refused.exit_code, "it is another one" in refused.stderr) == (1, True)
