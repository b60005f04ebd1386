"""A sandbox is never mistaken for a log that counts: by its name, its keys, its pages, and what verifiers say of it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.client import ClientError, LedgerClient
from api.node.building import build_node
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.errors import InvalidInput
from tests.client.service import Service as RealService
from tests.client.service import running_service
from tests.sandbox.kit import Service, Visitor, asked, running_sandboxes
from tests.world import ORIGIN


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_sandboxes(tmp_path_factory.mktemp("sandboxes") / "logs") as running:
        yield running


@pytest.fixture(scope="module")
def visitor(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    return service.guest(tmp_path_factory.mktemp("guest") / "app-new")


def test_no_other_log_takes_the_name_of_a_sandbox(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    with pytest.raises(InvalidInput, match="the name of sandboxes"):
        initialise(settings, "sandbox.invalid/mine")
    assert not settings.state_dir.exists(), "nothing was made"
    with pytest.raises(InvalidInput, match="the name of sandboxes"):
        initialise(settings, ORIGIN, sandbox=True)
    made = CliRunner().invoke(app, ["init", "--origin", "sandbox.invalid/mine", "--state", str(tmp_path / "other")])
    assert made.exit_code == 1
    assert "the name of sandboxes" in made.output


def test_no_ledger_serves_a_sandbox(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    initialise(settings, "sandbox.invalid/mine/1", sandbox=True)
    with pytest.raises(InvalidInput, match="is a sandbox, which no ledger serves"):
        build_node(settings, serves=True)


def test_every_page_of_a_sandbox_says_what_it_is(visitor: Visitor) -> None:
    url = visitor.room["ledger"]["url"]
    banners = {"en": "Sandbox: nothing here", "zh-CN": "沙箱环境", "pt-BR": "nada aqui aconteceu"}
    with httpx2.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=60) as client:
        for language, words in banners.items():
            for page in ("/", "/verify", "/sign-in", "/join"):
                shown = client.get(page, headers={"accept": "text/html", "accept-language": language})
                assert words in shown.text, (page, language)


def test_a_real_log_shows_no_such_banner(tmp_path: Path) -> None:
    with running_service(f"sqlite:///{tmp_path / 'real.sqlite'}", tmp_path / "real") as real:
        page = httpx2.get(f"{real.url}/verify", headers={"accept": "text/html"}, trust_env=False, timeout=60)
    assert page.status_code == 200
    assert "Sandbox" not in page.text


def receipt_of(visitor: Visitor, folder: Path) -> Path:
    async def made() -> bytes:
        async with visitor.client() as client:
            consent_id = await asked(client)
            [receipt] = await client.history(consent_id)
            return receipt.file

    file = folder / "receipt.json"
    file.write_bytes(asyncio.run(made()))
    return file


def verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_the_verifier_says_so_beside_its_verdict(visitor: Visitor, tmp_path: Path) -> None:
    receipt = receipt_of(visitor, tmp_path)
    policy = tmp_path / "policy"
    policy.write_text(f"log {visitor.room['ledger']['vkey']}\nquorum none\n")
    for language, words in (("en", "nothing in it happened to anybody"), ("zh", "此日志为沙箱")):
        told = verify("receipt", str(receipt), "--policy", str(policy), "--lang", language)
        assert told.returncode in (0, 3), told.stdout
        assert words in told.stdout


def test_a_real_logs_policy_refuses_what_a_sandbox_signed(visitor: Visitor, tmp_path: Path) -> None:
    receipt = receipt_of(visitor, tmp_path)
    with running_service(f"sqlite:///{tmp_path / 'real.sqlite'}", tmp_path / "real") as real:
        policy = tmp_path / "policy"
        policy.write_text(f"log {real.trust.vkey.format()}\nquorum none\n")
        assert verify("receipt", str(receipt), "--policy", str(policy)).returncode == 1
        crossed(visitor, real)


def crossed(visitor: Visitor, real: RealService) -> None:
    """A client that believes the real log believes nothing that a sandbox answers, and the other way round."""

    async def both() -> None:
        member = real.members["app-1"]
        pairs = ((visitor.room["ledger"]["url"], real.trust), (real.url, visitor.client().trust))
        for url, trust in pairs:
            async with LedgerClient(url, "app-1", member.signer, trust, client_key=member.client_key) as client:
                with pytest.raises(ClientError):
                    await client.checkpoint()

    asyncio.run(both())


def test_a_reset_makes_another_log_at_the_same_address(service: Service, tmp_path: Path) -> None:
    guest = service.guest(tmp_path / "first", "app-reset")

    async def asks() -> str:
        async with guest.client() as client:
            return await asked(client)

    asyncio.run(asks())
    after = service.post(f"{guest.here}/reset", status=200)
    before = guest.room
    assert after["ledger"]["url"] == before["ledger"]["url"]
    assert after["banks"] == before["banks"]
    assert after["ledger"]["origin"] != before["ledger"]["origin"]
    assert after["ledger"]["vkey"] != before["ledger"]["vkey"]
    assert (after["joined"], after["resets"]) == (False, 1)
    with pytest.raises(ClientError):
        asyncio.run(asks())  # the keys that it knew are nobody's
    again = service.guest(tmp_path / "second", "app-reset")
    guest.folder = again.folder
    assert asyncio.run(asks())


def test_a_closed_sandbox_leaves_nothing_behind(service: Service, tmp_path: Path) -> None:
    folder = service.sandboxes._folder
    before = {one.name for one in folder.iterdir()}
    guest = service.guest(tmp_path / "own", "app-gone")
    assert {one.name for one in folder.iterdir()} > before
    assert service.http.delete(guest.here).status_code == 204
    assert {one.name for one in folder.iterdir()} == before
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(f"{guest.room['ledger']['url']}/checkpoint", trust_env=False, timeout=5)


def test_the_command_opens_one_and_lets_its_guest_in(tmp_path: Path) -> None:
    own, token = tmp_path / "own", tmp_path / "token"
    command = [
        sys.executable,
        "-m",
        "api.cli.main",
        "sandbox",
        "--port",
        "0",
        "--participant",
        "app-mine",
        "--as",
        str(own),
    ]
    with subprocess.Popen(
        [*command, "--token-file", str(token), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        followed = subprocess.run(
            [sys.executable, "-m", "api.cli.main", "follow", "--once", "--as", str(own)],
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )
        process.terminate()
        process.wait(60)
    assert followed.returncode == 0, followed.stderr
    assert re.match(r"sandbox\.invalid/app-mine/[0-9a-f]{16}: \d+ entries", followed.stdout)
    assert token.read_text() == told["token"]
    assert token.stat().st_mode & 0o777 == 0o600
    assert told["room"]["sandbox"] is True
