"""The guard in strict mode: data only against a receipt the recipient brings, and only when the release is recorded."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import StreamingResponse

from api.client import Directory, LedgerClient, Pseudonyms, VerifiedReceipt, request_digest
from api.guard import STATEMENT_HEADER, ConsentGuard, GuardedAccess, receipt_header
from ledger.entries.access_acts import AccessLeg
from tests.client.service import Service, active_consent, balance_item

ROWS = [{"booked": at, "direction": side} for at, side in ((100, "credit"), (200, "debit"), (300, "credit"))]


def bank_application(guard: ConsentGuard) -> FastAPI:
    app = FastAPI(telemetry=None)
    guard.install(app)
    balances_needed = Depends(guard("ReadBalances", account="account"))
    transactions_needed = Depends(guard("ReadTransactionsDetail", account="account"))

    @app.get("/accounts/{account}/balances")
    async def balances(account: str, access: GuardedAccess = balances_needed) -> dict[str, Any]:
        access.gives(1)
        return {"account": access.account}

    @app.get("/accounts/{account}/transactions")
    async def transactions(account: str, access: GuardedAccess = transactions_needed) -> StreamingResponse:
        given = access.transactions(ROWS, when=lambda row: row["booked"], direction=lambda row: row["direction"])
        return StreamingResponse((f"{row['booked']}\n" for row in given), media_type="text/plain")

    return app


@dataclass
class Scene:
    """A strict bank, a recipient, a consent for one account."""

    bank: LedgerClient
    app: LedgerClient
    http: httpx2.AsyncClient
    consent_id: str
    account: str

    async def decided(self, what: str, permission: str) -> VerifiedReceipt:
        item = balance_item(
            self.consent_id,
            self.account,
            permissions=[permission],
            interaction=str(uuid.uuid4()),
            request_digest=request_digest("bank-a", "GET", f"/accounts/{self.account}/{what}"),
        )
        return await self.app.access(item)

    async def get(self, what: str, headers: dict[str, str]) -> httpx2.Response:
        return await self.http.get(f"/accounts/{self.account}/{what}", headers=headers)


def play(service: Service, story: Callable[[Scene], Coroutine[Any, Any, None]], bank_url: str | None = None) -> None:
    async def run() -> None:
        consent_id = str(uuid.uuid4())
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(bank, app, consent_id, Pseudonyms.generate())
            directory = Directory(bank)
            await directory.refresh()
            async with service.client("bank-a", url=bank_url) as releasing:
                guard = ConsentGuard(releasing, directory, Book({consent_id: {account: "account-1"}}), strict=True)
                transport = httpx2.ASGITransport(bank_application(guard))
                async with httpx2.AsyncClient(transport=transport, base_url="http://bank.example") as http:
                    await story(Scene(bank, app, http, consent_id, account))

    asyncio.run(run())


class Book:
    def __init__(self, held: dict[str, dict[str, str]]) -> None:
        self._held = held

    async def accounts(self, consent_id: str) -> dict[str, str] | None:
        return self._held.get(consent_id)


def test_a_release_is_recorded_as_the_recipient_gets_it_and_reconciles(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.queries.reconciliation.DELAY_MS", 0)  # the real clock stands for the tests over HTTP

    async def story(scene: Scene) -> None:
        for what, permission, rows in (("balances", "ReadBalances", 1), ("transactions", "ReadTransactionsDetail", 2)):
            receipt = await scene.decided(what, permission)
            answer = await scene.get(what, receipt_header(receipt))
            assert answer.status_code == 200, answer.text
            release = (await scene.bank.history(scene.consent_id))[-1]
            assert isinstance(release.payload, AccessLeg)
            assert (release.act, release.payload.basis) == ("access.release", receipt.index)
            digest = hashlib.sha256(answer.content).digest()
            got = await scene.app.receive(receipt, rows=rows, content=answer.content, digest=digest)
            assert isinstance(got.payload, AccessLeg)
            for figure in ("rows", "bytes", "digest"):
                assert getattr(release.payload, figure) == getattr(got.payload, figure), figure
        service.node.ledger.reconcile()
        assert service.node.ledger.reconciliation.findings(None) == []

    play(service, story)


def test_a_statement_alone_opens_nothing_in_strict_mode(service: Service) -> None:
    async def story(scene: Scene) -> None:
        size = service.node.ledger.tree.size()
        item = balance_item(
            scene.consent_id,
            scene.account,
            permissions=["ReadBalances"],
            interaction=str(uuid.uuid4()),
            request_digest=request_digest("bank-a", "GET", f"/accounts/{scene.account}/balances"),
        )
        answer = await scene.get("balances", {STATEMENT_HEADER: scene.app.statements.access(item).text})
        assert (answer.status_code, answer.json()["reason"]) == (401, "HEADER_MISSING")
        assert service.node.ledger.tree.size() == size

    play(service, story)


def test_no_byte_leaves_when_the_release_cannot_be_recorded(service: Service) -> None:
    async def story(scene: Scene) -> None:
        receipt = await scene.decided("transactions", "ReadTransactionsDetail")
        answer = await scene.get("transactions", receipt_header(receipt))
        assert (answer.status_code, answer.json()["reason"]) == (503, "LEDGER_UNAVAILABLE")
        assert "100" not in answer.json()["detail"]

    play(service, story, bank_url="http://127.0.0.1:9")
