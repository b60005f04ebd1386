"""The files of deploy/ against the project: what they name exists, and nothing in them is a secret or without a version."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import make_url

from api.cli.main import PLACES
from api.events.figures import EventFigures
from api.guard.sidecar import GuardedRoute
from api.guard.sidecar_command import SidecarFile
from api.node.metrics import GatheredFigures, Metrics, process_figures
from api.node.reconciling import ReconciliationFigures
from api.node.settings import Settings
from tests.api.service import Service, running_service

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OURS = re.compile("LEDGER_IMAGE|OPERATOR_IMAGE|PATRONI_IMAGE")
MADE = {"./keys", "./exchange"}
"""Folders that `prepare` makes."""
SETTING = re.compile(r"CONSENT_LEDGER_([A-Z][A-Z0-9_]*)")
FIGURE = re.compile(r"\b(?:consent_ledger|process)_[a-z_]+")
DSN = re.compile(r"postgresql\+psycopg://[^\s\"'`]+")


def texts() -> dict[Path, str]:
    """Every file of deploy/ that is ours and not a template's logic."""
    return {
        path: path.read_text() for path in sorted(DEPLOY.rglob("*")) if path.is_file() and "target" not in path.parts
    }


def parsed() -> Iterator[tuple[Path, Any]]:
    for path in sorted(DEPLOY.rglob("*.y*ml")):
        if "templates" not in path.parts:
            yield path, yaml.safe_load(path.read_text())


def test_every_file_is_read_by_its_parser() -> None:
    assert len(list(parsed())) >= 8
    for path in DEPLOY.rglob("*.json"):
        json.loads(path.read_text())
    for path in DEPLOY.rglob("*.toml"):
        tomllib.loads(path.read_text())


def test_every_setting_that_a_sample_names_exists() -> None:
    known = {name.upper() for name in Settings.model_fields}
    named = {(str(path.relative_to(ROOT)), name) for path, text in texts().items() for name in SETTING.findall(text)}
    assert len(named) > 20
    assert sorted((path, name) for path, name in named if name not in known) == []


def test_every_command_that_a_sample_gives_exists() -> None:
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    given = [
        service["command"][0]
        for service in compose["services"].values()
        if OURS.search(service["image"])
        if "command" in service
    ]
    given += re.findall(
        r"args: \[(\w[\w-]*)", "".join(text for path, text in texts().items() if "templates" in path.parts)
    )
    given += re.findall(r"bin/consent-ledger (\w[\w-]*)", "".join(texts().values()))
    assert {"init", "migrate", "serve", "witness"} <= set(given)
    assert sorted(set(given) - set(PLACES)) == []


def test_no_image_is_without_its_version() -> None:
    images = [
        service["image"]
        for _, read in parsed()
        if isinstance(read, dict)
        for service in (read.get("services") or {}).values()
        if "image" in service
    ]
    assert len(images) >= 6
    for image in images:
        if not OURS.search(image):
            assert re.search(r":v?\d+\.\d+", image), image
    assert not any(":latest" in text for text in texts().values())
    assert "FROM" in (ROOT / "Dockerfile").read_text()


SECRET = re.compile(r"(?i)^[^#]*(?:password|secret|passwd)\w*[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9+!?-]{4,})[\"']?\s*$")
"""A name of a secret with a word as its value: not a path, a list, or a place where it is taken from."""


def test_no_sample_holds_a_secret() -> None:
    for path, text in texts().items():
        told = [
            line.strip()
            for line in text.splitlines()
            if (said := SECRET.match(line)) and said[1] not in NAMES_OF_SECRETS
        ]
        assert told == [], path
        for dsn in DSN.findall(text):
            if not set("$[^") & set(dsn):
                assert make_url(dsn).password is None, f"{path}: {dsn}"
        assert not re.search(r"PRIVATE KEY|AKIA[0-9A-Z]{16}", text), path


NAMES_OF_SECRETS = {"consent-ledger-keys"}


@pytest.mark.parametrize(
    "line", ["POSTGRES_PASSWORD: hunter22", 'password = "changeme"', "GF_SECURITY_ADMIN_PASSWORD=admin"]
)
def test_a_default_secret_would_be_seen(line: str) -> None:
    assert SECRET.match(line)


def test_nodes_find_the_new_primary_by_themselves_and_share_one_key_store() -> None:
    for path in (
        DEPLOY / "compose" / "compose.yaml",
        DEPLOY / "compose" / "patroni.yaml",
        DEPLOY / "systemd" / "settings.env",
        DEPLOY / "helm/consent-ledger/ci-values.yaml",
    ):
        urls = [make_url(dsn) for dsn in DSN.findall(path.read_text()) if "ledger_service@" in dsn]
        assert {url.database for url in urls} == {"ledger", "ledger_keys"}, path
        for url in urls:
            query = url.query
            assert len(str(query["host"]).split(",")) == len(str(query["port"]).split(",")) >= 2
            assert query["target_session_attrs"] == "read-write"
            for limit in (
                "connect_timeout",
                "keepalives_idle",
                "keepalives_interval",
                "keepalives_count",
                "tcp_user_timeout",
            ):
                assert int(str(query[limit])) > 0


def test_containers_may_do_nothing_but_their_work() -> None:
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert "privileged" not in service
        if OURS.search(service["image"]):
            assert service["user"] == "10001:10001", name
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"], f"{name} asks for the secret {secret}, which is none"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = source in MADE or (DEPLOY / "compose" / source).exists()
            assert known if source.startswith(".") else source in compose["volumes"], volume


def test_proxies_give_whoever_is_slow_a_deadline() -> None:
    nginx = (DEPLOY / "nginx" / "ledger.conf").read_text()
    for limit in ("client_header_timeout", "client_body_timeout", "client_max_body_size", "limit_conn "):
        assert limit in nginx
    for path in (DEPLOY / "envoy" / "ledger.yaml", DEPLOY / "samples/envoy/guarded.yaml"):
        [listener] = yaml.safe_load(path.read_text())["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        assert manager["request_headers_timeout"]
        assert manager["request_timeout"]
    guarded = yaml.safe_load((DEPLOY / "samples/envoy/guarded.yaml").read_text())
    filters = guarded["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"][
        "http_filters"
    ]
    assert filters[0]["typed_config"]["failure_mode_allow"] is False
    assert filters[0]["typed_config"]["with_request_body"]["allow_partial_message"] is False


def test_units_are_hardened_and_wait_for_the_time() -> None:
    units = sorted((DEPLOY / "systemd").glob("*.service"))
    assert {unit.stem for unit in units} == {
        "consent-guard",
        "consent-ledger",
        "consent-ledger-migrate",
        "consent-witness",
    }
    for unit in units:
        text = unit.read_text()
        for line in (
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=\n",
            "MemoryDenyWriteExecute=yes",
        ):
            assert line in text, f"{unit.name}: {line}"
        assert re.search(r"^After=.*time-sync.target", text, re.MULTILINE), unit.name
        assert re.search(r"^User=consent-", text, re.MULTILINE), unit.name


def test_the_sidecars_sample_is_one_it_takes() -> None:
    read = msgspec.toml.decode((DEPLOY / "samples" / "consent-guard.toml").read_bytes(), type=SidecarFile)
    assert [GuardedRoute(one.method, one.path, one.permissions, one.account) for one in read.routes]


@pytest.fixture
def figures(sqlite_url: str, tmp_path: Path) -> Iterator[set[str]]:
    """The name of every figure that a node of several processes tells."""
    with running_service(sqlite_url, tmp_path / "state") as service:
        yield _told(service)


def _told(service: Service) -> set[str]:
    node = service.node
    metrics = Metrics(
        node.ledger,
        _Room(),
        EventFigures(node.events.queries),
        ReconciliationFigures(node.ledger.reconciliation),  # type: ignore[arg-type]
    )
    metrics.http.observe("GET", "/x", 200, 0.1)
    metrics.http.security_event("jti-reused", "app-1")
    gathered = CollectorRegistry()
    gathered.register(GatheredFigures({"front 1": metrics.own(), "sequencer": process_figures()}))
    text = (generate_latest(gathered) + metrics.text()).decode()
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    return names | {family.name for family in text_string_to_metric_families(text)} | _labelled(text)


class _Room:
    in_work = coming = held = 0


def _labelled(text: str) -> set[str]:
    """Families that have no sample until something happens are announced all the same."""
    announced = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE)
    return {name for name, _ in announced}


def test_every_figure_of_the_alarms_and_the_dashboard_exists(figures: set[str]) -> None:
    rules = [
        rule["expr"]
        for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    board = json.loads((DEPLOY / "grafana/dashboards/consent-ledger.json").read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(rules) >= 12
    assert len(shown) >= 18
    named = {name for expression in rules + shown for name in FIGURE.findall(expression)}
    assert sorted(named - figures) == []


def test_every_alarm_says_where_to_look() -> None:
    headings = set(re.findall(r"^#+ (.*)$", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE))
    played = (DEPLOY / "prometheus/alerts.test.yml").read_text()
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["page"] in headings, rule["alert"]
            assert rule["labels"]["severity"] in ("page", "look")
            if rule["labels"]["severity"] == "page":
                assert rule["alert"] in played, f"{rule['alert']} gets somebody up, and was never played"


def test_the_dashboards_panels_do_not_lie_on_each_other() -> None:
    board = json.loads((DEPLOY / "grafana/dashboards/consent-ledger.json").read_text())
    taken = set[tuple[int, int]]()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
