"""deploy/patroni and its compose file: what must hold so that a failover loses nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.engine import make_url

from tests.conformance import ROOT

PATRONI = ROOT / "deploy" / "patroni"
COMPOSE = ROOT / "deploy" / "compose"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_only_a_standby_that_has_everything_is_promoted_and_one_always_qualifies() -> None:
    dcs = read(PATRONI / "patroni.yml")["bootstrap"]["dcs"]
    assert dcs["synchronous_mode"] is True
    assert dcs["synchronous_mode_strict"] is True, "else a primary without a standby goes on alone"
    assert dcs["maximum_lag_on_failover"] > 0, "0 can keep every standby from being promoted"
    assert dcs["ttl"] >= dcs["loop_wait"] + 2 * dcs["retry_timeout"], "Patroni's own rule"
    parameters = dcs["postgresql"]["parameters"]
    assert parameters["synchronous_commit"] == "on"
    assert not {"fsync", "full_page_writes"} & set(parameters), "what is on by default stays on"
    assert "data-checksums" in read(PATRONI / "patroni.yml")["bootstrap"]["initdb"]


def test_every_setting_of_the_cluster_is_explained() -> None:
    text = (PATRONI / "patroni.yml").read_text()
    for name in read(PATRONI / "patroni.yml")["bootstrap"]["dcs"]:
        if name not in ("postgresql", "synchronous_node_count"):
            assert re.search(rf"#[^\n]*\n +{name}:", text), name


def test_a_machine_s_own_settings_are_all_in_the_example_and_in_compose() -> None:
    example = dict(
        line.split("=", 1)
        for line in (PATRONI / "machine.env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert [name for name, value in example.items() if name.endswith("PASSWORD") and value] == []
    told = set(re.findall(r"\b((?:PATRONI|LEDGER)_[A-Z0-9_]+)=", (PATRONI / "start").read_text()))
    services = read(COMPOSE / "patroni.yaml")["services"]
    for number in (1, 2, 3):
        environment = services[f"postgres-{number}"]["environment"]
        assert set(example) <= told | set(environment), number
        assert environment["PATRONI_NAME"] == f"postgres-{number}"


def test_the_compose_file_goes_with_the_other_one() -> None:
    below, above = read(COMPOSE / "compose.yaml"), read(COMPOSE / "patroni.yaml")
    new = set(above["services"]) - set(below["services"])
    assert new == {"postgres-3", "etcd-1", "etcd-2", "etcd-3"}
    known = set(below["services"]) | new
    for name, service in above["services"].items():
        for need in service.get("depends_on", {}):
            assert need in known, name
        for secret in service.get("secrets", []):
            assert secret in below["secrets"] | above["secrets"], secret
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in below["volumes"] | above["volumes"], volume
    prepare = (COMPOSE / "prepare").read_text()
    made = set(re.findall(r"^secret (\w+)", prepare, re.MULTILINE))
    [owned] = re.findall(r"^give 999 secrets/\{(.*)\}_password", prepare, re.MULTILINE)
    for secret in above["secrets"]:
        assert secret in made
        assert secret.removesuffix("_password") in owned.split(",")
    for name in ("init", "operator", "migrate", "node-1", "node-2"):
        for setting in ("CONSENT_LEDGER_DATABASE_URL", "CONSENT_LEDGER_KEYSTORE_URL"):
            url = make_url(above["services"][name]["environment"][setting])
            assert str(url.query["host"]).split(",") == ["postgres-1", "postgres-2", "postgres-3"]
            assert url.query["target_session_attrs"] == "read-write"
            assert url.username == make_url(below["services"][name]["environment"][setting]).username
