"""A holder's data map from its OpenAPI document to the log and to an auditor (docs/spec/partners.md, 9)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from ledger.datamaps import parse_map
from tests.client.service import Service, running_service
from tests.datamaps import BALANCES, TRANSACTIONS, bank_map, openapi, own_folder
from verifier.cli import main as verify


def run(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, ["datamap", *arguments])
    assert done.exit_code == ends, done.output
    return done


def written(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    return str(path)


@pytest.fixture
def service(engine_url: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(engine_url, tmp_path / "operator") as running:
        yield running


def proposed(place: Path, document: dict[str, Any], *more: str) -> dict[tuple[str, str], dict[str, Any]]:
    api = written(place / "openapi.json", document)
    out = place / f"draft-{len(list(place.iterdir()))}.json"
    run("propose", api, "--out", str(out), *more)
    return {(each["at"], each["field"]): each for each in json.loads(out.read_text("utf-8"))["fields"]}


def test_a_proposal_says_what_it_rests_on_and_leaves_open_what_nothing_tells(tmp_path: Path) -> None:
    found = proposed(
        tmp_path, openapi(internalCode7x={"type": "string"}, pin={"type": "string"}, 户名={"type": "string"})
    )
    said = {field: (each["permission"], each["grade"], each["mask"]) for (_, field), each in found.items()}
    assert said == {
        "/balance": ("ReadBalances", 3, None),
        "/links/*": (None, 1, None),
        "/*/amount": ("ReadTransactionsBasic", 3, None),
        "/*/booked": ("ReadTransactionsBasic", 3, None),
        "/*/card": ("ReadTransactionsBasic", 3, "pan"),
        "/*/internalCode7x": ("ReadTransactionsBasic", 3, None),
        "/*/pin": ("ReadAuthenticationData", 4, None),
        "/*/remittanceInformation": ("ReadTransactionsBasic", 3, "transaction-text"),
        "/*/对方账号": ("ReadTransactionsBasic", 3, "counterparty-account"),
        "/*/户名": ("ReadTransactionsBasic", 3, "party-identity"),
    }
    assert found[TRANSACTIONS, "/*/对方账号"]["why"] == "name: 账号; address: transactions"
    assert found == proposed(
        tmp_path, openapi(internalCode7x={"type": "string"}, pin={"type": "string"}, 户名={"type": "string"})
    )


def test_a_map_is_published_version_by_version_and_an_auditor_finds_its_entry(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", service.node.settings.database_url)
    own = own_folder(service, "bank-a", tmp_path / "bank")
    document = openapi(score={"type": "integer"})
    run("propose", written(tmp_path / "openapi.json", document), "--out", str(tmp_path / "draft.json"))
    draft = json.loads((tmp_path / "draft.json").read_text("utf-8"))
    size = service.node.ledger.tree.size()
    lacking = run("publish", str(tmp_path / "draft.json"), "--as", own, "--out", str(tmp_path / "map-1.json"), ends=1)
    assert "'/*/score'" in lacking.stderr
    assert service.node.ledger.tree.size() == size
    [open_one] = [each for each in draft["fields"] if each["grade"] is None]
    open_one.update(grade=4)  # it never leaves
    edited = written(tmp_path / "edited.json", draft)
    run("publish", edited, "--as", own, "--out", str(tmp_path / "map-1.json"))
    first = parse_map((tmp_path / "map-1.json").read_bytes())
    assert (first.holder, first.map_version, len(first.fields)) == ("bank-a", 1, len(draft["fields"]))

    forgot = run("publish", edited, "--as", own, "--out", str(tmp_path / "map-2.json"), ends=1)
    assert "--before" in forgot.stderr
    open_one.update(grade=5)
    before = ["--before", str(tmp_path / "map-1.json")]
    run(
        "publish", written(tmp_path / "edited.json", draft), "--as", own, "--out", str(tmp_path / "map-2.json"), *before
    )
    second = parse_map((tmp_path / "map-2.json").read_bytes())
    since = {each.field: each.since for each in second.fields}
    assert {field for field, version in since.items() if version == 2} == {"/*/score"}
    stale = run("publish", edited, "--as", own, "--out", str(tmp_path / "map-3.json"), *before, ends=1)
    assert "the last version of 'api' is 2" in stale.stderr

    assert "bank-a  api 2" in run("list", "--as", own).stdout
    exported = CliRunner().invoke(
        app, ["export", str(tmp_path / "bundle"), "--reason", "test", "--state", str(service.node.settings.state_dir)]
    )
    assert exported.exit_code == 0, exported.output
    policy = tmp_path / "policy"
    policy.write_text(f"log {service.node.ledger.vkey.format()}\nquorum none\n")

    def audited(file: Path) -> tuple[int, str]:
        words = ["datamap", file, "--bundle", tmp_path / "bundle", "--policy", policy, "--jobs", "1", "--lang", "en"]
        return verify([*map(str, words)]), capsys.readouterr().out

    for version in (1, 2):
        status, told = audited(tmp_path / f"map-{version}.json")
        assert status == 0, told
        assert f"version {version}: {len(draft['fields'])} fields" in told
    altered = tmp_path / "altered.json"
    altered.write_bytes((tmp_path / "map-2.json").read_bytes().replace(b'"grade":5', b'"grade":4'))
    status, told = audited(altered)
    assert (status, "commits to another map" in told) == (1, True)
    altered.write_bytes(bank_map("bank-b").encoded())
    assert audited(altered)[0] == 1
    altered.write_bytes(b"{}")
    assert audited(altered)[0] == 1


def test_drift_names_what_the_api_gained_and_what_is_gone(tmp_path: Path) -> None:
    known = tmp_path / "map.json"
    known.write_bytes(bank_map().encoded())
    same = run("drift", written(tmp_path / "same.json", openapi()), str(known))
    assert "0 fields that nobody graded, 0 that are gone" in same.stdout
    changed = openapi(iban={"type": "string"})
    del changed["components"]["schemas"]["Row"]["properties"]["booked"]
    told = run("drift", written(tmp_path / "changed.json", changed), str(known), "--json", ends=3)
    assert json.loads(told.stdout) == {
        "gained": [{"at": TRANSACTIONS, "field": "/*/iban"}],
        "removed": [{"at": TRANSACTIONS, "field": "/*/booked"}],
    }
    assert f"+ {TRANSACTIONS}  /*/iban" in run("drift", str(tmp_path / "changed.json"), str(known), ends=3).stdout


def test_a_graded_field_stays_so_in_the_next_proposal(tmp_path: Path) -> None:
    known = tmp_path / "map.json"
    known.write_bytes(bank_map().encoded())
    found = proposed(tmp_path, openapi(iban={"type": "string"}), "--before", str(known))
    assert found[BALANCES, "/links/*"]["why"] == "as since version 1 of api"
    assert found[TRANSACTIONS, "/*/iban"]["mask"] == "counterparty-account"


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


def twice(levels: int) -> dict[str, Any]:
    """A small document whose answer has 2^levels values."""
    parts = {
        f"L{n}": {"properties": {name: {"$ref": f"#/components/schemas/L{n + 1}"} for name in "ab"}}
        for n in range(levels)
    }
    return parts | {f"L{levels}": {"type": "string"}}


HOSTILE: dict[str, Any] = {
    "not JSON": "openapi: 3.1.0",
    "no paths": "{}",
    "paths are a list": '{"paths": []}',
    "an operation is a text": '{"paths": {"/a": {"get": "x"}}}',
    "a reference to another file": {"/a": {"$ref": "other.json#/a"}},
    "a reference to an address": {"/a": {"$ref": "https://bank.example/openapi.json"}},
    "a reference to nothing": {"/a": {"$ref": "#/components/none"}},
    "a reference in a circle": {"/a": {"$ref": "#/paths/~1a"}},
    "JSON that is nested too deeply": '{"paths": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_document_that_cannot_be_followed_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    content, file = HOSTILE[name], tmp_path / "openapi.json"
    file.write_text(content if isinstance(content, str) else json.dumps({"paths": content}))
    refused = run("propose", str(file), "--out", str(tmp_path / "draft.json"), ends=1)
    assert refused.stderr.startswith("consent-ledger: ")
    assert len(refused.stderr) < 400
    assert not (tmp_path / "draft.json").exists()


def test_an_answer_that_contains_itself_is_graded_as_a_whole_where_it_does(tmp_path: Path) -> None:
    document = openapi(children={"type": "array", "items": {"$ref": "#/components/schemas/Row"}})
    assert (TRANSACTIONS, "/*/children/*") in proposed(tmp_path, document)


def test_a_small_document_with_an_endless_answer_is_refused(tmp_path: Path) -> None:
    document = openapi()
    document["components"]["schemas"] = twice(20) | {"Row": {"$ref": "#/components/schemas/L0"}}
    refused = run(
        "propose", written(tmp_path / "openapi.json", document), "--out", str(tmp_path / "draft.json"), ends=1
    )
    assert "make a map for a part of it" in refused.stderr


def test_a_value_that_lies_too_deep_is_graded_as_a_whole(tmp_path: Path) -> None:
    document = openapi()
    document["components"]["schemas"]["Row"] = deep(100)
    assert (TRANSACTIONS, "/*" + "/a" * 31) in proposed(tmp_path, document)
