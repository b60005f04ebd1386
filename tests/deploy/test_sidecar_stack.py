"""Applications in Java and Go behind nginx and the sidecar, against a real ledger: what scripts/test-sidecar runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.client import Pseudonyms, open_receipt, request_digest
from api.guard import RECEIPT_HEADER, STATEMENT_HEADER
from ledger.canonical import unb64u
from tests.client.service import Service, active_consent, balance_item, running_service
from tests.ports import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "deploy" / "samples"
PATIENCE = 600.0
"""Seconds for a program to listen: a JVM starts on a machine that is busy. A program that ends is told at once."""
BUILT = Path(os.environ.get("SIDECAR_SAMPLES", "/nonexistent"))
"""Where scripts/test-sidecar has put the built samples."""


@contextmanager
def running(command: list[str], port: int, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program, once it accepts connections on a port."""
    process = subprocess.Popen(command, **options)
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert process.poll() is None, f"{command[0]} ended"
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{command[0]} does not listen")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Stack:
    """A recipient's way to the application: through nginx."""

    service: Service
    http: httpx2.Client
    pseudonyms: Pseudonyms
    sidecar: int
    """Its port."""


def application(language: str, port: int) -> list[str]:
    if language == "java":
        quiet = [
            "--server.address=127.0.0.1",
            "--server.max-http-request-header-size=256KB",
            "--logging.level.root=WARN",
        ]
        return ["java", "-Xmx128m", "-jar", str(BUILT / "accounts.jar"), f"--server.port={port}", *quiet]
    return [str(BUILT / "accounts-go"), f"127.0.0.1:{port}"]


@pytest.fixture(scope="module", params=["java", "go"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp(f"stack-{request.param}")
    ports = {name: free_port() for name in ("application", "sidecar", "nginx")}
    pseudonyms = Pseudonyms(bytes(range(32)))
    with ExitStack() as everything:
        service = everything.enter_context(running_service(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state"))
        everything.enter_context(running(application(request.param, ports["application"]), ports["application"]))
        everything.enter_context(running(sidecar(service, folder, ports["sidecar"]), ports["sidecar"], cwd=ROOT))
        everything.enter_context(running(nginx(folder, ports), ports["nginx"]))
        http = everything.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{ports['nginx']}", timeout=30))
        yield Stack(service, http, pseudonyms, ports["sidecar"])


def sidecar(service: Service, folder: Path, port: int) -> list[str]:
    """The sample's own configuration, with this test's names in the place of the bank's."""
    member = service.members["bank-a"]
    member.signer.save(folder / "statement.pem")
    member.client_key.save(folder / "client.pem")
    (folder / "pseudonyms.secret").write_bytes(bytes(range(32)))
    (folder / "pseudonyms.secret").chmod(0o600)
    (folder / "accounts.json").write_text('["account-1"]')
    (folder / "evidence").mkdir()
    text = (SAMPLES / "consent-guard.toml").read_text()
    for said, ours in (
        ("https://ledger.example", service.url),
        ("ledger.example/1+…", service.node.ledger.vkey.format()),
        ("bank-a-2026", member.signer.kid),
        ("bank-a-client", member.client_key.kid),
    ):
        assert said in text
        text = text.replace(said, ours)
    accounts = f'port = {port}\naccounts = {{ secret_file = "pseudonyms.secret", file = "accounts.json" }}\n'
    (folder / "guard.toml").write_text(accounts + text)
    return [sys.executable, "-m", "api.guard.sidecar_command", "--config", str(folder / "guard.toml")]


def nginx(folder: Path, ports: dict[str, int]) -> list[str]:
    """The sample's own configuration, on this test's ports."""
    text = (SAMPLES / "nginx" / "guarded.conf").read_text()
    for said, name in (("127.0.0.1:9191", "sidecar"), ("127.0.0.1:8081", "application"), ("127.0.0.1:8080", "nginx")):
        assert said in text
        text = text.replace(said, f"127.0.0.1:{ports[name]}")
    (folder / "guarded.conf").write_text(text)
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off;\n{places}include {folder}/guarded.conf; }}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    subprocess.run([program, "-t", "-q", "-c", str(main)], check=True)
    return [program, "-c", str(main)]


@dataclass
class Told:
    """Statements of one recipient about one account."""

    stack: Stack
    consent_id: str
    account: str

    async def get(self, what: str, permission: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        path = f"/accounts/{self.account}/{what}"
        async with self.stack.service.client("app-1") as app:
            item = balance_item(
                self.consent_id,
                self.account,
                str(uuid.uuid4()),
                permissions=[permission],
                request_digest=request_digest("bank-a", "GET", path),
            )
            statement = app.statements.access(item).text
        return await asyncio.to_thread(
            self.stack.http.get, path, headers={STATEMENT_HEADER: statement} | (headers or {})
        )


async def agreed(stack: Stack, **terms: Any) -> Told:
    consent_id = str(uuid.uuid4())
    async with stack.service.client("bank-a") as bank, stack.service.client("app-1") as app:
        account = await active_consent(bank, app, consent_id, stack.pseudonyms, **terms)
    return Told(stack, consent_id, account)


def test_data_goes_out_narrowed_and_masked_with_its_receipt(stack: Stack) -> None:
    async def story() -> None:
        permissions = ["ReadAccountsBasic", "ReadTransactionsCredits", "ReadTransactionsDetail"]
        told = await agreed(stack, permissions=permissions, history_from=150)
        answer = await told.get("transactions", "ReadTransactionsDetail")
        assert answer.status_code == 200, answer.text
        [row] = answer.json()
        assert (row["direction"], row["amount"]) == ("credit", "99.00")
        assert row["card"] == "************1234"
        assert open_receipt(unb64u(answer.headers[RECEIPT_HEADER]), stack.service.trust).allowed

    asyncio.run(story())


def test_the_first_request_after_the_customer_has_stopped_is_refused(stack: Stack) -> None:
    async def story() -> None:
        told = await agreed(stack)
        allowed = await told.get("balances", "ReadBalances")
        assert (allowed.status_code, allowed.json()["account"]) == (200, "account-1")
        async with stack.service.client("bank-a") as bank:
            stopped = await bank.revoke(told.consent_id)
        refused = await told.get("balances", "ReadBalances")
        assert (refused.status_code, refused.json()["reason"]) == (403, "CONSENT_REVOKED")
        assert refused.headers["content-type"] == "application/problem+json"
        denial = open_receipt(unb64u(refused.headers[RECEIPT_HEADER]), stack.service.trust)
        assert denial.index > stopped.index

    asyncio.run(story())


def test_the_caller_gets_the_true_status(stack: Stack) -> None:
    async def story() -> None:
        nothing = await asyncio.to_thread(stack.http.get, "/accounts/x/balances")
        assert (nothing.status_code, nothing.json()["reason"]) == (401, "HEADER_MISSING")
        told = await agreed(stack)
        body = await asyncio.to_thread(stack.http.post, f"/accounts/{told.account}/balances", content=b"body")
        assert body.status_code == 400

    asyncio.run(story())


def test_no_header_of_the_caller_passes_for_the_guards(stack: Stack) -> None:
    async def story() -> None:
        told = await agreed(stack)
        forged = json.dumps({"v": 1, "accounts": {told.account: "account-of-another"}})
        answer = await told.get("balances", "ReadBalances", {"Consent-Access": forged})
        assert (answer.status_code, answer.json()["account"]) == (200, "account-1")
        alone = await asyncio.to_thread(
            stack.http.get, f"/accounts/{told.account}/balances", headers={"Consent-Access": forged}
        )
        assert alone.status_code == 401

    asyncio.run(story())


@pytest.mark.parametrize(
    "spelling", ["/accounts//{}/balances", "/accounts/x/../{}/balances", "/accounts/{}%2Fbalances"]
)
def test_no_other_spelling_of_an_address_goes_around_the_guard(stack: Stack, spelling: str) -> None:
    async def story() -> int:
        told = await agreed(stack)
        async with stack.service.client("app-1") as app:
            item = balance_item(told.consent_id, told.account, str(uuid.uuid4()))
            statement = app.statements.access(item).text
        address = spelling.format(told.account)
        host = stack.http.base_url.netloc.decode()
        request = (
            f"GET {address} HTTP/1.1\r\nHost: {host}\r\n{STATEMENT_HEADER}: {statement}\r\nConnection: close\r\n\r\n"
        )
        return await asyncio.to_thread(_status, stack.http.base_url.port or 0, request.encode())

    assert asyncio.run(story()) == 400


def _status(port: int, request: bytes) -> int:
    """The status of the answer to bytes as they are: no client respells the address."""
    with socket.create_connection(("127.0.0.1", port), 30) as line:
        line.sendall(request)
        return int(line.makefile("rb").readline().split()[1])
