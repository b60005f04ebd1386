"""A guard with a data map: what leaves, what stays, what the release says of masks (docs/spec/partners.md, 9)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI

from api.client import Directory, Pseudonyms, request_digest
from api.guard import ConsentGuard, GuardedAccess, receipt_header
from api.guard.mapped import MappedAnswers
from api.guard.sidecar import GuardedRoute, Sidecar
from ledger.entries.access_acts import AccessLeg
from tests.client.bank import Book
from tests.client.service import Service, active_consent, balance_item
from tests.datamaps import BALANCES, TRANSACTIONS, bank_map

CARD, OTHER_SIDE = "4000123412341234", "DE02120300000000202051"
ROW = {
    "amount": "12.00",
    "booked": 100,
    "card": CARD,
    "remittanceInformation": "Rent, flat 3",
    "riskScore": 7,
    "对方账号": OTHER_SIDE,
}
MAP = bank_map(kyc="ReadParty")


def let_out(body: Any, *permissions: str, masks: tuple[str, ...] = (), at: str = TRANSACTIONS) -> Any:
    operation = MappedAnswers(MAP).of(at, permissions)
    assert operation is not None
    return operation.let_out(body, masks)


def test_a_field_leaves_masked_as_the_decision_says() -> None:
    [row] = let_out([ROW], "ReadTransactionsBasic", masks=("counterparty-account", "pan", "transaction-text"))
    assert row == {
        "amount": "12.00",
        "booked": 100,
        "card": "************1234",
        "remittanceInformation": "***",
        "对方账号": "******************2051",
    }
    [clear] = let_out([ROW], "ReadTransactionsDetail")  # Detail implies Basic, and lifts the masks
    assert clear == {name: value for name, value in ROW.items() if name != "riskScore"}


def test_a_field_under_another_permission_stays() -> None:
    [row] = let_out([ROW | {"kyc": "passport"}], "ReadTransactionsDetail")
    assert "kyc" not in row
    [row] = let_out([ROW | {"kyc": "passport"}], "ReadTransactionsDetail", "ReadParty")
    assert row["kyc"] == "passport"


def test_a_field_that_nobody_graded_stays_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    answers = MappedAnswers(MAP)
    with caplog.at_level(logging.WARNING, "consent_ledger.guard"):
        for _ in range(3):
            operation = answers.of(TRANSACTIONS, ["ReadTransactionsDetail"])
            assert operation is not None
            assert "riskScore" not in operation.let_out([ROW], ())[0]
    assert [record.getMessage() for record in caplog.records] == [
        f"a field that nobody graded is left out of an answer: /*/riskScore of {TRANSACTIONS}"
    ]
    assert "12.00" not in caplog.text


def test_public_members_leave_and_null_is_null() -> None:
    body = {"balance": None, "links": {"self": "/a", "next": None}, "more": 1}
    assert let_out(body, "ReadBalances", at=BALANCES) == {"balance": None, "links": {"self": "/a", "next": None}}
    assert let_out(body, "ReadOffers", at=BALANCES) == {"links": {"self": "/a", "next": None}}


def test_an_answer_of_which_nothing_may_leave_is_an_error_and_not_an_empty_one() -> None:
    with pytest.raises(ValueError, match="nothing of the answer"):
        let_out("4000123412341234", "ReadBalances", at=BALANCES)


def test_a_mask_that_the_guard_does_not_know_lets_nothing_out() -> None:
    with pytest.raises(ValueError, match="blur"):
        let_out([ROW], "ReadTransactionsBasic", masks=("blur",))


def bank_application(guard: ConsentGuard) -> FastAPI:
    """It gives out transactions by the map, and balances past it."""
    app = FastAPI(telemetry=None)
    guard.install(app)
    balances_needed = Depends(guard("ReadBalances", account="account"))
    transactions_needed = Depends(guard("ReadTransactionsBasic", account="account"))

    @app.get("/accounts/{account}/balances")
    async def balances(account: str, access: GuardedAccess = balances_needed) -> dict[str, Any]:
        access.gives(1)
        return {"balance": "12.00"}

    @app.get("/accounts/{account}/transactions")
    async def transactions(account: str, access: GuardedAccess = transactions_needed) -> Any:
        return access.give(list(access.within([ROW], when=lambda row: row["booked"])))

    return app


def test_a_mask_that_was_skipped_is_found_and_one_that_was_applied_is_not(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.queries.reconciliation.DELAY_MS", 0)  # the real clock stands for the tests over HTTP

    async def run() -> None:
        consent_id, pseudonyms = str(uuid.uuid4()), Pseudonyms.generate()
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            account = await active_consent(
                bank, app, consent_id, pseudonyms, permissions=["ReadBalances", "ReadTransactionsBasic"]
            )
            directory = Directory(bank)
            await directory.refresh()
            book = Book({consent_id: {account: "account-1"}})
            guard = ConsentGuard(bank, directory, book, strict=True, data_map=MAP)
            transport = httpx2.ASGITransport(bank_application(guard))
            async with httpx2.AsyncClient(transport=transport, base_url="http://bank.example") as http:
                found: dict[str, tuple[int, Any]] = {}
                for what, permission in (("transactions", "ReadTransactionsBasic"), ("balances", "ReadBalances")):
                    path = f"/accounts/{account}/{what}"
                    item = balance_item(
                        consent_id,
                        account,
                        permissions=[permission],
                        interaction=str(uuid.uuid4()),
                        request_digest=request_digest("bank-a", "GET", path),
                    )
                    receipt = await app.access(item)
                    answer = await http.get(path, headers=receipt_header(receipt))
                    assert answer.status_code == 200, answer.text
                    assert CARD not in answer.text
                    assert OTHER_SIDE not in answer.text
                    digest = hashlib.sha256(answer.content).digest()
                    await app.receive(receipt, rows=1, content=answer.content, digest=digest)
                    found[what] = (receipt.index, receipt.decision.obligations.masks)
                legs = [each.payload for each in await bank.history(consent_id) if each.act == "access.release"]
                said = [leg.masks for leg in legs if isinstance(leg, AccessLeg)]
                assert said == [found["transactions"][1], ()]
                assert "pan" in found["transactions"][1]
        service.node.ledger.reconcile()
        findings = service.node.ledger.reconciliation.findings(None)
        assert [(each.access, each.code) for each in findings] == [(found["balances"][0], "mask-skipped")]

    asyncio.run(run())


def test_a_guard_takes_no_map_of_another_bank(sqlite_service: Service) -> None:
    async def run() -> None:
        async with sqlite_service.client("bank-a") as bank:
            with pytest.raises(ValueError, match="bank-b"):
                ConsentGuard(bank, Directory(bank), Book({}), data_map=bank_map("bank-b"))

    asyncio.run(run())


def test_the_sidecar_tells_the_application_what_to_mask_and_what_to_leave_out(sqlite_service: Service) -> None:
    async def run() -> None:
        async with sqlite_service.client("bank-a") as bank:
            guard = ConsentGuard(bank, Directory(bank), Book({}), data_map=MAP)
            Sidecar(guard, [GuardedRoute("GET", "/accounts/{account}/balances", ("ReadBalances",), "account")])
            with pytest.raises(ValueError, match="GET /cards"):
                Sidecar(guard, [GuardedRoute("GET", "/cards", ("ReadBalances",))])

    asyncio.run(run())
    operation = MappedAnswers(MAP).of(TRANSACTIONS, ["ReadTransactionsBasic"])
    assert operation is not None
    assert operation.told_to(["pan", "transaction-text"]) == {
        "masked": {"pan": ["/*/card"], "transaction-text": ["/*/remittanceInformation"]},
        "withheld": ["/*/kyc"],
    }
