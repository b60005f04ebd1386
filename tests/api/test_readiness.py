"""Ready means that a commit, or a look in its place, came to its end lately. Live means that the process answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

import ledger.app
import ledger.sequencer.figures
import ledger.sequencer.loop
from api.node.founding import initialise
from api.node.settings import Settings
from api.server.serving import serve
from ledger.engines import sqlite
from ledger.errors import SequencerStopped
from ledger.sequencer.loop import Sequencer
from tests.api.service import Service, running_service
from tests.world import ORIGIN


def until(asked: Callable[[], httpx2.Response], status: int) -> httpx2.Response:
    """Ask until the answer has this status."""
    while (answer := asked()).status_code != status:
        pass
    return answer


def ready(service: Service) -> httpx2.Response:
    return service.http.get("/health/ready")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 300)
    monkeypatch.setattr(ledger.sequencer.figures, "READY_SECONDS", 5.0)
    monkeypatch.setattr(ledger.app, "KEYSTORE_SECONDS", 0.0)
    monkeypatch.setattr(ledger.sequencer.loop, "PROBE_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_database_that_cannot_be_written_is_told_and_so_is_its_recovery(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state") as service:
        assert ready(service).status_code == 200
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        refused = until(lambda: ready(service), 503)

        assert refused.json()["type"].endswith("/errors/unavailable")
        assert "database" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        assert service.http.get("/health/live").status_code == 200
        other.execute("ROLLBACK")
        other.close()
        assert until(lambda: ready(service), 200).json() == {"status": "ready"}


@pytest.mark.usefixtures("impatient")
def test_a_full_disk_is_told_by_a_node_that_has_nothing_to_record(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at the database succeeds on a full disk; writing does not."""
    with running_service(sqlite_url, tmp_path / "state") as service:
        figures = service.node.ledger.figures
        size, wrote = service.size, figures.wrote_at
        while figures.wrote_at == wrote:
            pass
        assert service.size == size

        def full(_: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

        commit = service.node.ledger.store._writer.dialect.do_commit
        monkeypatch.setattr(service.node.ledger.store._writer.dialect, "do_commit", full)
        assert "full" in until(lambda: ready(service), 503).json()["detail"]
        monkeypatch.setattr(service.node.ledger.store._writer.dialect, "do_commit", commit)
        until(lambda: ready(service), 200)


@pytest.mark.usefixtures("impatient")
def test_a_key_store_that_is_gone_is_told(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state") as service:
        keys = tmp_path / "state/keys.sqlite"
        keys.rename(tmp_path / "elsewhere")

        assert "key store" in until(lambda: ready(service), 503).json()["detail"]

        (tmp_path / "elsewhere").rename(keys)
        until(lambda: ready(service), 200)


def test_an_idle_node_counts_no_commits(sqlite_service: Service) -> None:
    figures = sqlite_service.node.ledger.figures
    before, looked = figures.batches, figures.succeeded_at
    for _ in range(3):
        while figures.succeeded_at == looked:
            pass
        looked = figures.succeeded_at

    assert figures.batches == before


def test_a_process_whose_node_stops_writing_ends_with_an_error(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its supervisor starts it anew, and the start says what stands against it."""
    settings = Settings(state_dir=tmp_path / "state", database_url=sqlite_url, port=0, log_level="error")
    initialise(settings, ORIGIN)

    def fail(self: Sequencer, *_: object) -> None:
        raise OSError("injected: the high-water file cannot be written")

    monkeypatch.setattr(Sequencer, "_commit_surely", fail)
    with pytest.raises(SequencerStopped, match="stopped writing"):
        serve(settings)


@pytest.mark.parametrize("url", ["https://ledger.example", "https://10.0.0.1:8443"])
def test_development_under_a_public_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="/dev-idp"):
        Settings(state_dir=tmp_path, public_url=url, behind_tls_proxy=True, web={"environment": "development"})
    Settings(state_dir=tmp_path, public_url="https://localhost:8443", web={"environment": "development"})
