"""Sandboxes that run beside a test, and a guest in one."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from api.cli.folder import ParticipantFolder
from api.cli.joining import come_in
from api.client import LedgerClient, LocalSigner, Patience, make_item, make_terms, open_receipt, request_digest
from api.client.memory import InMemory
from api.demo.servers import address_of, loopback_socket, serving
from api.guard import RECEIPT_HEADER, STATEMENT_HEADER
from api.sandbox.controls import control_app
from api.sandbox.service import Sandboxes
from ledger.canonical import unb64u

IN_A_HURRY = Patience(tries=4, first_pause=0.001, longest_pause=0.002)


@contextmanager
def running_sandboxes(folder: Path) -> Iterator[Service]:
    """The service on a thread of its own."""
    ready, ended = threading.Event(), threading.Event()
    found: list[Service] = []

    async def run() -> None:
        sandboxes, listening = Sandboxes(folder), loopback_socket()
        url = address_of(listening)
        async with serving({"controls": control_app(sandboxes, url)}, {"controls": listening}):
            found.append(Service(url, sandboxes))
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(60)
        yield found[0]
    finally:
        ended.set()
        thread.join(60)
        found[0].http.close()


class Service:
    """The controls, as their owner asks them."""

    def __init__(self, url: str, sandboxes: Sandboxes) -> None:
        self.url = url
        self.sandboxes = sandboxes
        self.http = httpx2.Client(
            base_url=url, headers={"authorization": f"Bearer {sandboxes.token}"}, timeout=60, trust_env=False
        )

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def guest(self, folder: Path, participant: str = "app-new", role: str = "recipient") -> Visitor:
        """A sandbox for somebody who has come in with keys of its own."""
        told = self.post("/rooms", {"participant": participant, "role": role})
        come_in(told["invitation"], folder, told["ledger"]["vkey"])
        return Visitor(self, told, folder)


@dataclass
class Visitor:
    """A guest of a sandbox, with the folder that it keeps."""

    service: Service
    room: dict[str, Any]
    folder: Path

    @property
    def here(self) -> str:
        return f"/rooms/{self.room['participant']}"

    def client(self, **options: Any) -> LedgerClient:
        own = ParticipantFolder.read(self.folder)
        keys = [
            LocalSigner.load(kid, self.folder / f"{use}.pem")
            for use, kid in (("statement", own.statement_kid), ("client", own.client_kid))
        ]
        options.setdefault("patience", IN_A_HURRY)
        options.setdefault("memory", InMemory())
        return LedgerClient(own.url, own.participant, keys[0], own.trust(), client_key=keys[1], **options)

    async def answers(self, script: str, consent_id: str, **more: Any) -> Any:
        """A customer answers the request."""
        body = {"consent_id": consent_id, **more}
        return await asyncio.to_thread(self.service.post, f"{self.here}/customers/{script}/answer", body, 200)

    def breaks(self, fault: str, **more: Any) -> Any:
        return self.service.post(f"{self.here}/faults", {"fault": fault, **more})


async def asked(client: LedgerClient, holder: str = "bank-north", **replaced: Any) -> str:
    """A new consent, asked for."""
    members: dict[str, Any] = {
        "holder": holder,
        "recipient": client.participant,
        "permissions": [
            "ReadAccountsDetail",
            "ReadBalances",
            "ReadTransactionsCredits",
            "ReadTransactionsDebits",
            "ReadTransactionsDetail",
        ],
        "purpose": "budgeting",
        "purpose_text": "Budget planning",
        "notice": b"What we show.",
        "frequency_per_day": 0,
    }
    consent_id = str(uuid.uuid4())
    await client.request_consent(consent_id, make_terms(**(members | replaced)))
    return consent_id


@dataclass(frozen=True)
class Read:
    """What a bank answered: a reason where it refused."""

    status: int
    reason: str
    rows: tuple[Any, ...]
    receipt: Any


async def read(
    client: LedgerClient, room: dict[str, Any], consent_id: str, account: str, what: str = "balances"
) -> Read:
    """Ask a bank for data of one account, by the signed statement."""
    permission = {"balances": "ReadBalances", "transactions": "ReadTransactionsDetail"}[what]
    path = f"/accounts/{account}/{what}"
    item = make_item(
        consent_id=consent_id,
        accounts=[account],
        permissions=[permission],
        purpose="budgeting",
        request_digest=request_digest("bank-north", "GET", path),
        interaction_id=str(uuid.uuid4()),
        customer_present=True,
    )
    async with httpx2.AsyncClient(base_url=room["banks"]["bank-north"], timeout=60, trust_env=False) as http:
        answer = await http.get(path, headers={STATEMENT_HEADER: client.statements.access(item).text})
    told = answer.json()
    file = answer.headers.get(RECEIPT_HEADER)
    receipt = None if file is None else open_receipt(unb64u(file), client.trust)
    return Read(answer.status_code, told.get("reason", ""), tuple(told.get("rows", ())), receipt)
