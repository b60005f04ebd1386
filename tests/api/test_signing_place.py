"""A machine that does not know what was signed before signs only after somebody has said so (docs/operating.md, «Rollback»)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from api.cli.main import app
from api.node.building import opened, short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.documents import registration
from ledger.errors import Rollback, SequencerStopped
from ledger.queries.tree import visible_size

ORIGIN = "ledger.example/1"


def grown(settings: Settings, participant: str) -> int:
    with short_lived(settings) as node:
        document = registration(participant, "A", ["holder"])
        return node.ledger.record_documents(document)[0].index


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(state_dir=tmp_path / "state")
    initialise(made, ORIGIN)
    grown(made, "bank-a")
    return made


def said(settings: Settings, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--state", str(settings.state_dir)])
    return done.exit_code, done.output


def test_a_folder_copied_without_its_high_water_files_does_not_sign(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(settings.state_dir, tmp_path / "copy", ignore=shutil.ignore_patterns("highwater"))
    copy = Settings(state_dir=tmp_path / "copy")
    with pytest.raises(Rollback, match="sign-here"):
        grown(copy, "bank-b")
    status, shown = said(copy, "sign-here")
    assert status == 1
    assert ORIGIN in shown, "what is to be compared is shown"
    with pytest.raises(Rollback):
        grown(copy, "bank-b")
    assert said(copy, "sign-here", "--this-is-the-newest-copy")[0] == 0
    grown(copy, "bank-b")


def test_a_folder_that_lost_them_in_place_continues(settings: Settings) -> None:
    shutil.rmtree(settings.highwater_dir)
    grown(settings, "bank-b")


def test_without_them_an_older_database_is_refused(settings: Settings, tmp_path: Path) -> None:
    yesterday = tmp_path / "yesterday.sqlite"
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{yesterday}'")
    grown(settings, "bank-b")
    grown(settings, "bank-c")
    engine.dispose()
    for path in settings.state_dir.glob("ledger.sqlite*"):
        path.unlink()
    shutil.copy(yesterday, settings.state_dir / "ledger.sqlite")
    with pytest.raises(Rollback):
        grown(settings, "bank-d")
    shutil.rmtree(settings.highwater_dir)
    with pytest.raises(Rollback, match="older"):
        grown(settings, "bank-d")


def test_a_node_that_was_refused_by_a_witness_does_not_sign_when_it_is_started_anew(settings: Settings) -> None:
    (settings.highwater_dir / "refused").write_text("the witness w answers: status 422\n")
    with pytest.raises(Rollback, match="the witness w answers"):
        grown(settings, "bank-b")
    with opened(settings) as node, node.ledger.store.read() as connection:
        assert visible_size(connection), "it is read all the same"
    assert said(settings, "sign-here", "--this-is-the-newest-copy")[0] == 0
    grown(settings, "bank-b")


def test_no_command_reads_a_database_that_went_back(settings: Settings, tmp_path: Path) -> None:
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{tmp_path / 'yesterday.sqlite'}'")
    engine.dispose()
    grown(settings, "bank-b")
    for path in settings.state_dir.glob("ledger.sqlite*"):
        path.unlink()
    shutil.copy(tmp_path / "yesterday.sqlite", settings.state_dir / "ledger.sqlite")
    status, shown = said(settings, "export", str(tmp_path / "bundle"), "--evidence", "none")
    assert status == 1
    assert "second history" in shown
    status, shown = said(settings, "check")
    assert status == 3, "the check looks at it, and says so"
    assert "second history" in shown


def test_a_second_machine_on_postgresql_signs_after_the_ceremony_with_the_one_key_store(
    postgres_url: str, tmp_path: Path
) -> None:
    first = Settings(state_dir=tmp_path / "first", database_url=postgres_url)
    initialise(first, ORIGIN)
    grown(first, "bank-a")
    shutil.copytree(first.state_dir, tmp_path / "second", ignore=shutil.ignore_patterns("highwater", "signed-here"))
    second = Settings(state_dir=tmp_path / "second", database_url=postgres_url)
    assert second.keystore_url == first.keystore_url
    with pytest.raises(Rollback):
        grown(second, "bank-b")
    env = {"CONSENT_LEDGER_DATABASE_URL": postgres_url}
    command = ["sign-here", "--this-is-the-newest-copy", "--state", str(second.state_dir)]
    assert CliRunner().invoke(app, command, env=env).exit_code == 0
    assert grown(second, "bank-b") < grown(first, "bank-c")


def test_a_key_store_in_a_file_beside_postgresql_is_refused_unless_told(tmp_path: Path) -> None:
    url, file = "postgresql+psycopg://ledger@db/ledger", f"sqlite:///{tmp_path / 'keys.sqlite'}"
    with pytest.raises(ValueError, match="another machine would have another one"):
        Settings(state_dir=tmp_path, database_url=url, keystore_url=file)
    assert Settings(state_dir=tmp_path, database_url=url, keystore_url=file, keystore_in_file=True).keystore_url == file
    assert Settings(state_dir=tmp_path, database_url=url).keystore_url.endswith("/ledger_keys")
    (tmp_path / "keys.sqlite").touch()
    with pytest.raises(ValueError, match="KEYSTORE_IN_FILE"):
        Settings(state_dir=tmp_path, database_url=url)


def test_a_disk_that_does_not_take_the_high_water_stops_the_node_with_what_to_do(settings: Settings) -> None:
    with short_lived(settings) as node:
        water = settings.highwater_dir / "000"
        water.with_name("000.new").mkdir()  # what the file would be put in place from
        with pytest.raises(SequencerStopped, match="is durable, and was not acknowledged"):
            node.ledger.record_documents(registration("bank-z", "Z", ["holder"]))
        assert "start this node anew" in (node.ledger.stopped_because or "")
    water.with_name("000.new").rmdir()
    with short_lived(settings) as node:
        assert "bank-z" in node.ledger.registry.participants, "it was durable"
