"""A recipient of the demo: asks for consents, pulls data by both ways, records what it got."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import httpx2
import orjson
from fastapi import FastAPI

from api.client import LedgerClient, VerifiedReceipt, make_item, make_terms, open_receipt, request_digest
from api.demo.templates import Template
from api.guard import RECEIPT_HEADER, STATEMENT_HEADER, receipt_header
from api.http.telemetry import NO_TELEMETRY
from ledger.canonical import unb64u
from ledger.clock import SystemClock
from ledger.entries.acts import AccessItem
from ledger.entries.terms import Terms

PURPOSE: Final = "account-overview"
NOTICE: Final = b"We show you your accounts in one place. You can stop this at any time, here or at your bank."
NINETY_DAYS: Final = 90 * 86_400


@dataclass
class DemoConnection:
    """One consent as its recipient knows it."""

    consent_id: str
    bank: str
    account: str = ""
    purpose: str = PURPOSE


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of one pull."""

    status: int
    reason: str
    rows: int
    receipt: VerifiedReceipt | None
    content: bytes = b""


@dataclass
class Recipient:
    """What a recipient keeps."""

    client: LedgerClient
    name: str
    banks: Mapping[str, httpx2.AsyncClient]
    templates: Mapping[str, Template]
    connections: dict[str, DemoConnection] = field(default_factory=dict)
    receipts: list[VerifiedReceipt] = field(default_factory=list)
    rows: int = 0

    async def connect(self, bank: str, *, authorisers: int, history: tuple[int, int]) -> DemoConnection:
        """Ask for a consent at a bank."""
        template = self.templates[bank]
        terms = make_terms(
            holder=bank,
            recipient=self.client.participant,
            permissions=template.permissions,
            purpose=PURPOSE,
            purpose_text="All my accounts in one place",
            notice=NOTICE,
            expires_at=SystemClock().now() // 1000 + NINETY_DAYS,
            history_from=history[0],
            history_to=history[1],
            frequency_per_day=template.frequency_per_day,
            authorisers_required=authorisers,
            standard=template.standard,
            standard_version=template.version,
        )
        return await self.ask(bank, terms, PURPOSE)

    async def ask(self, bank: str, terms: Terms, purpose: str) -> DemoConnection:
        """Ask for a consent under these terms."""
        connection = DemoConnection(str(uuid.uuid4()), bank, purpose=purpose)
        self.receipts.append(await self.client.request_consent(connection.consent_id, terms))
        self.connections[connection.consent_id] = connection
        return connection

    def item(self, connection: DemoConnection, what: str, permission: str, *, customer_present: bool) -> AccessItem:
        """The access for one GET at the bank."""
        return make_item(
            consent_id=connection.consent_id,
            accounts=[connection.account],
            permissions=[permission],
            purpose=connection.purpose,
            request_digest=request_digest(connection.bank, "GET", f"/accounts/{connection.account}/{what}"),
            interaction_id=str(uuid.uuid4()),
            customer_present=customer_present,
        )

    async def pull(
        self, connection: DemoConnection, what: str, permission: str, *, customer_present: bool = True
    ) -> Pulled:
        """Online: the bank has the signed statement decided."""
        item = self.item(connection, what, permission, customer_present=customer_present)
        question = self.client.statements.access(item)
        return await self._get(connection, what, {STATEMENT_HEADER: question.text})

    async def pull_with(self, connection: DemoConnection, what: str, receipt: VerifiedReceipt) -> Pulled:
        """Offline: with a decision that this recipient had taken itself; the bank asks nobody."""
        return await self._get(connection, what, receipt_header(receipt))

    async def _get(self, connection: DemoConnection, what: str, headers: Mapping[str, str]) -> Pulled:
        answer = await self.banks[connection.bank].get(f"/accounts/{connection.account}/{what}", headers=headers)
        receipt = None
        if (value := answer.headers.get(RECEIPT_HEADER)) is not None:
            receipt = open_receipt(unb64u(value), self.client.trust)
            await self.client.watch.observe(receipt.checkpoint, receipt.note)
            self.receipts.append(receipt)
        content = orjson.loads(answer.content)
        if answer.status_code != 200:
            return Pulled(answer.status_code, content.get("reason", ""), 0, receipt)
        rows = len(content["rows"])
        self.rows += rows
        return Pulled(200, "", rows, receipt, answer.content)

    async def confirm(self, pulled: Pulled) -> None:
        """Record what arrived."""
        if pulled.receipt is not None:
            digest = sha256(pulled.content).digest()
            received = await self.client.receive(
                pulled.receipt, rows=pulled.rows, content=pulled.content, digest=digest
            )
            self.receipts.append(received)


def recipient_app(recipient: Recipient) -> FastAPI:
    """The recipient's own service: what it holds, and its customers' stop button."""
    app = FastAPI(title=recipient.name, telemetry=NO_TELEMETRY)

    @app.get("/")
    async def front() -> dict[str, Any]:
        return {"recipient": recipient.name, "consents": len(recipient.connections), "rows": recipient.rows}

    @app.post("/consents/{consent_id}/revoke")
    async def revoke(consent_id: str) -> dict[str, Any]:
        stopped = await recipient.client.revoke(recipient.connections[consent_id].consent_id)
        recipient.receipts.append(stopped)
        return {"index": stopped.index}

    return app
