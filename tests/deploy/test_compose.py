"""deploy/compose read as scripts/operate reads it: what it needs is there, in an order, and its secrets can be read."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from api.cli.main import PLACES
from tests.conformance import ROOT
from tests.operating.compose import BadFile, File, filled

COMPOSE = ROOT / "deploy" / "compose"
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text()


@pytest.fixture
def file(tmp_path: Path) -> File:
    """The compose file beside a filled-in `.env`."""
    (tmp_path / "compose.yaml").write_text((COMPOSE / "compose.yaml").read_text())
    (tmp_path / ".env").write_text((COMPOSE / ".env.example").read_text())
    return File.read(tmp_path)


def test_without_what_must_be_said_it_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text((COMPOSE / "compose.yaml").read_text())
    with pytest.raises(BadFile, match="LEDGER_IMAGE is not set: name the image"):
        File.read(tmp_path)
    assert filled("${A:-b} ${C}", {"C": "d"}) == "b d"


def test_each_service_is_started_after_what_it_needs(file: File) -> None:
    order = [service.name for service in file.in_order(file.usual())]
    for before, after in (
        ("postgres-1", "postgres-2"),
        ("postgres-2", "migrate"),
        ("migrate", "node-1"),
        ("node-2", "proxy"),
    ):
        assert order.index(before) < order.index(after)
    assert {"init", "operator", "witness"}.isdisjoint(order), "what is done by hand is not started by itself"
    for service in file.services.values():
        for need, condition in service.needs.items():
            assert condition != "service_healthy" or file.services[need].health, (
                f"nobody can say whether {need} is healthy"
            )


def test_only_the_owner_of_the_tables_is_not_in_a_node(file: File) -> None:
    for name in ("node-1", "node-2"):
        node = file.services[name]
        assert not any("ledger@" in value for value in node.environment.values())
        assert [only for _, target, only in node.mounts if target == "/keys"] == [True], "it changes no key"
        assert not any(target == "/exchange" for _, target, _ in node.mounts)
    operator = file.services["operator"]
    assert "ledger@" in operator.environment["CONSENT_LEDGER_DATABASE_URL"]
    for service in (operator, file.services["node-1"], file.services["migrate"]):
        places = {target for _, target, _ in service.mounts}
        files = [value for name, value in service.environment.items() if name.endswith("_FILE") and "CONSENT" in name]
        assert len(files) >= 5
        assert all(value.startswith("/keys/") for value in files)
        assert "/keys" in places
    assert ("node-1", "/var/lib/consent-ledger", False) in operator.mounts, (
        "it sees whether a node of this machine serves"
    )


def test_prepare_makes_every_file_that_a_secret_is_and_gives_it_to_whom_reads_it(file: File) -> None:
    prepare = (COMPOSE / "prepare").read_text()
    made = set(re.findall(r"^secret (\w+)$", prepare, re.MULTILINE)) | {"pgpass", "tls.key", "tls.crt"}
    keys = set(re.search(r"^keys=\(keys/\{(.*)\}\)", prepare, re.MULTILINE)[1].split(","))  # type: ignore[index]
    for name, path in file.secrets.items():
        assert path.name in made, name
    named = {Path(value).name for name, value in file.services["node-1"].environment.items() if name.endswith("_FILE")}
    assert named - {"pgpass"} == keys, "and the operator's own private key is not among them"
    owner = dict(re.findall(r"^ *give (\d+) (.*?)(?:   #.*)?$", prepare, re.MULTILINE))
    for name in ("postgres", "service", "replication"):
        assert name in owner["999"], "PostgreSQL's image reads its secrets as its own user"
    assert "pgpass" in prepare.split("give 10001 ")[-1]


def test_every_command_of_the_document_is_one_and_names_a_service(file: File) -> None:
    commands = [
        shlex.split(part.split("#")[0])
        for line in DOCUMENT.splitlines()
        for part in line.split("&&")
        if part.strip().startswith("docker compose ")
    ]
    assert len(commands) >= 12
    for _, _, verb, *words in commands:
        assert verb in ("run", "up", "stop"), verb
        if verb == "run":
            service, *arguments = [word for word in words if word != "--rm"]
            assert service in file.services
            assert not arguments or arguments[0] in PLACES, arguments
        else:
            assert {word for word in words if word != "-d"} <= set(file.services)


def test_two_nodes_take_ten_lines_at_most() -> None:
    section = DOCUMENT.split("## Two nodes with compose")[1]
    block = re.search(r"```text\n(.*?)```", section, re.DOTALL)
    assert block is not None
    assert len(block[1].strip().splitlines()) <= 10


def test_the_dashboard_says_whether_anything_was_lost() -> None:
    board = json.loads((ROOT / "deploy/grafana/dashboards/consent-ledger.json").read_text())
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in board["panels"]}
    assert shown["Entries lost"] == "max(max_over_time(consent_ledger_size[30d])) - max(consent_ledger_size)"
