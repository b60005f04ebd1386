"""A database of another version is refused by every command in a sentence that says what to do, and is not touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner, Result

import migrations
import migrations.shape
from api.cli.main import app
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.errors import InvalidInput
from tests.faults.commands import COMMANDS, Place, Run
from tests.faults.commands import words as words_of

NEWEST = migrations.shape.revisions()[-1]
OLDER = migrations.shape.revisions()[-2]

NOT_ON_THE_LOG = {
    ("init",),
    ("migrate",),
    ("trust-clock",),
    ("config", "show"),
    ("doctor",),
    ("restore",),
    ("receipt", "cose"),
}
"""What makes a log, brings it up to date, opens none (a receipt is signed once more without one), puts another in its place,
or tells of all that it finds wrong."""
ON_THE_LOG = [
    (command, listed[0]) for command, listed in COMMANDS.items() if listed[0].on_state and command not in NOT_ON_THE_LOG
]
"""Everything but what makes a log, mends its shape, or never looks at it."""


@pytest.fixture
def settings(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    made = Settings(state_dir=tmp_path / "state", database_url=engine_url)
    initialise(made, "ledger.example/versions")
    return made


def run(command: tuple[str, ...], how: Run, settings: Settings, tmp_path: Path) -> Result:
    place = Place(settings.state_dir, tmp_path, "http://127.0.0.1:1", "", 0)
    return CliRunner().invoke(app, words_of(command, how, place))


def set_shape(url: str, shape: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :shape"), {"shape": shape})
    engine.dispose()


def shape_of(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        shape: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return shape


def told(commands: list[tuple[tuple[str, ...], Run]], settings: Settings, tmp_path: Path) -> dict[str, str]:
    """What each command said as it refused, in a sentence and with status 1."""
    said = {}
    for command, how in commands:
        refused = run(command, how, settings, tmp_path)
        assert (refused.exit_code, type(refused.exception)) == (1, SystemExit), (command, refused.output)
        said[" ".join(command)] = refused.stderr
    return said


def test_an_older_database_is_refused_by_every_command_with_the_one_to_run(settings: Settings, tmp_path: Path) -> None:
    set_shape(settings.database_url, OLDER)
    sentence = (
        f"has the shape {OLDER}, and this version works with {NEWEST}: stop all servers, run «consent-ledger migrate»"
    )
    said = told(ON_THE_LOG, settings, tmp_path)
    assert "serve" in said
    assert {name: words for name, words in said.items() if sentence not in words} == {}


def test_a_newer_database_is_refused_by_every_command_and_left_as_it_is(settings: Settings, tmp_path: Path) -> None:
    set_shape(settings.database_url, "9876")
    said = told([*ON_THE_LOG, (("migrate",), COMMANDS[("migrate",)][0])], settings, tmp_path)
    sentence = "shape 9876, which a newer version of this program made"
    assert {name: words for name, words in said.items() if sentence not in words} == {}
    assert shape_of(settings.database_url) == "9876"


def test_a_log_under_an_unknown_ruleset_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations.shape, "RULESETS", (1,))  # what an older program knows
    refused = run(("check",), Run(lambda _: []), settings, tmp_path)
    assert refused.exit_code == 1
    assert "ruleset 3, which this version does not know" in refused.stderr


def test_the_oldest_database_is_migrated_and_then_used(engine_url: str) -> None:
    migrations.upgrade(engine_url, "0001")
    with pytest.raises(InvalidInput, match="shape 0001"):
        migrations.refuse_other_versions(engine_url)
    migrations.upgrade(engine_url)
    migrations.refuse_other_versions(engine_url)


def test_the_names_of_the_migrations_are_those_that_alembic_knows() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(migrations.alembic_config("sqlite://"))
    assert migrations.shape.revisions() == sorted(one.revision for one in script.walk_revisions())
    assert script.get_heads() == [NEWEST]


def test_looking_for_a_log_makes_none(tmp_path: Path) -> None:
    state = tmp_path / "state"
    initialise(Settings(state_dir=state), "ledger.example/gone")
    for database in state.glob("*.sqlite"):
        database.unlink()
    refused = CliRunner().invoke(app, ["check", "--state", str(state)])
    assert refused.exit_code == 1
    assert "ledger.sqlite does not exist" in refused.stderr
    assert not list(state.glob("*.sqlite"))


def test_only_the_owner_can_read_a_state_folder_and_an_export(tmp_path: Path) -> None:
    state, bundle, packed = tmp_path / "state", tmp_path / "bundle", tmp_path / "bundle.zip"
    initialise(Settings(state_dir=state), "ledger.example/private")
    for target in (bundle, packed):
        assert (
            CliRunner().invoke(app, ["export", str(target), "--reason", "audit", "--state", str(state)]).exit_code == 0
        )
    # The operator's public keys may be read by anyone; nothing in the high-water files is secret, and their folder is closed.
    open_to_others = [
        str(path)
        for place in (state, bundle, packed)
        for path in (place, *place.rglob("*"))
        if path.stat().st_mode & 0o077 and path.name != "operator.jwks.json" and path.parent.name != "highwater"
    ]
    assert open_to_others == []
