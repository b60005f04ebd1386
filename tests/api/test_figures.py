"""Figures of a node of several processes: whichever front is asked, it answers for all, also after one was killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.http.telemetry import NO_TELEMETRY
from api.node.founding import initialise
from api.node.settings import Settings
from api.server.figures import FiguresDoor, figures_path, neighbours
from tests.api.service import running_service
from tests.conformance import ROOT
from tests.ports import free_port
from tests.world import ORIGIN

PATIENCE = 90.0
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(httpx2.HTTPError):
            if holds():
                return
        time.sleep(0.05)
    pytest.fail(f"it did not come to pass: {what}")


@contextmanager
def node(folder: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    settings = Settings(state_dir=folder, port=free_port(), index_interval_ms=0)
    initialise(settings, ORIGIN)
    environment = {**os.environ, "CONSENT_LEDGER_METRICS_OPEN": "true", "CONSENT_LEDGER_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "api.cli.main", "serve", "--state", str(folder), "--port", str(settings.port)]
    process = subprocess.Popen([*command, "--workers", str(workers)], cwd=ROOT, env=environment)
    try:
        until(lambda: httpx2.get(f"{settings.base_url}/health/ready").status_code == 200, "the node is ready")
        yield settings.base_url, process
    finally:
        process.terminate()
        process.wait(60)


def scrape(url: str) -> Figures:
    """On a connection of its own, which the kernel gives to some front."""
    text = httpx2.get(f"{url}/metrics", headers={"connection": "close"}).text
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "each family stands once"
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def total(figures: Figures, name: str, **labels: str) -> float:
    return sum(
        value for (said, with_), value in figures.items() if said == name and labels.items() <= dict(with_).items()
    )


def processes(figures: Figures) -> dict[str, float]:
    return {
        dict(labels)["process"]: value
        for (name, labels), value in figures.items()
        if name == "consent_ledger_process_up"
    }


def test_every_front_tells_what_all_of_them_answered_and_a_killed_one_begins_anew(tmp_path: Path) -> None:
    with node(tmp_path / "state", 2) as (url, server):
        for _ in range(40):  # each on a connection of its own: the kernel deals them out
            assert httpx2.get(f"{url}/checkpoint", headers={"connection": "close"}).status_code == 200
        seen = [scrape(url) for _ in range(8)]
        for figures in seen:
            assert processes(figures) == dict.fromkeys(("front 1", "front 2", "sequencer", "keeper"), 1.0)
            assert total(figures, "consent_ledger_http_requests_total", route="/checkpoint") == 40
            assert (
                total(figures, "consent_ledger_entries_total") == seen[0]["consent_ledger_entries_total", frozenset()]
            )
            for behind in ("sequencer", "keeper"):
                assert total(figures, "process_resident_memory_bytes", process=behind) > 0
        shares = {
            name: total(seen[0], "consent_ledger_http_requests_total", route="/checkpoint", process=name)
            for name in ("front 1", "front 2")
        }
        assert min(shares.values()) > 0

        [doomed] = [
            one for one in psutil.Process(server.pid).children(recursive=True) if _listens(one, tmp_path, "fig-f1")
        ]
        doomed.send_signal(signal.SIGKILL)
        doomed.wait(PATIENCE)
        until(
            lambda: processes(scrape(url)).get("front 1") == 1.0 and _other(server, doomed.pid),
            "front 1 is there again",
        )
        figures = scrape(url)
        answered = total(figures, "consent_ledger_http_requests_total", route="/checkpoint", process="front 1")
        assert answered == 0
        kept = total(figures, "consent_ledger_http_requests_total", route="/checkpoint", process="front 2")
        assert kept == shares["front 2"]


def _listens(process: psutil.Process, folder: Path, name: str) -> bool:
    with suppress(psutil.Error):
        return any(name in str(line.laddr) for line in process.net_connections("unix"))
    return False


def _other(server: subprocess.Popen[bytes], gone: int) -> bool:
    return gone not in {one.pid for one in psutil.Process(server.pid).children(recursive=True)}


def test_a_process_that_does_not_answer_is_told_as_one(tmp_path: Path) -> None:
    paths = {name: figures_path(tmp_path / "desk.sock", name) for name in ("front 1", "front 2", "sequencer")}
    door = FiguresDoor(paths["front 1"], lambda: b"# TYPE a counter\na_total 1.0\n")
    with socket.socket(socket.AF_UNIX) as hangs:
        hangs.bind(str(paths["front 2"]))
        hangs.listen()
        told = neighbours(paths)()
    assert told == {"front 1": b"# TYPE a counter\na_total 1.0\n", "front 2": None, "sequencer": None}
    assert oct(paths["front 1"].stat().st_mode & 0o777) == "0o600"
    door.close()
    assert neighbours(paths)()["front 1"] is None


def test_security_events_are_counted_for_who_proved_to_have_sent_them(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state") as service:
        bank, app = service.world.holder(), service.world.recipient()
        consent, request = app.request(bank)
        assert service.post(request).status_code == 201
        assert service.post(bank.authorise(consent)).status_code == 201
        assert service.post(app.access(consent, jti="A" * 22)).status_code == 201
        assert service.post(app.access(consent, jti="A" * 22)).status_code == 409
        assert service.http.get("/consents").status_code == 401
        assert service.as_(app).get("/metrics").status_code == 403
        figures = service.operator().get("/metrics").text
    counted = dict(re.findall(r"consent_ledger_security_events_total\{(.*)\} (\S+)", figures))
    assert counted[f'event="jti-reused",participant="{app.id}"'] == "1.0"
    assert counted['event="unauthenticated",participant="unknown"'] == "1.0"
    assert counted[f'event="insufficient-scope",participant="{app.id}"'] == "1.0"


def test_no_application_of_ours_lets_the_framework_tell_addresses() -> None:
    made = [
        (path, call)
        for path in (ROOT / "api").rglob("*.py")
        for call in re.findall(r"= FastAPI\((?:[^()]|\([^()]*\))*\)", path.read_text())
    ]
    assert len(made) >= 4
    assert [str(path) for path, call in made if "telemetry=NO_TELEMETRY" not in call] == []
    assert not any(NO_TELEMETRY.values())


def test_asking_all_processes_takes_no_longer_than_the_slowest(tmp_path: Path) -> None:
    """Each answers only when all have been asked: one after the other, none would ever answer."""
    paths = {name: figures_path(tmp_path / "desk.sock", name) for name in ("front 1", "front 2", "front 3")}
    together = threading.Barrier(3)

    def own() -> bytes:
        together.wait(PATIENCE)
        return b"a 1\n"

    doors = [FiguresDoor(path, own) for path in paths.values()]
    assert neighbours(paths)() == dict.fromkeys(paths, b"a 1\n")
    for door in doors:
        door.close()
