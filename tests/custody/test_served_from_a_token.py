"""A served node of several processes whose keys are in a token: ready, not ready and why, ready again by itself."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from api.node.founding import KeyPlaces, initialise
from api.node.settings import Settings
from tests.api.fleet import await_until, fleet, is_ready
from tests.custody.softhsm import PIN, SoftToken
from tests.ports import free_port

pytestmark = pytest.mark.hsm


def why_not_ready(settings: Settings) -> str:
    answer = httpx2.get(f"{settings.base_url}/health/ready", timeout=30)
    return answer.text if answer.status_code == 503 else ""


def test_a_served_node_says_that_its_token_is_away_and_resumes_when_it_is_back(
    token: SoftToken, tmp_path: Path
) -> None:
    settings = Settings(state_dir=tmp_path / "state", port=free_port(), workers=2)
    initialise(
        settings, "ledger.example/hsm", KeyPlaces(*(token.uri(name) for name in ("log", "kek", "token", "event")))
    )
    with fleet(settings, tmp_path / "fleet") as running:
        await_until(lambda: is_ready(settings), "ready")
        with token.away():
            # each process looks for itself, every few seconds; requests go to either front
            await_until(lambda: all(token.label in why_not_ready(settings) for _ in range(6)), "not ready, and why")
        await_until(lambda: is_ready(settings), "ready again")
        assert PIN not in running.said.read_text()
