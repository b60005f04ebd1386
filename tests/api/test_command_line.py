"""The command line as a whole: every command speaks JSON, has its help, and loads no more than it needs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import PLACES, app, loaded
from api.cli.saying import DEFECT, DENIED, DONE, INTERRUPTED, REFUSED, UNCHECKED, USAGE
from tests.conformance import ROOT
from tests.faults.commands import every_command

HEAVY = ("fastapi", "sqlalchemy", "uvicorn", "pydantic_settings", "jinja2", "alembic")
PROBE = """
import json, sys
sys.argv = ["consent-ledger", *sys.argv[1:]]
from api.cli.main import main
try:
    main()
except SystemExit as end:
    status = end.code
print(json.dumps({"status": status, "loaded": sorted(name for name in sys.modules if "." not in name)}))
"""


@pytest.mark.parametrize(
    "arguments",
    [["version"], ["--version"], ["--help"], ["keys", "--help"], ["receipt", "--help"], ["keys", "new"]],
    ids=" ".join,
)
def test_a_command_that_needs_no_server_loads_none(arguments: list[str], tmp_path: Path) -> None:
    if arguments == ["keys", "new"]:
        arguments = [*arguments, str(tmp_path / "own"), "--participant", "bank-a"]
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], check=True, capture_output=True, text=True, cwd=ROOT
    )
    told = json.loads(answer.stdout.splitlines()[-1])
    assert told["status"] in (0, None)
    assert [name for name in HEAVY if name in told["loaded"]] == []


@pytest.mark.parametrize("name", PLACES)
def test_the_table_says_of_a_command_what_its_own_help_says(name: str) -> None:
    own = " ".join(str(loaded(name).help).split())
    assert own.startswith(PLACES[name].help.rstrip(".")), own


def options(command: Any) -> set[str]:
    return {word for parameter in command.params for word in parameter.opts}


def test_every_command_can_tell_its_result_to_a_program() -> None:
    for words in every_command():
        command = loaded(words[0])
        for word in words[1:]:
            command = command.commands[word]
        assert "--json" in options(command), words


def test_help_is_plain_text_in_a_terminal_too() -> None:
    for environment in ({}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}):
        said = CliRunner().invoke(app, ["check", "--help"], env=environment)
        assert said.exit_code == 0
        assert "\x1b" not in said.output
        assert "--json" in said.output


def test_a_name_that_is_not_a_command_is_answered_with_the_nearest() -> None:
    for words, nearest in ((["doctr"], "doctor"), (["partcipant"], "participant"), (["participant", "ad"], "add")):
        wrong = CliRunner().invoke(app, words)
        assert wrong.exit_code == USAGE
        assert f"Did you mean '{nearest}'" in wrong.stderr


def test_the_version_is_told_in_both_ways() -> None:
    told = CliRunner().invoke(app, ["version", "--json"])
    assert json.loads(told.stdout)["version"] == CliRunner().invoke(app, ["--version"]).stdout.strip()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_without_loading_a_server(shell: str) -> None:
    words = {"COMP_WORDS": "consent-ledger rec", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "consent-ledger rec"}
    asking = {"_CONSENT_LEDGER_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **words}
    answer = subprocess.run(
        [sys.executable, "-c", "from api.cli.main import main; main()"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | asking,
    )
    assert "reconcile" in answer.stdout
    assert "receipt" in answer.stdout
    assert "publish" not in answer.stdout


def test_the_exit_statuses_are_those_of_the_table_in_the_docs() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    for status in (DONE, REFUSED, USAGE, DEFECT, UNCHECKED, DENIED, INTERRUPTED):
        assert f"\n| {status} | " in page


# -- what is wrong is one sentence ------------------------------------------------------------------------------------


def refused(*arguments: str, status: int = REFUSED, **environment: str) -> str:
    """What a command that is refused says: one line on standard error, and nothing else."""
    said = CliRunner().invoke(
        app, arguments, env={f"CONSENT_LEDGER_{name}": value for name, value in environment.items()}
    )
    assert said.exit_code == status, said.output
    assert said.stdout == ""
    assert isinstance(said.exception, SystemExit)
    return said.stderr


@pytest.mark.parametrize(
    "command",
    ["serve", "check", "migrate", "rebuild-map", "participant list", "trust-clock --this-time-is-right", "publish p"],
)
def test_a_folder_that_was_misspelt_is_not_made(command: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    assert "«consent-ledger init»" in refused(*command.split(), "--state", str(wrong))
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    assert CliRunner().invoke(app, ["init", "--state", state]).exit_code == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused("serve", "--port", str(port), "--state", state).endswith(
            f"Address already in use: 127.0.0.1, port {port}\n"
        )


def test_a_database_that_does_not_answer_is_told_with_host_and_cause_before_any_key_is_made(tmp_path: Path) -> None:
    said = refused("init", "--state", str(tmp_path / "new"), DATABASE_URL="postgresql+psycopg://x:geheim@127.0.0.1:9/y")
    assert "127.0.0.1" in said
    assert "refused" in said
    assert "geheim" not in said
    assert not (tmp_path / "new").exists()


def test_a_role_that_there_is_not_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    said = refused("participant", "add", "x", "--role", "bnk", "--name", "X", "--state", str(tmp_path), status=USAGE)
    assert "bnk is not a role" in said
    for role in ("holder", "recipient", "technology-provider", "regulator", "auditor"):
        assert role in said


def test_postgresql_without_its_driver_is_told_with_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['psycopg'] = None; from api.cli.main import main; main()"
    answer = subprocess.run(
        [sys.executable, "-c", program, "init", "--state", str(tmp_path / "new")],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"CONSENT_LEDGER_DATABASE_URL": "postgresql+psycopg://x@127.0.0.1:9/y"},
    )
    assert answer.returncode == REFUSED
    assert answer.stderr.count("\n") == 1
    assert "consent-ledger[postgres]" in answer.stderr


def test_the_results_of_an_operator_are_told_to_programs_too(tmp_path: Path) -> None:
    def told(*arguments: str) -> Any:
        said = CliRunner().invoke(app, [*arguments, "--state", str(tmp_path / "state"), "--json"])
        assert said.exit_code == 0, said.output
        assert said.stdout.count("\n") == 1
        return json.loads(said.stdout)

    assert told("init", "--origin", "ledger.example/told")["verifier_key"].startswith("ledger.example/told+")
    added = told("participant", "add", "bank-a", "--role", "holder", "--name", "Bank A")
    assert added["act"] == "participant.registered"
    assert told("participant", "list")["participants"] == [
        {"id": "bank-a", "keys": [], "name": "Bank A", "roles": ["holder"], "standing": "ACTIVE"}
    ]
    found = told("check")
    assert (found["defect_count"], found["unchecked"], found["entries"]) == (0, [], added["index"] + 1)
    assert told("export", str(tmp_path / "bundle"), "--evidence", "none")["entries"] == found["entries"]


def test_no_help_sends_its_reader_to_a_file_that_an_installed_program_does_not_have() -> None:
    for words in every_command():
        command = loaded(words[0])
        for word in words[1:]:
            command = command.commands[word]
        told = [command.help or "", *(str(getattr(parameter, "help", "")) for parameter in command.params)]
        assert [text for text in told if "docs/" in text] == [], words
