"""The bank's data, behind its guard, in the words of each standard: `python -m tests.stock.bank CONFIGURATION`.

What a bank writes itself. Its recipients sign nothing: they bring tokens that are bound to their certificates, or the
certificate and the id of their consent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI, Request, Response

from api.client import Directory, LedgerClient, LocalSigner, Pseudonyms, Trust, parse_vkey
from api.guard import (
    CertifiedRecipients,
    ConsentGuard,
    GuardedAccess,
    KnownAccounts,
    LedgerBook,
    LedgerTokens,
    TokenWay,
)
from tests.stock.fip import speak_aa

BALANCES = {"a-1": "1250.30", "a-2": "8800.00"}
WHEN = "2026-11-30T12:00:00Z"


def _client(said: dict[str, str]) -> LedgerClient:
    return LedgerClient(
        said["ledger"],
        said["holder"],
        LocalSigner.load(said["statement_kid"], Path(said["statement_key"])),
        Trust(parse_vkey(said["vkey"])),
        client_key=LocalSigner.load(said["client_kid"], Path(said["client_key"])),
    )


def application(said: dict[str, str]) -> FastAPI:
    client = _client(said)
    book = LedgerBook(client, KnownAccounts(Pseudonyms.load(Path(said["references"])), list(BALANCES)))
    tokens = LedgerTokens(client)
    directory, header = Directory(client), "X-Client-Certificate"
    shown = CertifiedRecipients(directory, header)
    way = TokenWay(tokens, said["public_url"], certificate=header, key_header="client_api_key", certified=shown)
    guard = ConsentGuard(client, directory, book, tokens=way)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=lifespan)
    guard.install(app)
    for speak in (_uk, _berlin, _brazil, _cdr):
        speak(app, guard)
    speak_aa(app, guard, way, said["holder"], BALANCES)
    return app


def _uk(app: FastAPI, guard: ConsentGuard) -> None:
    base = "/open-banking/v4.0/aisp"
    may_list, may_read = Depends(guard("ReadAccountsBasic")), Depends(guard("ReadBalances", account="account"))

    def answer(path: str, said: dict[str, Any]) -> dict[str, Any]:
        return {"Data": said, "Links": {"Self": f"https://bank.example{base}{path}"}, "Meta": {}}

    @app.get(base + "/accounts")
    async def accounts(access: GuardedAccess = may_list) -> dict[str, Any]:
        listed = [
            {"AccountId": access.short(own), "Status": "Enabled", "Currency": "GBP", "AccountTypeCode": "CACC"}
            for own in access.accounts.values()
        ]
        return answer("/accounts", {"Account": listed})

    @app.get(base + "/accounts/{account}/balances")
    async def balances(account: str, access: GuardedAccess = may_read) -> dict[str, Any]:
        balance = {
            "AccountId": account,
            "CreditDebitIndicator": "Credit",
            "Type": "ITAV",
            "DateTime": WHEN,
            "Amount": {"Amount": BALANCES[access.account], "Currency": "GBP"},
        }
        return answer(f"/accounts/{account}/balances", {"Balance": [balance]})

    may_look = Depends(guard("ReadTransactionsDetail", account="account"))

    @app.get(base + "/accounts/{account}/transactions")
    async def transactions(account: str, access: GuardedAccess = may_look) -> dict[str, Any]:
        return answer(f"/accounts/{account}/transactions", {"Transaction": list(access.within([], when=int))})


def _berlin(app: FastAPI, guard: ConsentGuard) -> None:
    may_list, may_read = Depends(guard("ReadAccountsDetail")), Depends(guard("ReadBalances", account="account"))

    @app.get("/v1/accounts")
    async def accounts(access: GuardedAccess = may_list) -> dict[str, Any]:
        listed = [
            {"resourceId": access.short(own), "currency": "EUR", "_links": {"balances": {"href": _below(access, own)}}}
            for own in access.accounts.values()
        ]
        return {"accounts": listed}

    @app.get("/v1/accounts/{account}/balances")
    async def balances(account: str, access: GuardedAccess = may_read) -> dict[str, Any]:
        amount = {"currency": "EUR", "amount": BALANCES[access.account]}
        return {"balances": [{"balanceAmount": amount, "balanceType": "closingBooked"}]}

    def _below(access: GuardedAccess, own: str) -> str:
        return f"/v1/accounts/{access.short(own)}/balances"


def _brazil(app: FastAPI, guard: ConsentGuard) -> None:
    may_list = Depends(guard("ReadResources"))

    @app.get("/open-banking/resources/v3/resources")
    async def resources(request: Request, response: Response, access: GuardedAccess = may_list) -> dict[str, Any]:
        listed = [
            {"resourceId": access.short(own), "type": "ACCOUNT", "status": "AVAILABLE"}
            for own in access.accounts.values()
        ]
        response.headers["x-fapi-interaction-id"] = request.headers["x-fapi-interaction-id"]
        return {
            "data": listed,
            "links": {"self": "https://bank.example/open-banking/resources/v3/resources"},
            "meta": {"requestDateTime": WHEN, "totalRecords": len(listed), "totalPages": 1},
        }


def _cdr(app: FastAPI, guard: ConsentGuard) -> None:
    base = "/cds-au/v1/banking/accounts"
    may_list, may_read = Depends(guard("ReadAccountsBasic")), Depends(guard("ReadBalances", account="account"))

    @app.get(base)
    async def accounts(access: GuardedAccess = may_list) -> dict[str, Any]:
        listed = [
            {
                "accountId": access.short(own),
                "accountOwnership": "ONE_PARTY",
                "displayName": "Everyday",
                "maskedNumber": "xxxx4021",
                "productCategory": "TRANS_AND_SAVINGS_ACCOUNTS",
                "productName": "Everyday",
            }
            for own in access.accounts.values()
        ]
        meta = {"totalRecords": len(listed), "totalPages": 1}
        return {"data": {"accounts": listed}, "links": {"self": f"https://bank.example{base}"}, "meta": meta}

    @app.get(base + "/{account}/balance")
    async def balance(account: str, access: GuardedAccess = may_read) -> dict[str, Any]:
        amount = BALANCES[access.account]
        said = {"accountId": account, "currentBalance": amount, "availableBalance": amount, "currency": "AUD"}
        return {"data": said, "links": {"self": f"https://bank.example{base}/{account}/balance"}, "meta": {}}


def main() -> None:
    """Serve until told to stop."""
    said = json.loads(Path(sys.argv[1]).read_text())
    uvicorn.run(application(said), port=int(said["port"]), log_level="warning")


if __name__ == "__main__":
    main()
