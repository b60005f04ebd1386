"""`backup` and `restore` on both engines: what was acknowledged comes back, and what must not is refused first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from api.node.slots import claim_slot
from ledger.engines.copies import copy_out
from ledger.entries.leaf import consent_chain
from tests.faults.restored import emptied
from tests.world import World


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A log with a consent in it, on each engine, and the programs of its server in PATH."""
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    if make_url(engine_url).get_backend_name() == "postgresql":
        programs = request.getfixturevalue("postgres_server").programs
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    made = Settings(state_dir=tmp_path / "state", index_interval_ms=0)
    initialise(made, "ledger.example/backup")
    grow(made, "first")
    return made


def grow(settings: Settings, name: str) -> None:
    """Two parties and their consent more."""
    with short_lived(settings) as node:
        world = World(node.ledger)
        world.active_consent(world.recipient(f"{name}-app"), world.holder(f"{name}-bank"))


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(settings.state_dir)])


def told(settings: Settings, *arguments: str, ends: int = 0) -> Any:
    done = run(settings, *arguments, "--json")
    assert done.exit_code == ends, done.output
    return json.loads(done.stdout)


def test_a_backup_beside_a_running_node_is_restored_and_the_log_continues(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with short_lived(settings) as node:
        made = told(settings, "backup", str(tmp_path / "copy"))
        assert made["checkpoint"] == node.ledger.tree.checkpoint()
    assert (settings.state_dir / "backup.checkpoint").read_text() == made["checkpoint"]
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert settings.kek_file.read_bytes() not in b"".join(path.read_bytes() for path in files)
    back = told(settings, "restore", str(tmp_path / "copy"), *emptied(settings, request))
    assert (back["entries"], back["may_go_on"]) == (made["size"], True)
    found = told(settings, "check")
    assert (found["defect_count"], found["entries"], found["opened"] > 0) == (0, made["size"], True)
    grow(settings, "second")
    if settings.database_url.startswith("sqlite"):
        told(settings, "backup", str(tmp_path / "next"))
        told(settings, "restore", str(tmp_path / "next"), "--replace")
        aside = sorted(path.name for path in tmp_path.glob("ledger.sqlite.before-restore-*"))
        assert aside == ["ledger.sqlite.before-restore-1", "ledger.sqlite.before-restore-2"], "nothing is written over"


def test_a_backup_older_than_what_was_signed_is_refused_before_anything_changes(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    told(settings, "backup", str(tmp_path / "copy"))
    grow(settings, "second")
    with short_lived(settings) as node:
        size = node.ledger.tree.size()
    refused = run(settings, "restore", str(tmp_path / "copy"), "--replace")
    assert refused.exit_code == 1
    for words in (f"has signed {size} entries", "«Rollback»", "--although-older"):
        assert words in refused.stderr
    assert told(settings, "check")["entries"] == size, "nothing was touched"
    older = told(settings, "restore", str(tmp_path / "copy"), "--although-older", *emptied(settings, request))
    assert (older["entries"] < size, older["may_go_on"]) == (True, False)
    assert run(settings, "participant", "list").exit_code == 1, "no node continues from it"
    assert run(settings, "check").exit_code == 3


def test_an_erasure_after_the_backup_of_the_keys_lasts(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with short_lived(settings) as node:
        world = World(node.ledger)
        consent = world.active_consent(world.recipient("late-app"), world.holder("late-bank"))
        chain = consent_chain(consent.consent_id)
    told(settings, "backup", str(tmp_path / "old"))
    with short_lived(settings) as node:
        node.ledger.erase([chain], "gdpr-17", ("anna", "bert"))
    told(settings, "backup", str(tmp_path / "new"))
    # the log of today with the keys of yesterday
    (tmp_path / "old" / "keys" / "database").replace(tmp_path / "new" / "keys" / "database")
    manifest = json.loads((tmp_path / "new" / "manifest.json").read_text())
    old = json.loads((tmp_path / "old" / "manifest.json").read_text())
    manifest["files"]["keys/database"] = old["files"]["keys/database"]
    (tmp_path / "new" / "manifest.json").write_text(json.dumps(manifest))
    assert told(settings, "restore", str(tmp_path / "new"), *emptied(settings, request))["erased"] == 1
    with short_lived(settings) as node:
        assert node.ledger.keystore.destroyed([chain]) == {chain}


def test_a_backup_that_was_changed_or_is_of_another_log_or_beside_a_server_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    assert "no manifest.json" in run(settings, "restore", str(tmp_path / "none")).stderr
    told(settings, "backup", str(copy))
    assert "not empty" in run(settings, "backup", str(copy)).stderr
    slot = claim_slot(settings.highwater_dir)
    assert "stop all servers" in run(settings, "restore", str(copy), "--replace").stderr
    slot.release()
    manifest = copy / "manifest.json"
    good = manifest.read_text()
    manifest.write_text(good.replace("ledger.example/backup", "ledger.example/other", 1))
    assert "of the log ledger.example/other" in run(settings, "restore", str(copy), "--replace").stderr
    manifest.write_text(good)
    with (copy / "log" / "database").open("r+b") as file:
        file.seek(100)
        file.write(b"x")
    assert "is not the file that the backup was written with" in run(settings, "restore", str(copy), "--replace").stderr
    assert told(settings, "check")["defect_count"] == 0, "nothing was touched"


@pytest.mark.postgres
def test_without_pg_dump_the_sentence_says_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", postgres_url)
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, "ledger.example/backup")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "pg_dump is not on this machine" in run(settings, "backup", str(tmp_path / "copy")).stderr


def test_a_copy_of_a_cluster_is_taken_where_it_is_written_with_the_password_that_the_service_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\nfor each; do case $each in --file=*) env > "${each#--file=}";; esac; done\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PGPASSFILE", "/run/secrets/pgpass")
    hosts = "host=db-1,db-2&port=5432,5433&target_session_attrs=read-write&connect_timeout=2"
    copy_out(f"postgresql+psycopg://ledger@/ledger?{hosts}", tmp_path / "copy")
    told_to_it = set((tmp_path / "copy").read_text().splitlines())
    assert told_to_it >= {
        "PGHOST=db-1,db-2",
        "PGPORT=5432,5433",
        "PGUSER=ledger",
        "PGPASSFILE=/run/secrets/pgpass",
        "PGTARGETSESSIONATTRS=read-write",
        "PGCONNECT_TIMEOUT=2",
    }
