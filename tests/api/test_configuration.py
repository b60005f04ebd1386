"""Settings: where each comes from, and nothing that nobody reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app

TOML = """
port = 9001
workers = 2
database_url = "postgresql+psycopg://ledger:geheim@db.example/ledger"
[web]
oidc_client_id = "from-the-file"
report_days = 30
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.toml"
    file.write_text(TOML)
    return file


def shown(*before: str, **environment: str) -> Any:
    said = CliRunner().invoke(
        app,
        [*before, "config", "show", "--json"],
        env={f"CONSENT_LEDGER_{name}": value for name, value in environment.items()},
    )
    assert said.exit_code == 0, said.output
    assert "geheim" not in said.output
    return json.loads(said.stdout)["settings"]


def test_the_command_line_overrides_the_environment_which_overrides_the_file(config: Path, tmp_path: Path) -> None:
    settings = shown("--config", str(config), PORT="9002", WEB__REPORT_DAYS="60", STATE_DIR=str(tmp_path))
    assert (settings["port"]["value"], settings["port"]["origin"]) == (9002, "environment")
    assert (settings["workers"]["value"], settings["workers"]["origin"]) == (2, "file")
    assert (settings["web.report_days"]["value"], settings["web.report_days"]["origin"]) == (60, "environment")
    assert settings["web.oidc_client_id"]["value"] == "from-the-file"
    assert (settings["host"]["value"], settings["host"]["origin"]) == ("127.0.0.1", "default")
    assert settings["database_url"]["value"] == "postgresql+psycopg://ledger:***@db.example/ledger"
    said = CliRunner().invoke(app, ["--config", str(config), "config", "show", "--state", str(tmp_path)])
    assert f"state_dir = {tmp_path}  (command line)" in said.stdout
    assert "geheim" not in said.stdout


def test_the_file_is_named_by_the_environment_too(config: Path, tmp_path: Path) -> None:
    assert shown(CONFIG=str(config), STATE_DIR=str(tmp_path))["port"]["value"] == 9001


@pytest.mark.parametrize(
    ("environment", "nearest"),
    [
        ({"WORKRES": "2"}, "CONSENT_LEDGER_WORKERS"),
        ({"WEB__ENVIROMENT": "development"}, "CONSENT_LEDGER_WEB__ENVIRONMENT"),
        ({"WEB_ENVIRONMENT": "development"}, "CONSENT_LEDGER_WEB__ENVIRONMENT"),
    ],
    ids=str,
)
def test_a_misspelt_variable_is_refused_with_the_nearest_setting(
    environment: dict[str, str], nearest: str, tmp_path: Path
) -> None:
    said = CliRunner().invoke(
        app,
        ["check", "--state", str(tmp_path)],
        env={f"CONSENT_LEDGER_{name}": value for name, value in environment.items()},
    )
    assert said.exit_code == 1
    assert f"did you mean {nearest}?" in said.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "sets prot, which is not a setting; did you mean port?"),
        ("[web]\noidc_isuer = 'x'", "did you mean web.oidc_issuer?"),
        ("port = 'x'", "port: "),
        ("port = ", "is not TOML"),
        ("[port]\nx = 1", "sets port.x, which is not a setting"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ledger.toml"
    file.write_text(text)
    refused = CliRunner().invoke(app, ["--config", str(file), "check", "--state", str(tmp_path)])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert "does not exist" in CliRunner().invoke(app, ["--config", f"{file}x", "check"]).stderr
