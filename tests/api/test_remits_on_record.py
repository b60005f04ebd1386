"""`consent-ledger remit`: the operator's file of regulators put on record, and what counts then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from ledger.documents import document_of
from ledger.orders import RemitGranted
from ledger.queries.remit import Remit
from tests.api.service import Service

OFFICERS = ("--approved-by", "officer-1", "--approved-by", "officer-2")


@pytest.fixture
def state(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", sqlite_url)
    assert run(tmp_path / "state", "init", "--origin", "bank.example/log").exit_code == 0
    return tmp_path / "state"


def run(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--state", str(state)])


def recorded(state: Path, **regulators: dict[str, list[str]]) -> list[str]:
    """The documents that recording this file made."""
    file = state / "regulators.json"
    everywhere = {"GB": [f"bank-{number:02d}" for number in range(20)]}
    file.write_text(json.dumps({"jurisdictions": everywhere, "regulators": regulators}))
    done = run(state, "remit", "record", str(file), *OFFICERS)
    assert done.exit_code == 0, done.output
    return [line.partition(":")[0] for line in done.output.splitlines() if "entry" in line]


def listed(state: Path) -> str:
    return run(state, "remit", "list").output.strip()


def test_a_file_is_put_on_record_once_and_changes_as_changes(state: Path) -> None:
    granted = "remit.granted"
    assert recorded(state, fca={"holders": ["bank-b"]}, other={}) == [granted]
    assert recorded(state, fca={"holders": ["bank-b"]}, other={}) == []
    assert listed(state) == "fca: holders bank-b"
    assert recorded(state, fca={"holders": ["bank-b", "bank-c"], "recipients": ["app"]}) == [granted] * 2
    assert recorded(state, fca={"holders": ["bank-c"]}) == ["remit.ended", granted]
    assert listed(state) == "fca: holders bank-c"
    assert recorded(state, fca={}) == ["remit.ended"]
    assert listed(state) == ""


def test_a_jurisdiction_of_many_participants_takes_several_documents(state: Path) -> None:
    assert recorded(state, fca={"jurisdictions": ["GB"]}) == ["remit.granted"] * 4
    assert listed(state).count("bank-") == 20
    assert recorded(state) == [], "a regulator that the file leaves out keeps its remit"
    assert listed(state).count("bank-") == 20


@pytest.mark.parametrize("officers", [OFFICERS[:2], (*OFFICERS[:2], *OFFICERS[:2])])
def test_one_officer_alone_records_nothing(state: Path, officers: tuple[str, ...]) -> None:
    file = state / "regulators.json"
    file.write_text('{"regulators": {"fca": {"holders": ["bank-b"]}}}')
    assert run(state, "remit", "record", str(file), *officers).exit_code == 2
    assert listed(state) == ""


def test_the_log_goes_before_the_file_for_what_a_regulator_sees(sqlite_service: Service) -> None:
    service = sqlite_service
    service.world.join("fca", "regulator")
    service.world.join("other", "regulator")
    of_the_file = Remit(holders=frozenset({"bank-a"}))
    service.node.remits = {"fca": of_the_file, "other": of_the_file}
    granted = document_of(RemitGranted, regulator="fca", to="recipient", names=("tpp-1",), approved_by=("a", "b"))
    service.node.ledger.record_documents(granted)
    assert service.node.remit_of("fca") == Remit(recipients=frozenset({"tpp-1"}))
    assert service.node.remit_of("other") == of_the_file
