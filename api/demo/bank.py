"""A bank of the demo: its customers' own channel, and the data routes that the guard stands before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import JSONResponse, Response

from api.client import Directory, LedgerClient, Pseudonyms
from api.demo.people import DemoAccount, Transaction
from api.demo.templates import ACCOUNTS, BALANCES, TRANSACTIONS
from api.guard import ConsentGuard, GuardedAccess
from api.http.telemetry import NO_TELEMETRY
from ledger.clock import SystemClock
from ledger.entries.acts import ConsentRequest
from ledger.entries.terms import Terms

SHOWN = {
    "provision": b"Your data goes to the service named above, which answers for it.",
    "sensitive": b"What your account shows can tell about health, beliefs and habits: share it knowingly.",
}
"""The words beside the two boxes of their own in the bank's app."""


@dataclass
class Bank:
    """What a bank keeps: customers, the consents it holds, and the secret of its pseudonyms."""

    client: LedgerClient
    name: str
    accounts: Mapping[str, DemoAccount]
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms.generate)
    held: dict[str, dict[str, str]] = field(default_factory=dict)
    """Consent → reference → account."""
    terms: dict[str, Terms] = field(default_factory=dict)
    releases: set[asyncio.Task[Any]] = field(default_factory=set)

    async def accounts_of(self, consent_id: str) -> Mapping[str, str] | None:
        """See ConsentBook."""
        return self.held.get(consent_id)

    async def authorise(self, consent_id: str, account_id: str) -> list[int]:
        """Everybody who must has agreed in the bank's app, one after the other; the indexes of their entries."""
        account = self.accounts[account_id]
        terms = await self.asked(consent_id)
        indexes = []
        for person in account.people:
            entries = await self.client.authorise(
                consent_id,
                terms,
                customer=person.id,
                owner=account.owner.id,
                accounts=[account.id],
                pseudonyms=self.pseudonyms,
                sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": SystemClock().now() // 1000},
                separate_consents={kind: SHOWN[kind] for kind in terms.separate_consents},
            )
            indexes += [entry.index for entry in entries]
        self.hold(consent_id, account.owner.id, (self.pseudonyms.account(account.id, consent_id),))
        return indexes

    def hold(self, consent_id: str, customer: str, references: Sequence[str]) -> None:
        """Remember which of a customer's accounts the references of a consent stand for."""
        own = {
            self.pseudonyms.account(one.id, consent_id): one.id
            for one in self.accounts.values()
            if customer in {person.id for person in one.people}
        }
        self.held[consent_id] = {reference: own[reference] for reference in references}

    async def given(self, consent_id: str) -> None:
        """Data of a consent went out just now."""

    async def asked(self, consent_id: str) -> Terms:
        """The terms the recipient signed, out of the verified receipt of its request."""
        [asked, *_] = await self.client.history(consent_id)
        if not isinstance(asked.payload, ConsentRequest) or asked.payload.terms.holder != self.client.participant:
            raise ValueError("the first event of a consent is its request, and it names its holder")
        return asked.payload.terms


@dataclass(frozen=True)
class _Book:
    bank: Bank

    async def accounts(self, consent_id: str) -> Mapping[str, str] | None:
        return await self.bank.accounts_of(consent_id)


def bank_app(bank: Bank, more: APIRouter | None = None, known: Directory | None = None) -> FastAPI:
    """The bank's faces on one address: `/customers` for its own people, `more`, everything else for recipients, whom it knows
    from `known`."""
    directory = known or Directory(bank.client)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await directory.refresh()
        fresh = asyncio.create_task(directory.keep_fresh())
        yield
        fresh.cancel()
        with suppress(asyncio.CancelledError):
            await fresh

    app = FastAPI(title=bank.name, lifespan=lifespan, telemetry=NO_TELEMETRY)
    guard = ConsentGuard(bank.client, directory, _Book(bank))
    guard.install(app)
    if more is not None:
        app.include_router(more)
    _customer_routes(app, bank)
    _data_routes(app, bank, guard)
    return app


def _customer_routes(app: FastAPI, bank: Bank) -> None:
    """Behind the bank's own login, which the demo leaves out."""

    @app.post("/customers/{account_id}/consents/{consent_id}/authorise")
    async def authorise(account_id: str, consent_id: str) -> dict[str, Any]:
        entries = await bank.authorise(consent_id, account_id)
        return {"entries": entries, "account": bank.pseudonyms.account(account_id, consent_id)}

    @app.post("/customers/{account_id}/consents/{consent_id}/revoke")
    async def revoke(account_id: str, consent_id: str) -> dict[str, Any]:
        if account_id not in bank.held[consent_id].values():
            raise ValueError("not this customer's consent")
        return {"index": (await bank.client.revoke(consent_id)).index}

    @app.get("/")
    async def front() -> dict[str, Any]:
        return {"bank": bank.name, "accounts": len(bank.accounts), "consents": len(bank.held), "data": "/accounts"}


def _data_routes(app: FastAPI, bank: Bank, guard: ConsentGuard) -> None:
    @app.get("/accounts")
    async def accounts(access: GuardedAccess = Depends(guard(ACCOUNTS))) -> Response:
        held = [bank.accounts[own] for own in access.accounts.values()]
        rows = [
            {"account": access.reference(account.id), "holder": account.owner.name, "card": account.card}
            for account in held
        ]
        return await _given(bank, access, [access.mask(row, pan=["card"], party_identity=["holder"]) for row in rows])

    @app.get("/accounts/{account}/balances")
    async def balances(access: GuardedAccess = Depends(guard(BALANCES, account="account"))) -> Response:
        account = bank.accounts[access.account]
        balance = account.transactions[-1].balance if account.transactions else "0.00"
        return await _given(bank, access, [{"balance": balance}])

    @app.get("/accounts/{account}/transactions")
    async def transactions(
        access: GuardedAccess = Depends(guard(TRANSACTIONS, account="account")),
    ) -> Response:
        held = bank.accounts[access.account].transactions
        given = access.transactions(held, when=lambda row: row.booked, direction=lambda row: row.direction)
        hidden = {"transaction-text": ["what"], "counterparty-account": ["counterparty"]}
        return await _given(bank, access, [access.mask(_row(row), hidden) for row in given])


def _row(row: Transaction) -> dict[str, Any]:
    return {
        "id": row.id,
        "booked": row.booked,
        "direction": row.direction,
        "amount": row.amount,
        "what": row.what,
        "counterparty": row.counterparty,
    }


async def _given(bank: Bank, access: GuardedAccess, rows: Sequence[Mapping[str, Any]]) -> Response:
    """Record what goes out, then let it go: counts and a digest, never the data."""
    content = orjson.dumps({"rows": rows})
    await bank.client.release(access.receipt, rows=len(rows), content=content, digest=sha256(content).digest())
    if access.receipt.item is not None:
        await bank.given(access.receipt.item.consent_id)
    return Response(content, media_type=JSONResponse.media_type)
