"""A bank's own software in a conformance run: its customers answer by script, and its data routes stand behind the guard.

`flaw` plants one mistake, by the behaviour that must find it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from api.client import Directory
from api.demo.bank import bank_app
from api.demo.servers import serving
from api.http.wire import App, Receive, Scope, Send
from api.sandbox.customers import SCRIPTS, ScriptedBank
from tests.sandbox.kit import Visitor


@dataclass
class BankSoftware:
    """Serves data and answers for customers."""

    bank: ScriptedBank
    app: App
    flaw: str = ""
    case: str = ""
    doing: str = ""

    async def does(self, task: dict[str, Any]) -> dict[str, Any]:
        """Do a task; what it concludes."""
        given, self.doing = task["with"], task["behaviour"]
        self.case = given.get("case", "")
        wrong = self.flaw == self.doing
        if wrong and task["do"] == "answer":
            return await self._wrongly(given)
        if given.get("customer") == "no":
            await self.bank.answer(SCRIPTS["no"], given["consent_id"])
            return {"answer": "declined"}
        script = SCRIPTS[given.get("customer", "yes")]
        for consent_id in filter(None, (given["consent_id"], given.get("also"))):
            await self.bank.answer(script, consent_id)
        if given.get("ends"):
            await self.bank.client.revoke(given["consent_id"])
            return {"answer": "ended"}
        if task["do"] == "serve":
            return {"answer": "ready"}
        return {"answer": "partial" if script.id == "partial" else "agreed"}

    async def _wrongly(self, given: dict[str, Any]) -> dict[str, Any]:
        """It says the right word, and does something else."""
        said = {"no": "declined", "partial": "partial"}.get(
            given["customer"], "ended" if given.get("ends") else "agreed"
        )
        if given["customer"] == "partial":
            await self.bank.answer(SCRIPTS["joint"], given["consent_id"])
        elif given["customer"] == "no" or given.get("ends") or given.get("also"):
            await self.bank.answer(SCRIPTS["yes"], given["consent_id"])
        return {"answer": said}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The data routes; a flawed bank gives out what its guard would have refused."""
        if self.flaw == self.doing and self.case and scope["type"] == "http":
            body = json.dumps({"rows": [{"balance": "1.00", "card": "9999001234567890"}]}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await self.app(scope, receive, send)


@asynccontextmanager
async def bank_of(visitor: Visitor, flaw: str = "") -> AsyncIterator[tuple[BankSoftware, str]]:
    """A bank that runs, and where its data routes are."""
    async with visitor.client() as client:
        bank = ScriptedBank.opened(client, "A bank", lambda work: work.close())
        directory = Directory(client)
        software = BankSoftware(bank, bank_app(bank, known=directory), flaw)
        async with serving({"bank": software}) as urls:
            yield software, urls["bank"]
