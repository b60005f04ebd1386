"""A bank's application behind its guard, and who calls it, for the tests of the guard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2
from fastapi import Depends, FastAPI

from api.client import Directory, LedgerClient, Pseudonyms, VerifiedReceipt, open_receipt, request_digest
from api.guard import (
    RECEIPT_HEADER,
    STATEMENT_HEADER,
    ConsentGuard,
    GuardedAccess,
    UsedDecisions,
)
from ledger.canonical import unb64u
from tests.client.service import Service, active_consent, balance_item
from tests.clocks import ClockAhead

ROWS = [
    {"booked": 100, "direction": "credit", "card": "4000123412341234"},
    {"booked": 200, "direction": "debit", "card": "4000123412341234"},
    {"booked": 300, "direction": "credit", "card": "4000123412341234"},
]


@dataclass
class Scene:
    """A bank behind its guard, two recipients, one consent for one account."""

    bank: LedgerClient
    app: LedgerClient
    other: LedgerClient
    http: httpx2.AsyncClient
    consent_id: str
    account: str
    clock: ClockAhead
    book: dict[str, dict[str, str]] = field(default_factory=dict)
    doors: list[httpx2.AsyncClient] = field(default_factory=list)
    """The bank's processes; `http` is the first."""

    def path(self, what: str = "balances") -> str:
        return f"/accounts/{self.account}/{what}"

    def item(self, what: str = "balances", permission: str = "ReadBalances", **replaced: Any) -> Any:
        members = {
            "permissions": [permission],
            "request_digest": request_digest("bank-a", "GET", self.path(what)),
            "interaction": str(uuid.uuid4()),
        }
        return balance_item(self.consent_id, self.account, **(members | replaced))

    async def get(self, headers: dict[str, str], path: str | None = None) -> httpx2.Response:
        return await self.http.get(path or self.path(), headers=headers)

    async def online(self, item: Any, path: str | None = None, client: LedgerClient | None = None) -> httpx2.Response:
        signer = client or self.app
        return await self.get({STATEMENT_HEADER: signer.statements.access(item).text}, path)


class Book:
    def __init__(self, held: dict[str, dict[str, str]]) -> None:
        self._held = held

    async def accounts(self, consent_id: str) -> dict[str, str] | None:
        return self._held.get(consent_id)


def bank_application(guard: ConsentGuard) -> FastAPI:
    app = FastAPI(telemetry=None)
    guard.install(app)

    balances_needed = Depends(guard("ReadBalances", account="account"))
    transactions_needed = Depends(guard("ReadTransactionsDetail", account="account"))

    @app.get("/accounts/{account}/balances")
    async def balances(account: str, access: GuardedAccess = balances_needed) -> dict[str, Any]:
        return {"account": access.account, "present": access.customer_present}

    @app.get("/accounts/{account}/transactions")
    async def transactions(account: str, access: GuardedAccess = transactions_needed) -> list[dict[str, Any]]:
        given = access.transactions(ROWS, when=lambda row: row["booked"], direction=lambda row: row["direction"])
        return [access.mask(row, pan=["card"]) for row in given]

    return app


Story = Callable[[Scene], Coroutine[Any, Any, None]]


async def at_the_bank(
    service: Service, story: Story, *, used: Sequence[UsedDecisions | None] = (None,), **terms: Any
) -> None:
    """A story at the bank; `used`: the memory of each of its processes."""
    pseudonyms, consent_id, clock = Pseudonyms.generate(), str(uuid.uuid4()), ClockAhead()
    book: dict[str, dict[str, str]] = {}
    async with (
        service.client("bank-a") as bank,
        service.client("app-1") as app,
        service.client("app-2") as other,
        AsyncExitStack() as stack,
    ):
        account = await active_consent(bank, app, consent_id, pseudonyms, **terms)
        book[consent_id] = {account: "account-1"}
        doors = []
        for memory in used:
            guard = ConsentGuard(bank, Directory(bank), Book(book), clock=clock, used=memory)
            transport = httpx2.ASGITransport(bank_application(guard))
            door = httpx2.AsyncClient(transport=transport, base_url="http://bank.example")
            doors.append(await stack.enter_async_context(door))
        await story(Scene(bank, app, other, doors[0], consent_id, account, clock, book, doors))


def play(service: Service, story: Story, **options: Any) -> None:
    asyncio.run(at_the_bank(service, story, **options))


def reason(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["reason"]


def receipt_in(answer: httpx2.Response, service: Service) -> VerifiedReceipt:
    return open_receipt(unb64u(answer.headers[RECEIPT_HEADER]), service.trust)
