"""The partner's console opens a sandbox with one button, and says how to get into it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.client.service import Service, running_service
from tests.sandbox.kit import Service as Sandboxes
from tests.sandbox.kit import running_sandboxes

STAFF = {"nia": ("app-1", "recipient"), "bea": ("bank-a", "holder")}


@pytest.fixture
def sandboxes(tmp_path: Path) -> Iterator[Sandboxes]:
    with running_sandboxes(tmp_path / "logs") as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path, sandboxes: Sandboxes) -> Iterator[Service]:
    staff, token = tmp_path / "staff.json", tmp_path / "sandbox.token"
    members = [{"sub": sub, "participant": of, "role": role, "name": sub.title()} for sub, (of, role) in STAFF.items()]
    staff.write_text(json.dumps({"staff": members}))
    token.touch(0o600)
    token.write_text(sandboxes.sandboxes.token)
    web = {
        "environment": "development",
        "staff_file": staff,
        "sandbox_url": sandboxes.url,
        "sandbox_token_file": token,
    }
    with running_service(f"sqlite:///{tmp_path / 'real.sqlite'}", tmp_path / "real", web=web) as running:
        yield running


@contextmanager
def signed_in(url: str, who: str) -> Iterator[httpx2.Client]:
    headers = {"accept": "text/html", "origin": url, "sec-fetch-site": "same-origin"}
    with httpx2.Client(base_url=url, headers=headers, follow_redirects=True, trust_env=False, timeout=60) as client:
        page = client.get("/sign-in/start?next=/console").text
        hidden = re.findall(r'<input\s+type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in hidden}
        client.post("/dev-idp/authorize", data={**fields, "customer": who}).raise_for_status()
        yield client


def press(client: httpx2.Client, page: str, action: str) -> str:
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf is not None
    return client.post(f"/console/partner/sandbox/{action}", data={"csrf": csrf[1]}).raise_for_status().text


def test_one_button_opens_a_sandbox_and_another_one_resets_it(ledger: Service, sandboxes: Sandboxes) -> None:
    with signed_in(ledger.url, "nia") as client:
        page = client.get("/console/partner/sandbox").text
        assert "Open a sandbox" in page
        opened = press(client, page, "open")
        first = re.search(r"sandbox\.invalid/app-1/[0-9a-f]{16}", opened)
        assert first is not None
        link = re.search(r'href="(http://127\.0\.0\.1:\d+/join#[^"]+)"', opened)
        assert link is not None
        assert "Sandbox: nothing here" in httpx2.get(link[1].split("#")[0], trust_env=False).text
        again = press(client, opened, "reset")
        second = re.search(r"sandbox\.invalid/app-1/[0-9a-f]{16}", again)
        assert second is not None
        assert second[0] != first[0]
    with signed_in(ledger.url, "bea") as client:
        page = client.get("/console/partner/sandbox").text
        assert second[0] not in page, "a partner sees its own sandbox only"
    room = sandboxes.sandboxes.room("app-1", sandboxes.sandboxes.token)
    assert ledger.node.ledger.tree.size() == 10, "nothing of it is in the real log"
    assert room.guest.role == "recipient"


def test_sandboxes_that_are_away_do_not_take_the_page_with_them(tmp_path: Path) -> None:
    staff, token = tmp_path / "staff.json", tmp_path / "sandbox.token"
    staff.write_text(
        json.dumps({"staff": [{"sub": "nia", "participant": "app-1", "role": "recipient", "name": "Nia"}]})
    )
    token.touch(0o600)
    token.write_text("whatever")
    web = {
        "environment": "development",
        "staff_file": staff,
        "sandbox_url": "http://127.0.0.1:9",
        "sandbox_token_file": token,
    }
    with (
        running_service(f"sqlite:///{tmp_path / 'real.sqlite'}", tmp_path / "real", web=web) as running,
        signed_in(running.url, "nia") as client,
    ):
        page = client.get("/console/partner/sandbox").text
    assert "cannot be reached" in page
    assert page.count("<pre") == 4
